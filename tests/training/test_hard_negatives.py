"""Several hard negatives a row, not as many in each: read, kept, batched and contrasted as plain loops have them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from datasets import Dataset
from toy import greek, quiet, table, words

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.multiple_negatives import MultipleNegativesOptions
from align.training import pair_columns
from align.training.batches import Batches
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.store import build_store
from align.training.train import train

N = 11


@pytest.fixture
def encoder(bert_folder):
    return quiet(load_encoder(bert_folder))


def uneven(n=N):
    """Row i has i % 4 hard negatives, the first column of which is empty in row 6."""
    wrong = [words(i % 4, seed=100 + i) for i in range(n)]
    columns = {f"negative_{k + 1}": [texts[k] if k < len(texts) else None for texts in wrong] for k in range(3)}
    columns["negative_3"][6], columns["negative_1"][6] = columns["negative_1"][6], " "
    return table(n, **columns)


def wrong_texts(pairs):
    names = [name for name in ("negative", "negative_1", "negative_2", "negative_3") if name in pairs.column_names]
    return [[row[name] for name in names if (row[name] or "").strip()] for row in pairs]


def recipe(**options):
    return Recipe(
        multiple_negatives=MultipleNegativesOptions(symmetric=True),
        train=TrainOptions(steps=3, batch_size=4, learning_rate=1e-3, warmup=0.0, log_every=1, **options),
    )


def test_a_store_of_several_negatives_equals_plain_loops(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(pair_columns, "BLOCK", 3)
    single = table(5, negative=words(5, seed=9))
    tables = {"several": uneven(), "one": single}
    made = build_store(tables, encoder, max_tokens=7, columns=["negative"], cache=tmp_path)
    wrong = wrong_texts(uneven()) + [[text] for text in single["negative"]]
    assert [len(texts) for texts in wrong[:8]] == [0, 1, 2, 3, 0, 1, 2, 3]
    expected = [[encoder.tokenize([text], max_tokens=7)[0] for text in texts] for texts in wrong]
    found = [[made.negative[i].tolist() for i in made.negatives_of(np.array([row]))] for row in range(N + 5)]
    assert found == expected
    pairs = [(made.source[i], made.target[i], *found[i]) for i in range(N + 5)]
    assert made.lengths.tolist() == [max(map(len, texts)) for texts in pairs]
    assert made.costs.tolist() == [sum(map(len, texts)) for texts in pairs]
    assert len(made.negative_texts) == sum(map(len, wrong))
    monkeypatch.setattr(pair_columns, "BLOCK", 100)
    assert build_store(tables, encoder, max_tokens=7, columns=["negative"], cache=tmp_path).folder == made.folder


def test_which_row_a_text_is_of_counts(encoder, tmp_path):
    def digest(one, two):
        pairs = table(2, negative_1=one, negative_2=two)
        return build_store(pairs, encoder, max_tokens=9, columns=["negative"], cache=tmp_path).digest

    digests = [digest(["a", "b"], ["c", None]), digest(["a", "c"], [None, "b"]), digest(["a", "c"], ["c", "b"])]
    assert len({*digests}) == 3
    assert digest(["a", "b"], ["c", ""]) == digest(["a", "b"], ["c", None])
    assert build_store(table(2, negative=["a", "b"]), encoder, max_tokens=9, columns=["negative"],
                       cache=tmp_path).negative_bounds is None  # fmt: skip


@pytest.mark.parametrize("empty", [[None] * 3, ["", " ", None]])
def test_a_run_without_any_negative_is_refused(encoder, tmp_path, empty):
    pairs = table(3, negative_1=empty, negative_2=[None] * 3)
    with pytest.raises(InputError, match="no pair has a hard negative: every one of the columns negative_1, "):
        build_store(pairs, encoder, max_tokens=9, columns=["negative"], cache=tmp_path)
    with pytest.raises(InputError, match="the table 'pairs': expected text in the column negative_2, got int64"):
        build_store(table(3, negative_1=["a"] * 3, negative_2=[1, 2, 3]), encoder, max_tokens=9, columns=["negative"],
                    cache=tmp_path)  # fmt: skip


def by_hand(encoder, pairs, temperature=0.05):
    """Every source picks its target out of all targets and all wrong texts, every target its source."""
    a, b, c = (torch.from_numpy(encoder.encode(texts)).double() for texts in (
        pairs["source"], pairs["target"], [text for texts in wrong_texts(pairs) for text in texts]))  # fmt: skip
    losses = []
    for i in range(len(pairs)):
        scores = [(a[i] @ other).item() / temperature for other in [*b, *c]]
        losses.append(math.log(sum(math.exp(score - scores[i]) for score in scores)))
        back = [(b[i] @ other).item() / temperature for other in a]
        losses.append(math.log(sum(math.exp(score - back[i]) for score in back)))
    return sum(losses) / len(losses)


def test_every_wrong_text_of_a_batch_is_a_candidate(encoder, tmp_path):
    pairs, rows = uneven(), np.array([7, 0, 3, 6, 4])
    store = build_store(pairs, encoder, max_tokens=32, columns=["negative"], cache=tmp_path)
    batch = Batches(store, encoder, recipe())[(0, rows)]
    assert batch["sides"] == [5, 5, 3 + 0 + 3 + 2 + 0, 0]
    batch.pop("rows")
    loss = Alignment(encoder, recipe())(**batch)["loss"]
    assert loss.item() == pytest.approx(by_hand(encoder, pairs.select(rows.tolist())), rel=1e-4)
    alone = Batches(store, encoder, recipe())[(0, np.array([0, 4]))]  # no pair of this batch brings one
    alone.pop("rows")
    assert alone["sides"] == [2, 2, 0, 0]
    assert Alignment(encoder, recipe())(**alone)["loss"].item() == pytest.approx(
        by_hand(encoder, pairs.select([0, 4])), rel=1e-4
    )


def test_a_wrong_text_that_is_a_pair_of_the_batch_is_not_its_own_negative(encoder, tmp_path):
    latin = words(3)
    pairs = table(3, negative_1=words(3, seed=4), negative_2=[latin[1].upper(), None, greek(latin)[0]])
    store = build_store(pairs, encoder, max_tokens=32, columns=["negative"], cache=tmp_path)
    batch = Batches(store, encoder, recipe())[(0, np.arange(3))]
    groups = batch["groups"].tolist()
    others = [groups.index(group) if group in groups else None for group in batch["negative_groups"].tolist()]
    assert others == [None, 1, None, None, 0]


def run(folder, pairs, out, **options):
    encoder = quiet(load_encoder(folder))
    facts = train(encoder, pairs, recipe(**options), out, progress=False)
    return facts, [step["loss"] for step in facts["losses"]], encoder.encode(words(20))


def test_one_numbered_column_trains_to_the_bits_of_the_plain_one(bert_folder, tmp_path):
    wrong = words(24, seed=1)
    one, losses, vectors = run(bert_folder, table(24, negative=wrong), tmp_path / "one")
    several, same, equal = run(bert_folder, table(24, negative_1=wrong), tmp_path / "several")
    assert same == losses and np.array_equal(vectors, equal)
    assert one["negatives"] == several["negatives"] == 3 + 4


def test_a_run_reads_several_and_says_how_many(bert_folder, tmp_path):
    pairs = uneven(24)
    facts, losses, vectors = run(bert_folder, pairs, tmp_path / "out")
    assert facts["negatives"] == 3 + round(4 * 36 / 24)
    fewer = Dataset.from_dict({**pairs.to_dict(), "negative_3": [None] * 24})
    assert run(bert_folder, fewer, tmp_path / "out")[1] != losses
    for options in ({"attention": "padded"}, {"loss": "plain"}, {"micro_tokens": 40}):
        _, found, after = run(bert_folder, pairs, tmp_path / "out", **options)
        assert found == pytest.approx(losses, rel=1e-4) and np.abs(after - vectors).max() < 1e-3
    facts = run(bert_folder, pairs, tmp_path / "out", batch_tokens=60)[0]
    assert len(facts["losses"]) == 3

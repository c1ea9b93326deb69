"""Recipes over concept labels: words of one group are positives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from datasets import Dataset
from toy import N, greek, p1, quiet, table, words

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives import label_nt_xent, multi_similarity, supcon
from align.objectives.labelled import LabelledOptions
from align.objectives.multi_similarity import MultiSimilarityOptions
from align.training.batches import Batches
from align.training.config import explain, load_recipe
from align.training.options import MatryoshkaOptions, TrainOptions
from align.training.recipe import Recipe
from align.training.stage import plan
from align.training.step import Alignment
from align.training.store import build_store
from align.training.train import train

ALONE = {
    "label_nt_xent": Recipe(label_nt_xent=LabelledOptions()),
    "supcon": Recipe(supcon=LabelledOptions()),
    "multi_similarity": Recipe(multi_similarity=MultiSimilarityOptions()),
}
SMALL = {"batch_size": 16, "learning_rate": 1e-2, "warmup": 0.0}


def short(recipe, steps=4, **changes):
    return Recipe(**{name: getattr(recipe, name) for name in recipe.objectives},
                  train=TrainOptions(steps=steps, **(SMALL | changes)))  # fmt: skip


def concepts(n=N):
    """Two thirds of the rows name a concept by its two scripts, the others by its Latin word and a second one."""
    latin, more = words(n), words(n, seed=1)
    ids = [i if i % 3 else i - i % 6 for i in range(n)]
    source = [greek([latin[i]])[0] if i % 3 else more[ids[i]] for i in range(n)]
    return Dataset.from_dict({
        "source": source, "target": [latin[i] for i in ids], "source_lang": ["ell_Grek"] * n,
        "target_lang": ["ell_Latn"] * n, "group_id": [f"c{i}" for i in ids],
    })  # fmt: skip


def test_the_recipe_is_the_paper():
    recipe = load_recipe("lexical")
    encoder, options = recipe.encoder, recipe.train
    assert (encoder.layer, encoder.pooling, encoder.special_tokens) == (None, "mean", False)
    assert list(recipe.objectives) == ["label_nt_xent"]
    assert recipe.label_nt_xent == LabelledOptions(weight=1.0, temperature=0.07)
    assert (options.batch_size, options.accumulate, options.learning_rate) == (256, 1, 5e-6)
    assert (options.schedule, options.warmup, options.weight_decay) == ("constant", 0.0, 0.0)
    assert (options.language_temperature, options.temperature_over, options.repeat_groups) == (0.5, "pair", True)
    assert "batches_by_language = false      # Fill a batch from one language" in explain(recipe)
    assert "repeat_groups = true             # Several pairs of one group in a batch" in explain(recipe)


def test_the_recipe_trains(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder, special_tokens=False)
    before = p1(encoder)["P@1"]
    changes = ["train.steps=120", "train.batch_size=16", "train.learning_rate=1e-2"]
    facts = train(encoder, table(), load_recipe("lexical", changes=changes), tmp_path / "out", progress=False)
    assert before < 0.1
    assert p1(encoder)["P@1"] > 0.5
    assert facts["negatives"] == 30
    assert facts["losses"][-1]["label_nt_xent"] < facts["losses"][0]["label_nt_xent"]


@pytest.mark.parametrize("name", ALONE)
def test_each_objective_alone_aligns_words_of_repeated_concepts(name, bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    before = p1(encoder)["P@1"]
    train(encoder, concepts(), short(ALONE[name], 80, repeat_groups=True), tmp_path / "out", progress=False)
    assert p1(encoder)["P@1"] > before + 0.2


def test_a_step_is_the_sum_of_its_definitions(bert_folder):
    encoder = quiet(load_encoder(bert_folder))
    recipe = Recipe(
        label_nt_xent=LabelledOptions(weight=2.0, temperature=0.2), supcon=LabelledOptions(weight=0.5),
        multi_similarity=MultiSimilarityOptions(weight=3.0, alpha=2.0, beta=10.0, base=0.4, margin=0.3,
                                                miner="multi_similarity"),
    )  # fmt: skip
    pairs, rows = concepts(), [0, 3, 4, 7, 8, 6]
    assert [pairs["group_id"][i] for i in rows] == ["c0", "c0", "c4", "c7", "c8", "c6"]
    store = build_store(pairs, encoder, max_tokens=32)
    batch = Batches(store, encoder, recipe)[(0, np.array(rows))]
    del batch["rows"]
    terms = Alignment(encoder, recipe)(**batch)
    texts = [pairs[side][i] for side in ("source", "target") for i in rows]
    vectors = torch.from_numpy(encoder.encode(texts, raw=True))
    labels = torch.tensor([0, 0, 1, 2, 3, 4] * 2)
    expected = {
        "label_nt_xent": label_nt_xent(vectors, labels, temperature=0.2),
        "supcon": supcon(vectors, labels, temperature=0.07),
        "multi_similarity": multi_similarity(
            vectors, labels, alpha=2.0, beta=10.0, base=0.4, margin=0.3, miner="multi_similarity"
        ),
    }
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value.item(), rel=1e-4), name
    total = 2 * expected["label_nt_xent"] + 0.5 * expected["supcon"] + 3 * expected["multi_similarity"]
    assert terms["loss"].item() == pytest.approx(total.item(), rel=1e-4)
    prefixes = Recipe(label_nt_xent=LabelledOptions(), matryoshka=MatryoshkaOptions((4, 16), (1.0, 2.0)))
    value = label_nt_xent(vectors[:, :4], labels) + 2 * label_nt_xent(vectors, labels)
    assert Alignment(encoder, prefixes)(**batch)["loss"].item() == pytest.approx(value.item(), rel=1e-4)


@pytest.mark.parametrize("name", ALONE)
def test_a_word_paired_with_itself(name, bert_folder, tmp_path):
    latin = words()
    twins = table(source=latin, source_lang=["ell_Latn"] * N)
    encoder = load_encoder(bert_folder)
    store = build_store(twins, encoder, max_tokens=32)
    assert len(store.source) == len(store.target) == N
    batch = Batches(store, encoder, ALONE[name])[(0, np.arange(16))]
    del batch["rows"]
    views = []
    for dropout in (True, False):
        module = Alignment(encoder if dropout else quiet(encoder), ALONE[name]).train()
        torch.manual_seed(0)
        source, target = encoder.pool(
            encoder.hidden(batch["ids"], batch["attention"], head=False).layer, batch["ids"], batch["attention"]
        ).chunk(2)
        views.append((source - target).abs().max().item())
        loss = module(**batch)["loss"]
        loss.backward()
        assert torch.isfinite(loss)
        assert all(bool(torch.isfinite(p.grad).all()) for p in module.parameters() if p.grad is not None)
    assert views[0] > 0.01 > 1e-5 > views[1]
    for model in (load_encoder(bert_folder), quiet(load_encoder(bert_folder))):
        facts = train(model, twins, short(ALONE[name]), tmp_path / "out", progress=False)
        assert (facts["pairs"], facts["groups"]) == (N, N)


def test_the_temperature_is_over_the_source_or_over_the_pair(bert_folder):
    sides = [("ell_Latn", "ell_Grek")] * 40 + [("ell_Grek", "ell_Latn")] * 40 + [("ell_Latn", "eng_Latn")] * 16
    pairs = table(source=words(), source_lang=[a for a, _ in sides], target_lang=[b for _, b in sides])
    encoder = load_encoder(bert_folder)
    store = build_store(pairs, encoder, max_tokens=32)
    assert store.languages.tolist() == [1] * 40 + [0] * 40 + [1] * 16
    assert store.language_pairs.tolist() == [0] * 80 + [1] * 16
    half = {"source": (40 / 56 * 480, 480, 16 / 56 * 480), "pair": (240, 240, 480)}  # of 960, uniform over two
    for over, wanted in half.items():
        options = TrainOptions(steps=60, batch_size=16, language_temperature=0.0, temperature_over=over)
        made = plan(Recipe(supcon=LabelledOptions(), train=options), {"pairs": pairs}, encoder, False)
        drawn = [made.drawn[part].sum() for part in (slice(0, 40), slice(40, 80), slice(80, 96))]
        assert drawn == pytest.approx(wanted, rel=0.15), over


def test_repeated_groups_fill_a_batch_that_different_ones_cannot(bert_folder, tmp_path):
    pairs = table(group_id=[str(i % 12) for i in range(N)])
    encoder = load_encoder(bert_folder)
    recipe = ALONE["label_nt_xent"]
    with pytest.raises(InputError, match="needs as many different groups, but the data has 96 pairs in 12 groups"):
        train(encoder, pairs, short(recipe), tmp_path / "out", progress=False)
    facts = train(encoder, pairs, short(recipe, repeat_groups=True), tmp_path / "out", progress=False)
    assert (facts["pairs"], facts["groups"]) == (96, 12)
    with pytest.raises(InputError, match="a batch needs 100 pairs, but the data has 96"):
        train(encoder, pairs, short(recipe, repeat_groups=True, batch_size=100), tmp_path / "out", progress=False)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("label_nt_xent.temperature=0", "label_nt_xent.temperature must be positive, got 0.0"),
        ("label_nt_xent.cosine=false", "unknown key label_nt_xent.cosine; known are weight, temperature"),
        ("supcon.temperature=nan", "supcon.temperature must be positive, got nan"),
        ("multi_similarity.alpha=0", "multi_similarity.alpha must be positive, got 0.0"),
        ("multi_similarity.beta=-1", "multi_similarity.beta must be positive, got -1.0"),
        ("multi_similarity.base=1.5", "multi_similarity.base must be a cosine, in -1..1, got 1.5"),
        ("multi_similarity.margin=-0.1", "multi_similarity.margin must be in 0..2, got -0.1"),
        ("multi_similarity.margin=nan", "multi_similarity.margin must be in 0..2, got nan"),
        ("multi_similarity.miner=hard", "multi_similarity.miner must be triplet or multi_similarity, got 'hard'"),
        ("train.temperature_over=target", "train.temperature_over must be source or pair, got 'target'"),
        ("train.repeat_groups=1", "train.repeat_groups must be bool, got 1"),
    ],
)
def test_messages(change, sentence):
    with pytest.raises(InputError) as caught:
        load_recipe("lexical", changes=[change])
    assert sentence in str(caught.value)

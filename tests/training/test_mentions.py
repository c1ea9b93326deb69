"""Sources of which a mention alone is pooled: where its tokens are, and what the step makes of them."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from datasets import Dataset
from toy import quiet, table, words

from align.encoders.checkpoint import load_encoder
from align.encoders.words import part_tokens, span_tokens
from align.errors import InputError
from align.objectives.anchor import AnchorOptions
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.mlm import MlmOptions
from align.training.batches import Batches
from align.training.gradient_caching import encode_batch
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.store import build_store
from align.training.train import train

SOURCES = ["abc defg hi", "klm no", "pqr stu vw", "abcdef"]
MENTIONS = ["4-8", "", "0-3", None]


def rows(mentions=MENTIONS):
    n = len(SOURCES)
    return Dataset.from_dict({
        "source": SOURCES, "target": words(n), "source_lang": ["eng_Latn"] * n, "target_lang": ["ell_Latn"] * n,
        "group_id": [str(i) for i in range(n)], "mention": mentions,
    })  # fmt: skip


def test_the_tokens_of_a_part(bert_folder):
    encoder = load_encoder(bert_folder, prompt="hi ")
    (row,) = span_tokens(encoder, ["abc defg hi"], [(4, 8)])
    told = encoder.tokenizer.convert_ids_to_tokens(row.ids)
    assert list(row.ids) == encoder.tokenize(["abc defg hi"])[0]
    assert (
        "".join(piece for piece, counted in zip(told, row.counted, strict=True) if counted) == "[UNK]defg"
    )  # a space is none
    assert part_tokens(encoder, "abc defg hi", (4, 8), max_tokens=5) is None
    for place in ((4, 4), (-1, 2), (4, 99), (5, 4)):
        with pytest.raises(InputError, match="no part of 'abc defg hi', of 11 characters"):
            span_tokens(encoder, ["abc defg hi"], [place])
    with pytest.raises(InputError, match=r"'z' in .* has no token, or is beyond 64 of them"):
        span_tokens(encoder, ["ab " * 99 + "z"], [(297, 298)])


@pytest.mark.parametrize("options", [
    {}, {"special_tokens": False}, {"kind": "weighted"}, {"prompt": "hi "}, {"layer": 1},
])  # fmt: skip
@pytest.mark.parametrize("micro", [0, 20])
def test_vectors_are_means_over_the_mention_made_by_hand(bert_folder, options, micro):
    encoder = quiet(load_encoder(bert_folder, **options))
    store = build_store(rows(), encoder, max_tokens=32)
    batches = Batches(store, encoder, Recipe(nt_xent=ContrastiveOptions()))
    batch = batches[0, np.array([2, 1, 0, 3])]
    given = {name: batch[name] for name in ("ids", "attention", "lengths", "counted")}
    found = encode_batch(encoder, **given, micro_tokens=micro).vectors.detach()
    expected = []
    for text, part in [(SOURCES[2], "pqr"), (SOURCES[1], None), (SOURCES[0], "defg"), (SOURCES[3], None)]:
        ids, attention = encoder.pad(encoder.tokenize([text]))
        with torch.no_grad():
            states = encoder.hidden(ids, attention).layer
            if part is None:
                expected.append(encoder.pool(states, ids, attention)[0])
                continue
        whole = encoder.prompt + text  # a piece is a letter or a space, of which that before the mention counts
        start = whole.index(part)
        first, end = len(whole[:start].rstrip()), start + len(part)
        weights = [float(first <= place - 1 < end) for place in range(len(whole) + 2)]  # the first is special
        if options.get("kind") == "weighted":
            weights = [place * weight for place, weight in enumerate(weights, 1)]
        weights = torch.tensor(weights)
        assert weights.sum() > 0
        expected.append((weights[:, None] * states[0]).sum(0) / weights.sum())
    assert torch.allclose(found[:4], torch.stack(expected), atol=1e-5)
    targets = encoder.encode([words(4)[row] for row in (2, 1, 0, 3)], raw=True)
    assert np.abs(found[4:8].numpy() - targets).max() < 1e-5


def test_masks_are_no_matter(bert_folder):
    encoder = load_encoder(bert_folder, special_tokens=False)
    store = build_store(rows(), encoder, max_tokens=32)
    key = 0, np.arange(4)
    plain = Batches(store, encoder, Recipe(nt_xent=ContrastiveOptions()))[key]
    masked = Batches(store, encoder, Recipe(nt_xent=ContrastiveOptions(), mlm=MlmOptions(rate=0.5)))[key]
    assert torch.equal(plain["counted"], masked["counted"])
    assert not torch.equal(plain["ids"], masked["ids"])


def test_a_mention_that_is_cut_is_said_and_its_text_pooled_whole(bert_folder, caplog):
    encoder = load_encoder(bert_folder)
    with caplog.at_level(logging.WARNING):
        store = build_store(rows(["4-8", "0-3", "8-10", ""]), encoder, max_tokens=6)
    assert "2 mentions are not within 6 tokens" in caplog.text
    assert store.mentions[2].tolist() == [0, 0]
    assert store.mentions[1].tolist() != [0, 0]


def test_tables_without_the_column_are_pooled_whole(bert_folder):
    encoder = load_encoder(bert_folder)
    plain = table(8)
    assert build_store(plain, encoder, max_tokens=32).mentions is None
    store = build_store({"plain": plain, "some": rows()}, encoder, max_tokens=32)
    assert store.mentions.shape == (12, 2)
    assert not store.mentions[:8].any()
    assert store.mentions[8].any()
    again = build_store({"plain": plain, "some": rows()}, encoder, max_tokens=32)  # the files made before
    assert np.array_equal(again.mentions, store.mentions)


def test_training_with_mentions(bert_folder, tmp_path):
    options = TrainOptions(steps=2, batch_size=4, warmup=0.0, learning_rate=1e-2)
    made = []
    for name, mentions in (("mentions", MENTIONS), ("whole", [""] * 4)):
        encoder = quiet(load_encoder(bert_folder))
        train(encoder, rows(mentions), Recipe(nt_xent=ContrastiveOptions(), train=options), tmp_path / name,
              progress=False)  # fmt: skip
        made.append(encoder.encode(words(4)))
    assert np.abs(made[0] - made[1]).max() > 1e-4


def test_what_pools_no_part(bert_folder, tmp_path):
    chosen = Recipe(
        nt_xent=ContrastiveOptions(), anchor=AnchorOptions(target=1.0), train=TrainOptions(steps=1, batch_size=2)
    )
    with pytest.raises(InputError, match="anchor compares with vectors of whole sources: leave the column mention out"):
        train(load_encoder(bert_folder), rows(), chosen, tmp_path / "out", progress=False)
    chosen = Recipe(nt_xent=ContrastiveOptions(), train=TrainOptions(steps=1, batch_size=2))
    with pytest.raises(InputError, match="cls pooling reads one that is in none of them"):
        train(load_encoder(bert_folder, kind="cls"), rows(), chosen, tmp_path / "out", progress=False)
    with pytest.raises(InputError, match=r"expected in the column mention characters of the source, .* 0-4, got 4-99"):
        build_store(rows(["4-99", "", "", ""]), load_encoder(bert_folder), max_tokens=32)

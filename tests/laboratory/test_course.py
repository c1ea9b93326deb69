"""Every objective of the registry learns: on a cloned language, in a minute for all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import align
from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling
from align.errors import InputError
from align.laboratory.bench import CLONE, ORIGINAL, OTHER, Plan, graded_targets, set_up
from align.laboratory.cloning import is_cloned
from align.laboratory.course import tried
from align.laboratory.likeness import by_layer
from align.objectives.registry import objectives

PLAN = Plan(steps=60, every=20, batch=24, words=6, held_out=40, rate=3e-3, embedding_rate=2e-2)
SLOWER = replace(PLAN, steps=150, every=50, rate=1e-3, embedding_rate=1e-2)
"""For objectives of grades: they learn from the order of a few pairs in a batch, not from all strangers in it."""
ALIGNS_NOT = {
    "spread": "pushes strangers apart, and pulls no partners together",
    "mlm": "each language predicts its own pieces: nothing says which two texts mean the same",
    "switched_mlm": "predicts words of the clone from their neighbours, and not from what they stand for",
    "tlm": "a piece learns to look at its twin, which takes far more steps",
    "softmax_nli": "a classifier reads the vectors: nearness is none of its business",
    "self_alignment": "makes its own links clearer: from strange pieces those of equal places, whatever the words",
    "alignment_consistency": "is content where both directions point to equal places, whatever the words",
    "parallel_or_not": "reads both texts in one sequence: the vectors of each alone need not be near",
}
"""Objectives that learn, and in so few steps do not align a clone by themselves, with the reason."""


def tiny() -> Encoder:
    """A random encoder of 2 layers and 80 words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    torch.set_num_threads(1)
    torch.manual_seed(0)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(80))]
    tokenizer = Tokenizer(models.WordLevel({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {f"{name.lower()}_token": f"[{name}]" for name in ("PAD", "UNK", "CLS", "SEP", "MASK")}
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=32, initializer_range=0.2, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return Encoder(
        BertForMaskedLM(config).eval(), PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names), Pooling()
    )  # fmt: skip


def lines(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{i}" for i in rng.choice(80, 6, replace=False)) for _ in range(n)]


@pytest.fixture(scope="module")
def bench():
    return set_up(tiny(), PLAN, {ORIGINAL: lines(), OTHER: lines(seed=1)})


@pytest.mark.parametrize("name", objectives())
def test_every_objective_learns(name, bench):
    graded = "scores" in objectives()[name].reads(objectives()[name].options())
    found = tried(name, bench, SLOWER if graded else PLAN, bench.start.encode(bench.originals))
    first, last = found["loss"]
    assert last < first and bench.scores(bench.start)["clone"] < 0.1
    nearer = found["layers"]["partners"][-1] - found["layers"]["strangers"][-1]
    if graded:
        before = by_layer(bench.start, bench.originals, bench.clones)
        assert nearer > 0.04 > abs(before["partners"][-1] - before["strangers"][-1]), before
    else:
        assert (found["clone"] > 0.5) is (name not in ALIGNS_NOT), found["scores"]
    assert found["aligned_at"] == next((look["step"] for look in found["scores"] if look["clone"] >= 0.9), None)
    assert -1 <= found["kept"] < 1 and len(found["gradients"]) == 2


def test_a_third_of_the_words_is_switched(bench):
    table = bench.tables["switched"]["part-0"]
    words = [(a, b) for row in table for a, b in zip(row["source"].split(), row["target"].split(), strict=True)]
    twins = [one for one in words if one[0] != one[1]]
    assert 0.28 < len(twins) / len(words) < 0.42
    assert all(is_cloned(a) and not is_cloned(b) for a, b in twins)


def test_a_schedule_is_stages(bench):
    plan = replace(PLAN, share="0_1", steps=4, every=2)
    scheduled = set_up(tiny(), plan, {ORIGINAL: lines(), OTHER: lines(seed=1)})
    first, second = scheduled.tables["parallel"].values()
    assert first["target"] == first["source"] and set(first["target_lang"]) == {ORIGINAL}
    assert set(second["target_lang"]) == {CLONE} and second["target"] == bench.tables["parallel"]["part-0"]["target"]
    found = tried("info_nce", scheduled, plan, scheduled.start.encode(scheduled.originals))
    assert [look["step"] for look in found["scores"]] == [2, 4]


def test_grades_are_what_is_shared():
    targets, about = graded_targets(lines(60), 0)
    shared = [len(set(a.split()) & set(b.split())) for a, b in zip(lines(60), targets, strict=True)]
    for count, score, label in zip(shared, about["score"], about["label"], strict=True):
        assert (score, label) in {(0, "contradiction"), (0.5, "neutral"), (1, "entailment")}
        assert (count == 6) == (score == 1) and (score != 0.5 or 3 <= count < 6)
    assert np.mean([c for c, s in zip(shared, about["score"], strict=True) if s == 0]) < 1.5


def test_what_cannot_be_tried_is_said(monkeypatch):
    encoder = tiny()
    encoder = Encoder(encoder.model.bert, encoder.tokenizer, Pooling())  # no head
    text = {ORIGINAL: lines(), OTHER: lines(seed=1)}
    result = align.lab(encoder, names=["mlm", "info_nce"], plan=replace(PLAN, steps=2, every=1), text=text)
    (left,) = result["left_out"]
    assert left["objective"] == "mlm" and "comes without a masked-LM head" in left["reason"]
    (found,) = result["objectives"]
    assert found["objective"] == "info_nce" and "gradients" not in found and result["pieces"] == 85
    with pytest.raises(InputError, match="70 lines are too few: expected 4 held out, and 48 to train on"):
        align.lab(encoder, plan=PLAN, text={code: of[:70] for code, of in text.items()})
    with pytest.raises(InputError, match="no objective 'info_nec'"):
        align.lab(encoder, names=["info_nec"], plan=PLAN, text=text)

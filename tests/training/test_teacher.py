"""What a teacher gives: its vectors to be matched, to be contrasted with, to guide; beside what the start gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy import N, quiet, table, words

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives import cosine_anchor, distil, info_nce, unexplained
from align.objectives.anchor import AnchorOptions
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.distillation.distil import DistilOptions
from align.objectives.distillation.smooth_l1 import SmoothL1Options, smooth_l1
from align.objectives.guided import GuidedOptions, guided
from align.objectives.spread import SpreadOptions, spread
from align.training.batches import Batches
from align.training.frozen import raw_vectors
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.store import build_store
from align.training.train import train

ROWS = [4, 0, 7, 9, 20]


class Teacher:
    def __init__(self, width):
        self.dimension = width

    def encode(self, texts, **_):
        seeds = (sum(map(ord, text)) for text in texts)
        return np.array([np.random.default_rng(seed).normal(size=self.dimension) for seed in seeds], dtype=np.float32)


def test_a_step_reads_the_teacher_and_the_start(bert_folder):
    encoder = quiet(load_encoder(bert_folder))
    start = encoder.encode(table()["source"], raw=True) + 0.1
    teacher = Teacher(16).encode(table()["source"])
    guide = [Teacher(5).encode(table()[side]) for side in ("source", "target")]
    recipe = Recipe(
        distil=DistilOptions(), info_nce=ContrastiveOptions(teacher=True, temperature=0.2, false_negatives=0.1),
        anchor=AnchorOptions(source=1.0), smooth_l1=SmoothL1Options(beta=0.5), guided=GuidedOptions(temperature=0.5),
        spread=SpreadOptions(),
    )  # fmt: skip
    store = build_store(table(), encoder, max_tokens=32)
    frozen = {"start": start, "teacher": teacher, "guide_source": guide[0], "guide_target": guide[1]}
    batch = Batches(store, encoder, recipe, **frozen)[(0, np.array(ROWS))]
    del batch["rows"]
    terms = Alignment(encoder, recipe, teacher_dimension=16)(**batch)
    a, b = (torch.from_numpy(encoder.encode([table()[s][i] for i in ROWS], raw=True)) for s in ("source", "target"))
    s, t, g, h = (torch.from_numpy(each[ROWS]) for each in (start, teacher, *guide))
    expected = {
        "distil": distil(a, b, t), "info_nce": info_nce(b, t, temperature=0.2, false_negatives=0.1),
        "anchor_source": cosine_anchor(a, s), "smooth_l1": smooth_l1(a, b, t, beta=0.5),
        "guided": guided(a, b, g, h, temperature=0.5), "spread": spread(torch.cat([a, b]), torch.arange(5).repeat(2)),
    }  # fmt: skip
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value.item(), rel=1e-4), name
    assert terms["loss"].item() == pytest.approx(sum(value.item() for value in expected.values()), rel=1e-4)


def test_distillation_of_the_translations_alone_encodes_no_source(bert_folder):
    encoder = quiet(load_encoder(bert_folder))
    teacher = Teacher(16).encode(table()["source"])
    recipe = Recipe(distil=DistilOptions(source=False), info_nce=ContrastiveOptions(teacher=True))
    batch = Batches(build_store(table(), encoder, max_tokens=32), encoder, recipe, teacher=teacher)[(0, np.array(ROWS))]
    assert len(batch["ids"]) == len(ROWS)
    del batch["rows"]
    terms = Alignment(encoder, recipe, teacher_dimension=16)(**batch)
    vectors = torch.from_numpy(encoder.encode([table()["target"][i] for i in ROWS], raw=True))
    right = torch.from_numpy(teacher[ROWS])
    assert terms["distil"].item() == pytest.approx((vectors - right).pow(2).mean().item(), rel=1e-4)
    assert terms["unexplained"].item() == pytest.approx(unexplained(vectors, right).item(), rel=1e-4)


def test_a_text_of_many_rows_is_shown_to_the_teacher_once():
    texts, one, seen = ["b", "a", "b", "c", "a"], Teacher(3), []
    one.encode = lambda texts, **_: seen.extend(texts) or Teacher(3).encode(texts)
    vectors = raw_vectors(one, texts, max_tokens=8, device=torch.device("cpu"), progress=False)
    assert seen == ["b", "a", "c"]
    np.testing.assert_array_equal(vectors, Teacher(3).encode(texts))


def test_distillation_and_contrast_train_together(bert_folder, tmp_path):
    options = TrainOptions(steps=60, batch_size=16, learning_rate=1e-2, log_every=10)
    recipe = Recipe(distil=DistilOptions(), info_nce=ContrastiveOptions(teacher=True), train=options)
    facts = train(load_encoder(bert_folder), table(), recipe, tmp_path / "out", teacher=Teacher(16), progress=False)
    first, last = facts["losses"][0], facts["losses"][-1]
    assert last["info_nce"] < first["info_nce"]
    assert last["distil"] < first["distil"]


@pytest.mark.parametrize("teacher", [None, Teacher(24)])
def test_a_guide_is_the_teacher_or_the_start(bert_folder, tmp_path, teacher):
    options = TrainOptions(steps=2, batch_size=16)
    recipe = Recipe(guided=GuidedOptions(), train=options)
    encoder = load_encoder(bert_folder)
    before = encoder.encode(words())
    facts = train(encoder, table(), recipe, tmp_path / "out", teacher=teacher, progress=False)
    assert facts["negatives"] == 45 and len(before) == N
    assert not np.array_equal(encoder.encode(words()), before)


def test_messages(bert_folder, tmp_path):
    recipe = Recipe(info_nce=ContrastiveOptions(teacher=True))
    with pytest.raises(InputError, match="but no teacher was given"):
        train(load_encoder(bert_folder), table(), recipe, tmp_path / "out", progress=False)
    with pytest.raises(InputError, match=r"info_nce.teacher compares .* expected 16 dimensions, got 24"):
        train(load_encoder(bert_folder), table(), recipe, tmp_path / "out", teacher=Teacher(24), progress=False)
    with pytest.raises(InputError, match="info_nce needs frozen or teacher, not both"):
        Recipe(info_nce=ContrastiveOptions(teacher=True, frozen=True))

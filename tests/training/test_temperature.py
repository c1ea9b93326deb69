"""A learned temperature: its own learning rate, no decay, in the log, the summary, the model card and checkpoints."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from toy import table
from transformers import TrainerCallback

from align.encoders.checkpoint import load_encoder
from align.files.whole import read_json
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.objective import PlainOptions
from align.objectives.siglip import SiglipOptions
from align.reporting.collection import Collection
from align.reporting.page import section
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.train import train


def recipe(steps, *, learn=True, softmax_nli=None, temperature=0.05, **options):
    options = {"batch_size": 8, "learning_rate": 1e-2, "warmup": 0.0, "log_every": 1} | options
    contrast = ContrastiveOptions(temperature=temperature, learn_temperature=learn)
    return Recipe(train=TrainOptions(steps=steps, **options), nt_xent=contrast, softmax_nli=softmax_nli)


def run(folder, out, chosen, **options):
    pairs = table(label=["abc"[i % 3] for i in range(96)])
    return train(load_encoder(folder), pairs, chosen, out, progress=False, **options)


class Groups(TrainerCallback):
    """Learning rates and decays of the groups at each step."""

    def __init__(self):
        self.rates, self.decays = [], []

    def on_pre_optimizer_step(self, args, state, control, *, optimizer, **_):
        self.rates.append([group["lr"] for group in optimizer.param_groups])
        self.decays.append([group["weight_decay"] for group in optimizer.param_groups])


def test_a_temperature_moves_at_its_own_rate_and_is_told(bert_folder, tmp_path):
    chosen = recipe(5, temperature=2.0, schedule="constant", learning_rate=1e-7, weight_decay=0.5, temperature_rate=0.1)
    facts = run(bert_folder, tmp_path / "out", chosen)
    rows = [row["temperature/nt_xent"] for row in facts["losses"]]
    moves = np.abs(np.diff(np.log([2.0, *rows])))
    assert moves[0] == pytest.approx(0.1, rel=1e-3)  # Adam's first step is its rate: no decay beside it
    assert (moves > 0.05).all()
    assert facts["temperatures"] == {"nt_xent": rows[-1]}
    assert f"Learned temperatures: nt_xent {rows[-1]:.4g}." in (tmp_path / "out" / "README.md").read_text()
    assert read_json(tmp_path / "out" / "align.json")["summary"]["temperatures"] == {"nt_xent": rows[-1]}
    page = section("training", Collection((), ()), [("out", facts)])
    assert "learned temperatures by step" in page
    assert ">temperature/nt_xent<" not in page  # not among the losses


def test_a_learned_bias_is_told_beside_its_temperature(bert_folder, tmp_path):
    chosen = Recipe(train=TrainOptions(steps=3, batch_size=8, log_every=1, warmup=0.0), siglip=SiglipOptions(bias=-2.0))
    facts = run(bert_folder, tmp_path / "out", chosen)
    told = [row["bias/siglip"] for row in facts["losses"]]
    assert abs(told[0] + 2.0) == pytest.approx(0.01, rel=1e-3)  # Adam's first step is its rate
    assert len(set(told)) == 3
    assert facts["temperatures"].keys() == {"siglip"}


def test_a_fixed_temperature_is_not_told(bert_folder, tmp_path):
    facts = run(bert_folder, tmp_path / "out", recipe(2, learn=False))
    assert not any("temperature" in key for key in (*facts, *facts["losses"][0]))
    assert "temperatures:" not in (tmp_path / "out" / "README.md").read_text()
    assert "learned temperatures" not in section("training", Collection((), ()), [("out", facts)])


def test_its_rate_follows_the_schedule(bert_folder, tmp_path):
    groups = Groups()
    chosen = recipe(4, temperature_rate=0.4, warmup=0.25, weight_decay=0.1)
    run(bert_folder, tmp_path / "out", chosen, callbacks=[groups])
    assert np.array(groups.rates) == pytest.approx(np.outer([0.0, 1.0, 2 / 3, 1 / 3], [1e-2, 1e-2, 0.4]))
    assert groups.decays == [[0.1, 0.0, 0.0]] * 4


def test_temperature_and_classifier_go_on_from_their_checkpoint(bert_folder, tmp_path):
    chosen = recipe(4, softmax_nli=PlainOptions(), save_every=2)
    found = []
    for name, resume in (("whole", False), ("cut", True)):
        if resume:
            shutil.copytree(tmp_path / "whole.checkpoints", tmp_path / "cut.checkpoints")
            shutil.rmtree(tmp_path / "cut.checkpoints" / "checkpoint-4")
        facts = run(bert_folder, tmp_path / name, chosen, resume=resume)
        found.append([facts["temperatures"], *facts["losses"][-2:]])
    assert len(found[0]) == 3
    assert found[0] == found[1]

from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest
from toy import table, words

from align.encoders.checkpoint import load_encoder
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.mlm import MlmOptions
from align.training import trainer as loop
from align.training.callbacks import TrainingStopped
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.train import train


def run(encoder, out, *, resume=False, **options):
    chosen = TrainOptions(**{"steps": 4, "batch_size": 8, "learning_rate": 1e-2, **options})
    recipe = Recipe(train=chosen, nt_xent=ContrastiveOptions(), mlm=MlmOptions())
    train(encoder, table(), recipe, out, resume=resume, progress=False)
    return encoder.encode(words())


@pytest.fixture
def depths(monkeypatch):
    """How far ahead each run makes its batches."""
    asked, ahead = [], loop.ahead

    def recorded(iterable, *, depth):
        asked.append(depth)
        return ahead(iterable, depth=depth)

    monkeypatch.setattr(loop, "ahead", recorded)
    return asked


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name == "ahead"]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_batches_made_ahead_are_the_same_and_the_thread_ends(bert_folder, tmp_path, depths, accumulate):
    found = [
        run(load_encoder(bert_folder), tmp_path / "out", prefetch=depth, accumulate=accumulate) for depth in (0, 1, 5)
    ]
    assert depths == [0, 1, 5]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    assert threads() == []


def test_a_resumed_run_makes_its_batches_ahead_too(bert_folder, tmp_path, depths):
    whole = run(load_encoder(bert_folder), tmp_path / "whole", save_every=2, prefetch=3)
    shutil.copytree(tmp_path / "whole.checkpoints", tmp_path / "cut.checkpoints")
    shutil.rmtree(tmp_path / "cut.checkpoints" / "checkpoint-4")
    again = run(load_encoder(bert_folder), tmp_path / "cut", save_every=2, prefetch=3, resume=True)
    assert depths == [3, 3]
    assert np.array_equal(again, whole)


def test_a_run_that_stops_leaves_no_thread(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    next(encoder.parameters()).register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(TrainingStopped):
        run(encoder, tmp_path / "out")
    assert threads() == []

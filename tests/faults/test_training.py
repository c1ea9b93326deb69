"""What goes wrong in and around a training run."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from killed import train_toy
from toy import table
from transformers import TrainerCallback
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.contrastive import ContrastiveOptions
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.resume import checkpoints, newest_checkpoint
from align.training.train import train


def test_T3_all_vectors_alike(bert_folder, tmp_path, caplog):
    """The encoder's vectors are all alike, so that the loss is the same in every step.

    The run says so at its next line, with the step and the loss.
    """
    encoder = load_encoder(bert_folder)
    with torch.no_grad():
        for parameter in encoder.body.encoder.layer[-1].output.LayerNorm.parameters():
            parameter.fill_(1.0)
        encoder.body.encoder.layer[-1].output.LayerNorm.weight.zero_()
    settings = {"batch_size": 8, "log_every": 5, "learning_rate": 0.0001}
    chosen = Recipe(train=TrainOptions(steps=10, freeze_blocks=2, **settings), info_nce=ContrastiveOptions())
    train(encoder, table(), chosen, tmp_path / "out", progress=False)
    said = [record for record in caplog.records if "nothing is learned" in record.message]
    assert len(said) == 2 and "step 5: the loss was 2.079 in every step" in said[0].message  # ln 8
    caplog.clear()
    chosen = Recipe(train=TrainOptions(steps=10, **settings), info_nce=ContrastiveOptions())
    train(load_encoder(bert_folder), table(), chosen, tmp_path / "other", progress=False)
    assert "nothing is learned" not in caplog.text


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run with two checkpoints, and what decides it."""
    from conftest import tiny_bert, tiny_tokenizer

    home = tmp_path_factory.mktemp("trained")
    tiny_bert().save_pretrained(home / "bert")
    tiny_tokenizer().save_pretrained(home / "bert")
    train_toy(home / "bert", home / "out", steps=4)
    return home


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


FILES = [
    "model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "run.json",
    "history.json", "manifest.json",
]  # fmt: skip
DAMAGE = {"cut": cut, "flipped": flipped, "empty": lambda path: path.write_bytes(b""), "missing": Path.unlink}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_T11_a_damaged_checkpoint(trained, tmp_path, name, damage, caplog):
    """A file of a checkpoint is cut, empty, missing or has a flipped bit: each file, each way.

    The checkpoint is passed over with a word, and the one before serves; if that is damaged too, resuming is refused.
    """
    work = tmp_path / "out.checkpoints"
    shutil.copytree(trained / "out.checkpoints", work)
    settings = json.loads((work / "checkpoint-4" / "run.json").read_text())
    (work / "checkpoint-4" / ".run.json.half").write_text("{")  # what a killed process left while it wrote
    assert newest_checkpoint(work, settings).name == "checkpoint-4"
    DAMAGE[damage](work / "checkpoint-4" / name)
    assert newest_checkpoint(work, settings).name == "checkpoint-2"
    assert "checkpoint-4 is damaged or incomplete and is passed over" in caplog.text
    DAMAGE[damage](work / "checkpoint-2" / name)
    with pytest.raises(InputError, match="nothing to resume from: every checkpoint in .* is damaged"):
        newest_checkpoint(work, settings)


def test_T11_two_checkpoints_with_a_file_of_each_other(trained, tmp_path):
    """Two checkpoints have each other's file, whole as it is.

    Both are taken for damaged.
    """
    for name in FILES:
        work = tmp_path / name / "out.checkpoints"
        shutil.copytree(trained / "out.checkpoints", work)
        settings = json.loads((work / "checkpoint-4" / "run.json").read_text())
        one, other = work / "checkpoint-2" / name, work / "checkpoint-4" / name
        if one.read_bytes() == other.read_bytes():
            continue
        kept = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(kept)
        with pytest.raises(InputError, match="every checkpoint in .* is damaged"):
            newest_checkpoint(work, settings)


def test_T11_what_is_no_checkpoint_beside_them(trained, tmp_path):
    """Folders whose names begin as those of checkpoints lie beside them: somebody's own.

    They are left alone, and the newest checkpoint is found.
    """
    work = tmp_path / "out.checkpoints"
    shutil.copytree(trained / "out.checkpoints", work)
    for name in ("checkpoint-best", "checkpoint-", "checkpoint-5.old"):
        (work / name).mkdir()
    settings = json.loads((work / "checkpoint-4" / "run.json").read_text())
    assert newest_checkpoint(work, settings).name == "checkpoint-4"
    assert len(checkpoints(work)) == 2


class Stop(TrainerCallback):
    """Ends a run before a step."""

    def __init__(self, step):
        self.step = step

    def on_step_begin(self, args, state, control, **_):
        if state.global_step == self.step:
            raise KeyboardInterrupt


def test_T17_resumed_in_the_middle_of_the_data(bert_folder, tmp_path, monkeypatch):
    """A run is stopped in the middle of its data, not at a checkpoint, and resumed.

    Each step draws the rows that it draws in a run that was left alone: none again, none left out.
    """
    from align.training.trainer import AlignTrainer

    drawn = []
    plain = AlignTrainer.compute_loss

    def compute_loss(self, model, inputs, *given, **named):
        drawn.append((self.state.global_step, inputs["rows"].tolist()))
        return plain(self, model, inputs, *given, **named)

    monkeypatch.setattr(AlignTrainer, "compute_loss", compute_loss)
    train_toy(bert_folder, tmp_path / "whole", steps=14, save_every=3)
    expected, drawn[:] = dict(drawn), []
    with pytest.raises(KeyboardInterrupt):
        train_toy(bert_folder, tmp_path / "out", steps=14, save_every=3, callbacks=[Stop(8)])
    stopped, drawn[:] = list(drawn), []
    train_toy(bert_folder, tmp_path / "out", steps=14, save_every=3)
    assert [step for step, _ in stopped] == [*range(8)] and [step for step, _ in drawn] == [*range(6, 14)]
    assert {**dict(stopped), **dict(drawn)} == expected
    first = [row for step in range(12) for row in expected[step]]
    assert sorted(first) == [*range(96)]  # the first pass over the data: each row once


def test_T17_a_table_that_streams(bert_folder, tmp_path):
    """Training is given a table that streams, of which no row can be asked for twice.

    It is refused with what to give instead.
    """
    stream = table().to_iterable_dataset()
    chosen = Recipe(train=TrainOptions(steps=2, batch_size=8), info_nce=ContrastiveOptions())
    with pytest.raises(InputError, match=r"'pairs' is a table that streams.*read_pairs"):
        train(load_encoder(bert_folder), stream, chosen, tmp_path / "out", progress=False)


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_T18_the_clock_jumps(bert_folder, tmp_path, monkeypatch, jump):
    """The clock jumps a day back, or on, between two checkpoints.

    The newest by their steps stay, not those by the clock; the run is the same to the bit, and resumes.
    """
    whole = train_toy(bert_folder, tmp_path / "whole", steps=8)
    seconds, saves = time.time, iter(range(100))

    class Jump(TrainerCallback):
        def on_save(self, args, state, control, **_):
            moment = seconds() + jump * next(saves)
            monkeypatch.setattr(time, "time", lambda: moment)
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            os.utime(folder, (moment, moment))

    train_toy(bert_folder, tmp_path / "out", steps=8, callbacks=[Jump()])
    assert [folder.name for folder in checkpoints(tmp_path / "out.checkpoints")] == ["checkpoint-8", "checkpoint-6"]
    assert all((f / "model.safetensors").is_file() for f in checkpoints(tmp_path / "out.checkpoints"))
    same = (tmp_path / "out" / "model.safetensors", tmp_path / "whole" / "model.safetensors")
    assert same[0].read_bytes() == same[1].read_bytes()
    shutil.rmtree(tmp_path / "out.checkpoints" / "checkpoint-8")
    assert train_toy(bert_folder, tmp_path / "out", steps=8) == whole


class Dying(TrainerCallback):
    """A tracker whose server goes away at an event."""

    seen: ClassVar[list[str]] = []

    def on_train_begin(self, *given, **named):
        self.seen.append("begin")

    def on_log(self, *given, **named):
        self.seen.append("log")
        raise ConnectionError("no route to the tracker")


def test_T19_a_tracker_dies(bert_folder, tmp_path, monkeypatch, caplog):
    """The tracker that a run reports to raises an error in the middle of it.

    A warning, once, and the run goes on without it to the same weights; another's callback that raises still stops it.
    """
    monkeypatch.setitem(INTEGRATION_TO_CALLBACK, "dying", Dying)
    train_toy(bert_folder, tmp_path / "whole", steps=6)
    caplog.set_level(logging.WARNING)
    train_toy(bert_folder, tmp_path / "out", steps=6, report_to="dying")
    assert Dying.seen == ["begin", "log"]
    assert caplog.text.count("Dying failed, and gets nothing more: no route to the tracker") == 1
    one, other = (np.frombuffer((tmp_path / n / "model.safetensors").read_bytes(), np.uint8) for n in ("out", "whole"))
    assert np.array_equal(one, other)
    with pytest.raises(ConnectionError):
        train_toy(bert_folder, tmp_path / "own", steps=6, callbacks=[Dying()])

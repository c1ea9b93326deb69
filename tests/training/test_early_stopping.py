from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from datasets import Dataset

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.contrastive import ContrastiveOptions
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.train import train

WORDS = ["".join(chr(97 + (i * 7 + j * j) % 24) for j in range(3 + i % 5)) for i in range(48)]


def table():
    """Words in Greek letters and in Latin ones; not that of ``toy``, which a process of its own could not import."""
    greek = ["".join(chr(0x3B1 + ord(c) - 97) for c in word) for word in WORDS]
    languages = {"source_lang": ["ell_Grek"] * 48, "target_lang": ["ell_Latn"] * 48}
    return Dataset.from_dict({"source": greek, "target": WORDS, "group_id": list(map(str, range(48)))} | languages)


def recipe(steps=20, **options):
    base = {"steps": steps, "batch_size": 16, "learning_rate": 1e-2, "warmup": 0.0, "evaluate_every": 2, "patience": 2}
    return Recipe(nt_xent=ContrastiveOptions(), train=TrainOptions(**base | options))


class Scripted:
    """An evaluator whose scores are given, and the vectors at each of its calls."""

    def __init__(self, *scores):
        self.scores, self.seen = list(scores), []

    def __call__(self, encoder):
        self.seen.append(encoder.encode(WORDS))
        return {"score": self.scores[len(self.seen) - 1]}


def run(encoder, out, chosen, evaluator, best="dev/score", **options):
    evaluators = {"dev": evaluator} if evaluator else None
    return train(encoder, table(), chosen, out, evaluators=evaluators, best=best, progress=False, **options)


def test_it_stops_when_the_best_is_old_and_of_equal_ones_keeps_the_first(bert_folder, tmp_path):
    encoder, dev = load_encoder(bert_folder), Scripted(0.2, 0.1, 0.5, 0.5, 0.4, 0.9)
    facts = run(encoder, tmp_path / "out", recipe(), dev)
    assert [row["step"] for row in facts["evaluations"]] == [2, 4, 6, 8, 10]
    assert facts["stopped"] == {"step": 10, "best_step": 6, "dev/score": 0.5}
    assert np.array_equal(encoder.encode(WORDS), dev.seen[2])
    assert not np.array_equal(dev.seen[2], dev.seen[3])
    assert facts["losses"][-1]["step"] == 10
    card = (tmp_path / "out" / "README.md").read_text()
    assert "negatives per anchor. Stopped early at step 10: no better evaluation since step 6.\n" in card
    assert json.loads((tmp_path / "out" / "align.json").read_text())["summary"]["stopped"]["step"] == 10


def test_it_does_not_stop_while_the_score_grows_or_at_the_last_step_or_without_patience(bert_folder, tmp_path):
    for scores, options in (
        ((0.1, 0.2, 0.3, 0.4), {}),
        ((0.4, 0.5, 0.2, 0.1), {}),  # exhausted at the last step: nothing was cut
        ((0.4, 0.3, 0.2, 0.1), {"patience": 0}),
    ):
        dev = Scripted(*scores)
        facts = run(load_encoder(bert_folder), tmp_path / "out", recipe(8, **options), dev)
        assert len(dev.seen) == 4
        assert "stopped" not in facts
        assert "Stopped early" not in (tmp_path / "out" / "README.md").read_text()


def test_resuming_before_the_stop_gives_what_the_whole_run_gave(bert_folder, tmp_path):
    whole, dev = load_encoder(bert_folder), Scripted(0.5, 0.1, 0.2)
    chosen = recipe(save_every=4)
    facts = run(whole, tmp_path / "whole", chosen, dev)
    assert facts["stopped"] == {"step": 6, "best_step": 2, "dev/score": 0.5}
    shutil.copytree(tmp_path / "whole.checkpoints", tmp_path / "cut.checkpoints")
    assert [path.name for path in (tmp_path / "cut.checkpoints").glob("checkpoint-*")] == ["checkpoint-4"]
    again, rest = load_encoder(bert_folder), Scripted(0.2)
    resumed = run(again, tmp_path / "cut", chosen, rest, resume=True)
    assert len(rest.seen) == 1
    assert resumed["evaluations"] == facts["evaluations"]
    assert resumed["stopped"] == facts["stopped"]
    assert np.array_equal(again.encode(WORDS), whole.encode(WORDS))


def test_resuming_at_the_stop_trains_no_step(bert_folder, tmp_path):
    encoder, dev = load_encoder(bert_folder), Scripted(0.5, 0.1, 0.2)
    facts = run(encoder, tmp_path / "out", recipe(save_every=2), dev)
    again, rest = load_encoder(bert_folder), Scripted()
    resumed = run(again, tmp_path / "out", recipe(save_every=2), rest, resume=True)
    assert rest.seen == []
    assert resumed["stopped"] == facts["stopped"]
    assert np.array_equal(again.encode(WORDS), encoder.encode(WORDS))


def test_each_stage_has_its_own_patience(bert_folder, tmp_path):
    stages = tuple(replace(recipe(8), name=name) for name in "ab")
    dev = Scripted(0.5, 0.1, 0.2, 0.3, 0.1, 0.1)
    facts = run(load_encoder(bert_folder), tmp_path / "out", Recipe(stages=stages), dev)
    assert [stage["stopped"]["best_step"] for stage in facts["stages"]] == [2, 2]
    assert [stage["stopped"]["dev/score"] for stage in facts["stages"]] == [0.5, 0.3]


def test_messages(bert_folder, tmp_path):
    encoder, out = load_encoder(bert_folder), tmp_path / "out"
    with pytest.raises(InputError, match="train.patience must be at least 0, got -1"):
        recipe(patience=-1)
    with pytest.raises(InputError, match="patience counts evaluations: train.evaluate_every must be at least 1, got 0"):
        recipe(evaluate_every=0)
    with pytest.raises(InputError, match="train.patience waits for a better score: expected best"):
        run(encoder, out, recipe(), Scripted(), best=None)
    with pytest.raises(InputError, match="evaluators were given, but train.evaluate_every is 0"):
        run(encoder, out, recipe(evaluate_every=0, patience=0), Scripted())
    with pytest.raises(InputError, match="best='dev/other' is no score: the evaluators gave step, dev/score"):
        run(encoder, out, recipe(), Scripted(0.1), best="dev/other")
    with pytest.raises(InputError, match="best='dev/score' is nan at step 2; expected a number"):
        run(encoder, out, recipe(), Scripted(float("nan")))
    assert not out.exists()


def test_the_other_process_stops_too_and_ends_with_the_best_weights(bert_folder, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, str(bert_folder), str(tmp_path)]
    started = [
        subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True,
            env=os.environ | world | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in (0, 1)
    ]  # fmt: skip
    ended = [process.communicate(timeout=300)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], ended
    first, second = (np.load(tmp_path / f"{rank}.npy") for rank in (0, 1))
    assert np.array_equal(first, second)
    assert np.array_equal(first, np.load(tmp_path / "seen.npy"))
    saved = json.loads((tmp_path / "out" / "align.json").read_text())
    assert saved["summary"]["stopped"] == {"step": 6, "best_step": 2, "dev/score": 0.5}


def worker(folder, out):
    rank = os.environ["RANK"]
    encoder, dev = load_encoder(folder, device="cpu"), Scripted(0.5, 0.1, 0.2)
    run(encoder, f"{out}/out", recipe(batch_size=8), dev)
    assert len(dev.seen) == (3 if rank == "0" else 0)
    if rank == "0":
        np.save(f"{out}/seen.npy", dev.seen[0])
    np.save(f"{out}/{rank}.npy", encoder.encode(WORDS))


if __name__ == "__main__":
    worker(*sys.argv[1:])

"""Processes are killed, and told to end."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from held import another_process
from killed import child, ended, newest, train_toy, wait_for_step

from align.errors import InputError
from align.indexes.build import save_index
from align.indexes.index import load_index


def weights(out):
    return (Path(out) / "model.safetensors").read_bytes()


def killed_and_resumed(folder, tmp_path, kills, seed):
    """Weights of a run that was killed so often, at any moment, and went on; those of one that was left alone."""
    draw, marks, steps = random.Random(seed), tmp_path / "marks", 15 * kills
    marks.mkdir()
    for _ in range(kills):
        with child(train_toy, folder, tmp_path / "out", steps=steps, save_every=3, marks=marks) as process:
            wait_for_step(marks, process)
            time.sleep(draw.random() * 0.2)
        for mark in marks.iterdir():
            mark.unlink()
    for name in ("out", "whole"):
        assert ended(train_toy, folder, tmp_path / name, steps=steps, save_every=3) == 0
    return weights(tmp_path / "out"), weights(tmp_path / "whole")


def test_T4_training_is_killed(bert_folder, tmp_path):
    """A training run gets SIGKILL at two moments, and is resumed.

    The weights are those of a run that was left alone, bit by bit.
    """
    found, expected = killed_and_resumed(bert_folder, tmp_path, kills=2, seed=0)
    assert found == expected


@pytest.mark.faults
def test_T4_training_is_killed_many_times(bert_folder, tmp_path, figures):
    """A training run gets SIGKILL at 20 moments, and is resumed each time.

    The weights are those of a run that was left alone, bit by bit.
    """
    found, expected = killed_and_resumed(bert_folder, tmp_path, kills=20, seed=1)
    assert found == expected
    figures("kills", 20)


TWO = """
import os, sys
from pathlib import Path
from killed import train_toy
rank = os.environ["RANK"]
Path(sys.argv[3], f"pid-{rank}-{os.environ['TORCHELASTIC_RESTART_COUNT']}").write_text(str(os.getpid()))
train_toy(sys.argv[1], sys.argv[2], resume=False, marks=sys.argv[3] if rank == "1" else None)
"""


def launched(folder, out, marks, *options):
    """Two processes by torchrun."""
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *options]
    script = marks / "two.py"
    script.write_text(TWO)
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join([str(tests.parent), str(tests), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [*words, script, folder, out, marks], env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.faults
def test_T5_one_of_two_processes_is_killed(bert_folder, tmp_path):
    """One of the two processes of a run by torchrun --max-restarts gets SIGKILL.

    torchrun starts both again; the run goes on from its checkpoint, to the bits of a run that was left alone.
    """
    marks = tmp_path / "marks"
    marks.mkdir()
    with launched(bert_folder, tmp_path / "out", marks, "--max-restarts", "2") as run:
        while not (marks / "5").exists():
            assert run.poll() is None, run.stderr.read()
            time.sleep(0.01)
        os.kill(int((marks / "pid-1-0").read_text()), signal.SIGKILL)
        said = run.communicate()[1]
    assert run.returncode == 0, said
    assert (marks / "pid-0-1").exists()
    with launched(bert_folder, tmp_path / "whole", marks) as run:
        said = run.communicate()[1]
    assert run.returncode == 0, said
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")


def test_T14_two_runs_of_one_folder(bert_folder, tmp_path):
    """A second run is started that writes to the same folder.

    It is refused with the name of the process that is there; nothing of that one's is touched.
    """
    out = tmp_path / "out"
    with another_process(out) as process:
        sentence = rf"out is being written by process {process.pid} \(align train\) on {socket.gethostname()}"
        with pytest.raises(InputError, match=sentence):
            train_toy(bert_folder, out)
    assert not out.exists() and not (tmp_path / "out.checkpoints").exists()


def test_T15_told_to_end(bert_folder, tmp_path):
    """A training run gets SIGTERM, as clusters send it before they take a machine away.

    It ends the step, writes a checkpoint and ends with code 143; resumed, it is the run that was left alone.
    """
    marks, out = tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    with child(train_toy, bert_folder, out, steps=4000, save_every=3000, marks=marks) as process:
        wait_for_step(marks, process)
        process.terminate()
        process.join()
        assert process.exitcode == 143
    (kept,) = (tmp_path / "out.checkpoints").iterdir()
    last = max(int(mark.name) for mark in marks.iterdir())
    assert kept.name == f"checkpoint-{last}" and last < 3000 and not out.exists()


def test_T15_goes_on_where_it_was_told_to_end(bert_folder, tmp_path, monkeypatch):
    """A run that SIGTERM ended between two checkpoints is resumed.

    Weights and history are those of a run that was left alone.
    """
    whole = train_toy(bert_folder, tmp_path / "whole")
    with pytest.raises(SystemExit) as stopped:
        train_toy(bert_folder, tmp_path / "out", callbacks=[At(5, lambda: os.kill(os.getpid(), signal.SIGTERM))])
    assert stopped.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert newest(tmp_path / "out.checkpoints").name == "checkpoint-5"
    assert train_toy(bert_folder, tmp_path / "out") == whole
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")


def test_T15_told_twice(bert_folder, tmp_path):
    """A training run gets SIGTERM a second time, before the step has ended.

    It ends at once, by the signal itself.
    """
    assert ended(train_toy, bert_folder, tmp_path / "out", callbacks=[At(3, twice)]) == -signal.SIGTERM
    assert newest(tmp_path / "out.checkpoints").name == "checkpoint-2"


def twice():
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)


class At:
    """Does something in a step; a callback of transformers in all but its base, which a forked server need not load."""

    def __init__(self, step, do):
        self.step, self.do = step, do

    def __getattr__(self, event):
        if event.startswith("on_"):
            return self._nothing
        raise AttributeError(event)

    def _nothing(self, *given, **named):
        pass

    def on_step_begin(self, args, state, control, **_):
        if state.global_step == self.step - 1:
            self.do()


def write_index(out, seed):
    rng = np.random.default_rng(seed)
    while True:  # one after the other, until it is killed
        made = rng.normal(size=(2_000, 64)).astype(np.float32)
        save_index(out, made, [f"{seed}-{i}" for i in range(2_000)], encoder={"seed": seed})


def test_I4_an_index_is_killed_while_it_is_replaced(tmp_path):
    """A process that replaces an index again and again gets SIGKILL at five moments.

    What is there is each time a whole index, and the next process writes over it.
    """
    out, draw = tmp_path / "index", random.Random(0)
    save_index(out, np.eye(3, dtype=np.float32), ["a", "b", "c"], encoder={"seed": 0})
    for kill in range(1, 6):
        with child(write_index, out, kill) as process:
            while load_index(out).encoder["seed"] != kill:
                process.join(0.01)
            process.join(draw.random() * 0.1)
            process.kill()
            process.join()
        found = load_index(out)
        assert found.encoder["seed"] == kill and found.rows == 2_000
    save_index(out, np.eye(3, dtype=np.float32), ["a", "b", "c"], encoder={})
    assert [path.name for path in tmp_path.iterdir()] == ["index"]

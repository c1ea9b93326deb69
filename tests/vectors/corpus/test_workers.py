from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from parts import ROWS, assert_as_alone, begun, chunk, late

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.vectors.corpus import hand_out
from align.vectors.corpus.parts import Chunk, Job, encode_chunk
from align.vectors.corpus.workers import Processes, run_workers
from align.vectors.writing import finish, finished_parts

KILLED_PARENT = """
import multiprocessing, os, signal, sys
from pathlib import Path
from align.vectors.corpus.rows import Row
from align.vectors.corpus.parts import Chunk, Job
from align.vectors.corpus.workers import run_workers

def main():
    job = Job(Path(sys.argv[1]), sys.argv[2], {"device": "cpu"})
    rows = [Row(str(i), "abc " * 20, "", "", i, "") for i in range(int(1e5))]
    for done in run_workers(job, [Chunk(0, rows[:1]), Chunk(1, rows)], workers=1):
        print(*[child.pid for child in multiprocessing.active_children()], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)  # while part 1 is encoded

if __name__ == "__main__":
    main()
"""


def children():
    return [child for child in multiprocessing.active_children() if child.name.startswith("align encode")]


def test_a_worker_is_killed(tmp_path, bert_folder, monkeypatch, caplog):
    job = begun(tmp_path / "out", bert_folder)
    again, killed, drawn, done = "a worker was lost: part-.* was not written, and is tried again .SIGKILL", [], [], []

    def chunks():
        while not re.search(again, caplog.text) and len(drawn) < 200:
            drawn.append(late(chunk(len(drawn))))
            yield drawn[-1]

    def give(processes, worker, chunk, plain=Processes.give):
        plain(processes, worker, chunk)
        if done and not killed:  # as soon as it is at work
            killed.append(next(child for child in children() if child.name.endswith(f" {worker}")))
            killed[0].kill()

    monkeypatch.setattr(Processes, "give", give)
    for part in run_workers(job, chunks(), workers=2):
        done.append((part.number, part.rows, part.rejected))
        assert len(drawn) - len(done) < 3 and len(children()) <= 2
    assert not children()
    assert re.search(again, caplog.text)
    assert sorted(done) == [(number, ROWS, int(number == 1)) for number in range(len(drawn))]
    assert_as_alone(job.out, len(drawn), bert_folder)


class Deadly:
    """Kills the process that unpickles it."""

    def __reduce__(self):
        return signal.raise_signal, (signal.SIGKILL,)


def test_chunk_that_kills_its_worker(tmp_path, bert_folder, monkeypatch):
    monkeypatch.setattr(hand_out, "TRIES", 1)
    job = begun(tmp_path / "out", bert_folder)
    parts = run_workers(job, [chunk(0), Chunk(1, [Deadly()])], workers=1)
    assert next(parts).number == 0
    with pytest.raises(InputError, match="part-00001 was not written: 1 workers were lost over it .SIGKILL"):
        next(parts)
    assert not children()
    assert list(finished_parts(job.out)) == [0]
    encode_chunk(load_encoder(bert_folder, device="cpu"), job, chunk(1))
    assert finish(job.out, 2).rows == 2 * ROWS


def test_bad_input_in_a_worker(tmp_path, bert_folder):
    job = begun(tmp_path / "out", bert_folder)
    with pytest.raises(InputError, match=r"out.part-00000.parquet: vectors have .*float16.*, but .* says .*float32"):
        list(run_workers(replace(job, dtype="float16"), [chunk(0)], workers=2))
    assert not children()


def test_nothing_to_encode(tmp_path):
    assert not list(run_workers(Job(tmp_path, "seed"), [], workers=3))


def running(pid):
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see whether a process runs")
def test_workers_end_with_a_killed_parent(tmp_path, bert_folder):
    job = begun(tmp_path / "out", bert_folder)
    script = tmp_path / "script.py"
    script.write_text(KILLED_PARENT)
    words = [sys.executable, script, job.out, bert_folder]
    ended = subprocess.run(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert ended.returncode == -signal.SIGKILL
    (child,) = ended.stdout.split()
    patience = time.monotonic() + 60
    while running(child) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not running(child)
    assert list(finished_parts(job.out)) == [0]  # it did not go on with part 1 until it was written
    assert not list(job.out.glob(".part*"))

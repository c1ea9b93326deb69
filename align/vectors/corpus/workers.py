"""Parts encoded by several processes of one machine."""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NamedTuple

from align.vectors.corpus.hand_out import Failed, Lost, Ready, Worker, hand_out
from align.vectors.corpus.parts import Chunk, Done, Job

GRACE = 5.0
"""Seconds that a process has to remove what it has half written."""


def run_workers(job: Job, chunks: Iterable[Chunk], *, workers: int) -> Generator[Done, None, None]:
    """Encode chunks in processes, each with an encoder of its own, and yield each part when it is written.

    Processes are started by "spawn", so a script that calls this needs the usual ``if __name__ == "__main__":``.
    torch's threads are divided among them; of several GPUs, process i takes the one of number i modulo their number.
    No process outlives this one, or the iterator. Raises what :func:`align.vectors.corpus.hand_out.hand_out` does.
    """
    import torch

    return hand_out(Processes(job, threads=max(1, torch.get_num_threads() // workers)), chunks, workers=workers)


class _Member(NamedTuple):
    process: BaseProcess
    pipe: Connection


class Processes:
    """A :class:`align.vectors.corpus.hand_out.Crew` of processes, each at the other end of a pipe."""

    def __init__(self, job: Job, *, threads: int) -> None:
        self._job, self._threads = job, threads
        self._members: dict[int, _Member] = {}

    def start(self) -> int:
        """Start a process and send it the job."""
        # not the next number: that of a lost process is taken again, and with it its GPU
        number = next(number for number in itertools.count() if number not in self._members)
        spawn = multiprocessing.get_context("spawn")  # fork is unsafe beside the threads of torch and of tokenizers
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_serve, args=(theirs,), name=f"align encode {number}", daemon=True)
        process.start()
        theirs.close()  # else its end would not be seen here
        self._members[number] = _Member(process, ours)
        level = max(logging.WARNING, logging.getLogger().getEffectiveLevel())  # what each has to say is said once here
        self._send(number, (self._job, number, self._threads, level))
        return number

    def give(self, worker: int, chunk: Chunk) -> None:
        """Send a chunk."""
        self._send(worker, chunk)

    def _send(self, worker: int, message: object) -> None:
        with suppress(OSError):  # it has ended, which answers will say
            self._members[worker].pipe.send(message)

    def answers(self) -> Iterator[tuple[int, Ready | Done | Failed | Lost]]:
        """Wait for one process or more."""
        ready = wait([member.pipe for member in self._members.values()])
        for worker, (process, pipe) in list(self._members.items()):
            if pipe not in ready:
                continue
            try:
                yield worker, pipe.recv()
            except (EOFError, OSError):
                del self._members[worker]
                pipe.close()
                yield worker, Lost(_ended(process))

    def stop(self) -> None:
        """End all processes: what they have half written is removed."""
        for process, pipe in self._members.values():
            pipe.close()
            process.terminate()
        for process, _ in self._members.values():
            _ended(process)
        self._members.clear()


def _ended(process: BaseProcess) -> str:
    """Wait for a process that ends, and say how it did."""
    process.join(GRACE)
    if process.is_alive():
        process.kill()
        process.join()
    code = process.exitcode or 0
    process.close()
    if code == -signal.SIGKILL:
        return "SIGKILL, perhaps for want of memory"
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _serve(pipe: Connection) -> None:
    """What a process does: load the encoder, then encode chunks until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes: the parent ends the others
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # half-written files are removed on the way out
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # nobody asks any more
        job, number, threads, level = pipe.recv()
        logging.basicConfig(level=level, format="%(message)s")
        worker = Worker()
        answer = worker.start(job, threads, partial(_choose_gpu, job, number))
        pipe.send(answer)
        while isinstance(answer, Ready):
            pipe.send(worker.encode(pipe.recv()))


def _choose_gpu(job: Job, number: int) -> None:
    import torch

    if job.load.get("device") in (None, "cuda") and torch.cuda.is_available():
        torch.cuda.set_device(number % torch.cuda.device_count())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)

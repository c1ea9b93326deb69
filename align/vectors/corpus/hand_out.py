"""Chunks of a corpus handed out to workers, be they processes of one machine or actors on many."""

from __future__ import annotations

import logging
import os
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from align.errors import InputError
from align.vectors.corpus.parts import Chunk, Done, Job, encode_chunk, load_job_encoder
from align.vectors.writing import part_name

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder

log = logging.getLogger(__name__)

TRIES = 3
"""Workers that may be lost over one part, or in a row before they have loaded the encoder."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its encoder."""


@dataclass(frozen=True)
class Lost:
    """A worker ended, and with it what it was given."""

    cause: str


@dataclass(frozen=True)
class Failed:
    """An exception of another process in words, since not every exception can be sent."""

    message: str
    bad_input: bool
    trace: str


class Worker:
    """What each worker is, wherever it runs: an encoder that stays loaded."""

    def start(self, job: Job, threads: int, prepare: Callable[[], None]) -> Ready | Failed:
        """Load the encoder of a job, after whatever has to be done before; torch has so many threads."""
        loaded = outcome(_load, job, threads, prepare)
        if isinstance(loaded, Failed):
            return loaded
        self._job, self._encoder = job, loaded
        return Ready()

    def encode(self, chunk: Chunk) -> Done | Failed:
        """Encode a chunk and write its part."""
        return outcome(encode_chunk, self._encoder, self._job, chunk)


def _load(job: Job, threads: int, prepare: Callable[[], None]) -> Encoder:
    for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):  # torch and whatever else computes; tokenizers
        os.environ[name] = str(threads)
    import torch

    torch.set_num_threads(threads)
    prepare()
    return load_job_encoder(job)


class Crew(Protocol):
    """Workers, by number, each with an encoder of its own."""

    def start(self) -> int:
        """Start a worker, which will answer Ready or Failed, and return its number."""

    def give(self, worker: int, chunk: Chunk) -> None:
        """Give a chunk to a worker that has none; it will answer Done or Failed."""

    def answers(self) -> Iterable[tuple[int, Ready | Done | Failed | Lost]]:
        """Wait for workers, and say what some of them answered; a lost one does not come back."""

    def stop(self) -> None:
        """End all workers, whatever they do."""


@dataclass
class _Task:
    chunk: Chunk
    lost: int = 0  # workers that had it


def hand_out(crew: Crew, chunks: Iterable[Chunk], *, workers: int) -> Generator[Done, None, None]:
    """Have chunks encoded, and yield each part when it is written.

    Workers start when there is something for them to do, and end however this ends. At most ``workers + 1`` chunks
    that were read wait for their part. The chunk of a lost worker goes to another.

    Raises:
        InputError: that of a worker, with the part; or ``TRIES`` workers were lost over one part, or while they loaded.
        RuntimeError: a worker raised something else, whose traceback is in the log.
    """
    source, waiting = map(_Task, chunks), deque[_Task]()
    starting, idle, busy = set[int](), list[int](), dict[int, _Task]()
    written = list[Done]()
    lost_starts = 0
    try:
        while True:
            while idle and waiting:
                worker, task = idle.pop(), waiting.popleft()
                busy[worker] = task
                crew.give(worker, task.chunk)
            while waiting and len(starting) + len(busy) < workers and len(starting) < len(waiting):
                starting.add(crew.start())
            yield from written
            written.clear()
            if len(waiting) + len(busy) <= workers and (read := next(source, None)):
                waiting.append(read)
                continue
            if not (waiting or busy):
                return
            for worker, answer in crew.answers():
                given = busy.pop(worker, None)
                starting.discard(worker)
                match answer:
                    case Ready():
                        lost_starts = 0
                        idle.append(worker)
                    case Done():
                        idle.append(worker)
                        written.append(answer)
                    case Failed():
                        raise _exception(answer, given)
                    case Lost() if given:
                        given.lost += 1
                        _bear(answer, f"{part_name(given.chunk.number)} was not written", given.lost)
                        waiting.appendleft(given)
                    case Lost() if worker in idle:
                        idle.remove(worker)
                    case Lost():
                        lost_starts += 1
                        _bear(answer, "the encoder was not loaded", lost_starts)
    finally:
        crew.stop()


def outcome(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T | Failed:
    """What ``work`` returns, or what it raised: a worker's answer."""
    try:
        return work(*args, **options)
    except Exception as error:
        message = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        return Failed(message, isinstance(error, InputError), traceback.format_exc())


def _exception(failed: Failed, task: _Task | None) -> Exception:
    part = part_name(task.chunk.number) if task else ""
    message = failed.message if part in failed.message else f"{part} was not written: {failed.message}"
    if failed.bad_input:
        return InputError(message)
    log.error("%s", failed.trace)
    return RuntimeError(message)


def _bear(lost: Lost, what: str, times: int) -> None:
    """Log a loss, so long as it is borne."""
    if times >= TRIES:
        raise InputError(
            f"{what}: {times} workers were lost over it ({lost.cause}); every part written before stays, and the same "
            f"command, perhaps with fewer workers, goes on from there"
        )
    log.warning("a worker was lost: %s, and is tried again (%s)", what, lost.cause)

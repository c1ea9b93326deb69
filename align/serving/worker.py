"""One thread that encodes: texts of requests that wait at the same time go through the encoder together.

A model gains nothing from two threads that compete for its processor, and much from one batch instead of many; so
requests put their texts in a queue, and whatever waits when the thread is free is done at once.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from align.serving.refused import Refused

Work = Callable[[list[str], str | None], Sequence[Any]]
"""Texts, and the language of all of them if it is known, to one result for each."""
TOGETHER = 256
"""Texts that are done at once; those of one request stay together, however many they are."""


@dataclass(frozen=True)
class Job:
    """The texts of one request."""

    work: str
    texts: list[str]
    language: str | None
    done: Future[list[Any]] = field(default_factory=Future)


class Worker:
    """The thread and its queue.

    Args:
        works: what can be done with texts, by name.
        waiting: texts that may wait; a request that brings more is told to come again.
        together: texts that are done at once; 1: each request by itself.
    """

    def __init__(self, works: Mapping[str, Work], *, waiting: int, together: int = TOGETHER) -> None:
        self.works, self.waiting, self.together = works, waiting, together
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._open = False
        self._thread = threading.Thread(target=self._run, name="align-encodes", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._open = True
        self._thread.start()

    def stop(self) -> None:
        """Do what waits, take no more, and end."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    async def do(self, work: str, texts: list[str], language: str | None = None) -> list[Any]:
        """A result for each text.

        Raises:
            Refused: too many texts wait (429), or the server is stopping (503).
        """
        job = Job(work, texts, language)
        with self._changed:
            if not self._open:
                raise Refused(503, "the server is stopping, and takes no more texts")
            held = sum(len(one.texts) for one in self._jobs)
            if held and held + len(texts) > self.waiting:
                raise Refused(429, f"{held} texts wait to be encoded, and at most {self.waiting} may: try again later")
            self._jobs.append(job)
            self._changed.notify()
        return await asyncio.wrap_future(job.done)

    def _run(self) -> None:
        while (jobs := self._next()) is not None:
            for work, language in dict.fromkeys((job.work, job.language) for job in jobs):
                self._do([job for job in jobs if (job.work, job.language) == (work, language)])

    def _next(self) -> list[Job] | None:
        """The jobs to be done now; ``None``: it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or not self._open)
            if not self._jobs:
                return None
            taken: list[Job] = []
            texts = 0
            while self._jobs and (not taken or texts + len(self._jobs[0].texts) <= self.together):
                job = self._jobs.popleft()
                if job.done.set_running_or_notify_cancel():  # else who asked has gone
                    taken.append(job)
                    texts += len(job.texts)
            return taken

    def _do(self, jobs: list[Job]) -> None:
        """Jobs of one work and language; where they fail together each is tried alone, and fails for itself."""
        try:
            results = iter(self.works[jobs[0].work]([text for job in jobs for text in job.texts], jobs[0].language))
            found = [list(islice(results, len(job.texts))) for job in jobs]
        except Exception as error:
            if len(jobs) > 1:
                for job in jobs:
                    self._do([job])
            else:
                jobs[0].done.set_exception(error)
            return
        for job, own in zip(jobs, found, strict=True):
            job.done.set_result(own)

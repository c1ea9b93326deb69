"""Parts encoded by Ray actors, on one machine or many."""

from __future__ import annotations

import itertools
import logging
import math
import os
import platform
import socket
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from align.errors import InputError
from align.vectors.corpus.hand_out import Failed, Lost, Ready, Worker, hand_out
from align.vectors.corpus.parts import Chunk, Done, Job

log = logging.getLogger(__name__)

OBJECT_STORE = 512 * 1024**2
"""Bytes of shared memory of a Ray started here; it holds chunks on their way to an actor."""
PATIENCE = 60.0
"""Seconds after which it is said that no actor has started yet."""
STARTING = 1800.0
"""Seconds after which no actor is waited for any longer: a cluster that grows on demand needs minutes."""
LOOKS = 5
"""Times that an actor looks for the probe, a second apart: a network file system may show a file late."""


def run_ray(
    job: Job,
    chunks: Iterable[Chunk],
    *,
    address: str | None = None,
    workers: int = 1,
    cpus: float | None = None,
    gpus: float | None = None,
) -> Generator[Done, None, None]:
    """Encode chunks in Ray actors, each with an encoder of its own, and yield each part when it is written.

    An actor whose node goes away is replaced, and its chunk encoded by another; none waits for those that have no room
    in the cluster yet. All nodes need Align, the model, and the folder of the job on a file system that they share:
    each actor looks for a file that is written there first.

    Args:
        job: what to encode with, and where to; its folder is begun.
        chunks: see :func:`align.vectors.corpus.hand_out.hand_out`.
        address: ``auto`` or host:port joins a cluster; ``None`` starts Ray on this machine, listening to it alone, and
            shuts it down after. Where this process is connected already, that connection serves and stays.
        workers: see ``hand_out``.
        cpus: that an actor takes, and threads of torch in it. ``None``: of a Ray started here, the machine's divided
            among the actors; of a cluster, 1.
        gpus: that an actor takes, such as 0.5. ``None``: 1 where there are any and the job names no other device.

    Raises:
        InputError: no Ray installed, none at the address, or a node that does not see the folder; and what
            :func:`align.vectors.corpus.hand_out.hand_out` raises.
    """
    if cpus is None:
        cpus = max(1, (os.cpu_count() or 1) // workers) if address is None else 1
    # an actor may run in another folder
    model = str(Path(job.model).resolve()) if job.model != "seed" and Path(job.model).is_dir() else job.model
    job = replace(job, out=job.out.resolve(), model=model)
    with (
        connected(address, cpus=cpus * workers) as ray,
        NamedTemporaryFile(dir=job.out, prefix=".probe-") as probe,
    ):
        if gpus is None:
            wanted = job.load.get("device") in (None, "cuda") and job.backend == "torch"
            gpus = 1 if wanted and ray.cluster_resources().get("GPU") else 0
        actors = Actors(ray, job, Path(probe.name), cpus=cpus, gpus=gpus)
        yield from hand_out(actors, chunks, workers=workers)


class Actors:
    """A :class:`align.vectors.corpus.hand_out.Crew` of Ray actors, spread over the nodes."""

    def __init__(self, ray: Any, job: Job, probe: Path, *, cpus: float, gpus: float) -> None:
        self._ray, self._job, self._probe = ray, job, probe
        self._cpus, self._gpus = cpus, gpus
        self._make = ray.remote(Worker).options(
            num_cpus=cpus, num_gpus=gpus, scheduling_strategy="SPREAD", max_restarts=0
        )
        self._numbers = itertools.count()
        self._actors: dict[int, Any] = {}
        self._asked: dict[Any, int] = {}  # what will be answered, by whom
        self._ready: set[int] = set()
        self._heard = time.monotonic()  # when an actor answered last

    def start(self) -> int:
        """Start an actor and have it load the encoder."""
        number = next(self._numbers)
        self._actors[number] = actor = self._make.remote()
        look = partial(_look, self._job, self._probe)
        self._asked[actor.start.remote(self._job, max(1, int(self._cpus)), look)] = number
        return number

    def give(self, worker: int, chunk: Chunk) -> None:
        """Send a chunk."""
        self._asked[self._actors[worker].encode.remote(chunk)] = worker

    def answers(self) -> Iterator[tuple[int, Ready | Done | Failed | Lost]]:
        """Wait for one actor, and say so when the first one is long in coming; not for ever.

        Raises:
            InputError: none has started within :data:`STARTING` seconds.
        """
        answered, _ = self._ray.wait(list(self._asked), timeout=PATIENCE)
        if answered:
            self._heard = time.monotonic()
        elif not self._ready:
            has = self._ray.cluster_resources()
            needs = (
                f"each takes {self._cpus:g} CPUs and {self._gpus:g} GPUs, and the Ray cluster has "
                f"{has.get('CPU', 0):g} and {has.get('GPU', 0):g} in all"
            )
            if time.monotonic() - self._heard >= STARTING:
                raise InputError(f"no actor has started within {STARTING:g} s: {needs}; the parts written before stay")
            log.warning("no actor has started yet: %s", needs)
        for answer in answered:
            worker = self._asked.pop(answer)
            try:
                message = self._ray.get(answer)
                self._ready.add(worker)
                yield worker, message
            except self._ray.exceptions.RayError as error:
                self._ready.discard(worker)
                self._ray.kill(self._actors.pop(worker))  # it may be alive, but out of reach
                yield worker, Lost(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")

    def stop(self) -> None:
        """End all actors."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()


def _look(job: Job, probe: Path) -> None:
    """Refuse a machine that does not see the folder."""
    for _ in range(LOOKS - 1):
        if probe.is_file():
            return
        time.sleep(1)
    if not probe.is_file():
        raise InputError(
            f"{job.out} is not on {platform.node()} what it is where the command runs: expected a folder on a file "
            "system that all nodes of the Ray cluster share"
        )


@contextmanager
def connected(address: str | None, *, cpus: float) -> Iterator[Any]:
    """The module ``ray``, connected; what was started here, with at least so many CPUs, is shut down after."""
    ray = _ray(alone=address is None)
    if ray.is_initialized():
        yield ray
        return
    if address is None:
        where, options = "started on this machine", {
            "address": "local", "num_cpus": max(os.cpu_count() or 1, math.ceil(cpus)), "include_dashboard": False,
            "object_store_memory": OBJECT_STORE,
        }  # fmt: skip
    else:
        _knock(address)
        where, options = f"reached at {address}", {"address": address}
    try:
        ray.init(**options, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"Ray could not be {where}: {str(error).strip().splitlines()[0]}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _ray(*, alone: bool) -> Any:
    if "ray" not in sys.modules:  # it reads these when it is imported
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # else stdout, where results go, gets its news of nodes
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else one started here reports to its makers
        if alone:
            # on macOS Ray keeps to 127.0.0.1; elsewhere it listens to the network, unless it is told the same
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InputError("the engine ray needs Ray: pip install 'align-encoders[ray]'") from error
    return ray


def _knock(address: str) -> None:
    """Refuse an address where nobody listens: Ray would try for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise InputError(f"expected auto or host:port as the address of a Ray cluster, got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"Ray could not be reached at {address}: {error}") from error

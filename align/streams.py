"""Streams of random numbers: one for each purpose, all from the one seed that a user gives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """The random numbers of one purpose, such as ``stream(seed, "batch", number, rank)``.

    Streams of other seeds, or of other names, share nothing. numpy alone does not promise that: it fills a list of
    seeds up with zeros, so that ``[seed, 1]`` and ``[seed, 1, 0]`` are one stream, as ``seed`` and ``[seed, 0]`` are.

    Args:
        seed: what the user gave; at least 0.
        names: the purpose, and the numbers of what is drawn for.
    """
    digest = hashlib.sha256(json.dumps([seed, *names], default=int).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype="<u4"))


@contextmanager
def drawn_from(seed: int, *names: str | int) -> Iterator[None]:
    """While the context lasts, torch draws on the CPU from one stream of this seed; then it goes on where it was.

    New weights are drawn so: they depend on the seed and their names alone, and are the same in every process.
    """
    import torch  # numpy is all that most streams need

    with torch.random.fork_rng(devices=[]):
        drawn = int(stream(seed, *names).integers(2**63))
        torch.default_generator.manual_seed(drawn)  # torch.manual_seed would set that of GPUs, too
        yield

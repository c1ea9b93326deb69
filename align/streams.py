"""Streams of random numbers: one for each purpose, all from the one seed that a user gives."""

from __future__ import annotations

import hashlib
import json

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

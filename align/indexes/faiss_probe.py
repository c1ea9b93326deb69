"""Does FAISS survive a factory? A few make it crash or search for ever: a process of its own tries each one first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from align.errors import InputError
from align.indexes.faiss_module import import_faiss, new_index

ROWS = 300
"""Rows that are tried, if there are so many; and one more than dimensions: with fewer, OPQ crashes."""
LISTS = 128
"""Lists of an IVF index that is tried, at the most: how many there are decides how long it takes, not how it ends."""
SECONDS = 120.0
"""After which a trial is given up: it takes a few, but on a busy machine."""


@cache
def check_survives(factory: str, dimension: int, rows: int) -> None:
    """Build and search a small index of the factory in another process, from at most ``rows`` rows.

    What FAISS merely says no to passes: it will say so again, with the real rows.

    Raises:
        InputError: that process crashed, or did not come to an end.
    """
    tried = str(min(rows, max(ROWS, dimension + 1)))
    words = [sys.executable, "-m", "align.indexes.faiss_probe", factory, str(dimension), tried]
    places = [str(Path(__file__).parent.parent), *filter(None, sys.path)]  # this package, and FAISS as it is found here
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    try:
        done = subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, timeout=SECONDS)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"FAISS does not come to an end with {factory!r}: {tried} rows took more than {SECONDS:g} s; give another "
            "factory, such as one with more links"
        ) from error
    if done.returncode not in (0, 1):  # 1: Python did not get so far, which says nothing of FAISS
        raise InputError(
            f"FAISS crashes with {factory!r} and {tried} rows (exit code {done.returncode}): give another factory"
        )


def _try(factory: str, dimension: int, rows: int) -> None:
    from align.similarity.cosine import normalize

    faiss = import_faiss()
    index = new_index(re.sub(r"IVF(\d+)", lambda found: f"IVF{min(LISTS, int(found[1]))}", factory), dimension)
    _hurry(faiss.downcast_index(index))
    units = normalize(np.random.default_rng(0).standard_normal((rows, dimension)).astype(np.float32))
    if not index.is_trained:
        index.train(units)
    index.add(units)
    index.search(units[:10], 5)


def _hurry(part: Any) -> None:
    """Train in one round: that it converges is not asked for."""
    faiss = import_faiss()
    for name in ("niter", "niter_pq", "niter_pq_0", "max_beam_size", "train_iters", "train_ils_iters"):
        if hasattr(part, name):
            setattr(part, name, 1)
    for name in ("cp", "pq", "rq", "lsq", "prq", "plsq", "index", "base_index", "refine_index", "storage"):
        inner = getattr(part, name, None)
        if inner is not None:
            _hurry(faiss.downcast_index(inner) if isinstance(inner, faiss.Index) else inner)
    for place in range(part.chain.size() if hasattr(part, "chain") else 0):
        _hurry(faiss.downcast_VectorTransform(part.chain.at(place)))
    for place in range(part.quantizers.size() if hasattr(part, "quantizers") else 0):
        _hurry(faiss.downcast_Quantizer(part.quantizers.at(place)))


if __name__ == "__main__":
    try:
        _try(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    except (Exception, MemoryError):
        sys.exit(0)  # an error in words is the parent's to meet

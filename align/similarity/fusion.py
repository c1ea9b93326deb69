"""Reciprocal rank fusion: several rankings of the same rows as one.

References:
    Cormack, Clarke and Buettcher 2009, doi:10.1145/1571941.1572114.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

RRF = 60
"""What is added to every rank: a row gets 1 / (RRF + rank) from each ranking, ranks from 1."""
DEPTH = 100
"""Ranks of each ranking that count."""


def fused_scores(rankings: Iterable[Iterable[int]]) -> dict[int, float]:
    """Of every row the sum of 1 / (RRF + rank) over rankings, each of rows, best first; -1 is no row."""
    totals: dict[int, float] = {}
    for ranked in rankings:
        for rank, row in enumerate(ranked, 1):
            if row >= 0:
                totals[row] = totals.get(row, 0.0) + 1 / (RRF + rank)
    return totals


def fuse(lists: Sequence[NDArray[np.int64]], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Of (n, m) rows of n queries, best first, -1 where there is none: (n, k) scores and rows; ties by the lower row.

    >>> fuse([np.array([[4, 7]]), np.array([[7, -1]])], 2)[1].tolist()
    [[7, 4]]
    """
    count = len(lists[0])
    scores, found = np.full((count, k), -np.inf, dtype=np.float32), np.full((count, k), -1, dtype=np.int64)
    for query in range(count):
        totals = fused_scores(ranked[query].tolist() for ranked in lists)
        for place, row in enumerate(sorted(totals, key=lambda row: (-totals[row], row))[:k]):
            scores[query, place], found[query, place] = totals[row], row
    return scores, found

"""The nearest texts of other meanings than that of a query: what may be a negative."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.similarity.nearest import Neighbours

Ints = NDArray[np.int64]
Find = Callable[[ArrayLike, int], Neighbours]
"""Of (n, d) queries the k nearest candidates."""


class Texts(NamedTuple):
    """Some of the texts of one side, each once."""

    rows: Ints
    """(n,) where their vectors are."""
    meanings: Ints
    """(n,) numbers of what they mean."""


def own_counts(queries: Ints, candidates: Ints) -> Ints:
    """(n,) how many candidates have the meaning of each query, of (n,) and (m,) meanings."""
    ordered = np.sort(candidates)
    first, last = (np.searchsorted(ordered, queries, side=side) for side in ("left", "right"))
    counts: Ints = last - first
    return counts


def nearest_others(find: Find, units: ArrayLike, meanings: Ints, candidates: Ints, k: int) -> Neighbours:
    """The ``k`` nearest candidates of other meanings than the query's own, nearest first.

    So many more are looked for as there are candidates of the query's own meaning: an exact search finds all k.

    Args:
        find: see ``Find``; a row of -1 is none.
        units: (n, d) vectors of the queries.
        meanings: (n,) of the queries.
        candidates: (m,) meanings of the candidates.
        k: how many, at least 1.

    Returns:
        (n, at most k) cosines, -Inf where there is none, and numbers of candidates, -1 there.
    """
    found = find(units, k + int(own_counts(meanings, candidates).max(initial=0)))
    others = (found.rows >= 0) & (candidates[found.rows] != meanings[:, None])
    order = np.argsort(~others, axis=1, kind="stable")[:, :k]
    kept, cosines, rows = (np.take_along_axis(each, order, axis=1) for each in (others, *found))
    return Neighbours(np.where(kept, cosines, -np.inf).astype(np.float32), np.where(kept, rows, -1))

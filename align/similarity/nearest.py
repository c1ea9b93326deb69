"""The nearest rows by cosine, and the running ``k`` best of each row.

Almost no score of a later tile is among the best: a comparison with the k-th best so far finds the few that are, and
only these are merged. So one set of products gives the best of the rows and of the columns for little more than its
own time. A score and its column are one integer, a key, that sorts by score and then by the lower column, so that the
best are the same in whatever order and in whatever blocks they are met.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from align.errors import InputError
from align.similarity.cosine import TIE_TOLERANCE, matrix, tiles

Value = TypeVar("Value", np.float32, np.int64)
NO_KEY = np.iinfo(np.int64).min
"""Of a place where nothing was found yet."""
_LOW_BITS = 2**32 - 1


class Neighbours(NamedTuple):
    """The nearest rows of the other side, nearest first; of equally near ones the lower row first."""

    cosines: NDArray[np.float32]
    """(n, k) to six decimals; -Inf where none was found."""
    rows: NDArray[np.int64]
    """(n, k) rows of the other side; -1 where an approximate search found fewer than k."""


def check_at_least_one(k: int) -> None:
    """Refuse a k below 1."""
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")


def promising(
    scores: NDArray[np.float32], least: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the scores that may be among the ``k`` best of their row; every one that is, is there.

    Args:
        scores: (n, w), contiguous or the transpose of a contiguous tile.
        least: (n,) the k-th best of each row so far; -Inf where fewer than ``k`` are known.
        k: how many are looked for.

    Returns:
        Rows, rising, and columns.
    """
    if not scores.size:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    size = scores.shape[1] // (2 * k)
    if size and np.isneginf(least).any():  # the greatest scores of 2k groups: no score below k of them is among k best
        heads = scores[:, : 2 * k * size].reshape(len(scores), 2 * k, size).max(axis=2)
        least = np.maximum(least, np.partition(heads, k, axis=1)[:, k] - np.float32(2 * TIE_TOLERANCE))
    if scores.flags.c_contiguous:
        row, column = np.divmod(np.flatnonzero(scores > least[:, None]), scores.shape[1])
        return row, column
    column, row = np.divmod(np.flatnonzero(np.greater(scores.T, least)), len(scores))
    order = np.argsort(row, kind="stable")
    return row[order], column[order]


def keep(best: NDArray[Value], rows: NDArray[np.int64], values: NDArray[Value], *, nothing: float) -> None:
    """Merge ``values`` of ``rows`` (rising, repeated) into the (n, k) ``best``; ``nothing`` is below every value."""
    if not len(rows):
        return
    k = best.shape[1]
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    counts = np.diff(starts, append=len(rows))
    changed = rows[starts]
    merged = np.full((len(changed), k + counts.max()), nothing, dtype=best.dtype)
    merged[:, :k] = best[changed]
    place = np.arange(len(rows)) - np.repeat(starts, counts)
    merged[np.repeat(np.arange(len(changed)), counts), k + place] = values
    best[changed] = np.partition(merged, -k, axis=1)[:, -k:]


def keep_scores(best: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
    """Merge a tile of scores, as of :func:`promising`, into the (n, k) ``best`` of each row so far, in their place."""
    rows, columns = promising(scores, best.min(axis=1, initial=np.inf), best.shape[1])
    keep(best, rows, scores[rows, columns], nothing=-np.inf)


def rank_keys(scores: NDArray[np.float32], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """One integer per (score, column) that sorts by score, then by the lower column: score in the upper 32 bits."""
    steps = np.rint(scores / TIE_TOLERANCE).astype(np.int64)
    keys: NDArray[np.int64] = (steps << 32) + (_LOW_BITS - columns)
    return keys


def no_keys(n: int, k: int) -> NDArray[np.int64]:
    """(n, k) keys of nothing, for :func:`keep_best` to fill."""
    return np.full((n, k), NO_KEY)


def keep_best(best: NDArray[np.int64], scores: NDArray[np.float32], columns: NDArray[np.int64]) -> None:
    """Merge a tile of scores into the keys of the best so far, in their place.

    Args:
        best: (n, k) keys, in any order.
        scores: (n, w), contiguous or the transpose of a contiguous tile.
        columns: (w,) numbers of the tile's columns, rising, and higher than those before: of scores that are equal to
            the tie tolerance the lower column counts as the better.
    """
    least = best.min(axis=1, initial=2**62)
    bars = np.where(least == NO_KEY, -np.inf, (least >> 32) * TIE_TOLERANCE).astype(np.float32)
    rows, places = promising(scores, bars, best.shape[1])
    keep(best, rows, rank_keys(scores[rows, places], columns[places]), nothing=NO_KEY)


def neighbours_of(best: NDArray[np.int64]) -> Neighbours:
    """Scores and columns of (n, k) keys in any order, best first; -Inf and -1 where there is no key."""
    best = np.sort(best, axis=1)[:, ::-1]  # not by its negative, which the least integer has none of
    there = best != NO_KEY
    scores = np.where(there, (best >> 32) * TIE_TOLERANCE, -np.inf).astype(np.float32)
    return Neighbours(scores, np.where(there, _LOW_BITS - (best & _LOW_BITS), -1))


def top_k(queries: ArrayLike, candidates: ArrayLike, k: int, *, block: int = 2048) -> Neighbours:
    """The ``k`` nearest candidates of each query by cosine, best first; of equal ones the lower row comes first.

    Scores are rounded to the tie tolerance (six decimals), so that equal rows tie whichever block they fall in.

    Args:
        queries: (n, d).
        candidates: (m, d).
        k: how many, at least 1; with fewer candidates all of them are returned.
        block: rows of each side in one product.

    Returns:
        Scores (n, min(k, m)), descending, and rows of ``candidates`` (n, min(k, m)).

    Raises:
        InputError: ``k`` < 1, the widths differ, or a row holds NaN or Inf.
    """
    check_at_least_one(k)
    queries, candidates = matrix(queries), matrix(candidates)
    best = no_keys(len(queries), min(k, len(candidates)))
    for rows, columns, cosines in tiles(queries, candidates, block):
        keep_best(best[rows], cosines, np.arange(columns.start, columns.stop))
    return neighbours_of(best)


def exact_neighbours(
    x: ArrayLike, y: ArrayLike, *, k: int = 4, block: int = 2048, progress: bool = False
) -> tuple[Neighbours, Neighbours]:
    """The ``k`` nearest of ``y`` for each row of ``x``, and of ``x`` for each row of ``y``: each cosine is made once.

    Memory: two tiles of ``block * block`` float32, ``block`` rows of either side, and O((n + m) k) for what is found;
    the sides themselves may be memory-mapped.

    Args:
        x: (n, d).
        y: (m, d).
        k: at least 1; of fewer rows all are found.
        block: rows of each side in one product.
        progress: show a bar.

    Returns:
        Of ``x`` (n, min(k, m)) and of ``y`` (m, min(k, n)).

    Raises:
        InputError: ``k`` < 1, the widths differ, or a row holds NaN or Inf.
    """
    check_at_least_one(k)
    x, y = matrix(x), matrix(y)
    of_x, of_y = nearest_keys(x, y, slice(0, len(x)), k=k, block=block, progress=progress)
    return neighbours_of(of_x), neighbours_of(of_y)


def nearest_keys(
    x: NDArray[np.generic], y: NDArray[np.generic], share: slice, *, k: int, block: int, progress: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys of the best of all ``y`` for a share of the rows of ``x``, and of that share for each row of ``y``.

    The first are (rows of the share, min(k, m)). The others, (m, min(k, n)), name rows of all ``x``: the ``min(k, n)``
    highest of the keys that several shares give are the best of all.
    """
    part = x[share]
    of_x = no_keys(len(part), min(k, len(y)))
    of_y = no_keys(len(y), min(k, len(x)))
    count = math.ceil(len(part) / max(1, block)) * math.ceil(len(y) / max(1, block))
    for rows, columns, cosines in tqdm(tiles(part, y, block), total=count, unit="tile", disable=not progress):
        keep_best(of_x[rows], cosines, np.arange(columns.start, columns.stop))
        keep_best(of_y[columns], cosines.T, share.start + np.arange(rows.start, rows.stop))
    return of_x, of_y

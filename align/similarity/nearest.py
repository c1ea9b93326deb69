"""The nearest rows by cosine, and the ``k`` best of each row as they are met.

A score and its column are one integer, a key, that sorts by score and then by the lower column, so that the best are
the same in whatever order and in whatever blocks they are met.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import TIE_TOLERANCE, check_same_width, matrix, normalize, slices, unit_blocks
from align.similarity.tiles import keep, promising

NO_KEY = np.iinfo(np.int64).min
"""Of a place where nothing was found yet."""
_LOW_BITS = 2**32 - 1


def check_at_least_one(k: int) -> None:
    """Refuse a k below 1."""
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")


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


def scores_and_columns(best: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(n, k) scores, to six decimals, and columns of (n, k) keys, best first; -Inf and -1 where there is no key."""
    best = np.sort(best, axis=1)[:, ::-1]  # not by its negative, which the least integer has none of
    there = best != NO_KEY
    scores = np.where(there, (best >> 32) * TIE_TOLERANCE, -np.inf).astype(np.float32)
    return scores, np.where(there, _LOW_BITS - (best & _LOW_BITS), -1)


def top_k(
    queries: ArrayLike, candidates: ArrayLike, k: int, *, block: int = 2048
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
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
    answers, units = matrix(candidates), normalize(queries)
    check_same_width(units, answers)
    best = no_keys(len(units), min(k, len(answers)))
    for start, part in unit_blocks(answers, block):
        for here in slices(len(units), block):
            keep_best(best[here], units[here] @ part.T, np.arange(start, start + len(part)))
    return scores_and_columns(best)

"""The products of two sets of rows, tile by tile, and the running ``k`` best of each row.

Almost no score of a later tile is among the best: a comparison with the k-th best so far finds the few that are, and
only these are merged. So one set of products gives the best of the rows and of the columns for little more than its
own time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from align.similarity.cosine import TIE_TOLERANCE, check_same_width, normalize, slices, unit_blocks

Value = TypeVar("Value", np.float32, np.int64)
Tile = tuple[slice, slice, NDArray[np.float32]]
"""Rows of one side, rows of the other, their cosines."""


def tiles(x: NDArray[np.generic], y: NDArray[np.generic], block: int) -> Iterator[Tile]:
    """Cosines of ``block`` rows of ``x`` with ``block`` rows of ``y`` at a time, the rows of ``y`` in rising order.

    Args:
        x: (n, d).
        y: (m, d).
        block: rows of each side.

    Yields:
        The rows of ``x``, those of ``y``, and their cosines: free to be written to, overwritten by the next tile.

    Raises:
        InputError: the widths differ, ``block`` < 1, or a row holds NaN or Inf.
    """
    check_same_width(x, y)
    buffer = np.empty(min(block, len(x)) * min(block, len(y)) if block > 0 else 0, dtype=np.float32)
    for rows in slices(len(x), block):
        units = normalize(x[rows], first_row=rows.start)
        for start, part in unit_blocks(y, block):
            tile = buffer[: len(units) * len(part)].reshape(len(units), len(part))
            yield rows, slice(start, start + len(part)), np.matmul(units, part.T, out=tile)


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

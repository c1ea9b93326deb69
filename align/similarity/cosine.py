"""Cosine similarity: unit rows, and the products of two sets of rows, tile by tile.

Memory is bounded by ``block``: one tile of ``block * block`` scores exists at a time, and of either side (which may be
memory-mapped, float16 or float32) no more than ``block`` rows are held as float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError

TIE_TOLERANCE = 1e-6
"""Cosines closer than this are a tie: the last bits of a float32 product depend on where in a block a row falls."""

Tile = tuple[slice, slice, NDArray[np.float32]]
"""Rows of one side, rows of the other, their cosines."""


def normalize(x: ArrayLike, *, first_row: int = 0) -> NDArray[np.float32]:
    """Rows of ``x`` divided by their length; a row of zeros stays zero, and its cosine with everything is 0.

    Args:
        x: (n, d) finite numbers.
        first_row: what to add to a row's number in the error message, when ``x`` is a block of a larger array.

    Returns:
        (n, d) float32, rows of length 1 or 0.

    Raises:
        InputError: not a matrix of numbers, or a row holds NaN or Inf (the first such row is named).
    """
    x = matrix(x)
    return unit_rows(x, range(first_row, first_row + len(x)))


def matrix(x: ArrayLike) -> NDArray[np.generic]:
    """``x`` as an (n, d) array of numbers, without a copy where it is one.

    Raises:
        InputError: it is something else.
    """
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise InputError(f"expected a matrix (rows, dimensions): {error}") from error
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise InputError(f"expected a matrix of numbers (rows, dimensions), got shape {array.shape} of {array.dtype}")
    return array


def check_same_width(a: NDArray[np.generic], b: NDArray[np.generic]) -> None:
    """Refuse queries and candidates of different dimensions."""
    if a.shape[1] != b.shape[1]:
        raise InputError(f"queries have {a.shape[1]} dimensions, candidates {b.shape[1]}: expected the same number")


def slices(n: int, block: int) -> Iterator[slice]:
    """Slices of at most ``block`` of n rows; of no rows, one empty slice."""
    if block < 1:
        raise InputError(f"block must be at least 1 row, got {block}")
    return (slice(start, min(start + block, n)) for start in range(0, max(n, 1), block))  # of nothing, one empty slice


def unit_rows(x: NDArray[np.generic], numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
    """``normalize``; an error names the row by its place in ``numbers``."""
    with np.errstate(over="ignore"):
        rows = x.astype(np.float32)
    largest = np.maximum(rows.max(axis=1, initial=0), -rows.min(axis=1, initial=0))  # NaN where the row holds one
    bad = np.flatnonzero(~np.isfinite(largest))
    if len(bad):
        raise InputError(f"row {numbers[bad[0]]} holds NaN or Inf as float32; expected finite numbers")
    extreme = (largest > 0) & ((largest < 1e-12) | (largest > 1e12))
    rows[extreme] /= largest[extreme, None]  # else the squares of 1e-30 are 0 and those of 1e30 are Inf
    length = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    rows /= np.where(length > 0, length, 1)
    return rows


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
        for columns in slices(len(y), block):
            part = normalize(y[columns], first_row=columns.start)
            tile = buffer[: len(units) * len(part)].reshape(len(units), len(part))
            yield rows, columns, np.matmul(units, part.T, out=tile)

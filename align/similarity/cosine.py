"""Cosine similarity in blocks: unit rows, the rank of the right answer.

Memory is bounded by ``block``: no more than ``block * block`` scores exist at a time, and of the candidates (which may
be memory-mapped, float16 or float32) no more than ``block`` rows are held as float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError

TIE_TOLERANCE = 1e-6
"""Cosines closer than this are a tie: the last bits of a float32 product depend on where in a block a row falls."""


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


def gold_ranks(
    queries: ArrayLike, candidates: ArrayLike, gold: ArrayLike | None = None, *, block: int = 2048
) -> NDArray[np.int64]:
    """Rank of each query's right answer among all candidates by cosine; ties count against the model.

    rank_i = 1 + #{j != gold_i : s_ij >= s_i,gold_i - 1e-6}, with s the cosine.
    A copy of the right answer is therefore ahead of it, and when all embeddings are equal the rank is the number of
    candidates. The right answer is never compared with itself.

    Args:
        queries: (n, d).
        candidates: (m, d).
        gold: (n,) row of ``candidates`` that answers each query; ``None``: row i answers query i (then m >= n).
        block: rows of each side in one product.

    Returns:
        (n,) ranks from 1 to m.

    Raises:
        InputError: the widths differ, a gold row does not exist, or a row holds NaN or Inf.
    """
    answers, units = matrix(candidates), normalize(queries)
    check_same_width(units, answers)
    rows = _gold_rows(gold, len(units), len(answers))
    bar = np.einsum("ij,ij->i", units, unit_rows(answers[rows], rows)) - np.float32(TIE_TOLERANCE)  # (n,)
    ahead = np.zeros(len(units), dtype=np.int64)
    for start, part in unit_blocks(answers, block):
        for here in slices(len(units), block):
            beats = units[here] @ part.T >= bar[here, None]  # (block, block)
            gold_rows = rows[here] - start
            inside = np.flatnonzero((gold_rows >= 0) & (gold_rows < len(part)))
            beats[inside, gold_rows[inside]] = False
            ahead[here] += beats.sum(axis=1)
    return ahead + 1


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


def _gold_rows(gold: ArrayLike | None, n: int, m: int) -> NDArray[np.int64]:
    if gold is None:
        if n > m:
            raise InputError(f"{n} queries but {m} candidates: expected a candidate for every query")
        return np.arange(n)
    rows = np.asarray(gold)
    if rows.shape != (n,) or (n and rows.dtype.kind not in "iu"):
        raise InputError(f"gold has shape {rows.shape} of {rows.dtype}: expected a row for each of {n} queries")
    if n and not (rows.min() >= 0 and rows.max() < m):
        raise InputError(f"gold names rows {rows.min()} to {rows.max()}: expected 0 to {m - 1}")
    return rows.astype(np.int64)


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


def unit_blocks(candidates: NDArray[np.generic], block: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """(first row, unit rows) of ``block`` candidates at a time."""
    for here in slices(len(candidates), block):
        yield here.start, normalize(candidates[here], first_row=here.start)

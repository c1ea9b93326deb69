"""The nearest rows of either side of two sets of vectors, exactly, from one set of products."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from align.similarity.cosine import matrix
from align.similarity.nearest import check_at_least_one, keep_best, no_keys, scores_and_columns
from align.similarity.tiles import tiles


@dataclass(frozen=True)
class Neighbours:
    """The nearest rows of the other side, nearest first; of equally near ones the lower row first."""

    cosines: NDArray[np.float32]
    """(n, k) to six decimals; -Inf where none was found."""
    rows: NDArray[np.int64]
    """(n, k) rows of the other side; -1 where an approximate search found fewer than k."""


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
    of_x = no_keys(len(x), min(k, len(y)))
    of_y = no_keys(len(y), min(k, len(x)))
    count = math.ceil(len(x) / max(1, block)) * math.ceil(len(y) / max(1, block))
    for rows, columns, cosines in tqdm(tiles(x, y, block), total=count, unit="tile", disable=not progress):
        keep_best(of_x[rows], cosines, np.arange(columns.start, columns.stop))
        keep_best(of_y[columns], cosines.T, np.arange(rows.start, rows.stop))
    return neighbours_of(of_x), neighbours_of(of_y)


def neighbours_of(best: NDArray[np.int64]) -> Neighbours:
    """Neighbours of the (n, k) best ``rank_keys`` of each row, in any order."""
    return Neighbours(*scores_and_columns(best))

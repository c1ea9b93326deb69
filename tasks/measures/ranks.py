"""Metrics of ranks: precision at k and mean reciprocal rank."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError


def precision_at(ranks: ArrayLike, k: int) -> float:
    """Share of the queries whose right answer is among the first ``k``.

    P@k = #{i : rank_i <= k} / n. With one right answer for each query this is also recall@k and accuracy@k.

    >>> precision_at([1, 2, 7], 5)
    0.6666666666666666

    Args:
        ranks: (n,) ranks from 1.
        k: at least 1.

    Returns:
        0 to 1.

    Raises:
        InputError: no ranks (a mean of nothing is not a number), a rank below 1, or ``k`` below 1.
    """
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    return float((_checked(ranks) <= k).mean())


def mean_reciprocal_rank(ranks: ArrayLike) -> float:
    """Mean of one over the rank of the right answer (MRR).

    MRR = 1/n * sum_i 1 / rank_i.

    >>> mean_reciprocal_rank([1, 2, 4])
    0.5833333333333334

    Args:
        ranks: (n,) ranks from 1.

    Returns:
        0 to 1.

    Raises:
        InputError: no ranks, or a rank below 1.
    """
    return float((1 / _checked(ranks)).mean())


def expected_by_chance(metric: str, candidates: int) -> float:
    """What P@k or MRR is on average where the right answer, one of so many candidates, stands anywhere: k / n, H_n / n.

    >>> expected_by_chance("P@5", 20), expected_by_chance("MRR", 2)
    (0.25, 0.75)
    """
    if metric == "MRR":
        return float((1 / np.arange(1, candidates + 1)).mean())
    return min(1.0, int(metric.removeprefix("P@")) / candidates)


def _checked(ranks: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(ranks)
    if array.ndim != 1 or not len(array):
        raise InputError(f"expected a list of at least one rank, got shape {array.shape}")
    if array.dtype.kind not in "iu" or array.min() < 1:
        raise InputError(f"expected whole ranks from 1, got {array.min()} as the smallest")
    return array.astype(np.int64)

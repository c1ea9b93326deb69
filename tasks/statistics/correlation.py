"""Pearson and Spearman correlation, and the bootstrap of the latter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.tasks.statistics.resampling import percentile_interval, resampled_counts


def sample(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """``values`` as an (n,) array that has a correlation: two finite numbers or more, not all equal.

    Raises:
        InputError: it is none; ``name`` says in the sentence what the values are.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < 2:
        raise InputError(f"{name}: a correlation needs a list of at least 2 values, got shape {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise InputError(f"{name}: value {bad[0] + 1} is {array[bad[0]]}; expected finite numbers")
    if array.min() == array.max():
        raise InputError(f"{name}: all {len(array)} values are {array[0]:g}; a correlation needs two different ones")
    return array


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's r: how far ``y`` is a line in ``x``.

    r = sum_i dx_i dy_i / sqrt(sum_i dx_i^2 * sum_i dy_i^2), dx_i = x_i - mean(x), dy alike.

    >>> round(pearson([1, 2, 3], [1, 2, 4]), 6)
    0.981981

    Args:
        x: (n,) finite numbers, n >= 2.
        y: (n,) likewise.

    Returns:
        -1 to 1.

    Raises:
        InputError: unequal lengths, fewer than two values, all values of a side equal, NaN or Inf.
    """
    a, b = _pair(x, y)
    a, b = (values / np.abs(values).max() for values in (a - a.mean(), b - b.mean()))  # else squares under- or overflow
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rho: Pearson's r of the ranks; equal values all get the mean of the ranks they take up.

    >>> spearman([1, 2, 3, 4], [1, 3, 2, 4])
    0.8

    Args:
        x: (n,) finite numbers, n >= 2.
        y: (n,) likewise.

    Returns:
        -1 to 1; the same for any increasing function of ``x`` or ``y``.

    Raises:
        InputError: as ``pearson``.

    References:
        Spearman 1904, "The proof and measurement of association between two things"; ties: Kendall 1945.
    """
    a, b = _pair(x, y)
    return float(weighted_spearman(a, b, np.ones((1, len(a))))[0])


def bootstrap_interval(
    x: ArrayLike, y: ArrayLike, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of Spearman's rho: n pairs drawn with replacement, ``resamples`` times.

    The interval runs from the (1 - level) / 2 to the (1 + level) / 2 quantile of the rhos, ranked anew in each
    resample. The draws depend on n, ``seed`` and ``resamples`` alone, so that two models, or two languages with
    row-aligned pairs, are judged on the same draws. A draw in which all values of a side are equal has no rho and is
    left out.

    Args:
        x: (n,) finite numbers, n >= 2.
        y: (n,) likewise.
        resamples: at least 1.
        seed: of the draws.
        level: share of the rhos inside, between 0 and 1.

    Returns:
        Its lower and upper end; ``None``: no draw has a rho.

    Raises:
        InputError: as ``pearson``, or an option outside its range.

    References:
        Efron 1979, "Bootstrap methods: another look at the jackknife"; Efron and Tibshirani 1993, chapter 13.
    """
    (rhos,) = resampled_spearman([x], y, resamples=resamples, seed=seed)
    return percentile_interval(rhos, level=level)


def resampled_spearman(
    xs: Sequence[ArrayLike], y: ArrayLike, *, resamples: int = 1000, seed: int = 0, position: int = 0
) -> NDArray[np.float64]:
    """Spearman's rho of each of ``xs`` with ``y`` in each resample of the pairs, all on the same draws.

    Args:
        xs: k lists of n finite numbers, n >= 2.
        y: (n,) likewise.
        resamples: at least 1.
        seed: of the draws.
        position: as of ``resampled_rows``.

    Returns:
        (k, resamples) rhos; NaN where all values of a side are equal.

    Raises:
        InputError: as ``pearson``, or an option outside its range.
    """
    pairs = [_pair(x, y) for x in xs]
    draws = resampled_counts(len(pairs[0][1]), resamples=resamples, seed=seed, position=position)
    return np.concatenate([[weighted_spearman(a, b, times) for a, b in pairs] for times in draws], axis=1)


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = sample(x, "x"), sample(y, "y")
    if len(a) != len(b):
        raise InputError(f"expected as many values on both sides, got {len(a)} and {len(b)}")
    return a, b


def weighted_spearman(
    x: NDArray[np.float64], y: NDArray[np.float64], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(r,) rho of the pairs when pair i stands ``times[r, i]`` times; NaN where a side is constant."""
    (a, spread_a), (b, spread_b) = centred_ranks(x, times), centred_ranks(y, times)
    product = np.einsum("ri,ri,ri->r", times, a, b)
    scale = np.sqrt(spread_a * spread_b)
    rho: NDArray[np.float64] = np.divide(product, scale, out=np.full(len(times), np.nan), where=scale > 0)
    return rho.clip(-1, 1)


def centred_ranks(
    values: NDArray[np.float64], times: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(r, n) mean ranks minus the mean rank of all that is drawn, and (r,) the sum of their squares."""
    distinct, place = np.unique(values, return_inverse=True)  # (m,), (n,)
    order = np.argsort(place, kind="stable")
    first = np.searchsorted(place[order], np.arange(len(distinct)))
    count = np.add.reduceat(times[:, order], first, axis=1)  # (r, m): how often each distinct value was drawn
    drawn = count.sum(axis=1, keepdims=True)
    ranks = np.cumsum(count, axis=1) - (count - 1) / 2 - (drawn + 1) / 2
    return ranks[:, place], np.einsum("rm,rm,rm->r", count, ranks, ranks)

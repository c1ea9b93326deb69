"""How sure a score is: intervals of a mean, and of a mean over scores."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.tasks.resampling import check_items, check_level, percentile_interval
from align.tasks.samples import Sample, paired_samples

Interval = tuple[float, float]
Array = NDArray[np.float64]


def mean_interval(values: Array, *, resamples: int = 1000, seed: int = 0, level: float = 0.95) -> Interval | None:
    """Percentile bootstrap interval of a mean: n values drawn with replacement, ``resamples`` times.

    Args:
        values: (n,) finite numbers, n >= 1.
        resamples: 0: no interval.
        seed: of the draws, which depend on n, ``seed`` and ``resamples`` alone.
        level: share of the means inside.

    Returns:
        Its lower and upper end, or ``None``.

    References:
        Efron 1979, "Bootstrap methods: another look at the jackknife".
    """
    if not resamples:
        return None
    (drawn,) = paired_samples([values], resamples=resamples, seed=seed)
    return percentile_interval(drawn.resampled, level=level)


def bootstrap_mean(items: ArrayLike, *, resamples: int = 1000, seed: int = 0, level: float = 0.95) -> Interval:
    """Interval of a mean: Wilson's where all items are 0 or 1, else the percentile bootstrap's.

    The bootstrap's is too short where nearly all items are right, or few there are (of 100 items that are right with
    chance .99 it holds the truth 60 times in 100, Wilson's 92 times), and has no length where all are.

    >>> tuple(round(end, 3) for end in bootstrap_mean([1] * 9 + [0]))
    (0.596, 0.982)

    Args:
        items: (n,) finite numbers, n >= 1.
        resamples: of the bootstrap, at least 1.
        seed: of its draws.
        level: share of such intervals that hold the truth.

    Returns:
        Its lower and upper end; equal where n = 1 or all items are one number other than 0 and 1.

    Raises:
        InputError: no items, NaN or Inf, or an option outside its range.

    References:
        Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    return macro_interval([items], resamples=resamples, seed=seed, level=level)


def macro_interval(
    scores: Sequence[ArrayLike], *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Interval of the mean over scores (languages) of the mean of their items, drawn within each score.

    Where all items are 0 or 1, it is Wilson's interval of m = mean p_l with the n' items that would give m the
    variance that it has, m (1 - m) / n' = sum_l p_l (1 - p_l) / n_l / L^2; where no item differs from its score's
    mean, n' = L^2 / sum_l (1 / n_l). For one score n' = n.

    Args:
        scores: for each of L scores, n_l finite numbers, n_l >= 1.
        resamples: of the bootstrap, at least 1.
        seed: of its draws.
        level: share of such intervals that hold the truth.

    Raises:
        InputError: no scores, a score without items, NaN or Inf, or an option outside its range.

    References:
        Wilson 1927; the number of items that the variance stands for: Korn and Graubard 1998.
    """
    if not scores:
        raise InputError("expected at least one score to average, got none")
    check_level(level)
    rows = [check_items(items) for items in scores]
    if _right_or_wrong(rows):
        return _wilson(rows, level)
    samples = [paired_samples([row], resamples=resamples, seed=seed, position=i)[0] for i, row in enumerate(rows)]
    found = samples_interval(samples, level=level)
    assert found is not None  # a mean has a value in every resample
    return found


def samples_interval(samples: Sequence[Sample], *, level: float = 0.95) -> Interval | None:
    """The interval of ``macro_interval``, of samples that are there already; of rhos that of the percentiles.

    Args:
        samples: of one model, one for each score, at least 1.
        level: share of such intervals that hold the truth.

    Returns:
        Its lower and upper end; ``None``: no resample has a rho.
    """
    rows = [sample.items for sample in samples if sample.gold is None]
    if rows and _right_or_wrong(rows):
        return _wilson(rows, check_level(level))
    return percentile_interval(np.mean([sample.resampled for sample in samples], axis=0), level=level)


def _right_or_wrong(rows: Sequence[Array]) -> bool:
    return all(np.all((row == 0) | (row == 1)) for row in rows)


def _wilson(rows: Sequence[Array], level: float) -> Interval:
    p, n = np.array([row.mean() for row in rows]), np.array([len(row) for row in rows])
    mean, variance = float(p.mean()), float((p * (1 - p) / n).sum()) / len(p) ** 2
    items = mean * (1 - mean) / variance if variance else len(p) ** 2 / float((1 / n).sum())
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (mean + z**2 / (2 * items)) / (1 + z**2 / items)
    half = z / (1 + z**2 / items) * float(np.sqrt(mean * (1 - mean) / items + (z / (2 * items)) ** 2))
    return max(0.0, centre - half), min(1.0, centre + half)

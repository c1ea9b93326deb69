"""How sure a score is: intervals of a mean, and of a mean over scores."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.tasks.statistics.lines import Lines, line_sums, numbered_lines
from align.tasks.statistics.resampling import check_items, check_level, percentile_interval
from align.tasks.statistics.samples import Names, Sample, joint_samples, mean_resampled

Interval = tuple[float, float]
Array = NDArray[np.float64]


def bootstrap_mean(
    items: ArrayLike, *, lines: Names = None, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Interval of a mean: Wilson's where all items are 0 or 1, else the percentile bootstrap's.

    The bootstrap's is too short where nearly all items are right, or few there are (of 100 items that are right with
    chance .99 it holds the truth 60 times in 100, Wilson's 92 times), and has no length where all are.

    >>> tuple(round(end, 3) for end in bootstrap_mean([1] * 9 + [0]))
    (0.596, 0.982)

    Args:
        items: (n,) finite numbers, n >= 1.
        lines: the line of each item; ``None``: each is of its own.
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
    return macro_interval([items], lines=[lines], resamples=resamples, seed=seed, level=level)


def macro_interval(
    scores: Sequence[ArrayLike],
    *,
    lines: Sequence[Names] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Interval of the mean over L scores (languages) of the mean of their items, of which some come from one line.

    Where all items are 0 or 1, it is Wilson's interval of m = mean p_l with the n' items that would give m the
    variance that it has: m (1 - m) / n' = sum_c (sum_{l, i in line c} (x_li - p_l) / (n_l L))^2. Where that is 0, as
    where all are right, n' = 1 / sum_c (sum_{l, i in line c} 1 / (n_l L))^2: lines that are in all scores count once.
    For one score of lines of its own n' = n. Else it is that of the resampled lines, see ``joint_samples``.

    Args:
        scores: for each of L scores, n_l finite numbers, n_l >= 1.
        lines: for each score the line of each item; ``None``: no two items are of one line.
        resamples: of the bootstrap, at least 1.
        seed: of its draws.
        level: share of such intervals that hold the truth.

    Raises:
        InputError: no scores, a score without items or with another number of lines, NaN or Inf, or an option outside
            its range.

    References:
        Wilson 1927; the number of items that the variance stands for: Korn and Graubard 1998.
    """
    if not scores:
        raise InputError("expected at least one score to average, got none")
    check_level(level)
    rows = [check_items(items) for items in scores]
    if _right_or_wrong(rows):
        return _wilson(rows, numbered_lines(lines or [None] * len(rows), [len(row) for row in rows]), level)
    drawn = joint_samples([[row] for row in rows], lines=lines, resamples=resamples, seed=seed)
    found = samples_interval([sample for (sample,) in drawn], level=level)
    assert found is not None  # a mean has a value in every resample
    return found


def samples_interval(samples: Sequence[Sample], *, level: float = 0.95) -> Interval | None:
    """The interval of ``macro_interval``, of samples that are there already; of rhos that of the percentiles.

    Args:
        samples: of one model, one for each score, at least 1, of one call of ``joint_samples``.
        level: share of such intervals that hold the truth.

    Returns:
        Its lower and upper end; ``None``: no resample has a rho.
    """
    rows = [sample.items for sample in samples if sample.gold is None]
    if rows and _right_or_wrong(rows):
        return _wilson(rows, [sample.lines for sample in samples], check_level(level))
    return percentile_interval(mean_resampled([sample.resampled for sample in samples]), level=level)


def _right_or_wrong(rows: Sequence[Array]) -> bool:
    return all(np.all((row == 0) | (row == 1)) for row in rows)


def _wilson(rows: Sequence[Array], lines: Sequence[Lines], level: float) -> Interval:
    mean = float(np.mean([row.mean() for row in rows]))
    variance = float((line_sums([row - row.mean() for row in rows], lines) ** 2).sum())
    if variance > 1e-12 * mean * (1 - mean):  # else it is 0 but for rounding
        items = mean * (1 - mean) / variance
    else:
        items = 1 / float((line_sums([np.ones(len(row)) for row in rows], lines) ** 2).sum())
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (mean + z**2 / (2 * items)) / (1 + z**2 / items)
    half = z / (1 + z**2 / items) * float(np.sqrt(mean * (1 - mean) / items + (z / (2 * items)) ** 2))
    return max(0.0, centre - half), min(1.0, centre + half)

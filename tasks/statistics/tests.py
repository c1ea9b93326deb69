"""How sure a score is, and whether two models differ: intervals, paired differences, corrected p-values.

A score is a mean of items (right or wrong, a reciprocal rank) or Spearman's rho of items with gold scores. What is
averaged over scores, such as languages, counts every score alike. What is drawn and flipped is a line, with all items
that come from it: in parallel text the scores of all languages and directions have the same lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.tasks.statistics.best import difference_p
from align.tasks.statistics.intervals import Interval
from align.tasks.statistics.resampling import percentile_interval
from align.tasks.statistics.samples import Sample, mean_resampled, paired_samples

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """The score of one model minus that of another."""

    value: float
    """Above 0 where the first is better."""
    interval: Interval | None
    """Of the paired bootstrap; ``None``: no resample has a rho."""
    p: float
    """Of the paired permutation test, two-sided."""


def paired_difference(
    a_items: ArrayLike,
    b_items: ArrayLike,
    *,
    gold: ArrayLike | None = None,
    resamples: int = 1000,
    permutations: int = 9999,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """The score of one model minus that of another on the same items, its interval, and its p.

    The interval is the percentile bootstrap's, of items drawn together with both models' answers. It says nothing of
    p: where few items differ, p is the one to go by.

    >>> paired_difference([1, 1, 1, 0], [0, 1, 0, 0]).p
    0.5

    Args:
        a_items: (n,) finite numbers, n >= 1.
        b_items: (n,) those of the other model; item i is the same question.
        gold: (n,) gold scores: the score is Spearman's rho with them; ``None``: it is the mean.
        resamples: of the bootstrap, at least 1.
        permutations: of the test, where there are too many to try all (``sign_flip_p``, ``swap_p``).
        seed: of both.
        level: share of the resampled differences inside the interval.

    Raises:
        InputError: as ``paired_samples``, or an option outside its range.
    """
    a, b = paired_samples([a_items, b_items], gold=gold, resamples=resamples, seed=seed)
    return macro_difference([a], [b], permutations=permutations, seed=seed, level=level)


def macro_difference(
    a: Sequence[Sample], b: Sequence[Sample], *, permutations: int = 9999, seed: int = 0, level: float = 0.95
) -> Difference:
    """The mean over scores of one model minus that of another, its paired interval, and its p.

    Args:
        a: samples of one model, one for each score.
        b: those of the other, from the same call of ``joint_samples``.
        permutations: of the test, where there are too many to try all.
        seed: of them.
        level: share of the resampled differences inside the interval.

    Raises:
        InputError: no scores, not as many on both sides, or an option outside its range.
    """
    if not a or len(a) != len(b):
        raise InputError(f"expected the same scores of both models, at least one, got {len(a)} and {len(b)}")
    both = list(zip(a, b, strict=True))
    resampled = mean_resampled([x.resampled - y.resampled for x, y in both])
    p = difference_p(a, b, permutations=permutations, seed=seed)
    value = float(np.mean([x.value - y.value for x, y in both]))
    return Difference(value, percentile_interval(resampled, level=level), p)


def holm(p_values: ArrayLike) -> Array:
    """Holm's step-down correction: with the result, ``p <= alpha`` errs in any of the tests with chance alpha at most.

    The i-th smallest of m p-values becomes max over j <= i of (m - j + 1) p_(j), at most 1.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]

    Args:
        p_values: (m,) numbers from 0 to 1, in any order.

    Returns:
        (m,) the adjusted ones, in that order.

    Raises:
        InputError: one is outside 0 to 1, or NaN.

    References:
        Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise InputError(f"expected a list of p-values from 0 to 1, got {p.tolist()}")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
    return adjusted

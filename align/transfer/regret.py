"""What is lost by following advice."""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import ArrayLike


def regret(predicted: ArrayLike, scores: ArrayLike, *, k: int = 1) -> float:
    """The best score less the best among the k sources that are predicted to be best; 0: the best one is among them.

    Of sources that are predicted equal, any order is as likely: the mean over all of them is returned. So predictions
    that are all equal give the regret of chance.

    >>> regret([3, 2, 1], [0.5, 0.9, 0.7]), regret([3, 2, 1], [0.5, 0.9, 0.7], k=2)
    (0.4, 0.0)

    Args:
        predicted: (n,) of each source, n >= 1.
        scores: (n,) what it is worth.
        k: sources that are tried, >= 1; of fewer all are.

    Returns:
        >= 0, in units of the scores.
    """
    p, y = np.asarray(predicted, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    k = min(k, len(y))
    last = np.sort(p)[-k]  # the prediction of the last one that is tried
    sure, tied = y[p > last], np.sort(y[p == last])[::-1]
    tries, m = k - len(sure), len(tied)
    # the best of `tries` out of m is the i-th (from 0) where it is tried, and the others are of the m - i - 1 behind it
    chances = np.array([comb(m - i - 1, tries - 1) / comb(m, tries) for i in range(m)])
    best = np.maximum(tied, sure.max()) if len(sure) else tied
    return float(y.max() - chances @ best)

"""A ratio of sums (F1, the accuracy of words, AER) as a mean of items, one a line."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError


def ratio_items(numerators: ArrayLike, denominators: ArrayLike) -> NDArray[np.float64]:
    """Items whose mean is R = sum a_i / sum b_i, and whose bootstrap is that of R to the first order.

    x_i = R + n (a_i - R b_i) / sum b: the linearised variable of R. A line counts as it moves the ratio, so that lines
    with more words, or more spans, weigh more; a line without any is R, and moves nothing. Intervals and paired tests
    of a mean are then those of the ratio, clustered by line.

    >>> ratio_items([1, 3], [2, 4]).tolist()
    [0.6666666666666666, 0.6666666666666666]
    >>> float(ratio_items([2, 1, 0], [2, 2, 0]).mean())
    0.75

    Args:
        numerators: (n,) a_i of each line, such as 2 tp.
        denominators: (n,) b_i of at least 0, such as 2 tp + fp + fn.

    Returns:
        (n,) items; zeros where all denominators are 0, as F1 is 0 of nothing.

    Raises:
        InputError: no lines, unequal numbers of them, or a number that is no such.

    References:
        Woodruff 1971, "A simple method for approximating the variance of a complicated estimate".
    """
    a, b = (np.asarray(values, dtype=np.float64) for values in (numerators, denominators))
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise InputError(f"a ratio needs two numbers for each of its lines, got {a.shape} and {b.shape}")
    if not np.isfinite(a).all() or not np.isfinite(b).all() or (b < 0).any():
        raise InputError("a ratio needs finite numbers, and denominators of at least 0")
    total = b.sum()
    if total == 0:
        return np.zeros(len(a))
    ratio = a.sum() / total
    return np.asarray(ratio + len(a) * (a - ratio * b) / total)

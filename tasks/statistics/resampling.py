"""The draws of the bootstrap, and the interval of what they give."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError

_CELLS = 2**16  # numbers in one block of resamples: as much as stays in a core's cache


def resampled_rows(n: int, *, resamples: int, seed: int = 0, position: int = 0) -> Iterator[NDArray[np.int64]]:
    """Items drawn with replacement, n at a time.

    The draws depend on the arguments alone, not on what the items are worth: two models are judged on the same ones.

    Args:
        n: items, at least 1.
        resamples: how many times n items are drawn.
        seed: of the draws.
        position: place of the score among those that are averaged; other places give independent draws.

    Yields:
        (rows, n) numbers of items, ``resamples`` rows in all.

    Raises:
        InputError: fewer than 1 resample, or a negative seed.
    """
    if resamples < 1 or seed < 0:
        raise InputError(f"expected at least 1 resample and a seed of at least 0, got {resamples} and {seed}")
    generator = np.random.default_rng([seed, position])
    rows = max(8, _CELLS // n)
    for start in range(0, resamples, rows):
        yield generator.integers(0, n, (min(rows, resamples - start), n))


def resampled_counts(n: int, *, resamples: int, seed: int = 0, position: int = 0) -> Iterator[NDArray[np.float64]]:
    """(rows, n) how often each of n was drawn, in the draws of ``resampled_rows``; ``resamples`` rows in all."""
    for drawn in resampled_rows(n, resamples=resamples, seed=seed, position=position):
        cells = drawn + n * np.arange(len(drawn))[:, None]
        yield np.bincount(cells.ravel(), minlength=cells.size).reshape(cells.shape).astype(np.float64)


def percentile_interval(values: NDArray[np.float64], *, level: float = 0.95) -> tuple[float, float] | None:
    """The (1 - level) / 2 and (1 + level) / 2 quantiles of resampled values.

    Args:
        values: (resamples,) numbers; NaN, where a resample has no value, is left out.
        level: share of the values inside, between 0 and 1.

    Returns:
        Its lower and upper end; ``None``: no resample has a value.

    Raises:
        InputError: ``level`` is not between 0 and 1.

    References:
        Efron 1979, "Bootstrap methods: another look at the jackknife"; Efron and Tibshirani 1993, chapter 13.
    """
    found = values[~np.isnan(values)]
    tails = (1 - check_level(level)) / 2
    if not len(found):
        return None
    low, high = np.quantile(found, [tails, 1 - tails])
    return float(low), float(high)


def check_level(level: float) -> float:
    """``level`` if it is between 0 and 1, else an InputError."""
    if not 0 < level < 1:
        raise InputError(f"expected a level between 0 and 1, got {level}")
    return level


def check_items(items: ArrayLike, name: str = "items") -> NDArray[np.float64]:
    """``items`` as an (n,) array of finite numbers, n >= 1.

    Raises:
        InputError: they are not; ``name`` says in the sentence what they are.
    """
    array = np.asarray(items, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise InputError(f"{name}: expected a list of at least 1 number, got shape {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise InputError(f"{name}: number {bad[0] + 1} is {array[bad[0]]}; expected finite numbers")
    return array

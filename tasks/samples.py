"""The items of models on one score, resampled together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.tasks.correlation import resampled_spearman, sample, spearman
from align.tasks.resampling import check_items, resampled_rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """The items of one model on one score, and the score in each resample of them."""

    items: Array = field(repr=False)
    """(n,) items, or what the model gives each pair."""
    gold: Array | None = field(repr=False)
    """(n,) gold scores: the score is Spearman's rho; ``None``: it is the mean of the items."""
    value: float
    """The score."""
    resampled: Array = field(repr=False)
    """(resamples,) the score in each resample."""


def paired_samples(
    models: Sequence[ArrayLike],
    *,
    gold: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
    position: int = 0,
) -> tuple[Sample, ...]:
    """Samples of several models on one score, with the same items drawn for all of them.

    Args:
        models: for each model, n finite numbers; item i is the same question for all.
        gold: (n,) finite gold scores: the statistic is Spearman's rho; ``None``: it is the mean.
        resamples: of the bootstrap, at least 1.
        seed: of the draws.
        position: place of the score among those that will be averaged; other places give independent draws.

    Raises:
        InputError: no items, unequal numbers of them, NaN or Inf, or, with gold scores, values that are all equal.
    """
    rows = [check_items(items) if gold is None else sample(items, "items") for items in models]
    known = None if gold is None else sample(gold, "gold")
    counts = [len(row) for row in (*rows, *([] if known is None else [known]))]
    if len(set(counts)) > 1:
        raise InputError(f"expected the same items for all, got {' and '.join(map(str, counts))} of them")
    if known is not None:
        drawn = resampled_spearman(rows, known, resamples=resamples, seed=seed, position=position)
        values = [spearman(row, known) for row in rows]
    else:
        draws = resampled_rows(counts[0], resamples=resamples, seed=seed, position=position)
        drawn = np.concatenate([[row[block].mean(axis=1) for row in rows] for block in draws], axis=1)
        values = [float(row.mean()) for row in rows]
    return tuple(Sample(row, known, value, means) for row, value, means in zip(rows, values, drawn, strict=True))

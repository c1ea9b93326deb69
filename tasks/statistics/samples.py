"""The items of models on the scores that are averaged, resampled together: by line where scores share lines."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.tasks.statistics.correlation import sample, spearman, weighted_spearman
from align.tasks.statistics.lines import Lines, linked, numbered_lines
from align.tasks.statistics.resampling import check_items, resampled_counts

Array = NDArray[np.float64]
Names = Iterable[Hashable] | None
"""The line of each item, by any name; ``None``: each item is a line of its own."""


@dataclass(frozen=True)
class Sample:
    """The items of one model on one score, and the score in each resample of the lines."""

    items: Array = field(repr=False)
    """(n,) items, or what the model gives each pair."""
    gold: Array | None = field(repr=False)
    """(n,) gold scores: the score is Spearman's rho; ``None``: it is the mean of the items."""
    value: float
    """The score."""
    resampled: Array = field(repr=False)
    """(resamples,) the score in each resample; NaN where it has none."""
    lines: Lines = field(repr=False)
    """(n,) the line of each item, numbered over all scores of one call of ``joint_samples``."""

    def negated(self) -> Sample:
        """Of the score with its sign turned, which is better the higher it is if the score is an error."""
        gold = None if self.gold is None else -self.gold
        return replace(self, items=self.items if self.gold is not None else -self.items, gold=gold, value=-self.value,
                       resampled=-self.resampled)  # fmt: skip


def joint_samples(
    scores: Sequence[Sequence[ArrayLike]],
    *,
    golds: Sequence[ArrayLike | None] | None = None,
    lines: Sequence[Names] | None = None,
    names: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> list[tuple[Sample, ...]]:
    """Samples of several models on several scores, with the same lines drawn for all models and scores.

    Of scores that share lines, directly or through others, the C lines of all are drawn with replacement, C at a time,
    and an item counts as often as its line was drawn. Scores that share none are drawn apart.

    Args:
        scores: for each score and model, finite numbers; item i is the same question for all models.
        golds: for each score finite gold scores, then its statistic is Spearman's rho, or ``None``, then it is the
            mean; ``None``: means.
        lines: for each score the line of each item; ``None``: no two items are of one line.
        names: of the scores, for messages.
        resamples: of the bootstrap, at least 1.
        seed: of the draws, which depend on it, the number of lines and the place of the first score that they are in.

    Raises:
        InputError: no items, unequal numbers of them or of lines, NaN or Inf, or, with gold scores, values that are all
            equal.
    """
    golds, lines = golds or [None] * len(scores), lines or [None] * len(scores)
    labels = [f"score {name}: " for name in names] if names else [""] * len(scores)
    known = [_checked(models, gold, name) for models, gold, name in zip(scores, golds, labels, strict=True)]
    numbers = numbered_lines(lines, [len(rows[0]) for rows, _ in known])
    resampled: dict[int, Array] = {}
    for group in linked(numbers) if known else ():
        draws = _resampled([known[i] for i in group], [numbers[i] for i in group], resamples, seed, group[0])
        resampled |= dict(zip(group, draws, strict=True))
    found = []
    for place, (rows, gold) in enumerate(known):
        values = [float(row.mean()) if gold is None else spearman(row, gold) for row in rows]
        each = zip(rows, values, resampled[place], strict=True)
        found.append(tuple(Sample(row, gold, value, drawn, numbers[place]) for row, value, drawn in each))
    return found


def paired_samples(
    models: Sequence[ArrayLike],
    *,
    gold: ArrayLike | None = None,
    lines: Names = None,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Sample, ...]:
    """Samples of several models on one score, see ``joint_samples``: not to be averaged with those of another call."""
    (found,) = joint_samples([models], golds=[gold], lines=[lines], resamples=resamples, seed=seed)
    return found


def mean_resampled(resampled: Sequence[Array]) -> Array:
    """(resamples,) the mean over scores in each resample, of those that have a value in it; NaN where none has."""
    stacked = np.stack(resampled)
    known = ~np.isnan(stacked)
    count = known.sum(axis=0)
    return np.where(count, np.where(known, stacked, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _checked(models: Sequence[ArrayLike], gold: ArrayLike | None, labels: str) -> tuple[list[Array], Array | None]:
    checked = check_items if gold is None else sample
    rows = [checked(items, f"{labels}items") for items in models]
    known = None if gold is None else sample(gold, f"{labels}gold")
    counts = [len(row) for row in (*rows, *([] if known is None else [known]))]
    if len(set(counts)) > 1:
        raise InputError(f"{labels}expected the same items for all, got {' and '.join(map(str, counts))} of them")
    return rows, known


def _resampled(
    scores: Sequence[tuple[list[Array], Array | None]], lines: Sequence[Lines], resamples: int, seed: int, position: int
) -> list[Array]:
    """For each score (models, resamples) values; NaN where it has none: no line of it was drawn, or no rho is."""
    every, places = np.unique(np.concatenate(lines), return_inverse=True)
    of = np.split(places, np.cumsum([len(one) for one in lines])[:-1])
    blocks: list[list[Array]] = [[] for _ in scores]
    for times in resampled_counts(len(every), resamples=resamples, seed=seed, position=position):
        for block, (rows, gold), place in zip(blocks, scores, of, strict=True):
            weights = times[:, place]  # (r, n)
            if gold is None:
                number = weights.sum(axis=1)
                sums = np.stack(rows) @ weights.T
                block.append(np.divide(sums, number, out=np.full(sums.shape, np.nan), where=number > 0))
            else:
                block.append(np.stack([weighted_spearman(row, gold, weights) for row in rows]))
    return [np.concatenate(block, axis=1) for block in blocks]

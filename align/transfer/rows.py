"""Scored pairs with their features, and the one feature that other scores give: how good a source usually is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from align.transfer.ridge import Array, within

USUAL = "usual"
"""Name and kind of the feature that :func:`usual` gives."""


@dataclass(frozen=True)
class Rows:
    """n pairs of languages."""

    sources: NDArray[np.str_]
    """(n,) codes."""
    targets: NDArray[np.str_]
    """(n,) codes."""
    scores: Array
    """(n,); NaN: not scored."""
    features: Array
    """(n, f); NaN: not known."""

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]], scores: Sequence[float], features: Array) -> Rows:
        """Rows of (source, target) pairs."""
        sources, targets = (np.array([pair[side] for pair in pairs], dtype=str) for side in (0, 1))
        return cls(sources, targets, np.array(scores, dtype=np.float64), features)

    def where(self, chosen: NDArray[np.bool_]) -> Rows:
        """The rows that are chosen."""
        return Rows(self.sources[chosen], self.targets[chosen], self.scores[chosen], self.features[chosen])

    def without(self, language: str) -> Rows:
        """The rows that a language has no part in, neither as target nor as source."""
        return self.where((self.targets != language) & (self.sources != language))


def usual(known: Rows, asked: Rows) -> Array:
    """How far a source is above others, on average over the OTHER targets that it was scored for.

    u(s, t) = mean over t' != t of (y(s, t') - mean over s' of y(s', t')), over the known scores.

    Returns:
        (n,) for the asked pairs; NaN of a source without a score for another target.
    """
    names = np.unique(np.concatenate([known.sources, known.targets, asked.sources, asked.targets]))
    sums, times = np.zeros((2, len(names), len(names)))  # by source and target
    places = np.searchsorted(names, known.sources), np.searchsorted(names, known.targets)
    np.add.at(sums, places, within(known.scores[:, None], known.targets)[:, 0])
    np.add.at(times, places, 1)
    s, t = np.searchsorted(names, asked.sources), np.searchsorted(names, asked.targets)
    others = times[s].sum(axis=1) - times[s, t]
    return np.where(others > 0, (sums[s].sum(axis=1) - sums[s, t]) / np.maximum(others, 1), np.nan)

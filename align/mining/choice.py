"""Which of the nearest texts of other meanings become the negatives of a pair."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError

Floats = NDArray[np.float32]


class Chosen(NamedTuple):
    """What a rule took."""

    places: NDArray[np.int64]
    """(n, number) places in a row, in order; -1 after the last."""
    too_near: int
    """Texts of the window that were taken for other positives."""


@dataclass(frozen=True)
class Rule:
    """How many of which ranks, and how much farther than the positive.

    Raises:
        InputError: a number, rank or margin that makes no sense.
    """

    number: int = 5
    """Of each pair, at most."""
    ranks: tuple[int, int] = (1, 100)
    """The first and the last that may be taken, from 1, of the texts of other meanings."""
    margin: float | None = None
    """A negative is farther than the positive by this at least; None: it may be as near as it likes."""
    relative_margin: float | None = None
    """The same, as a share of the similarity of the positive."""
    sample: bool = False
    """Draw from the window instead of taking the nearest."""

    def __post_init__(self) -> None:
        first, last = self.ranks
        if self.number < 1:
            raise InputError(f"number must be at least 1, got {self.number}")
        if not 1 <= first <= last:
            raise InputError(f"ranks are the first and the last, from 1, got {first} and {last}")
        for name in ("margin", "relative_margin"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise InputError(f"{name} must be a finite number, got {value}")

    def bars(self, positives: Floats) -> Floats:
        """(n,) the greatest similarity that a negative may have, of (n,) those of the positives."""
        bars = np.full(len(positives), np.inf, dtype=np.float32)
        if self.margin is not None:
            bars = np.minimum(bars, positives - np.float32(self.margin))
        if self.relative_margin is not None:
            bars = np.minimum(bars, positives - np.float32(self.relative_margin) * np.abs(positives))
        return bars

    def choose(self, there: NDArray[np.bool_], judged: Floats, positives: Floats, rng: np.random.Generator) -> Chosen:
        """Places of the negatives of each pair.

        Args:
            there: (n, k) whether there is a text at that rank, the nearest first.
            judged: (n, k) similarities of the source with these texts.
            positives: (n,) those with the target.
            rng: what is drawn from.
        """
        ranks = np.arange(1, there.shape[1] + 1)
        window = there & (ranks >= self.ranks[0]) & (ranks <= self.ranks[1])
        near = window & (judged > self.bars(positives)[:, None])
        right = window & ~near
        order = rng.random(right.shape) if self.sample else np.broadcast_to(ranks / len(ranks), right.shape)
        first = np.argsort(np.where(right, order, 2), axis=1, kind="stable")[:, : self.number]
        none = there.shape[1]
        found = np.sort(np.where(np.take_along_axis(right, first, axis=1), first, none), axis=1)
        places = np.full((len(there), self.number), -1)
        places[:, : found.shape[1]] = np.where(found < none, found, -1)
        return Chosen(places, int(near.sum()))

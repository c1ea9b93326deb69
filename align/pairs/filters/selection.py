"""Two passes over the same lines: the first decides, the second acts."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.pairs.filters.lines import Filters, reject_reason, repeats, skeleton
from align.pairs.filters.shares import Share, draw, quotas
from align.pairs.reading.lines import Line
from align.text.normal_forms import normalised, text_hash

NOT_SAMPLED = "not sampled"
OUTCOMES = ("", NOT_SAMPLED, "duplicate", "near duplicate")
CHOSEN, PASSED_OVER, DUPLICATE, NEAR_DUPLICATE = range(4)


@dataclass
class _Pool:
    """Usable lines of one language, in reading order: their hashes, then what becomes of each."""

    exact: array[int] = field(default_factory=lambda: array("Q"))
    near: array[int] = field(default_factory=lambda: array("Q"))
    outcomes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    position: int = 0


class Selection:
    """Chooses lines: ``see`` each one, ``settle``, then ask for the ``reason`` of each, in the same order.

    Filters and duplicates come first and sampling second, so that a share and a minimum count usable lines. Duplicates
    are sought within one language; raw text and human romanisations (a pair counts as a whole) apart. Human
    romanisations are never sampled: they are few. Memory: 16 bytes a usable line until ``settle`` (which sorts one
    language at a time), then 1.
    """

    def __init__(self, filters: Filters, share: Share) -> None:
        self.available: dict[str, int] = {}
        self.drawn: dict[str, int] = {}
        self._filters = filters
        self._share = share
        self._pools: dict[tuple[str, bool], _Pool] = {}

    def see(self, line: Line) -> None:
        """First pass: take note of one line."""
        if self._refusal(line):
            return
        pool = self._pools.setdefault((line.language, bool(line.roman)), _Pool())
        key = normalised(line.text) + ("\t" + normalised(line.roman) if line.roman else "")
        pool.exact.append(text_hash(key))
        pool.near.append(text_hash(skeleton(key)))

    def settle(self) -> None:
        """Between the passes: find the duplicates, draw the sample."""
        available: Counter[str] = Counter()
        for (language, human), pool in self._pools.items():
            pool.outcomes = self._duplicates(pool)
            pool.exact, pool.near = array("Q"), array("Q")
            if not human:
                available[language] += int((pool.outcomes == CHOSEN).sum())
        self.available, self.drawn = dict(available), quotas(available, self._share)
        for language, wanted in self.drawn.items():
            outcomes = self._pools[language, False].outcomes
            usable = np.flatnonzero(outcomes == CHOSEN)
            outcomes[usable] = PASSED_OVER
            outcomes[usable[draw(len(usable), wanted, language=language, seed=self._share.seed)]] = CHOSEN

    def reason(self, line: Line) -> str:
        """Second pass: ``""`` for a chosen line, ``NOT_SAMPLED``, or why it is rejected.

        Raises:
            InputError: there are more lines than in the first pass.
        """
        refusal = self._refusal(line)
        if refusal:
            return refusal
        pool = self._pools.get((line.language, bool(line.roman)))
        if pool is None or pool.position == len(pool.outcomes):
            raise InputError(f"{line.file} changed while it was read")
        pool.position += 1
        return OUTCOMES[pool.outcomes[pool.position - 1]]

    def _refusal(self, line: Line) -> str:
        return line.problem or reject_reason(line.text, self._filters)

    def _duplicates(self, pool: _Pool) -> NDArray[np.uint8]:
        outcomes = np.zeros(len(pool.exact), dtype=np.uint8)
        if self._filters.duplicates == "near":
            outcomes[repeats(np.frombuffer(pool.near, dtype=np.uint64))] = NEAR_DUPLICATE
        if self._filters.duplicates != "keep":
            outcomes[repeats(np.frombuffer(pool.exact, dtype=np.uint64))] = DUPLICATE
        return outcomes

"""Texts of many sources, of which some are drawn: a first pass decides, a second one writes their pairs."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.pairs.filters.shares import Share, draw, quotas
from align.pairs.filters.texts import Filters, reject_reason, repeats, skeleton
from align.pairs.reading.lines import Line, read_source
from align.pairs.reading.sources import AnySource, described
from align.pairs.table import PairWriter
from align.text.normal_forms import folded, normalised, text_hash

NOT_SAMPLED = "not sampled"
OUTCOMES = ("", NOT_SAMPLED, "duplicate", "near duplicate")
CHOSEN, PASSED_OVER, DUPLICATE, NEAR_DUPLICATE = range(4)


@dataclass
class Reading:
    """One source, the number of its lines and the languages they name."""

    source: AnySource
    lines: int = 0
    languages: set[str] = field(default_factory=set)


@dataclass
class _Pool:
    """Usable lines of one language, in reading order: their hashes, then what becomes of each."""

    exact: array[int] = field(default_factory=lambda: array("Q"))
    near: array[int] = field(default_factory=lambda: array("Q"))
    outcomes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    position: int = 0


class Selection:
    """Chooses lines: ``survey`` each source, ``settle``, then ask for the ``outcomes`` of each, in the same order.

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

    def survey(self, source: AnySource) -> Reading:
        """First pass: take note of every line of a source."""
        reading = Reading(source)
        for line in read_source(source):
            reading.lines += 1
            if line.language and line.problem != "unknown language code":
                reading.languages.add(line.language)
            self._see(line)
        return reading

    def _see(self, line: Line) -> None:
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

    def outcomes(self, reading: Reading) -> Iterator[tuple[Line, str]]:
        """Second pass: every line of a source, with ``""`` for a chosen one, ``NOT_SAMPLED``, or why it is rejected."""
        count = 0
        for line in read_source(reading.source):
            count += 1
            yield line, self._reason(line)
        if count != reading.lines:
            raise InputError(f"{reading.source.name} changed while it was read: {reading.lines} lines, then {count}")

    def _reason(self, line: Line) -> str:
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


def write_selected(
    sources: Sequence[AnySource],
    selection: Selection,
    writer: PairWriter,
    convert: Callable[[Sequence[Line]], Sequence[str]],
    row: Callable[[Line], dict[str, Any]],
    *,
    check: Callable[[Sequence[Reading]], None] = lambda readings: None,
    identity: str,
    block_lines: int,
) -> dict[str, Any]:
    """Read all sources twice and write the pairs of the chosen lines, each a text and what ``convert`` makes of it.

    ``convert`` is given at most ``block_lines`` lines; a line whose target is empty is rejected, and so is one whose
    target is the text itself but for case and white space, unless ``identity`` is "keep". ``row`` gives the columns
    beside the two texts; ``check`` may refuse what the first pass has seen. Returns ``lines, not_sampled,
    identity_pairs, sources`` for the manifest.
    """
    readings = [selection.survey(source) for source in sources]
    selection.settle()
    check(readings)
    counts = {"lines": sum(reading.lines for reading in readings), "not_sampled": 0, "identity_pairs": 0}
    block: list[Line] = []

    def reject(reason: str, line: Line) -> None:
        writer.reject(reason, line.file, line.number, line.text)

    def flush() -> None:
        for line, target in zip(block, convert(block), strict=True):
            same = folded(target) == folded(line.text)
            counts["identity_pairs"] += same
            if not target:
                reject("empty romanisation", line)
            elif same and identity == "drop":
                reject("identity", line)
            else:
                writer.add({"source": line.text, "target": target} | row(line))
        block.clear()

    for reading in readings:
        for line, reason in selection.outcomes(reading):
            if reason == NOT_SAMPLED:
                counts["not_sampled"] += 1
            elif reason:
                reject(reason, line)
            else:
                block.append(line)
            if len(block) == block_lines:
                flush()
    flush()
    return counts | {
        "sources": [described(each.source, each.lines, each.languages, human=each.source.human) for each in readings]
    }

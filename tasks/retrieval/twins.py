"""The romanised twin of a retrieval task: the same lines as queries in Latin letters, among the same candidates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from align.errors import InputError
from align.tasks.retrieval.protocols import ROMANISED, Protocol
from align.tasks.statistics.resampling import percentile_interval
from align.tasks.statistics.samples import Sample, joint_samples, mean_resampled
from align.tasks.task import Row, Unit
from align.tasks.texts.bitext import Texts, read_aligned
from align.text.languages import latin
from align.text.romanize.registry import romanizers
from align.text.romanize.romanizer import romanize

MARK = "~"
"""Between a language code and the name of its twin, in the id of a score that is else that of the native text."""


@dataclass(frozen=True)
class TwinGap:
    """What is lost when the queries of a language are written in Latin letters."""

    language: str
    """Code of the native text; "mean": over all of them, each of the same weight."""
    native: float
    """The metric of the protocol, of native queries."""
    romanised: float
    """The same of their twins."""
    gap: float
    """native - romanised."""
    interval: tuple[float, float]
    """95 % of the gap: lines are resampled, each with its native and its romanised query."""


def with_twins(units: Iterator[Unit], protocol: Protocol) -> Iterator[Unit]:
    """Every unit with the pivot, and after it that of its twin.

    Raises:
        InputError: the protocol searches in the other direction only, or names neither romaniser nor folder.
    """
    if "to_pivot" not in protocol.directions:
        raise InputError(f"protocol {protocol.name} has no queries but {protocol.pivot}'s: nothing to romanise")
    if protocol.twin not in romanizers() and not Path(protocol.twin).is_dir():
        known = ", ".join(romanizers())
        raise InputError(f"twin {protocol.twin!r}: expected a romaniser ({known}) or a folder of romanised text")
    for unit in units:
        yield unit
        yield replace(unit, name=f"{unit.name}{MARK}{protocol.twin_name}", load=partial(_load, unit, protocol))


def twin_pair(texts: Texts, protocol: Protocol) -> tuple[str, str] | None:
    """The code of native text and that of its twin in the content of a twin's unit; ``None``: it is no such content."""
    native = next((code.partition(MARK)[0] for code in texts if MARK in code), None)
    return None if native is None else (native, f"{native}{MARK}{protocol.twin_name}")


def _load(unit: Unit, protocol: Protocol) -> Texts:
    """The pivot and the romanised text of the other language; without it, or of Latin text, nothing."""
    texts: Texts = unit.load()
    others = [code for code in texts if code != protocol.pivot]
    if len(others) != 1 or others[0].endswith("_Latn"):
        return {}
    (code,) = others
    twin = f"{code}{MARK}{protocol.twin_name}"
    return {twin: _romanised(texts[code], code, protocol.twin), protocol.pivot: texts[protocol.pivot]}


def _romanised(lines: Sequence[str], code: str, twin: str) -> list[str]:
    if twin in romanizers():
        return romanize(lines, lang=code, backend=twin)
    found = list(read_aligned(twin, languages=[latin(code)])[latin(code)])
    if len(found) != len(lines):
        raise InputError(f"{twin} has {len(found)} lines of {latin(code)}, {code} has {len(lines)}: expected as many")
    return found


def twin_gaps(rows: Sequence[Row], *, resamples: int = 1000, seed: int = 0) -> list[TwinGap]:
    """The gap of every language that was scored with its twin, and last their mean; none if no language was.

    Lines that count in one of the two alone, as where a romanisation is blank, are in neither score here.
    """
    natives = {row["id"]: row for row in rows if "twin_of" not in row}
    codes, pairs, lines = [], [], []
    for row in (row for row in rows if row["direction"] == ROMANISED):
        native = natives.get(re.sub(f"{MARK}[^>:]*", "", row["id"]), {"lines": [], "items": []})
        of_native, of_twin = (dict(zip(one["lines"], one["items"], strict=True)) for one in (native, row))
        if shared := [line for line in of_native if line in of_twin]:
            codes.append(row["twin_of"])
            pairs.append([[of[line] for line in shared] for of in (of_native, of_twin)])
            lines.append(shared)
    if not codes:
        return []
    drawn = joint_samples(pairs, lines=lines, resamples=resamples, seed=seed)
    return [*map(_gap, codes, ([one] for one in drawn)), _gap("mean", drawn)]


def _gap(code: str, drawn: Sequence[tuple[Sample, ...]]) -> TwinGap:
    native, romanised = (float(np.mean([pair[side].value for pair in drawn])) for side in (0, 1))
    resampled = mean_resampled([pair[0].resampled - pair[1].resampled for pair in drawn])
    interval = percentile_interval(resampled)
    assert interval is not None  # a mean has a value in every resample
    return TwinGap(code, native, romanised, native - romanised, interval)

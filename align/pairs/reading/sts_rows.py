"""Rows of semantic textual similarity: two sentences and a score."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from align.errors import InputError
from align.pairs.reading.row_sources import AnyRows
from align.pairs.reading.rows import column, other_split, place_of, read_rows, two_texts

TOLERANCE = 1e-3
"""Share of the scale by which the scores of a row and of its translation may differ: they are rounded in other ways."""


class StsRow(NamedTuple):
    """Two sentences, their score as given and in 0..1, their place; ``problem`` says why they cannot be used."""

    number: int
    first: str
    second: str
    gold: float
    score: float
    problem: str


def read_sts(source: AnyRows, scale: tuple[float, float]) -> Iterator[StsRow]:
    """Rows of one file or dataset, in order: ``score`` (or ``similarity_score``), ``sentence1``, ``sentence2``.

    A row whose column ``split`` is not train has that as its problem, and no score.

    Raises:
        InputError: the source is empty or damaged, lacks a column, or has a score that is no number or outside of the
            scale.
    """
    names: tuple[str, str] | None = None
    score = ""
    for number, record in read_rows(source):
        if names is None:
            score = column(("score", "similarity_score"), record, source.name)
            names = column(["sentence1"], record, source.name), column(["sentence2"], record, source.name)
        first, second, problem = two_texts(record, names)
        if aside := other_split(record, source, number):
            yield StsRow(number, first, second, math.nan, math.nan, aside)
            continue
        gold = _checked(record.get(score), scale, place_of(source, number))
        yield StsRow(number, first, second, gold, (gold - scale[0]) / (scale[1] - scale[0]), problem)


def _checked(value: Any, scale: tuple[float, float], place: str) -> float:
    low, high = scale
    try:
        gold = float(value)
    except (TypeError, ValueError):
        gold = math.nan
    if not low <= gold <= high:
        raise InputError(f"{place}: expected a score from {low:g} to {high:g}, got {value!r}")
    return gold


def check_parallel(sources: Sequence[AnyRows], tables: Sequence[Sequence[StsRow]]) -> None:
    """Refuse sources that cannot be row-aligned translations of each other.

    Raises:
        InputError: two sources of one language, or with other numbers of rows, or other scores; with the first row that
            differs.
    """
    first, expected = sources[0], tables[0]
    languages: dict[str, str] = {}
    for source, rows in zip(sources, tables, strict=True):
        code = "-".join(source.languages)
        if len(set(source.languages)) > 1 or code in languages:
            other = f" as is {languages[code]}" if code in languages else ""
            raise InputError(f"{source.name} is in {code}{other}: expected row-aligned sources of one language each")
        languages[code] = source.name
        if len(rows) != len(expected):
            sizes = f"{source.name} has {len(rows)} rows and {first.name} has {len(expected)}"
            raise InputError(f"{sizes}: expected row-aligned translations of each other")
        for row, one in zip(rows, expected, strict=True):
            if abs(row.score - one.score) > TOLERANCE:
                raise InputError(
                    f"{place_of(source, row.number)} has the score {row.gold:g}, {place_of(first, one.number)} has "
                    f"{one.gold:g}: expected row-aligned translations of each other"
                )

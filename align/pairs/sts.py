"""Pairs of semantic textual similarity: two sentences and how alike they are."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from align.errors import InputError
from align.pairs.builder import Builder, Parallel, RowOptions, shown
from align.pairs.reading.finding import find_rows
from align.pairs.reading.records import (
    bad_row,
    check_aligned,
    column,
    missing_group,
    other_split,
    place_of,
    read_rows,
    two_texts,
)
from align.pairs.reading.sources import AnyRows, GivenRows, described
from align.pairs.table import PairWriter, pair_writer, text_group

logger = logging.getLogger(__name__)

TOLERANCE = 1e-3
"""Share of the scale by which the scores of a row and of its translation may differ: they are rounded in other ways."""


def sts_pairs(
    texts: GivenRows,
    out: Path | str,
    *,
    scale: tuple[float, float] = (0.0, 5.0),
    parallel: bool = False,
    cross: bool = False,
    per_row: int | None = None,
    seed: int = 0,
    licence: str = "unknown",
) -> dict[str, Any]:
    """Write a table of scored pairs to the folder ``out`` and return its manifest.

    With the ``scale`` (low, high), ``score = (gold - low) / (high - low)``, in 0..1. In the manifest
    ``lines = rows - cross_rows + sum(rejects)``.

    ``group_id`` is the hash of both sentences or, with ``parallel``, of both in the first source, so that all
    translations of a row share it.

    Args:
        texts: files, folders, ``RowFile``, ``HubRows``, or ``{code: file or files}``. Files end in ``.tsv`` (with a
            header), ``.jsonl``, compressed or not, or ``.parquet``, have the columns ``score`` (or
            ``similarity_score``), ``sentence1``, ``sentence2``, and are named ``eng_Latn.train.tsv``, or
            ``spa_Latn-eng_Latn.tsv`` if the sentences are of two languages.
        out: folder of the table; an older table there is replaced.
        scale: lowest and highest gold score that the data can have.
        parallel: whether the sources are row-aligned translations of each other; checked by their scores.
        cross: also pair sentence 1 in language i with sentence 2 in language j, for all i != j; implies ``parallel``.
        per_row: at most so many of these combinations a row, drawn at random; None: all of them.
        seed: seed of the draw.
        licence: of the sources that do not carry their own, for the manifest.

    Raises:
        InputError: a source is missing, empty, damaged or misnamed; a score that is no number or outside the scale
            (file, line, value, scale); parallel sources that differ in rows or scores; no pair is left. Nothing is
            written.
    """
    low, high = scale
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"scale is two finite numbers, the lower one first; got {low:g} and {high:g}")
    if per_row is not None and (per_row < 1 or not cross):
        raise InputError(
            f"per_row is at least 1 and bounds what cross adds; got {per_row}, cross {'on' if cross else 'off'}"
        )
    if seed < 0:
        raise InputError(f"seed must not be negative, got {seed}")
    sources = find_rows(texts, licence=licence)
    with pair_writer(out) as writer:
        build = _Table(writer, scale)
        if parallel or cross:
            build.together(sources, np.random.default_rng(seed) if cross else None, per_row)
        else:
            for source in sources:
                for row in build.read(source):
                    build.add((source, row), (source, row))
        entries = [described(source, build.lines[source], source.languages) for source in sources]
        writer.manifest |= {
            "kind": "sts",
            "lines": sum(build.lines.values()),
            "language_pairs": dict(build.pairs),
            "cross_rows": build.cross_rows,
            "scale": [low, high],
            "observed": build.observed(),
            "licences": sorted({source.licence for source in sources}),
            "sources": entries,
            "options": {"parallel": parallel or cross, "cross": cross, "per_row": per_row, "seed": seed},
        }
    return writer.manifest


@dataclass
class _Table:
    """Rows of all sources, each a sentence 1 and a sentence 2 out of one source or two."""

    writer: PairWriter
    scale: tuple[float, float]
    lines: Counter[AnyRows] = field(default_factory=Counter)
    pairs: Counter[str] = field(default_factory=Counter)
    cross_rows: int = 0
    lowest: float = math.inf
    highest: float = -math.inf

    def read(self, source: AnyRows) -> Iterator[StsRow]:
        for row in read_sts(source, self.scale):
            self.lines[source] += 1
            self.lowest, self.highest = min(self.lowest, row.gold), max(self.highest, row.gold)
            if row.problem:
                self.writer.reject(row.problem, source.name, row.number, f"{row.first}\t{row.second}")
            yield row

    def together(self, sources: Sequence[AnyRows], draw: np.random.Generator | None, per_row: int | None) -> None:
        tables = [list(self.read(source)) for source in sources]
        check_parallel(sources, tables)
        if draw is not None and len(sources) < 2:
            raise InputError(f"cross needs sources of two languages or more, got {sources[0].name} only")
        for number, rows in enumerate(zip(*tables, strict=True), 1):
            # a row without a text in the first source is still one row in the others
            group = missing_group(sources[0], number) if rows[0].problem else _group(rows[0])
            together = list(zip(sources, rows, strict=True))
            for one in together:
                self.add(one, one, group)
            usable = [(source, row) for source, row in together if not row.problem]
            others = list(permutations(usable, 2)) if draw is not None else []
            if draw is not None and per_row is not None and per_row < len(others):
                others = [others[i] for i in np.sort(draw.choice(len(others), per_row, replace=False))]
            self.cross_rows += len(others)
            for one, other in others:
                self.add(one, other, group)

    def add(self, one: tuple[AnyRows, StsRow], other: tuple[AnyRows, StsRow], group: str = "") -> None:
        (source, first), (target, second) = one, other
        codes = {"source_lang": source.languages[0], "target_lang": target.languages[-1]}
        self.pairs["-".join(codes.values())] += not first.problem
        if first.problem:
            return
        texts = {"source": first.first, "target": second.second}
        self.writer.add(texts | codes | {"kind": "sts", "group_id": group or _group(first), "score": first.score})

    def observed(self) -> list[float]:
        """Lowest and highest gold score; a warning if they fill less than half of the scale."""
        (low, high), found = self.scale, [self.lowest, self.highest]
        if self.highest - self.lowest < (high - low) / 2:
            logger.warning(
                "the scores lie between %g and %g on a scale of %g to %g: is this their scale?", *found, low, high
            )
        return found


def _group(row: StsRow) -> str:
    return text_group(row.first, row.second)


UNSCORED = ("", "na", "nan", "-")
"""What stands in the place of a score that is missing."""


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
        if bad := bad_row(record):
            yield StsRow(number, "", "", math.nan, math.nan, bad)
            continue
        if names is None:
            score = column(("score", "similarity_score"), record, source.name)
            names = column(["sentence1"], record, source.name), column(["sentence2"], record, source.name)
        first, second, problem = two_texts(record, names)
        if aside := other_split(record, source, number):
            yield StsRow(number, first, second, math.nan, math.nan, aside)
            continue
        value = record.get(score)
        if value is None or str(value).strip().casefold() in UNSCORED:
            yield StsRow(number, first, second, math.nan, math.nan, problem or "no score")
            continue
        gold = _checked(value, scale, place_of(source, number))
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
    """Refuse sources that cannot be row-aligned translations of each other."""
    first, expected = sources[0], tables[0]
    languages: dict[str, str] = {}
    for source, rows in zip(sources, tables, strict=True):
        code = "-".join(source.languages)
        if len(set(source.languages)) > 1 or code in languages:
            other = f" as is {languages[code]}" if code in languages else ""
            raise InputError(f"{source.name} is in {code}{other}: expected row-aligned sources of one language each")
        languages[code] = source.name
        check_aligned(
            (first, expected), (source, rows), lambda a, b: not abs(a.score - b.score) > TOLERANCE,
            lambda row: f"the score {row.gold:g}",
        )  # fmt: skip


@dataclass(frozen=True)
class Options(RowOptions):
    """Scored pairs: score, sentence1, sentence2 in .tsv, .jsonl, .parquet or a Hub dataset."""

    scale: Annotated[tuple[float, float], "Lowest and highest score the data can have."] = (0, 5)
    parallel: Parallel = False
    cross: Annotated[bool, "Also pair the languages of row-aligned files."] = False
    per_row: Annotated[int | None, "At most so many language combinations a row."] = None
    seed: Annotated[int, "Seed of their draw."] = 0


def _build(given: Options, out: Path) -> dict[str, Any]:
    manifest = sts_pairs(given.sources(), out, **given.named())
    return shown(manifest, "lines", "language_pairs", "cross_rows", "scale", "observed", "rejects")


BUILDER = Builder("sts", Options, _build)

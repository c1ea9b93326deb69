"""Translations, one at a time, of any source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from align.errors import InputError, there_are
from align.files.lines import text_lines
from align.files.whole import existing_file, two_sides
from align.pairs.reading.bitexts import AnyBitext, LineFiles
from align.pairs.reading.records import bad_row, column, other_split, read_rows, text_of, two_columns
from align.pairs.reading.sources import TMX_SUFFIXES, TSV_SUFFIXES, AnyRows, RowFile
from align.pairs.reading.tatoeba import Export, read_export
from align.pairs.reading.tmx import read_tmx
from align.pairs.reading.xml import ILLEGAL
from align.text.tags import is_tagged, tagged_sides

NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?(e-?\d+)?", re.IGNORECASE)


class Translation(NamedTuple):
    """Two texts and their place. ``group`` names their meaning, if the source does; ``problem`` says what is wrong."""

    file: str
    number: int
    source_lang: str
    target_lang: str
    source: str
    target: str
    group: str = ""
    problem: str = ""


def read_bitext(bitext: AnyBitext, columns: tuple[str, str] | None = None) -> Iterator[Translation]:
    """Translations of one bitext, in order; numbers count from 1 (in TMX: the line in which the unit begins).

    ``columns`` names the two columns. By default those of JSON Lines, Parquet and Hub datasets are named by the
    languages (codes or tags) or by one of ``align.files.whole.SIDES``, in any case. TSV and CSV may have such a header,
    which says where they are; without one they are the first two, or of the numbers in ``columns``, from 1.
    """
    item = None
    for item in _translations(bitext, columns):
        yield item
    if item is None:
        raise InputError(
            f"{bitext.source.name if isinstance(bitext, LineFiles) else bitext.name} is empty: expected translations"
        )


def _translations(bitext: AnyBitext, columns: tuple[str, str] | None) -> Iterator[Translation]:
    if isinstance(bitext, LineFiles):
        return _from_lines(bitext)
    if isinstance(bitext, Export):
        return _from_export(bitext)
    if isinstance(bitext, RowFile) and bitext.name.endswith(TMX_SUFFIXES):
        return _from_tmx(bitext)
    if isinstance(bitext, RowFile) and bitext.name.endswith(TSV_SUFFIXES):
        return _from_tsv(bitext, columns)
    return _from_records(bitext, columns)


def _from_lines(files: LineFiles) -> Iterator[Translation]:
    codes = (files.source.languages[0], files.target.languages[0])
    sides = [text_lines(existing_file(file.path)) for file in (files.source, files.target)]
    for number, (source, target) in enumerate(zip_longest(*sides), 1):
        if source is None or target is None:
            raise InputError(_unequal(files, number - 1, 1 + sum(1 for side in sides for _ in side), target is None))
        group = f"{files.collection}:{number}" if files.collection else ""
        wrong = (source[1] and f"source: {source[1]}") or (target[1] and f"target: {target[1]}")
        problem = wrong.partition(" (")[0]  # without the byte, which would be a reason of its own
        yield Translation(files.target.name, number, *codes, source[0].strip(), target[0].strip(), group, problem)


def _from_export(export: Export) -> Iterator[Translation]:
    one, two = export.languages
    for pair in read_export(export):
        yield Translation(export.name, pair.number, one, two, pair.source, pair.target)


def _unequal(files: LineFiles, shorter: int, more: int, target_ends: bool) -> str:
    ended, longer = (files.target, files.source) if target_ends else (files.source, files.target)
    if not shorter:
        return f"{ended.name} is empty: expected translations"
    return (
        f"{ended.name} ends after line {shorter}, {longer.name} goes on to line {shorter + more}: expected "
        "line-aligned files; a line may be missing anywhere before that"
    )


def _from_tsv(source: RowFile, columns: tuple[str, str] | None) -> Iterator[Translation]:
    one, two = source.languages
    rows = two_columns(source.path, lambda cells: _places(cells, source, columns), "source TAB target")
    for number, first, second, problem in rows:
        yield Translation(source.name, number, one, two, first, second, "", problem)


def _places(cells: Sequence[str], source: RowFile, columns: tuple[str, str] | None) -> tuple[tuple[int, int], bool]:
    """Places of the two columns, and whether ``cells``, those of line 1, are a header."""
    named = two_sides(cells) or tagged_sides(cells, *source.languages)
    if columns and all(name.isdecimal() for name in columns):
        places = (int(columns[0]) - 1, int(columns[1]) - 1)
        if not all(0 <= place < len(cells) for place in places):
            raise InputError(f"{source.name}: columns {' and '.join(columns)} are asked for, line 1 has {len(cells)}")
        if places[0] == places[1]:
            raise InputError(f"{source.name}: column {columns[0]} is asked for twice; expected two different ones")
        return places, named is not None
    if columns:
        first, second = (column([name], cells, f"{source.name}, line 1") for name in columns)
        return (cells.index(first), cells.index(second)), True
    numbers = [bool(NUMBER.fullmatch(cell)) for cell in cells[:2]]
    if named is None and len(cells) > 2 and any(numbers) and not all(numbers):
        raise InputError(
            f"{source.name}, line 1: a number stands where a text is expected, so that the two columns cannot be told: "
            f"{', '.join(map(repr, cells))[:80]}; write a header (source, target) or give their numbers (--columns 2,3)"
        )
    return named or (0, 1), named is not None


def _from_tmx(source: RowFile) -> Iterator[Translation]:
    (one, two), seen = source.languages, set[str]()
    tags: dict[str, None] = {}
    for unit in read_tmx(source.path):
        tags |= dict.fromkeys(tag for tag, _ in unit.variants)
        texts: list[str] = []
        problem = ""
        for side, code in zip(("source", "target"), (one, two), strict=True):
            found = [text for tag, text in unit.variants if is_tagged(tag, code)]
            texts.append(found[0] if found else "")
            if found:
                seen.add(code)
            if len(found) != 1:
                problem = problem or f"{side}: {'several in one unit' if found else 'not in the unit'}"
            elif ILLEGAL in found[0]:
                problem = problem or f"{side}: illegal character"
        first, second = (text.replace(ILLEGAL, "\ufffd") for text in texts)
        yield Translation(source.name, unit.number, one, two, first, second, "", problem)
    for code in source.languages:
        if code not in seen:
            known = there_are(code, tags) if tags else "not named"
            raise InputError(f"{source.name} has no text in {code}; its languages are {known}")


def _from_records(source: AnyRows, columns: tuple[str, str] | None) -> Iterator[Translation]:
    (one, two), names = source.languages, None
    for number, record in read_rows(source):
        if bad := bad_row(record):
            yield Translation(source.name, number, one, two, "", "", "", bad)
            continue
        nested = record.get("translation")
        record = {**record, **nested} if isinstance(nested, dict) else record  # as OPUS and WMT are on the Hub
        if names is None:
            names = _columns(record, columns, source)
        (first, first_problem), (second, second_problem) = (text_of(record.get(name)) for name in names)
        problem = other_split(record, source, number) or first_problem or second_problem
        yield Translation(source.name, number, one, two, first, second, "", problem)


def _columns(record: dict[str, Any], columns: tuple[str, str] | None, source: AnyRows) -> tuple[str, str]:
    found = list(record)
    named = None if columns else two_sides(found) or tagged_sides(found, *source.languages)
    if named:
        return found[named[0]], found[named[1]]
    first, second = columns or ("source", "target")
    return column([first], record, source.name), column([second], record, source.name)

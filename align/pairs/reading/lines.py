"""Lines of text of any source, with their place, so that a bad one can be named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from align.errors import InputError
from align.files.lines import text_lines
from align.files.whole import existing_file, two_sides
from align.pairs.reading.records import bad_row, column, other_split, read_rows, text_of, two_columns
from align.pairs.reading.sources import AnySource, HubText, Source, has_records, language_of_name
from align.text.languages import check_language
from align.text.tags import row_language


class Line(NamedTuple):
    """One text and its place. ``roman`` is a human romanisation; ``problem`` says why the line cannot be used."""

    file: str
    number: int
    language: str
    text: str
    roman: str = ""
    problem: str = ""


def read_source(source: AnySource) -> Iterator[Line]:
    """Lines of one source, in order, with white space stripped off both ends.

    Numbers count from 1, and blank lines count: a line keeps the number that an editor shows.
    """
    line = None
    for line in _from_records(source) if has_records(source) else _from_lines(source):
        yield line
    if line is None:
        raise InputError(f"{source.name} is empty: expected a text on each line")


def _from_lines(source: AnySource) -> Iterator[Line]:
    # a source without records is a file, and its language is known once find_sources has checked it
    assert isinstance(source, Source) and source.language is not None
    name, language = source.name, source.language
    if not source.human:
        broken, read = "", False
        for number, (text, problem) in enumerate(text_lines(existing_file(source.path)), 1):
            broken, read = broken or (problem and f"line {number}: {problem}"), read or not problem
            yield Line(name, number, language, text.strip(), problem=problem.partition(" (")[0])
        if broken and not read:
            raise InputError(f"{name}, {broken}")
        return
    for number, native, roman, problem in two_columns(source.path, _human_header, "native TAB roman"):
        yield Line(name, number, language, native, roman, problem or ("" if roman else "empty"))


def _human_header(cells: Sequence[str]) -> tuple[tuple[int, int], bool]:
    places = two_sides(cells, [("native", "roman")])
    return places or (0, 1), places is not None


def _from_records(source: AnySource) -> Iterator[Line]:
    name, default = source.column if isinstance(source, HubText) else "text", source.language
    known = False
    for number, record in read_rows(source):
        if bad := bad_row(record):
            yield Line(source.name, number, default or "", "", problem=bad)
            continue
        if not known:
            name, known = column([name], record, source.name), True
            default = default or ("" if _language_column(record) else _language_of(source))
        text, problem = text_of(record.get(name))
        language, unknown = (default, "") if default else _language(record.get(_language_column(record)), text)
        aside, problem = other_split(record, source, number), problem or unknown
        yield Line(source.name, number, language, text, problem=aside or problem)


def _language_column(record: Mapping[str, Any]) -> str:
    return next((name for name in record if name.strip().casefold() in ("lang", "language")), "")


def _language_of(source: AnySource) -> str:
    if isinstance(source, Source):
        return language_of_name(source.path)
    try:
        return check_language(source.config or "")
    except InputError as error:
        raise InputError(f"{source.name}: its language is not known: give language=, such as hin_Deva") from error


def _language(value: Any, text: str) -> tuple[str, str]:
    """The language of a row, and what is wrong with it or ``""``."""
    try:
        return row_language(str(value), text), ""
    except InputError:
        return str(value), "unknown language code"

"""Lines of text of any source, with their place, so that a bad one can be named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from align.errors import InputError
from align.files.whole import read_lines, two_sides
from align.pairs.reading.records import column, other_split, read_rows, two_columns
from align.pairs.reading.sources import AnySource, HubText, Source, has_records, language_of_name
from align.text.languages import check_language


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
        raise InputError(f"{source.name} is empty")


def _from_lines(source: AnySource) -> Iterator[Line]:
    # a source without records is a file, and its language is known once find_sources has checked it
    assert isinstance(source, Source) and source.language is not None
    name, language = source.name, source.language
    if not source.human:
        for number, text in enumerate(read_lines(source.path), 1):
            yield Line(name, number, language, text.strip())
        return
    for number, native, roman, problem in two_columns(source.path, _human_header, "native TAB roman"):
        yield Line(name, number, language, native, roman, problem or ("" if roman else "empty"))


def _human_header(cells: Sequence[str]) -> tuple[tuple[int, int], bool]:
    places = two_sides(cells, [("native", "roman")])
    return places or (0, 1), places is not None


def _from_records(source: AnySource) -> Iterator[Line]:
    name, default = source.column if isinstance(source, HubText) else "text", source.language
    for index, (number, record) in enumerate(read_rows(source)):
        if not index:
            column([name], record, source.name)
            default = default or ("" if _language_column(record) else _language_of(source))
        language, text = default or str(record.get(_language_column(record))), record.get(name)
        problem = "no text" if not isinstance(text, str) else "" if _is_known(language) else "unknown language code"
        aside, text = other_split(record, source, number), text.strip() if isinstance(text, str) else ""
        yield Line(source.name, number, language, text, problem=aside or problem)


def _language_column(record: Mapping[str, Any]) -> str:
    return next((name for name in ("lang", "language") if name in record), "")


def _language_of(source: AnySource) -> str:
    if isinstance(source, Source):
        return language_of_name(source.path)
    try:
        return check_language(source.config or "")
    except InputError as error:
        raise InputError(f"{source.name}: its language is not known: give language=, such as hin_Deva") from error


def _is_known(language: str) -> bool:
    try:
        return bool(check_language(language))
    except InputError:
        return False

"""Lines of text of any source, with their place, so that a bad one can be named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from align.errors import InputError
from align.files.whole import read_lines, row_split, two_sides
from align.pairs.reading.records import file_records, hub_records
from align.pairs.reading.sources import AnySource, HubText, Source, language_of_name
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

    Raises:
        InputError: the source is empty or damaged, has no column of text, or no language.
    """
    line = None
    for line in _from_records(source) if source.has_records else _from_lines(source):
        yield line
    if line is None:
        raise InputError(f"{source.name} is empty")


def _from_lines(source: AnySource) -> Iterator[Line]:
    # a source without records is a file, and its language is known once find_sources has checked it
    assert isinstance(source, Source) and source.language is not None
    if source.human:
        yield from _from_human(source.path, source.language)
        return
    for number, text in enumerate(read_lines(source.path), 1):
        yield Line(source.name, number, source.language, text.strip())


def _from_human(path: Path, language: str) -> Iterator[Line]:
    name, two_columns, number, first, second = str(path), False, 0, 0, 1
    for number, text in enumerate(read_lines(path), 1):
        cells = [cell.strip() for cell in text.split("\t")]
        two_columns = two_columns or len(cells) > 1
        header = two_sides(cells, [("native", "roman")]) if number == 1 else None
        if header:
            first, second = header
        elif len(cells) > max(first, second):
            yield Line(name, number, language, cells[first], cells[second], "" if cells[second] else "empty")
        else:
            only = cells[first] if first < len(cells) else text.strip()
            yield Line(name, number, language, only, problem="one column" if text.strip() else "empty")
    if number and not two_columns:
        raise InputError(f"{path}: expected native TAB roman; line 1 has 1 column, and so has every other")


def _from_records(source: AnySource) -> Iterator[Line]:
    column = source.column if isinstance(source, HubText) else "text"
    default = source.language
    for index, (number, record) in enumerate(_records(source)):
        if not index:
            if column not in record:
                raise InputError(f"{source.name}: expected a column {column!r}; found {', '.join(record) or 'none'}")
            default = default or ("" if _language_column(record) else _language_of_source(source))
        language = default or str(record.get(_language_column(record)))
        line = _line(source.name, number, language, record.get(column))
        if isinstance(source, Source) and "split" in record:  # of a dataset the split was asked for
            split = row_split(record["split"], f"{source.name}, line {number}")
            line = line if split == "train" else line._replace(problem=f"{split} split")
        yield line


def _records(source: AnySource) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(source, HubText):
        return hub_records(source.dataset, source.config, source.split, source.revision)
    return file_records(source.path)


def _language_column(record: Mapping[str, Any]) -> str:
    return next((name for name in ("lang", "language") if name in record), "")


def _language_of_source(source: AnySource) -> str:
    if isinstance(source, Source):
        return language_of_name(source.path)
    try:
        return check_language(source.config or "")
    except InputError as error:
        raise InputError(f"{source.name}: its language is not known: give language=, such as hin_Deva") from error


def _line(name: str, number: int, language: str, text: Any) -> Line:
    if not isinstance(text, str):
        return Line(name, number, language, "", problem="no text")
    try:
        check_language(language)
    except InputError:
        return Line(name, number, language, text.strip(), problem="unknown language code")
    return Line(name, number, language, text.strip())

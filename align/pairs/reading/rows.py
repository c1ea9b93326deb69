"""Rows of files and Hub datasets as dictionaries, and the cells that are texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.whole import read_lines, row_split
from align.pairs.filters.lines import SURROGATE
from align.pairs.reading.records import file_records, hub_records
from align.pairs.reading.row_sources import ROW_SUFFIXES, AnyRows, HubRows, RowFile


def read_rows(source: AnyRows) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of one source as dictionaries, with their line or row numbers; an empty field of a TSV file is None.

    Raises:
        InputError: it is empty, damaged, of another format, or (TSV) a line has other columns than the header.
    """
    row = None
    for row in _records(source):
        yield row
    if row is None:
        raise InputError(f"{source.name} is empty")


def _records(source: AnyRows) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(source, HubRows):
        return hub_records(source.dataset, source.config, source.split, source.revision)
    if source.name.endswith((".tsv", ".tsv.gz")):
        return tsv_records(source.path)
    if not source.name.endswith(ROW_SUFFIXES):
        raise InputError(f"{source.name}: expected a file that ends in {', '.join(ROW_SUFFIXES)}")
    return file_records(source.path)


def tsv_records(
    path: Path, check: Callable[[list[str]], None] | None = None
) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Rows of a TSV file under a header, with line numbers; an empty field is None. ``check`` may refuse the header.

    Raises:
        InputError: a line has more or fewer columns than the header.
    """
    header: list[str] = []
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split("\t")
        if not header:
            header = fields
            if check is not None:
                check(header)
        elif len(fields) != len(header):
            raise InputError(f"{path}, line {number}: expected {len(header)} columns as in line 1, got {len(fields)}")
        else:
            yield number, {name: field or None for name, field in zip(header, fields, strict=True)}


def column(names: Sequence[str], record: Iterable[str], place: str) -> str:
    """The first of ``names`` that ``record`` has.

    Raises:
        InputError: it has none of them.
    """
    found = list(record)
    for name in names:
        if name in found:
            return name
    raise InputError(f"{place}: expected a column {' or '.join(map(repr, names))}; found {', '.join(found) or 'none'}")


def text_of(value: Any) -> tuple[str, str]:
    """A cell as (text without white space at its ends, problem): ``no text`` if it is no string."""
    if isinstance(value, str):
        return value.strip(), ""
    return "", "" if value is None else "no text"


def two_texts(record: Mapping[str, Any], names: tuple[str, str]) -> tuple[str, str, str]:
    """The two texts of a row, and why they cannot be used: ``no text``, ``empty``, ``lone surrogate`` or ``""``."""
    (first, one), (second, two) = text_of(record.get(names[0])), text_of(record.get(names[1]))
    problem = one or two or ("" if first and second else "empty")
    return first, second, problem or ("lone surrogate" if SURROGATE.search(first + second) else "")


def other_split(record: Mapping[str, Any], source: AnyRows, number: int) -> str:
    """``dev split`` or ``test split``: why a row of a file is no training text, by its column ``split``; else ``""``.

    Of a dataset on the Hub the rows are those of the split that was asked for.

    Raises:
        InputError: the column names no split.
    """
    if isinstance(source, HubRows) or "split" not in record:
        return ""
    split = row_split(record["split"], place_of(source, number))
    return "" if split == "train" else f"{split} split"


def place_of(source: AnyRows, number: int) -> str:
    """``file, line 7``; of a Parquet file or a dataset: ``row 7``."""
    lines = isinstance(source, RowFile) and not source.name.endswith(".parquet")
    return f"{source.name}, {'line' if lines else 'row'} {number}"

"""Rows of files and Hub datasets as dictionaries, with their numbers, and the cells that are texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from align.errors import InputError, one_line, there_are
from align.files.archives import seekable
from align.files.cells import cell_lines
from align.files.headed import headed_rows
from align.files.hub import no_network
from align.files.json_lines import json_values
from align.files.not_text import nul_in
from align.files.packed import said
from align.files.whole import column_names, existing_file, refuse_markup, row_split, sha256
from align.pairs.reading.sources import ROW_SUFFIXES, TSV_SUFFIXES, AnyRows, AnySource, HubDataset, LocalFile
from align.pairs.table import text_group
from align.text.surrogates import SURROGATES

BAD = ""
"""Key of a record that stands for a row which cannot be read: why. No column has it, for a column without a name, such
as pandas writes for its index, is passed over."""


def json_records(path: Path, *, keep_bad: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects of a JSON Lines file or of one array, with their line numbers: see :mod:`align.files.json_lines`.

    What is none is refused or, with ``keep_bad``, a record whose ``BAD`` says why.
    """
    for number, record, problem in json_values(path):
        if not problem and not isinstance(record, dict):
            problem = f"expected a JSON object, got {type(record).__name__}"
        problem = problem or nul_in(record)
        if problem and not keep_bad:
            raise InputError(f"{path}, line {number}: {problem}")
        yield number, {BAD: problem} if problem else _named(record)


def _named(record: dict[str, Any]) -> dict[str, Any]:
    record.pop(BAD, None)
    return record


def file_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a ``.parquet`` file, of any other the objects of JSON Lines, with their numbers from 1."""
    return parquet_records(path) if path.suffix == ".parquet" else json_records(path)


@contextmanager
def parquet_file(path: Path) -> Iterator[pq.ParquetFile]:
    """An open Parquet file; a missing or damaged one is an InputError, also when the damage shows while reading."""
    try:
        with pq.ParquetFile(seekable(existing_file(path))) as file:
            yield file
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is not a complete Parquet file: {one_line(error)}") from error


def parquet_records(path: Path, *, keep_bad: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a Parquet file with their numbers, from 1, read in blocks; ``keep_bad`` as of :func:`json_records`."""
    number = 0
    with parquet_file(path) as file:
        for batch in file.iter_batches():
            for record in batch.to_pylist():
                number += 1
                problem = nul_in(record)
                if problem and not keep_bad:
                    raise InputError(f"{path}, row {number}: {problem}")
                yield number, {BAD: problem} if problem else _named(record)


def hub_records(
    name: str, config: str | None, split: str, revision: str | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a dataset on the Hugging Face Hub, streamed, with their numbers, from 1."""
    import datasets  # about a second to import

    try:
        if why := no_network():
            raise OSError(f"no network: {why}")
        rows = datasets.load_dataset(name, config, split=split, revision=revision, streaming=True)
        for number, record in enumerate(rows, 1):
            if problem := nul_in(record):
                raise InputError(f"the dataset {name!r}, row {number}: {problem}")
            yield number, _named(record)
    except InputError:
        raise
    except Exception as error:  # the Hub client raises a dozen unrelated types, some of them its transport's
        full = f"{name!r} (configuration {config or 'default'}, split {split})"
        raise InputError(
            f"the dataset {full} could not be read from the Hugging Face Hub: {type(error).__name__}: {error}; "
            "check the name and the network, or download its text and give the files"
        ) from error


def tsv_records(
    path: Path, check: Callable[[list[str]], None] | None = None, *, keep_bad: bool = False
) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Rows of TSV or CSV under a header, with line numbers; an empty field is None. ``check`` may refuse the header.

    Lines of white space alone are passed over, as editors and spreadsheets leave them at the end, and so is the index
    of pandas. A line with another number of columns is refused or, with ``keep_bad``, a record
    whose ``BAD`` says why.
    """
    for number, cells, problem in headed_rows(existing_file(path), check):
        if problem and not keep_bad:
            raise InputError(f"{path}, line {number}: {problem}")
        yield number, {BAD: problem} if problem else {name: cell or None for name, cell in cells}


def two_columns(
    path: Path, header: Callable[[Sequence[str]], tuple[tuple[int, int], bool]], expected: str
) -> Iterator[tuple[int, str, str, str]]:
    """Two columns of a TSV file: line number, both cells without white space at their ends, why they cannot be used.

    ``header`` says of the cells of line 1 where the two columns are, and whether these cells are a header and no row.
    A line with one column has the problem ``one column``; a file of such lines alone is refused, as not ``expected``,
    and so is a page of markup.
    """
    first, second, several, number = 0, 1, False, 0
    for number, fields, problem in cell_lines(existing_file(path)):
        cells = [cell.strip() for cell in fields]
        several = several or len(cells) > 1
        if problem:
            yield number, "\t".join(cells), "", problem.partition(" (")[0]
            continue
        if number == 1:
            refuse_markup(fields[0], path, 1, expected=expected)
            (first, second), is_header = header(cells)
            if is_header:
                continue
        if len(cells) > max(first, second):
            yield number, cells[first], cells[second], ""
        else:
            only = cells[first] if first < len(cells) else cells[0]
            yield number, only, "", "one column" if any(cells) else "empty"
    if number and not several:
        raise InputError(f"{path}: expected {expected}; line 1 has 1 column, and so has every other")


def read_rows(source: AnySource | AnyRows) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of one source as dictionaries, with their line or row numbers; an empty field of a TSV file is None.

    A row that cannot be read has the key ``BAD``: see :func:`bad_row`.

    Raises:
        InputError: the source is empty, or none of its rows can be read; with the first of them.
    """
    empty = True
    for number, record in some_read(_records(source), lambda number: place_of(source, number)):
        empty = False
        yield number, record
    if empty:
        raise InputError(f"{source.name} is empty: expected a row on each line")


def some_read(
    records: Iterable[tuple[int, dict[str, Any]]], place: Callable[[int], str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbered records as they come; a source of which none can be read is refused, with the first of them."""
    wrong, read = "", False
    for number, record in records:
        if BAD in record:
            wrong = wrong or f"{place(number)}: {record[BAD]}"
        else:
            read = True
        yield number, record
    if wrong and not read:
        raise InputError(wrong)


def _records(source: AnySource | AnyRows) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(source, HubDataset):
        return hub_records(source.dataset, source.config, source.split, source.revision)
    if source.name.endswith(TSV_SUFFIXES):
        return tsv_records(source.path, keep_bad=True)
    if not source.name.endswith(ROW_SUFFIXES):
        raise InputError(f"{source.name}: expected a file that ends in {said(ROW_SUFFIXES)}")
    if source.path.suffix == ".parquet":
        return parquet_records(source.path, keep_bad=True)
    return json_records(source.path, keep_bad=True)


def bad_row(record: Mapping[str, Any]) -> str:
    """Why a row cannot be read at all, short enough to be counted; or ``""``."""
    return re.sub(r" \(.*|, got .*", "", str(record.get(BAD, "")))


def column(names: Sequence[str], record: Iterable[str], place: str) -> str:
    """The column of ``record`` that is the first of ``names``, as it is written or in any case (``Sentence 1``)."""
    found = list(record)
    for name in names:
        if name in found:
            return name
    spelled = dict(zip(column_names(found), found, strict=True))
    for name in column_names(names):
        if name in spelled:
            return spelled[name]
    raise InputError(f"{place}: expected a column {' or '.join(map(repr, names))}; found {there_are(names[0], found)}")


def text_of(value: Any) -> tuple[str, str]:
    """A cell as (text without white space at its ends, problem): ``no text`` if it is no string; NaN is none."""
    if isinstance(value, str):
        return value.strip(), ""
    return "", "" if value is None or value != value else "no text"  # NaN is not itself


def two_texts(record: Mapping[str, Any], names: tuple[str, str]) -> tuple[str, str, str]:
    """The two texts of a row, and why they cannot be used: ``no text``, ``empty``, ``lone surrogate`` or ``""``.

    Of a row that cannot be read, why not.
    """
    if bad := bad_row(record):
        return "", "", bad
    (first, one), (second, two) = text_of(record.get(names[0])), text_of(record.get(names[1]))
    problem = one or two or ("" if first and second else "empty")
    return first, second, problem or ("lone surrogate" if SURROGATES.search(first + second) else "")


def other_split(record: Mapping[str, Any], source: AnySource | AnyRows, number: int) -> str:
    """``dev split`` or ``test split``: why a row of a file is no training text, by its column ``split``; else ``""``.

    Of a dataset on the Hub the rows are those of the split that was asked for.
    """
    name = next((name for name in record if name.strip().casefold() == "split"), None)
    if isinstance(source, HubDataset) or name is None:
        return ""
    split = row_split(record[name], place_of(source, number))
    return "" if split == "train" else f"{split} split"


def place_of(source: AnySource | AnyRows, number: int) -> str:
    """``file, line 7``; of a Parquet file or a dataset: ``row 7``."""
    lines = isinstance(source, LocalFile) and not source.name.endswith(".parquet")
    return f"{source.name}, {'line' if lines else 'row'} {number}"


class Numbered(Protocol):
    """A row that knows its line."""

    @property
    def number(self) -> int:
        """From 1."""


Row = TypeVar("Row", bound=Numbered)


def check_aligned(
    first: tuple[AnyRows, Sequence[Row]],
    other: tuple[AnyRows, Sequence[Row]],
    same: Callable[[Row, Row], bool],
    says: Callable[[Row], str],
) -> None:
    """Refuse two sources that cannot be row-aligned translations of each other.

    ``same`` is whether what must be equal in a row and its translation is; ``says`` names that of a row.
    """
    (one, expected), (two, rows) = first, other
    if len(rows) != len(expected):
        raise InputError(
            f"{two.name} has {len(rows)} rows and {one.name} has {len(expected)}: expected row-aligned translations of "
            "each other"
        )
    for a, b in zip(expected, rows, strict=True):
        if not same(a, b):
            raise InputError(
                f"{place_of(two, b.number)} has {says(b)}, {place_of(one, a.number)} has {says(a).split()[-1]}: "
                "expected row-aligned translations of each other"
            )


def missing_group(source: AnyRows, number: int) -> str:
    """The group of a row that has no text: of the content of its file, wherever that lies, and the row's number."""
    return text_group(f"\0 {sha256(source.path) if isinstance(source, LocalFile) else source.name} {number}")

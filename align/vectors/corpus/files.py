"""The files of a corpus, line by line: what each line holds, or why it holds nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from align.errors import InputError, one_line
from align.files.archives import on_disk, open_file, seekable
from align.files.cells import PEEKED, Cells, all_quoted, cell_lines, tsv_cells
from align.files.lines import NOT_UTF8, byte_lines
from align.files.not_text import NUL_BYTE
from align.files.packed import is_packed, plain_suffix
from align.files.whole import existing_file, of_file, refuse_markup

KINDS = {".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
REFUSED = (
    ".json", ".arrow", ".feather", ".npy", ".xlsx", ".xml", ".html", ".lz4", ".7z",
)  # fmt: skip
EXPECTED = "plain text, .tsv, .csv, .jsonl (each also as .gz, .zst, .xz or .bz2) or .parquet"
USUAL = ("id", "text", "language", "lang")
PEEKED_LINES = 100
BATCH_ROWS = 4096  # of Parquet, in memory at a time


class BadLine(Exception):
    """Why a line holds no row."""


@dataclass(frozen=True)
class Source:
    """One file of a corpus. Build one with :func:`open_source`."""

    path: Path
    kind: str
    """text, tsv, csv, jsonl or parquet."""
    columns: tuple[str, ...]
    """Those of a TSV, CSV or Parquet file; the fields of a JSONL file's first lines; none of plain text."""

    @property
    def first_line(self) -> int:
        """Number of the first line that is a row."""
        return 2 if self.kind in ("tsv", "csv") else 1

    def records(self, columns: Sequence[str]) -> Iterator[Any]:
        """What :meth:`fields` reads, one for each line; of a Parquet file these ``columns`` alone are read.

        Raises:
            InputError: the file is damaged or cut short.
        """
        if self.kind == "parquet":
            return _parquet_rows(self.path, columns)
        if self.kind == "csv":
            return islice(cell_lines(self.path), 1, None)
        return islice(byte_lines(self.path), self.first_line - 1, None)

    def fields(self, record: Any) -> dict[str, Any]:
        """The columns of a line; of plain text, ``text`` alone.

        Raises:
            BadLine: invalid UTF-8, a NUL byte, invalid JSON, or another number of columns than the header has.
        """
        if self.kind == "parquet":
            if isinstance(record, BadLine):
                raise record
            return record  # type: ignore[no-any-return]
        if isinstance(record, Cells):
            if record.problem:
                raise BadLine(record.problem.partition(" (")[0])
            return self._named(record.cells)
        line = _decoded(record)
        if self.kind == "text":
            return {"text": line}
        if not line.strip():
            raise BadLine("the line is blank")
        if self.kind == "jsonl":
            return _json_object(line)
        return self._named(tsv_cells(line))

    def _named(self, values: Sequence[str]) -> dict[str, Any]:
        if not any(values):
            raise BadLine("the line is blank")
        if len(values) != len(self.columns):
            raise BadLine(f"expected {len(self.columns)} columns, got {len(values)}")
        return dict(zip(self.columns, values, strict=True))


def open_source(path: Path | str) -> Source:
    """Look at the beginning of a file.

    Raises:
        InputError: no such file, a pipe, a format that is not read, binary data, a page instead of a file, or
            no header.
    """
    path = existing_file(path)
    if not on_disk(path).is_file():
        raise InputError(f"{path} is a pipe or a device; expected a file, which can be read twice")
    kind = KINDS.get(plain_suffix(path), "text")
    if plain_suffix(path) in REFUSED or (is_packed(path) and kind == "parquet"):
        raise InputError(f"{path}: expected {EXPECTED}")
    with of_file(path), open_file(path) as file:
        _refuse_page(file.read(200), path)
    if kind == "parquet":
        return Source(path, kind, _parquet_columns(path))
    head = list(islice(byte_lines(path), PEEKED_LINES))
    _refuse_page(head[0] if head else b"", path)
    _refuse_binary(head, path)
    columns: tuple[str, ...] = ()
    if kind == "tsv" and all_quoted([record.decode("utf-8", "replace").rstrip("\r\n") for record in head[:PEEKED]]):
        kind = "csv"  # as pandas writes it: a cell may hold line ends
    if kind == "tsv":
        columns = _header(path, head)
    elif kind == "csv":
        columns = _checked_header(path, next((cells for _, cells, _ in cell_lines(path)), []))
    elif kind == "jsonl":
        if head and head[0].lstrip().startswith(b"["):
            raise InputError(f"{path} is a JSON array; expected JSON Lines: write each value on a line (jq -c '.[]')")
        columns = tuple(dict.fromkeys(name for record in head for name in _peeked(record)))
    return Source(path, kind, columns)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the system: no permission, a bad disk
            raise
        raise InputError(f"{path} is not a whole Parquet file: {one_line(error)}") from error


def _refuse_page(head: bytes, path: Path) -> None:
    line = head.decode("utf-8-sig", "replace").lstrip().partition("\n")[0]
    refuse_markup(line, path, 1, expected=EXPECTED)


def _refuse_binary(head: Sequence[bytes], path: Path) -> None:
    """Refuse bytes of which half of the lines are no text; of others each such line is a reject."""
    wrong = [number for number, record in enumerate(head, 1) if b"\0" in record]
    if wrong and 2 * len(wrong) >= len(head):
        raise InputError(f"{path}, line {wrong[0]}: {NUL_BYTE}")


def _decoded(record: bytes) -> str:
    if b"\0" in record:
        raise BadLine(NUL_BYTE)
    try:
        return record.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise BadLine(NOT_UTF8) from error


def _json_object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"invalid JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadLine(f"expected a JSON object, got {type(value).__name__}")
    return value


def _peeked(record: bytes) -> Iterator[str]:
    try:
        yield from _json_object(_decoded(record))
    except BadLine:
        return


def _header(path: Path, head: Sequence[bytes]) -> tuple[str, ...]:
    try:
        cells = tsv_cells(_decoded(head[0])) if head else []
    except BadLine as error:
        raise InputError(f"{path}, line 1: expected the names of the columns, got {error}") from error
    return _checked_header(path, cells)


def _checked_header(path: Path, cells: Sequence[str]) -> tuple[str, ...]:
    columns = tuple(map(_name, cells))
    if not any(columns):
        raise InputError(f"{path} is empty; expected a line with the names of the columns")
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise InputError(f"{path}, line 1: column {twice[0]!r} is there twice")
    return columns


def _name(cell: str) -> str:
    """The name of a column; that of a usual one in lower case."""
    return cell.strip().lower() if cell.strip().lower() in USUAL else cell


def _parquet_columns(path: Path) -> tuple[str, ...]:
    import pyarrow.parquet as pq

    with _explained(path), pq.ParquetFile(seekable(path)) as file:
        return tuple(file.schema_arrow.names)


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any] | BadLine]:
    import pyarrow.parquet as pq

    with _explained(path), pq.ParquetFile(seekable(path)) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(columns)):
            try:
                yield from batch.to_pylist()
            except UnicodeDecodeError:  # one of them; as_py names no row
                for number in range(len(batch)):
                    try:
                        yield from batch.slice(number, 1).to_pylist()
                    except UnicodeDecodeError:
                        yield BadLine(NOT_UTF8)

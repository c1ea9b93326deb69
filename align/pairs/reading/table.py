"""Reading a pair table back: a folder that a builder wrote, or a bare Parquet, JSON Lines or TSV file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from align.errors import InputError
from align.files.intact import inside
from align.files.licences import check_licence, stated_licence
from align.files.packed import also_packed, plain_suffix, said
from align.files.whole import INDEX, existing_file, read_json, sha256
from align.pairs.mentions import MENTION, mention_place
from align.pairs.reading.records import json_records, parquet_file, tsv_records
from align.pairs.table import (
    COLUMNS,
    FORMAT,
    LABELS,
    NUMBERED,
    OPTIONAL,
    REQUIRED,
    VERSION,
    field_of,
    known_columns,
    schema_of,
)
from align.text.languages import check_language
from align.text.surrogates import SURROGATES

if TYPE_CHECKING:
    from datasets import Dataset

SUFFIXES = (".parquet", *also_packed([".jsonl", ".ndjson", ".tsv", ".csv"]))
Place = Callable[[int], str]


def read_pairs(path: Path | str, *more: Path | str) -> Dataset:
    """The pairs at ``path``, checked and in order, with ``COLUMNS`` and any of ``OPTIONAL`` and ``negative_1``, ...

    The tables of ``more`` follow, one after the other; then only ``COLUMNS`` are kept, and equal ``group_id`` mean the
    same in all of them.

    A folder must agree with its manifest, byte for byte. A missing ``group_id`` becomes the row number from 0 (each row
    its own meaning), a missing ``kind`` becomes ``pair``. A Parquet file with just these columns is memory-mapped
    through the ``datasets`` cache; anything else is completed in memory.

    Raises:
        InputError: no such table, a file that differs from its manifest, a column missing or unknown, an empty value,
            a score that is no finite number, an unknown label or an unknown language code; with the file and the line
            or row. Data of a licence that is not allowed (:func:`align.files.licences.allowing`).
    """
    if more:
        from datasets import concatenate_datasets

        return concatenate_datasets([read_pairs(each).select_columns(list(COLUMNS)) for each in (path, *more)])
    path = Path(path)
    if path.is_dir():
        return _from_parquet(_checked_parquet(path))
    path = existing_file(path)
    check_licence(str(path), stated_licence(path))
    if path.suffix == ".parquet":
        return _from_parquet(path)
    if not path.name.endswith(SUFFIXES):
        raise InputError(f"{path}: expected a folder of pairs or a file that ends in {said(SUFFIXES)}")
    is_tsv = plain_suffix(path) in (".tsv", ".csv")
    return _from_records(path, tsv_records(path, partial(_check_columns, path)) if is_tsv else json_records(path))


def _checked_parquet(folder: Path) -> Path:
    manifest_path = folder / "manifest.json"
    if not manifest_path.exists():
        raise InputError(f"{folder} has no manifest.json; expected a folder written by `align pairs`")
    manifest = read_json(manifest_path)
    if not isinstance(manifest, dict) or (manifest.get("format"), manifest.get("version")) != (FORMAT, VERSION):
        raise InputError(f"{manifest_path}: expected format {FORMAT!r}, version {VERSION}")
    for name, digest in manifest["files"].items():
        if sha256(existing_file(inside(folder, name))) != digest:
            raise InputError(f"{folder / name} differs from its manifest: it was changed after it was written")
    for source in manifest.get("sources") or [{}]:
        check_licence(f"{folder} ({source.get('name', 'pairs')})", str(source.get("licence", "")))
    return folder / "pairs.parquet"


def _from_parquet(path: Path) -> Dataset:
    from datasets import Dataset  # about a second to import

    with parquet_file(path) as file:
        schema = file.schema_arrow.remove_metadata()
        columns = {name: _canonical(name) for name in schema.names if not INDEX.fullmatch(name)}
        _check_columns(path, columns.values())
        if not file.metadata.num_rows:
            raise InputError(f"{path} is empty: expected a pair on each row")
        if schema != schema_of(schema.names):
            table = file.read(columns=list(columns)).rename_columns(list(columns.values()))
            return Dataset(_completed(_as_text(path, table), _row_of(path, 1)))
        start = 1
        for batch in file.iter_batches():
            _check_values(batch, _row_of(path, start))
            start += len(batch)
    return Dataset.from_parquet(str(path))


def _row_of(path: Path, start: int) -> Place:
    return lambda row: f"{path}, row {start + row}"


def _from_records(path: Path, records: Iterable[tuple[int, dict[str, Any]]]) -> Dataset:
    from datasets import Dataset

    numbers: list[int] = []
    columns: dict[str, list[Any]] = {name: [] for name in REQUIRED}
    for number, given in records:
        record = {_canonical(name): value for name, value in given.items() if not INDEX.fullmatch(name)}
        if not numbers or record.keys() - columns.keys():
            _check_columns(path, [*record, *columns] if numbers else list(record))
            columns |= {name: [None] * len(numbers) for name in record if name not in columns}
        numbers.append(number)
        for name, values in columns.items():
            values.append(_value(name, record.get(name), f"{path}, line {number}"))
    if not numbers:
        raise InputError(f"{path} is empty: expected a pair on each row")
    table = pa.table(columns, schema=pa.schema([field_of(name) for name in columns]))
    return Dataset(_completed(table, lambda row: f"{path}, line {numbers[row]}"))


@cache
def _canonical(name: str) -> str:
    """The name of a column as tables have it: ``source_lang`` of ``Source Lang``; another name stays."""
    spelled = re.sub(r"[ -]", "_", name.strip().casefold())
    return spelled if spelled in (*COLUMNS, *OPTIONAL) or NUMBERED.fullmatch(spelled) else name


def _check_columns(path: Path, found: Iterable[str]) -> None:
    names = list(dict.fromkeys(map(_canonical, found)))
    missing = [name for name in REQUIRED if name not in names]
    unknown = [name for name in names if name not in known_columns(names)]
    if missing or unknown:
        what = f"the column {missing[0]!r} is missing" if missing else f"the column {unknown[0]!r} is unknown"
        others = (*COLUMNS[len(REQUIRED) :], *OPTIONAL)
        expected = f"{', '.join(REQUIRED)} and any of {', '.join(others)}, negative_1, negative_2, ..."
        raise InputError(f"{path}: {what}; expected {expected}; found {', '.join(names)}")


def _value(name: str, value: Any, place: str) -> str | float | None:
    if value != value and name != "score":  # NaN, which is not itself, stands for a missing value
        return None
    if name == "score" and value is not None:
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"{place}: expected a number as score, got {value!r}") from error
    if name == "group_id" and isinstance(value, int):
        return str(value)
    if value is None or (isinstance(value, str) and not SURROGATES.search(value)):
        return value
    raise InputError(f"{place}: expected text in the column {name!r}, got {value!r}")


def _as_text(path: Path, table: pa.Table) -> pa.Table:
    try:
        return table.cast(pa.schema([field_of(name) for name in table.column_names]))
    except pa.ArrowException as error:
        raise InputError(f"{path}: a column is neither text nor, for score, a number: {error}") from error


def _completed(table: pa.Table, place: Place) -> pa.Table:
    _check_values(table, place)
    if "kind" not in table.column_names:
        table = table.append_column("kind", pa.array(["pair"] * len(table)))
    if "group_id" not in table.column_names:
        table = table.append_column("group_id", pa.array([str(row) for row in range(len(table))]))
    return table.select(schema_of(table.column_names).names)


def _check_values(table: pa.Table | pa.RecordBatch, place: Place) -> None:
    for name in table.column_names:
        column = table[name]
        if name == "score":
            bad, what = pc.invert(pc.is_finite(column)), "is not finite"
        elif name == "label":
            known = pc.is_in(column, value_set=pa.array([*LABELS, None], pa.string()))
            bad, what = pc.invert(known), f"is none of {', '.join(LABELS)}"
        elif name in COLUMNS and pc.any(pc.match_substring(column, "\0")).as_py():
            bad, what = pc.fill_null(pc.match_substring(column, "\0"), False), "holds the character NUL, expected text"
        elif name in COLUMNS:
            bad, what = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True), "is empty"
        else:
            continue
        row = pc.index(bad, True).as_py()
        if row >= 0:
            raise InputError(f"{place(row)}: {name} {what}")
    if MENTION in table.column_names:
        for row, (cell, text) in enumerate(zip(table[MENTION].to_pylist(), table["source"].to_pylist(), strict=True)):
            mention_place(cell, text, place(row))
    for name in ("source_lang", "target_lang"):
        for code in pc.unique(table[name]).to_pylist():
            try:
                check_language(code)
            except InputError as error:
                raise InputError(f"{place(pc.index(table[name], code).as_py())}: {error}") from error

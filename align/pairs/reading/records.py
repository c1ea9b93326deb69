"""Rows of structured files and Hub datasets as dictionaries, with their numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from align.errors import InputError
from align.files.not_text import refuse_nul
from align.files.whole import existing_file, read_lines


def json_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects of a JSON Lines file, plain or gzip, with their line numbers; blank lines are passed over.

    Raises:
        InputError: a line is not a JSON object, or a string in it holds NUL.
    """
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}, line {number}: not valid JSON ({error.msg})") from error
        if not isinstance(record, dict):
            raise InputError(f"{path}, line {number}: expected a JSON object, got {type(record).__name__}")
        if r"\u0000" in line:
            refuse_nul(record, f"{path}, line {number}")
        yield number, record


def file_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a ``.parquet`` file, of any other the objects of JSON Lines, with their numbers from 1.

    Raises:
        InputError: as :func:`parquet_records` and :func:`json_records`.
    """
    return parquet_records(path) if path.suffix == ".parquet" else json_records(path)


@contextmanager
def parquet_file(path: Path) -> Iterator[pq.ParquetFile]:
    """An open Parquet file; a missing or damaged one is an InputError, also when the damage shows while reading."""
    try:
        with pq.ParquetFile(existing_file(path)) as file:
            yield file
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is not a complete Parquet file: {error}") from error


def parquet_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a Parquet file with their numbers, from 1, read in blocks.

    Raises:
        InputError: no such file, not Parquet, or a string in it holds NUL.
    """
    number = 0
    with parquet_file(path) as file:
        for batch in file.iter_batches():
            for record in batch.to_pylist():
                number += 1
                refuse_nul(record, f"{path}, row {number}")
                yield number, record


def hub_records(
    name: str, config: str | None, split: str, revision: str | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a dataset on the Hugging Face Hub, streamed, with their numbers, from 1.

    Raises:
        InputError: no network, no such dataset, configuration or split, the stream broke off, or a string holds NUL.
    """
    import datasets  # about a second to import

    try:
        rows = datasets.load_dataset(name, config, split=split, revision=revision, streaming=True)
        for number, record in enumerate(rows, 1):
            refuse_nul(record, f"the dataset {name!r}, row {number}")
            yield number, record
    except InputError:
        raise
    except Exception as error:  # the Hub client raises a dozen unrelated types, some of them its transport's
        full = f"{name!r} (configuration {config or 'default'}, split {split})"
        raise InputError(
            f"the dataset {full} could not be read from the Hugging Face Hub: {type(error).__name__}: {error}; "
            "check the name and the network, or download its text and give the files"
        ) from error

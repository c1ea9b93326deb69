"""Vectors as Parquet files, as DuckDB, Spark, pandas and Milvus's bulk import read them.

    part-00000.parquet   columns id, the payload, vector (a fixed-size list, unit vectors)

The schema's metadata has what made the vectors as JSON under ``align.export``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from align.engines.folder import Add, Folder
from align.engines.target import Engine, Schema
from align.errors import InputError
from align.vectors.writing import PART_ROWS, dictionaries, part_name

METADATA = b"align.export"


def open_target(to: str, *, name: str, part_rows: int = PART_ROWS) -> Folder:
    """A folder of Parquet files.

    Args:
        to: the folder.
        name: kept in the manifest.
        part_rows: the most rows of a file.

    Raises:
        InputError: ``part_rows`` is less than 1.
    """
    if part_rows < 1:
        raise InputError(f"part_rows must be at least 1, got {part_rows}")
    return Folder("parquet", to, partial(_write, part_rows=part_rows), _read)


@contextmanager
def _write(folder: Path, schema: Schema, *, part_rows: int) -> Iterator[Add]:
    about = {METADATA: json.dumps(schema.described(), sort_keys=True).encode()}
    part = room = 0
    writer: pq.ParquetWriter
    with ExitStack() as open_part:

        def add(table: pa.Table) -> None:
            nonlocal part, room, writer
            table = table.replace_schema_metadata(about)
            while table.num_rows:
                if not room:
                    open_part.close()
                    writer = pq.ParquetWriter(
                        folder / f"{part_name(part)}.parquet", table.schema, compression="none",
                        use_dictionary=dictionaries(table),
                    )  # fmt: skip
                    open_part.enter_context(writer)
                    part, room = part + 1, part_rows
                here = table.slice(0, room)
                writer.write_table(here)
                table, room = table.slice(here.num_rows), room - here.num_rows

        yield add


def _read(folder: Path, schema: Schema) -> Iterator[pa.Table]:
    for path in sorted(folder.glob("part-*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=16_384):
                yield pa.Table.from_batches([batch])


ENGINE = Engine("parquet", "a folder: part-*.parquet", open_target)

"""Vectors as Parquet files, as DuckDB, Spark, pandas and Milvus's bulk import read them.

    part-00000.parquet   columns id, the payload, vector (a fixed-size list, unit vectors)

The schema's metadata has what made the vectors as JSON under ``align.export``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from align.engines.folder import Folder
from align.engines.target import Engine, Schema
from align.errors import InputError
from align.vectors.writing import PART_ROWS, part_name

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
    return Folder(to, name, "parquet", Parquet(part_rows))


class Parquet:
    """The :class:`align.engines.folder.Format`."""

    def __init__(self, part_rows: int) -> None:
        self._part_rows = part_rows
        self._writer: pq.ParquetWriter | None = None

    def begin(self, folder: Path, schema: Schema) -> None:
        """Begin in an empty folder."""
        self._folder, self._part, self._room = folder, 0, 0
        self._about = {METADATA: json.dumps(schema.described(), sort_keys=True).encode()}

    def add(self, table: pa.Table) -> None:
        """Write rows, to the next file where one is full."""
        table = table.replace_schema_metadata(self._about)
        while table.num_rows:
            if not self._room:
                self.end()
                self._writer = pq.ParquetWriter(
                    self._folder / f"{part_name(self._part)}.parquet", table.schema, compression="none",
                    use_dictionary=["language", "script"],
                )  # fmt: skip
                self._part, self._room = self._part + 1, self._part_rows
            assert self._writer is not None
            here = table.slice(0, self._room)
            self._writer.write_table(here)
            table, self._room = table.slice(here.num_rows), self._room - here.num_rows

    def end(self) -> None:
        """Close the file that is open."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(pa.ArrowInvalid):  # an earlier write failed: that error tells more
                writer.close()

    def read(self, folder: Path, schema: Schema) -> Iterator[pa.Table]:
        """The rows again, in order."""
        for path in sorted(folder.glob("part-*.parquet")):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=16_384):
                    yield pa.Table.from_batches([batch])


ENGINE = Engine("parquet", "a folder: part-*.parquet", open_target)

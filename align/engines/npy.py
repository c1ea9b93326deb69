"""Vectors as one ``.npy`` file, which numpy maps into memory, and a line of JSON for each row.

    vectors.npy   (rows, dimensions) float32 or float16, unit vectors
    ids.jsonl     in the same order: id and the payload

To read them: ``np.load("vectors.npy", mmap_mode="r")``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from align.engines.folder import Folder
from align.engines.target import Engine, Schema
from align.vectors.folder import vector_column, vectors_of


def open_target(to: str, *, name: str) -> Folder:
    """A folder with the two files.

    Args:
        to: the folder.
        name: kept in the manifest.
    """
    return Folder(to, name, "npy", Npy())


class Npy:
    """The :class:`align.engines.folder.Format`."""

    _files: tuple[IO[Any], ...] = ()

    def begin(self, folder: Path, schema: Schema) -> None:
        """Begin in an empty folder."""
        self._shape = (0, schema.dimension)
        self._dtype = np.dtype(schema.dtype).newbyteorder("<")
        self._vectors = open(folder / "vectors.npy", "wb")  # noqa: SIM115
        self._ids = open(folder / "ids.jsonl", "w", encoding="utf-8", newline="\n")  # noqa: SIM115
        self._files = (self._vectors, self._ids)
        self._header()

    def add(self, table: pa.Table) -> None:
        """Write rows to both files."""
        vectors = vectors_of(table).astype(self._dtype, copy=False)
        self._vectors.write(np.ascontiguousarray(vectors).data)
        for row in table.drop_columns("vector").to_pylist():
            self._ids.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._shape = (self._shape[0] + len(vectors), self._shape[1])

    def end(self) -> None:
        """Write how many rows there are, and close both files."""
        files, self._files = self._files, ()
        if files:
            self._vectors.seek(0)
            self._header()
        for file in files:
            file.close()

    def read(self, folder: Path, schema: Schema) -> Iterator[pa.Table]:
        """The rows again, in order."""
        vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
        with open(folder / "ids.jsonl", encoding="utf-8") as lines:
            for start in range(0, len(vectors), 16_384):
                here = vectors[start : start + 16_384]
                table = pa.Table.from_pylist([json.loads(line) for line in islice(lines, len(here))])
                yield table.append_column("vector", vector_column(here))

    def _header(self) -> None:
        # numpy leaves room in a header for the first axis to grow: its length is the same for any number of rows
        facts = {"descr": self._dtype.str, "fortran_order": False, "shape": self._shape}
        np.lib.format.write_array_header_2_0(self._vectors, facts)


ENGINE = Engine("npy", "a folder: vectors.npy, ids.jsonl", open_target)

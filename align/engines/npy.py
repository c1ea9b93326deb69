"""Vectors as one ``.npy`` file, which numpy maps into memory, and a line of JSON for each row.

    vectors.npy   (rows, dimensions) float32 or float16, unit vectors
    ids.jsonl     in the same order: id and the payload

To read them: ``np.load("vectors.npy", mmap_mode="r")``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from align.engines.folder import Add, Folder
from align.engines.target import Engine, Schema
from align.vectors.folder import vector_column, vectors_of


def open_target(to: str, *, name: str) -> Folder:
    """A folder with the two files.

    Args:
        to: the folder.
        name: kept in the manifest.
    """
    return Folder("npy", to, _write, _read)


@contextmanager
def _write(folder: Path, schema: Schema) -> Iterator[Add]:
    dtype, count = np.dtype(schema.dtype).newbyteorder("<"), 0
    with (
        open(folder / "vectors.npy", "wb") as vectors,
        open(folder / "ids.jsonl", "w", encoding="utf-8", newline="\n") as ids,
    ):

        def header() -> None:
            # numpy leaves room in a header for the first axis to grow: its length is the same for any number of rows
            facts = {"descr": dtype.str, "fortran_order": False, "shape": (count, schema.dimension)}
            np.lib.format.write_array_header_2_0(vectors, facts)

        def add(table: pa.Table) -> None:
            nonlocal count
            vectors.write(np.ascontiguousarray(vectors_of(table).astype(dtype, copy=False)).data)
            for row in table.drop_columns("vector").to_pylist():
                ids.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += table.num_rows

        header()
        yield add
        vectors.seek(0)
        header()


def _read(folder: Path, schema: Schema) -> Iterator[pa.Table]:
    vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
    with open(folder / "ids.jsonl", encoding="utf-8") as lines:
        for start in range(0, len(vectors), 16_384):
            here = vectors[start : start + 16_384]
            table = pa.Table.from_pylist([json.loads(line) for line in islice(lines, len(here))])
            yield table.append_column("vector", vector_column(here))


ENGINE = Engine("npy", "a folder: vectors.npy, ids.jsonl", open_target)

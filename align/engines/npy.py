"""Vectors as one ``.npy`` file, which numpy maps into memory, and a line of JSON for each row.

    vectors.npy   (rows, dimensions) float32 or float16, unit vectors
    ids.jsonl     in the same order: id and the payload
    sparse.npz    where there are sparse vectors, their rows in the same order, as scipy keeps a CSR matrix
    sparse.jsonl  the same for readers of text, a line for each row: {id: {term: weight}}

To read them: ``np.load("vectors.npy", mmap_mode="r")``, ``scipy.sparse.load_npz("sparse.npz")``, whose columns
``terms.json`` names. Before it is written the CSR matrix is in memory, 8 bytes a weight.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from align.engines.folder import Add, Folder
from align.engines.json_rows import json_weights
from align.engines.target import Engine, Schema
from align.errors import InputError
from align.vectors.folder import vector_column, vectors_of
from align.vectors.sparse import SPARSE, sparse_columns, sparse_of

ROWS = 16_384
"""Of a table that is read."""


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
        _sparse(folder, schema) as add_sparse,
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
            add_sparse(table)
            for row in table.select(["id", *schema.payload]).to_pylist():
                ids.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += table.num_rows

        header()
        yield add
        vectors.seek(0)
        header()


@contextmanager
def _sparse(folder: Path, schema: Schema) -> Iterator[Add]:
    """Writes the sparse vectors; nothing, where there are none."""
    if not schema.sparse:
        yield lambda table: None
        return
    from scipy.sparse import csr_array, save_npz, vstack

    names, width = schema.terms, schema.sparse["terms"]
    if len(set(names)) < len(names):
        twice = next(name for name, times in Counter(names).items() if times > 1)
        raise InputError(
            f"two terms are called {twice!r}: a line of sparse.jsonl cannot hold both; give them other names"
        )
    matrices = [csr_array((0, width), dtype=np.float32)]
    with open(folder / "sparse.jsonl", "w", encoding="utf-8", newline="\n") as lines:

        def add(table: pa.Table) -> None:
            matrices.append(sparse_of(table, width))
            for key, weights in zip(table["id"].to_pylist(), json_weights(table), strict=True):
                named = {names[int(term)]: weight for term, weight in json.loads(weights).items()}
                lines.write(json.dumps({key: named}, ensure_ascii=False) + "\n")

        yield add
    save_npz(folder / "sparse.npz", vstack(matrices, format="csr"))


def _read(folder: Path, schema: Schema) -> Iterator[pa.Table]:
    vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
    sparse = None
    if schema.sparse:
        from scipy.sparse import load_npz

        sparse = load_npz(folder / "sparse.npz")
    with open(folder / "ids.jsonl", encoding="utf-8") as lines:
        for start in range(0, len(vectors), ROWS):
            here = vectors[start : start + ROWS]
            table = pa.Table.from_pylist([json.loads(line) for line in islice(lines, len(here))])
            table = table.append_column("vector", vector_column(here))
            if sparse is not None:
                for name, column in zip(SPARSE, sparse_columns(sparse[start : start + len(here)]), strict=True):
                    table = table.append_column(name, column)
            yield table


ENGINE = Engine("npy", "a folder: vectors.npy, ids.jsonl", open_target)

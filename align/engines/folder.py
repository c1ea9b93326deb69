"""An export that is a folder of files: written whole or not at all, described by ``_align-export.json``, read back.

    _align-export.json  what wrote it, the schema, the number of rows, and every file's SHA-256
    terms.json          of vectors that have sparse ones beside them: what their terms are called, by their numbers
    ...                 the files of the format

An export of the same encoder, dimension, dtype and columns is replaced once the new one is whole. A format is two
functions, one that writes rows and one that reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from align.engines.sparse import chosen, exact_sparse
from align.engines.target import Schema, Where, absent, agree
from align.errors import InputError
from align.files.folders import check_replaceable, whole_folder
from align.files.whole import existing_file, explained, read_json, sha256, write_json
from align.similarity.nearest import top_k
from align.vectors.folder import vectors_of
from align.vectors.sparse import write_terms

if TYPE_CHECKING:
    from scipy.sparse import csr_array

KIND = "export"
MANIFEST = "_align-export.json"  # by its first letter, readers of a folder of Parquet files pass it over

Add = Callable[[pa.Table], None]
"""Writes rows: columns id, payload, vector, and those of sparse vectors."""
Write = Callable[[Path, Schema], AbstractContextManager[Add]]
"""Begins in an empty folder; what the block leaves open is closed at its end, also when the export is given up."""
Read = Callable[[Path, Schema], Iterator[pa.Table]]
"""Gives the rows again, in order."""


class Folder:
    """The :class:`align.engines.target.Target` of a format.

    Args:
        engine: whose folder it is.
        to: its path.
        write: the format's files.
        read: the same.
    """

    exact = True

    def __init__(self, engine: str, to: str, write: Write, read: Read) -> None:
        if "://" in to:
            raise InputError(f"{engine} is written to a folder; expected its path")
        self.engine, self.path, self.where = engine, Path(to), f"export {Path(to)}"
        self._write, self._read, self._writing = write, read, ExitStack()

    def prepare(self, schema: Schema, *, make: bool = True) -> None:
        """Check what is there, and begin a new export beside it."""
        manifest = self.path / MANIFEST
        if manifest.is_file():
            stored = read_json(manifest)
            engine = stored.get("engine") if isinstance(stored, dict) else None
            if engine != self.engine:
                raise InputError(f"{self.where} is of engine {engine}, not of {self.engine}: give another folder")
            agree(stored.get("schema"), schema, self.where)
        elif not make:
            check_replaceable(self.path, KIND)
            raise absent(self.where)
        self._schema, self._rows = schema, 0
        if make:
            self._add = self._writing.enter_context(self._whole())

    def upsert(self, table: pa.Table) -> None:
        """Write rows; they are there when :meth:`finish` returns."""
        with explained(self.path):
            self._add(table)
        self._rows += table.num_rows

    def finish(self) -> None:
        """Put the folder in its place."""
        self._writing.close()

    def count(self) -> int:
        """Rows of the export."""
        return int(read_json(self.path / MANIFEST)["rows"])

    def search(self, queries: NDArray[Any], k: int, *, where: Where | None = None) -> list[list[str]]:
        """Exact, over what is read back."""
        return exact_search(self._tables(), queries, k, where=where)

    def search_sparse(self, queries: csr_array, k: int, *, where: Where | None = None) -> list[list[str]]:
        """The same, of the sparse vectors."""
        return exact_sparse(self._tables(), queries, k, where=where)

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """The payload of each of these ids that is there."""
        found = {}
        for table in self._tables():
            chosen = table.filter(pc.is_in(table["id"], pa.array(ids, pa.string())))
            for row in chosen.select(["id", *self._schema.payload]).to_pylist():
                found[row.pop("id")] = row
        return found

    def close(self) -> None:
        """Remove what was not finished."""
        given_up = InputError(f"{self.path} was not written")
        with suppress(OSError, pa.ArrowInvalid):  # of files that were not written well: the error before tells more
            self._writing.__exit__(InputError, given_up, None)

    @contextmanager
    def _whole(self) -> Iterator[Add]:
        with whole_folder(self.path, kind=KIND) as folder:
            with self._write(folder, self._schema) as add:
                yield add
            if self._schema.sparse:
                write_terms(folder, self._schema.terms)
            files = {file.name: sha256(file) for file in sorted(folder.iterdir())}
            facts = {"engine": self.engine, "name": self._schema.name, "rows": self._rows, "files": files}
            write_json(folder / MANIFEST, {**facts, "schema": self._schema.described()}, sealed=True)

    def _tables(self) -> Iterator[pa.Table]:
        for name, expected in read_json(self.path / MANIFEST)["files"].items():
            path = existing_file(self.path / Path(name).name)
            if sha256(path) != expected:
                raise InputError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}; export again")
        yield from self._read(self.path, self._schema)


def exact_search(
    tables: Iterable[pa.Table], queries: NDArray[Any], k: int, *, where: Where | None = None
) -> list[list[str]]:
    """The ids of the ``k`` nearest rows of tables that are read one after the other; of equal ones the earlier row."""
    scores = np.empty((len(queries), 0), dtype=np.float32)
    ids = np.empty((len(queries), 0), dtype=object)
    for table in tables:
        table = chosen(table, where)
        if table.num_rows:
            here, rows = top_k(queries, vectors_of(table), k)
            names = table["id"].to_numpy()
            scores, ids = np.concatenate([scores, here], axis=1), np.concatenate([ids, names[rows]], axis=1)
            order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            scores, ids = np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)
    return [list(row) for row in ids]

"""An export that is a folder of files: written whole or not at all, described by ``_align-export.json``, read back.

    _align-export.json  what wrote it, the schema, the number of rows, and every file's SHA-256
    ...                 the files of the format

An export of the same encoder, dimension, dtype and columns is replaced once the new one is whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from align.engines.exact import exact_search
from align.engines.target import Schema, absent, agree
from align.errors import InputError
from align.files.folders import check_replaceable, whole_folder
from align.files.whole import existing_file, explained, read_json, sha256, write_json

KIND = "export"
MANIFEST = "_align-export.json"  # by its first letter, readers of a folder of Parquet files pass it over


class Format(Protocol):
    """How rows stand in files."""

    def begin(self, folder: Path, schema: Schema) -> None:
        """Begin in an empty folder."""

    def add(self, table: pa.Table) -> None:
        """Write rows: columns id, payload, vector."""

    def end(self) -> None:
        """Close what is open; after :meth:`begin`, and also when the export is given up."""

    def read(self, folder: Path, schema: Schema) -> Iterator[pa.Table]:
        """The rows again, in order."""


class Folder:
    """The :class:`align.engines.target.Target` of a format."""

    exact = True

    def __init__(self, to: str, name: str, engine: str, form: Format) -> None:
        if "://" in to:
            raise InputError(f"{engine} is written to a folder; expected its path")
        self.path, self.name, self.engine, self.form = Path(to), name, engine, form
        self.where = f"export {self.path}"
        self._schema: Schema | None = None
        self._writing: AbstractContextManager[Path] | None = None
        self._written: Path | None = None
        self._rows = 0

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
        self._schema = schema
        if make:
            self._writing = whole_folder(self.path, kind=KIND)
            self._written = self._writing.__enter__()
            self.form.begin(self._written, schema)

    def upsert(self, table: pa.Table) -> None:
        """Write rows; they are there when :meth:`finish` returns."""
        with explained(self.path):
            self.form.add(table)
        self._rows += table.num_rows

    def finish(self) -> None:
        """Put the folder in its place."""
        assert self._written is not None and self._writing is not None and self._schema is not None
        with explained(self.path):
            self.form.end()
        files = {file.name: sha256(file) for file in sorted(self._written.iterdir())}
        facts = {"engine": self.engine, "name": self.name, "rows": self._rows, "files": files}
        write_json(self._written / MANIFEST, {**facts, "schema": self._schema.described()})
        writing, self._writing = self._writing, None
        writing.__exit__(None, None, None)

    def count(self) -> int:
        """Rows of the export."""
        return int(read_json(self.path / MANIFEST)["rows"])

    def search(self, queries: NDArray[Any], k: int, *, languages: Sequence[str] | None = None) -> list[list[str]]:
        """Exact, over what is read back."""
        return exact_search(self._tables(), queries, k, languages=languages)

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """The payload of each of these ids that is there."""
        assert self._schema is not None
        found = {}
        for table in self._tables():
            chosen = table.filter(pc.is_in(table["id"], pa.array(ids, pa.string())))
            for row in chosen.select(["id", *self._schema.payload]).to_pylist():
                found[row.pop("id")] = row
        return found

    def close(self) -> None:
        """Remove what was not finished."""
        writing, self._writing = self._writing, None
        if writing is not None:
            with suppress(OSError):  # of a full disk
                self.form.end()
            given_up = InputError(f"{self.path} was not written")
            writing.__exit__(InputError, given_up, None)

    def _tables(self) -> Iterator[pa.Table]:
        assert self._schema is not None
        for name, expected in read_json(self.path / MANIFEST)["files"].items():
            path = existing_file(self.path / Path(name).name)
            if sha256(path) != expected:
                raise InputError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}; export again")
        yield from self.form.read(self.path, self._schema)

"""A folder of vectors in parts: what ``align encode`` writes, and index, export and mining read.

    manifest.json             written first: format, encoder, dimension, dtype, and whatever else made the vectors;
                              with ``complete`` true, and every part's rows and SHA-256, once the last part is there
    part-00000.parquet        a row for each text: id, text_sha256, language, script, vector; by choice text, any
                              columns of the user's own, all of them text, and a sparse vector (``sparse``)
    part-00000.json           written after its part: rows, SHA-256 of the part and of its rejects, the encoder's
    rejects/part-00000.jsonl  rows that could not be encoded: file, line, reason

A part is there whole or not at all, and counts only while its ``.json`` agrees with it: whoever writes (one process,
several, several machines) may stop at any time, and what is missing is written by the next run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError, one_line
from align.files.intact import inside
from align.files.whole import existing_file, read_json, sha256
from align.similarity.cosine import matrix
from align.text.hashing import text_sha256
from align.text.surrogates import well_formed
from align.vectors.sparse import SPARSE, sparse_columns

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FORMAT = "align-vectors/1"
MANIFEST = "manifest.json"
DTYPES = ("float32", "float16")
OWN = ("id", "text_sha256", "language", "script", "text", "vector", *SPARSE)
"""Columns that Align writes; those of users have other names."""


@dataclass(frozen=True)
class Described:
    """A folder whose manifest says what is in it."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def rows(self) -> int:
        """How many."""
        return int(self.manifest["rows"])

    @property
    def dimension(self) -> int:
        """Dimensions of a vector."""
        return int(self.manifest["dimension"])

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the user's own."""
        return tuple(self.manifest.get("columns", ()))

    @property
    def encoder(self) -> Mapping[str, Any]:
        """What made the vectors: :meth:`align.encoders.encoder.Encoder.identity`, and a romaniser if there was one."""
        encoder: Mapping[str, Any] = self.manifest["encoder"]
        return encoder


class Vectors(Described):
    """A complete folder of vectors, opened; nothing of it is in memory. Build one with :func:`open_vectors`."""

    def tables(
        self, columns: Sequence[str] | None = None, *, rows: int = 16_384, verify: bool = True
    ) -> Iterator[pa.Table]:
        """The rows in order, at most ``rows`` at a time.

        Args:
            columns: those to read; ``None``: all that are there.
            rows: of one table.
            verify: compare the SHA-256 of each part with the manifest before it is read.

        Raises:
            InputError: a part is missing, damaged, cut short or of other columns; its path is named.
        """
        for entry in self.manifest["parts"]:
            path = self._part(entry, verify=verify)
            try:
                with pq.ParquetFile(path) as file:
                    known = [name for name in columns if name in file.schema_arrow.names] if columns else None
                    for batch in file.iter_batches(batch_size=rows, columns=known):
                        yield pa.Table.from_batches([batch])
            except (pa.ArrowException, OSError) as error:
                raise InputError(f"{path} is damaged: {one_line(error)}") from error

    def part(self, number: int) -> pa.Table:
        """All rows of one part, whose SHA-256 is not compared; of a part without rows, its columns."""
        entry = self.manifest["parts"][number]
        one = replace(self, manifest={**self.manifest, "parts": [entry]})
        tables = list(one.tables(rows=max(1, entry["rows"]), verify=False))
        return pa.concat_tables(tables) if tables else pq.read_schema(inside(self.folder, entry["name"])).empty_table()

    def check(self) -> None:
        """Compare the SHA-256 of every part with the manifest.

        Raises:
            InputError: a part is missing or damaged; its path is named.
        """
        for entry in self.manifest["parts"]:
            self._part(entry, verify=True)

    def _part(self, entry: Mapping[str, Any], *, verify: bool) -> Path:
        path = existing_file(inside(self.folder, entry["name"]))
        if verify and sha256(path) != entry["sha256"]:
            raise InputError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}; encode it again")
        return path


def vectors_of(table: pa.Table) -> NDArray[Any]:
    """(rows, dimensions) vectors of a table, without a copy where it has one chunk."""
    column = table.column("vector").combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    flat: NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), column.type.list_size)


def vector_column(vectors: NDArray[Any]) -> pa.Array:
    """(rows, dimensions) as the column of a table."""
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def vector_table(
    ids: Sequence[str],
    vectors: ArrayLike,
    *,
    texts: Sequence[str],
    languages: Sequence[str] | None = None,
    scripts: Sequence[str] | None = None,
    store_texts: bool = True,
    columns: Mapping[str, Sequence[str]] | None = None,
    sparse: csr_array | None = None,
) -> pa.Table:
    """A table of the columns of a part; arguments as of :func:`align.vectors.writing.save_vectors`.

    Raises:
        InputError: numbers of rows that differ, a vector that holds NaN or Inf, or as :func:`check_names`.
    """
    own = dict(columns or {})
    check_names(own)
    rows = matrix(vectors)
    with np.errstate(over="ignore"):
        rows = rows if rows.dtype == np.float16 else rows.astype(np.float32, copy=False)
    given = {"ids": ids, "texts": texts, "languages": languages, "scripts": scripts}
    given |= {f"values of {name!r}": values for name, values in own.items()}
    lengths = {what: len(values) for what, values in given.items() if values is not None}
    if sparse is not None:
        lengths["sparse vectors"] = sparse.shape[0]
    for what, number in lengths.items():
        if number != len(rows):
            raise InputError(f"{len(rows)} vectors but {number} {what}: expected one for each row")
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise InputError(f"the vector of id {ids[bad[0]]!r} holds NaN or Inf; expected finite numbers")
    unknown = [""] * len(rows)
    made = {
        "id": pa.array(ids, pa.string()),
        "text_sha256": pa.array([text_sha256(text) for text in texts], pa.string()),
        "language": pa.array(languages or unknown, pa.string()),
        "script": pa.array(scripts or unknown, pa.string()),
    }
    if store_texts:
        made["text"] = pa.array([well_formed(text) for text in texts], pa.string())
    made |= {name: pa.array(map(well_formed, values), pa.string()) for name, values in own.items()}
    made["vector"] = vector_column(rows)
    if sparse is not None:
        made |= zip(SPARSE, sparse_columns(sparse), strict=True)
    return pa.table(made)


def check_names(names: Iterable[str]) -> None:
    """Refuse a column of the user's own that not every engine can have.

    Raises:
        InputError: its name is one of ``OWN``, or has anything but letters a to z, digits and _.
    """
    for name in names:
        if name.lower() in OWN:
            raise InputError(f"a column of one's own cannot be called {name!r}: Align writes {', '.join(OWN)} itself")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,49}", name):
            raise InputError(
                f"column {name!r}: every engine takes names of up to 50 letters a to z, digits and _, a letter first; "
                f"give it another, such as domain={name}"
            )


def open_vectors(folder: Path | str) -> Vectors:
    """Open a complete folder of vectors; its parts are checked when they are read.

    Raises:
        InputError: not such a folder, or one whose encoding was not finished.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if not manifest["complete"]:
        raise InputError(f"{folder} is not complete: run the same align encode again, which goes on where it stopped")
    return Vectors(folder, manifest)


def read_manifest(folder: Path) -> dict[str, Any]:
    """What stands in the manifest of a folder of vectors, complete or not.

    Raises:
        InputError: not such a folder.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} is no folder of vectors: it has no {MANIFEST}; expected what align encode writes")
    manifest = read_json(path)
    fields = {"format", "complete", "encoder", "dimension", "dtype"}
    if not (isinstance(manifest, dict) and fields <= manifest.keys() and manifest["format"] == FORMAT):
        raise InputError(f"{path} is not the manifest of a folder of vectors ({FORMAT})")
    return manifest


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """A description as JSON reads it back: what two of them are compared as.

    Raises:
        InputError: it holds what JSON does not know.
    """
    try:
        made: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"the description is not JSON: {error}") from error
    return made

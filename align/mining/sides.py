"""One side of what is mined: its rows without copies, and the ids and texts of the rows that were found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.files.whole import whole_file
from align.similarity.cosine import matrix
from align.vectors.folder import Vectors, vectors_of
from align.vectors.shifted import read_vectors

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """A folder of vectors, or an array. Of the copies of a text only the first counts; an array has no copies."""

    given: Vectors | NDArray[Any]

    @property
    def name(self) -> str:
        """For an error."""
        return str(self.given.folder) if isinstance(self.given, Vectors) else "the array"

    @property
    def rows(self) -> int:
        """Copies included."""
        return len(self.code)

    @cached_property
    def code(self) -> Ints:
        """(rows,) number of each row's text, in the order in which texts first appear."""
        if not isinstance(self.given, Vectors):
            return np.arange(len(self.given))
        tables = list(self.given.tables(["text_sha256"]))
        if not tables:
            return np.empty(0, dtype=np.int64)
        hashes = pa.concat_tables(tables).column("text_sha256").cast(pa.large_string()).combine_chunks()
        code: Ints = hashes.dictionary_encode().indices.to_numpy().astype(np.int64)
        return code

    @cached_property
    def first(self) -> Ints:
        """(texts,) the row that stands for each text."""
        return np.unique(self.code, return_index=True)[1]

    @property
    def dtype(self) -> str:
        """Of the vectors."""
        return str(self.given.manifest["dtype"] if isinstance(self.given, Vectors) else self.given.dtype)

    @property
    def copies(self) -> int:
        """Rows whose text an earlier row has."""
        return self.rows - len(self.first)

    def unique_rows(self, path: Path) -> NDArray[Any]:
        """(texts, d) vectors, memory-mapped from ``path``, which is written; an array is given back as it is.

        Raises:
            InputError: a damaged folder, or a full disk (a sparse map of a full disk would end the process instead).
        """
        if not isinstance(self.given, Vectors):
            return self.given
        dtype = np.dtype(self.given.manifest["dtype"])
        shape = (len(self.first), self.given.dimension)
        stands = np.zeros(self.rows, dtype=bool)
        stands[self.first] = True
        with whole_file(path) as temporary, open(temporary, "wb") as file:
            for start, table in self._tables(["vector"]):
                file.write(np.ascontiguousarray(vectors_of(table)[stands[start : start + len(table)]]).data)
        return np.memmap(path, dtype=dtype, mode="r", shape=shape) if all(shape) else np.empty(shape, dtype)

    def fields(self, rows: Ints) -> tuple[pa.Array, pa.Array | None]:
        """Ids of ``rows`` (no two equal), in their order, and their texts if the folder stores them."""
        order = np.argsort(rows)
        wanted, found = rows[order], []
        for start, table in self._tables(["id", "text"]):
            low, high = np.searchsorted(wanted, (start, start + len(table)))
            found.append(table.take(wanted[low:high] - start))
        if not found:
            return pa.array([], pa.string()), None
        table = pa.concat_tables(found).take(np.argsort(order))
        return table["id"], table["text"] if "text" in table.column_names else None

    def codes_of(self, ids: Iterable[str]) -> dict[str, int]:
        """The text number of each id that there is."""
        wanted, found = pa.array(sorted(set(ids)), pa.string()), {}
        for start, table in self._tables(["id"]):
            column = table["id"]
            for row in np.flatnonzero(pc.is_in(column, value_set=wanted).to_numpy()).tolist():
                found[column[row].as_py()] = int(self.code[start + row])
        return found

    def _tables(self, columns: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        """The rows in order, and the number of the first of each table; the ids of an array are its rows."""
        if isinstance(self.given, Vectors):
            tables = self.given.tables(columns, verify=False)  # the hashes were read, and with them checked
        else:
            tables = iter([pa.table({"id": pa.array(self.code).cast(pa.string())})])
        start = 0
        for table in tables:
            yield start, table
            start += len(table)


def side(given: Vectors | Path | str | ArrayLike, offsets: Path | str | None = None) -> Side:
    """A folder, opened or by its path and without its offsets if some are given, or an (n, d) array.

    Raises:
        InputError: neither, an array with offsets, or as :func:`align.vectors.shifted.read_vectors`.
    """
    if isinstance(given, (str, Path, Vectors)):
        return Side(read_vectors(given, offsets))
    if offsets is not None:
        raise InputError("offsets are of languages, which an array does not know: expected folders of vectors")
    return Side(matrix(given))

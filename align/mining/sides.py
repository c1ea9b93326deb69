"""One side of what is mined: its rows without copies, and the ids and texts of the rows that were found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from align.files.whole import whole_file
from align.similarity.cosine import matrix
from align.vectors.folder import Vectors, open_vectors, vectors_of

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """A folder of vectors, or an array. Of the copies of a text only the first counts; an array has no copies."""

    vectors: Vectors | None
    array: NDArray[Any] | None = None

    @property
    def name(self) -> str:
        """For an error."""
        return str(self.vectors.folder) if self.vectors else "the array"

    @cached_property
    def rows(self) -> int:
        """Copies included."""
        return len(self.code)

    @cached_property
    def code(self) -> Ints:
        """(rows,) number of each row's text, in the order in which texts first appear."""
        if self.vectors is None:
            return np.arange(len(self._array))
        tables = list(self.vectors.tables(["text_sha256"]))
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
    def copies(self) -> int:
        """Rows whose text an earlier row has."""
        return self.rows - len(self.first)

    @property
    def _array(self) -> NDArray[Any]:
        assert self.array is not None
        return self.array

    def unique_rows(self, path: Path) -> NDArray[Any]:
        """(texts, d) vectors, memory-mapped from ``path``, which is written; an array is given back as it is.

        Raises:
            InputError: a damaged folder, or a full disk (a sparse map of a full disk would end the process instead).
        """
        if self.vectors is None:
            return self._array
        dtype = np.dtype(self.vectors.manifest["dtype"])
        shape, start = (len(self.first), self.vectors.dimension), 0
        stands = np.zeros(self.rows, dtype=bool)
        stands[self.first] = True
        with whole_file(path) as temporary, open(temporary, "wb") as file:
            for table in self.vectors.tables(["vector"], verify=False):  # the hashes were read, and with them checked
                file.write(np.ascontiguousarray(vectors_of(table)[stands[start : start + len(table)]]).data)
                start += len(table)
        return np.memmap(path, dtype=dtype, mode="r", shape=shape) if all(shape) else np.empty(shape, dtype)

    def fields(self, rows: Ints) -> tuple[pa.Array, pa.Array | None]:
        """Ids of ``rows`` (no two equal), in their order, and their texts if the folder stores them."""
        if self.vectors is None:
            return pa.array([str(row) for row in rows.tolist()], pa.string()), None
        order = np.argsort(rows)
        wanted, start, found = rows[order], 0, []
        for table in self.vectors.tables(["id", "text"], verify=False):
            low, high = np.searchsorted(wanted, (start, start + len(table)))
            found.append(table.take(wanted[low:high] - start))
            start += len(table)
        if not found:
            return pa.array([], pa.string()), None
        table = pa.concat_tables(found).take(np.argsort(order))
        return table["id"], table["text"] if "text" in table.column_names else None

    def codes_of(self, ids: Iterable[str]) -> dict[str, int]:
        """The text number of each id that there is."""
        wanted, start, found = pa.array(sorted(set(ids)), pa.string()), 0, {}
        if self.vectors is None:
            rows_by_id = {str(row): row for row in range(self.rows)}
            return {name: rows_by_id[name] for name in wanted.to_pylist() if name in rows_by_id}
        for table in self.vectors.tables(["id"], verify=False):
            column = table["id"]
            for row in np.flatnonzero(pc.is_in(column, value_set=wanted).to_numpy()).tolist():
                found[column[row].as_py()] = int(self.code[start + row])
            start += len(table)
        return found


def side(given: Vectors | Path | str | ArrayLike) -> Side:
    """A folder, opened or by its path, or an (n, d) array.

    Raises:
        InputError: neither.
    """
    if isinstance(given, (str, Path)):
        given = open_vectors(Path(given))
    return Side(given) if isinstance(given, Vectors) else Side(None, matrix(given))

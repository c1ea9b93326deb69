"""What stands beside the vectors of an index: id, text hash, language, script, by choice text, and own columns.

They lie in an uncompressed Arrow file that is mapped into memory: reading a few rows reads a few pages. A folder of
vectors that was not indexed gives the same from its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError, one_line, there_are
from align.vectors.folder import Vectors

COLUMNS = ("id", "text_sha256", "language", "script", "text")
LABELS = ("language", "script")

Write = Callable[[pa.Table], None]
Where = Mapping[str, Sequence[str]]
"""Of each column that it names, the values that a row may have."""


Labels = tuple[NDArray[np.int32], dict[str, int]]
"""The code of each row, and the code of each value."""


@dataclass(frozen=True)
class Rows:
    """The rows of an index. Build one with :func:`open_rows` or :func:`rows_of_vectors`."""

    tables: Callable[[Sequence[str]], Iterable[pa.Table]]
    """The named columns (those that are there) of all rows in order, in tables of bounded size."""
    own: tuple[str, ...] = ()
    """Columns of the user's own."""
    read: dict[str, Labels] = field(default_factory=dict, compare=False, repr=False)
    """Columns that were read to filter by."""

    def take(self, numbers: ArrayLike, columns: Sequence[str] = COLUMNS) -> list[dict[str, Any]]:
        """The columns of some rows, as a dictionary for each number, in their order; an empty one for -1.

        Args:
            numbers: any shape, read row by row; 0 to rows - 1, or -1.
            columns: of ``COLUMNS`` and :attr:`own`; one that the index does not have is absent.
        """
        wanted = np.asarray(numbers, dtype=np.int64).ravel()
        order = np.argsort(wanted, kind="stable")
        rising = wanted[order]
        found: list[dict[str, Any]] = [{} for _ in wanted]
        start = 0
        for table in self.tables(columns):
            here = slice(*np.searchsorted(rising, [start, start + table.num_rows]))
            if here.stop > here.start:
                rows = table.take(pa.array(rising[here] - start)).to_pylist()
                for place, row in zip(order[here], rows, strict=True):
                    found[place] = row
            start += table.num_rows
        return found

    def chosen(self, where: Where) -> NDArray[np.bool_] | None:
        """(rows,) whether a row has, in each of these columns, one of the values; ``None``: there is no column.

        Raises:
            InputError: no row has such a value, or there is no such column; the known ones are listed.
        """
        chosen = None
        for column, wanted in where.items():
            if column not in (*LABELS, *self.own):
                raise InputError(
                    f"no column {column!r} to filter by: there are {there_are(column, (*LABELS, *self.own))}"
                )
            codes, names = self._labels(column)
            same = np.isin(codes, [_code(name, names, column) for name in wanted])
            chosen = same if chosen is None else chosen & same
        return chosen

    def counts(self, column: str) -> dict[str, int]:
        """How many rows each value of a column has, the rarest first; "": not known."""
        codes, names = self._labels(column)
        counts = np.bincount(codes, minlength=len(names)).tolist()
        return dict(sorted(zip(names, counts, strict=True), key=lambda pair: (pair[1], pair[0])))

    def _labels(self, column: str) -> Labels:
        if column not in self.read:
            names: dict[str, int] = {}
            codes = [np.empty(0, dtype=np.int32)]
            for table in self.tables([column]):
                for chunk in table.column(column).chunks:
                    encoded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
                    code = [names.setdefault(name, len(names)) for name in encoded.dictionary.to_pylist()]
                    numbers = encoded.indices.to_numpy(zero_copy_only=False)
                    codes.append(np.array(code, dtype=np.int32)[numbers])
            self.read[column] = np.concatenate(codes), names
        return self.read[column]


def filters(languages: Sequence[str] | None, scripts: Sequence[str] | None, where: Where | None) -> Where:
    """One filter of those that a search has."""
    given = {"language": languages, "script": scripts, **(where or {})}
    return {column: values for column, values in given.items() if values is not None}


def open_rows(path: Path) -> Rows:
    """The rows of an Arrow file, mapped into memory.

    Raises:
        InputError: it is damaged, or holds other columns.
    """
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is damaged: {one_line(error)}") from error
    there = table.column_names
    own = tuple(name for name in there if name not in COLUMNS)
    if there not in ([*COLUMNS, *own], [*COLUMNS[:-1], *own]):
        raise InputError(f"{path} has the columns {', '.join(there)}: expected {', '.join(COLUMNS)} (text by choice)")

    def tables(columns: Sequence[str]) -> Iterator[pa.Table]:
        for batch in table.select([name for name in columns if name in there]).to_batches():
            yield pa.Table.from_batches([batch])

    return Rows(tables, own)


def rows_of_vectors(vectors: Vectors) -> Rows:
    """The rows of a folder of vectors, read from its parts whenever they are asked for; the parts are not verified."""
    return Rows(lambda columns: vectors.tables(columns, verify=False), vectors.columns)


@contextmanager
def writing_rows(path: Path, labels: Mapping[str, Iterable[str]], own: Sequence[str] = ()) -> Iterator[Write]:
    """Yield a function that adds a table of rows to an Arrow file, a batch for each.

    ``labels`` are all languages and scripts that will come, ``own`` the columns beside ``COLUMNS``.
    """
    dictionaries = {label: pa.array(sorted(names), pa.string()) for label, names in labels.items()}
    kinds = {label: pa.dictionary(pa.int32(), pa.string()) for label in LABELS}
    with ExitStack() as stack:
        file = stack.enter_context(pa.OSFile(str(path), "wb"))
        writer: pa.RecordBatchFileWriter | None = None

        def schema(*, texts: bool) -> pa.Schema:
            names = [name for name in (*COLUMNS, *own) if texts or name != "text"]
            return pa.schema([(name, kinds.get(name, pa.string())) for name in names])

        def write(table: pa.Table) -> None:
            nonlocal writer
            columns = schema(texts="text" in table.column_names)
            if writer is None:
                writer = stack.enter_context(pa.ipc.new_file(file, columns))
            arrays = {name: table.column(name).combine_chunks() for name in columns.names}
            for label, names in dictionaries.items():
                numbers = pc.index_in(arrays[label], value_set=names)
                arrays[label] = pa.DictionaryArray.from_arrays(numbers, names)
            writer.write_batch(pa.record_batch(list(arrays.values()), schema=columns))

        yield write
        if writer is None:
            stack.enter_context(pa.ipc.new_file(file, schema(texts=False)))


def _code(name: str, names: dict[str, int], label: str) -> int:
    if name not in names:
        known = there_are(name, sorted(filter(None, names)))
        raise InputError(f"no row of the index is of {label} {name!r}: known are {known}")
    return names[name]

"""What stands beside the vectors of an index: id, text hash, language, script and, by choice, text of every row.

They lie in an uncompressed Arrow file that is mapped into memory: reading a few rows reads a few pages. A folder of
vectors that was not indexed gives the same from its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.vectors.folder import Vectors

COLUMNS = ("id", "text_sha256", "language", "script", "text")
LABELS = ("language", "script")
SHOWN = 30
"""Known languages that an error lists."""

Write = Callable[[pa.Table], None]


@dataclass(frozen=True)
class Rows:
    """The rows of an index. Build one with :func:`open_rows` or :func:`rows_of_vectors`."""

    tables: Callable[[Sequence[str]], Iterable[pa.Table]]
    """The named columns (those that are there) of all rows in order, in tables of bounded size."""

    def take(self, numbers: ArrayLike, columns: Sequence[str] = COLUMNS) -> list[dict[str, Any]]:
        """The columns of some rows, as a dictionary for each number, in their order; an empty one for -1.

        Args:
            numbers: any shape, read row by row; 0 to rows - 1, or -1.
            columns: of ``COLUMNS``; one that the index does not have is absent.
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

    def chosen(
        self, *, languages: Sequence[str] | None = None, scripts: Sequence[str] | None = None
    ) -> NDArray[np.bool_] | None:
        """(rows,) whether a row is of one of the languages and of one of the scripts; ``None``: no filter was given.

        Raises:
            InputError: no row is of such a language or script; the known ones are listed.
        """
        chosen = None
        for label, wanted in zip(LABELS, (languages, scripts), strict=True):
            if wanted is not None:
                codes, names = self._labels[label]
                same = np.isin(codes, [_code(name, names, label) for name in wanted])
                chosen = same if chosen is None else chosen & same
        return chosen

    def languages(self) -> dict[str, int]:
        """How many rows each language has, the rarest first; "": not known."""
        codes, names = self._labels["language"]
        counts = np.bincount(codes, minlength=len(names)).tolist()
        return dict(sorted(zip(names, counts, strict=True), key=lambda pair: (pair[1], pair[0])))

    @cached_property
    def _labels(self) -> dict[str, tuple[NDArray[np.int32], dict[str, int]]]:
        """For language and script: the code of each row, and the code of each name."""
        names: dict[str, dict[str, int]] = {label: {} for label in LABELS}
        codes: dict[str, list[NDArray[np.int32]]] = {label: [np.empty(0, dtype=np.int32)] for label in LABELS}
        for table in self.tables(LABELS):
            for label in LABELS:
                for chunk in table.column(label).chunks:
                    encoded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
                    known = names[label]
                    code = [known.setdefault(name, len(known)) for name in encoded.dictionary.to_pylist()]
                    numbers = encoded.indices.to_numpy(zero_copy_only=False)
                    codes[label].append(np.array(code, dtype=np.int32)[numbers])
        return {label: (np.concatenate(codes[label]), names[label]) for label in LABELS}


def open_rows(path: Path) -> Rows:
    """The rows of an Arrow file, mapped into memory.

    Raises:
        InputError: it is damaged, or holds other columns.
    """
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is damaged: {error}") from error
    there = table.column_names
    if there not in ([*COLUMNS], [*COLUMNS[:-1]]):
        raise InputError(f"{path} has the columns {', '.join(there)}: expected {', '.join(COLUMNS)} (text by choice)")

    def tables(columns: Sequence[str]) -> Iterator[pa.Table]:
        for batch in table.select([name for name in columns if name in there]).to_batches():
            yield pa.Table.from_batches([batch])

    return Rows(tables)


def rows_of_vectors(vectors: Vectors) -> Rows:
    """The rows of a folder of vectors, read from its parts whenever they are asked for; the parts are not verified."""
    return Rows(lambda columns: vectors.tables(columns, verify=False))


@contextmanager
def writing_rows(path: Path, labels: Mapping[str, Iterable[str]]) -> Iterator[Write]:
    """Yield a function that adds a table of rows to an Arrow file, a batch for each; ``labels``: all that will come."""
    dictionaries = {label: pa.array(sorted(names), pa.string()) for label, names in labels.items()}
    kinds = {label: pa.dictionary(pa.int32(), pa.string()) for label in LABELS}
    with ExitStack() as stack:
        file = stack.enter_context(pa.OSFile(str(path), "wb"))
        writer: pa.RecordBatchFileWriter | None = None

        def schema(*, texts: bool) -> pa.Schema:
            return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS if texts or name != "text"])

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
        known = sorted(filter(None, names))
        more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
        listed = f"{', '.join(known[:SHOWN])}{more}" if known else "none"
        raise InputError(f"no row of the index is of {label} {name!r}: known are {listed}")
    return names[name]

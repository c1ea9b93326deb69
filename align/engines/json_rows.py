"""Rows as lines of JSON: numbers with all the digits that float32 has, files of bounded size."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from align.vectors.folder import vector_column
from align.vectors.sparse import SPARSE


def json_vectors(table: pa.Table) -> list[str]:
    """``[0.125,-1e-7]`` of each row: the shortest decimals that read as the same float32 again."""
    column = table["vector"].combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    words = pc.cast(pc.cast(column.flatten(), pa.float32()), pa.string())
    ends = pa.array(np.arange(len(column) + 1, dtype=np.int64) * column.type.list_size)
    joined = pc.binary_join(pa.LargeListArray.from_arrays(ends, words), ",")
    return [f"[{row}]" for row in joined.to_pylist()]


def json_weights(table: pa.Table) -> list[str]:
    """``{"12":0.125}`` of each row: its terms by their numbers, and the decimals as of :func:`json_vectors`."""
    terms, weights = (table[name].combine_chunks() for name in SPARSE)
    numbers, decimals = (pc.cast(column.flatten(), pa.string()) for column in (terms, weights))
    pairs = pc.binary_join_element_wise('"', numbers, '":', decimals, "")
    ends = pa.array(np.append(0, np.cumsum(terms.value_lengths().to_numpy(zero_copy_only=False))), pa.int64())
    return [f"{{{row}}}" for row in pc.binary_join(pa.LargeListArray.from_arrays(ends, pairs), ",").to_pylist()]


def fields(table: pa.Table, vector: str = '"vector":{}', sparse: str = '"sparse":{}') -> Iterator[tuple[str, str]]:
    """Id and JSON object of each row: id, payload, the vector as ``vector`` has it, and a sparse one as ``sparse``."""
    own = ["vector", *(name for name in SPARSE if name in table.column_names)]
    kinds = [(vector, json_vectors(table))] + ([(sparse, json_weights(table))] if len(own) > 1 else [])
    for number, row in enumerate(table.drop_columns(own).to_pylist()):
        made = ", ".join(form.replace("{}", values[number]) for form, values in kinds)
        yield row["id"], f"{json.dumps(row, ensure_ascii=False)[:-1]}, {made}}}"


def table_of(rows: Sequence[dict[str, Any]], vectors: Sequence[Sequence[float]], dtype: str) -> pa.Table:
    """What :func:`fields` was made from; a sparse vector is still in its row."""
    sparse = [row.pop("sparse") for row in rows if "sparse" in row]
    table = pa.Table.from_pylist(list(rows)).append_column("vector", vector_column(np.array(vectors, dtype=dtype)))
    if sparse:
        terms = [list(map(int, weights)) for weights in sparse]
        table = table.append_column(SPARSE[0], pa.array(terms, pa.list_(pa.int32())))
        weights = [list(weights.values()) for weights in sparse]
        table = table.append_column(SPARSE[1], pa.array(weights, pa.list_(pa.float32())))
    return table


@contextmanager
def bounded_files(folder: Path, name: str, ending: str, most: int) -> Iterator[Callable[[str], None]]:
    """Files ``NAME-00000.ENDING`` of at most so many bytes; an entry, written whole to one, may be larger than that."""
    number = size = 0
    file: IO[bytes]
    with ExitStack() as open_file:

        def write(entry: str) -> None:
            nonlocal number, size, file
            data = entry.encode("utf-8")
            if not number or size + len(data) > most:
                open_file.close()
                file = open_file.enter_context(open(folder / f"{name}-{number:05d}.{ending}", "wb"))
                number, size = number + 1, 0
            file.write(data)
            size += len(data)

        yield write

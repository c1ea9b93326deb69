"""Sparse vectors on their way to an engine, and the exact search that its answers are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from align.engines.target import Where
from align.errors import InputError
from align.similarity.nearest import keep_best, neighbours_of, no_keys
from align.vectors.sparse import SPARSE, sparse_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def term_weights(rows: csr_array) -> list[dict[int, float]]:
    """Rows as ``{number of a term: weight}``."""
    ends = zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
    return [dict(zip(rows.indices[a:b].tolist(), rows.data[a:b].tolist(), strict=True)) for a, b in ends]


def check_weights(table: pa.Table, engine: str, *, most: int | None = None) -> None:
    """Refuse rows of terms that an engine cannot hold.

    Args:
        table: with the columns of sparse vectors.
        engine: in words.
        most: terms of a row; ``None``: any number, but weights above 0 alone.

    Raises:
        InputError: the id of the first such row.
    """
    weights = table[SPARSE[1]].combine_chunks()
    counts = weights.value_lengths().to_numpy(zero_copy_only=False)
    if most is not None:
        if len(over := np.flatnonzero(counts > most)):
            key, found = table["id"][int(over[0])].as_py(), counts[over[0]]
            raise InputError(f"{engine} takes at most {most:,} terms of a row, but id {key!r} has {found:,}")
    elif len(low := np.flatnonzero(weights.flatten().to_numpy() <= 0)):
        key = table["id"][int(np.searchsorted(np.cumsum(counts), low[0], side="right"))].as_py()
        raise InputError(f"{engine} takes sparse weights above 0, but id {key!r} has {weights.flatten()[low[0]]}")


def products(queries: csr_array, table: pa.Table) -> NDArray[np.float32]:
    """(n, rows) inner products of queries with the sparse vectors of a table."""
    scores: NDArray[np.float32] = (queries @ sparse_of(table, queries.shape[1]).T).toarray()
    return np.ascontiguousarray(scores)


def exact_sparse(
    tables: Iterable[pa.Table], queries: csr_array, k: int, *, where: Where | None = None
) -> list[list[str]]:
    """The ids of the ``k`` rows of the highest inner product of tables that are read one after the other.

    A row counts only above 0. Of equal ones, to six decimals, the earlier row.
    """
    ids: list[str] = []
    best = no_keys(queries.shape[0], k)
    for table in tables:
        table = chosen(table, where)
        keep_best(best, products(queries, table), np.arange(len(ids), len(ids) + len(table)))
        ids += table["id"].to_pylist()
    scores, rows = neighbours_of(best)
    return [[ids[row] for row in of[score > 0]] for of, score in zip(rows, scores, strict=True)]


def chosen(table: pa.Table, where: Where | None) -> pa.Table:
    """The rows of a table that are asked for."""
    for column, values in (where or {}).items():
        table = table.filter(pc.is_in(table[column], pa.array(values, pa.string())))
    return table

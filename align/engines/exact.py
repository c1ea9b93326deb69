"""Exact search over tables that are read one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from align.similarity.nearest import top_k
from align.vectors.folder import vectors_of


def exact_search(
    tables: Iterable[pa.Table], queries: NDArray[Any], k: int, *, languages: Sequence[str] | None = None
) -> list[list[str]]:
    """The ids of the ``k`` nearest rows by cosine, best first; of equal ones the earlier row.

    Args:
        tables: with columns ``id``, ``vector`` and, to choose languages, ``language``.
        queries: (n, d).
        k: how many; all, where there are fewer.
        languages: only rows of these.
    """
    scores = np.empty((len(queries), 0), dtype=np.float32)
    ids = np.empty((len(queries), 0), dtype=object)
    for table in tables:
        if languages is not None:
            table = table.filter(pc.is_in(table["language"], pa.array(languages, pa.string())))
        if table.num_rows:
            here, rows = top_k(queries, vectors_of(table), k)
            names = table["id"].to_numpy()
            scores, ids = np.concatenate([scores, here], axis=1), np.concatenate([ids, names[rows]], axis=1)
            order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            scores, ids = np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)
    return [list(row) for row in ids]

"""Queries that were sent to an engine, and how its answers compare with the exact search over the folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from align.engines.send import unit_tables
from align.engines.target import Schema
from align.similarity.cosine import TIE_TOLERANCE, normalize
from align.similarity.nearest import top_k
from align.vectors.folder import Vectors, vectors_of

Floats = NDArray[np.float32]


@dataclass
class Ask:
    """Queries to the rows of one language (``None``: to all), how many rows that are, and the engine's answers."""

    language: str | None
    rows: int
    queries: Floats
    answers: list[list[str]] = field(default_factory=list)


def true_scores(source: Vectors, schema: Schema, asks: Sequence[Ask], k: int) -> list[tuple[Floats, Floats]]:
    """For each ask, the highest cosines of each query and the true cosines of the answers; one pass over the folder."""
    scores = [_Scores(ask, min(k, ask.rows)) for ask in asks]
    columns = ("id", "language", "vector")
    for table in unit_tables(source, schema, rows=16_384, columns=columns, verify=False):
        for one in scores:
            one.add(table)
    return [(one.best, one.rounded()) for one in scores]


class _Scores:
    """The highest cosines of an ask and the true cosines of its answers, so far; both (n, width), to six decimals.

    An answer that is not among the rows asked for, one that was given before, and one that is missing count as minus
    infinity.
    """

    def __init__(self, ask: Ask, width: int) -> None:
        self._ask, self._width = ask, width
        self.best = np.full((len(ask.queries), 0), -np.inf, dtype=np.float32)
        self.true = np.full((len(ask.queries), width), -np.inf, dtype=np.float32)
        self._places: dict[str, list[tuple[int, int]]] = {}
        for query, ids in enumerate(ask.answers):
            for place, key in enumerate(ids[:width]):
                if key not in ids[:place]:
                    self._places.setdefault(key, []).append((query, place))
        self._given = pa.array(list(self._places), pa.string())

    def add(self, table: pa.Table) -> None:
        """Look at more rows."""
        if self._ask.language is not None:
            table = table.filter(pc.equal(table["language"], self._ask.language))
        if not table.num_rows:
            return
        queries, candidates = self._ask.queries, vectors_of(table)
        here, _ = top_k(queries, candidates, self._width)
        self.best = -np.sort(-np.concatenate([self.best, here], axis=1), axis=1)[:, : self._width]
        rows = np.flatnonzero(pc.is_in(table["id"], self._given).to_numpy())
        if len(rows):
            unit = normalize(candidates[rows])
            for key, vector in zip(table["id"].take(rows).to_pylist(), unit, strict=True):
                at = np.array(self._places[key])
                self.true[at[:, 0], at[:, 1]] = queries[at[:, 0]] @ vector

    def rounded(self) -> Floats:
        """The true cosines."""
        rounded: Floats = (np.rint(self.true / TIE_TOLERANCE) * TIE_TOLERANCE).astype(np.float32)
        return rounded


def agreement(best: Floats, true: Floats, tolerance: float) -> tuple[int, float]:
    """Queries with an answer that is not right, and recall@k."""
    slack = tolerance + TIE_TOLERANCE / 2  # both are rounded to steps of TIE_TOLERANCE
    wrong = np.abs(true - best) > slack
    among = true >= best[:, -1:] - slack
    return int(wrong.any(axis=1).sum()), float(among.mean()) if among.size else 1.0

"""Does the engine answer as the exact search over the folder does?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from align.engines.agreement import Floats, agreement
from align.engines.opening import opened, shown
from align.engines.retry import again
from align.engines.send import RETRIES, held, schema_of, unit_tables
from align.engines.target import Schema
from align.engines.verify_sparse import verify_sparse
from align.errors import InputError
from align.indexes.rows import rows_of_vectors
from align.similarity.cosine import TIE_TOLERANCE, normalize
from align.similarity.nearest import top_k
from align.vectors.folder import Vectors, open_vectors, vectors_of

TOLERANCE = {"float32": TIE_TOLERANCE, "float16": 2.0**-11}
"""Cosines that differ by no more may come in either order. Both sides see the same stored vectors and, of float16, the
same rounded queries; what is left is the order of a float32 sum, and of float16 that a rounded vector's length is off 1
by up to 2^-11, which an engine that takes the inner product for the cosine does not divide by."""

log = logging.getLogger(__name__)

SAMPLE = 100
"""Rows whose payloads are compared."""
QUERIES_A_CALL = 100
RAREST = 3
"""Languages, the rarest, for whose rows alone the engine is asked too."""
FILTERED_QUERIES = 100
"""Queries to each of them, at the most."""


def verify_export(
    vectors: Vectors | Path | str,
    engine: str,
    to: str,
    *,
    name: str = "align",
    queries: int | ArrayLike = 1000,
    k: int = 10,
    recall: float = 0.99,
    seed: int = 0,
    retries: int = RETRIES,
    **options: Any,
) -> dict[str, Any]:
    """Send the same queries to an engine and to the exact search, and compare.

    An answer at place i is right if its true cosine is the i-th highest, within :data:`TOLERANCE`: near-ties may swap.
    An engine whose search is exact must be right everywhere; of others recall@k counts, the share of answers (each id
    once) whose true cosine is among the k highest, within the same tolerance. Some of the queries are asked again for
    rows of one language alone, of each of the rarest, and for those with one value of a column of the user's own, and
    judged in the same way.

    Args:
        vectors: what was exported.
        engine: one of :func:`align.engines.registry.engines`.
        to: where it was exported to.
        name: of the collection.
        queries: how many, each the weighted mean of two random rows (weights w and 1 - w, w from 0.55 to 0.9: equal
            weights would make both a tie); or (n, d) vectors of the user's own, of the same encoder.
        k: answers of each query.
        recall: the least recall@k of an engine that is not exact.
        seed: of the queries and of the sample of payloads.
        retries: as :func:`align.engines.send.export`.
        options: of the engine.

    Returns:
        ``passed``, and what decided: ``exact`` (the engine's word), ``queries``, ``k``, ``recall``, ``least_recall``,
        ``wrong_queries`` (with an answer that is not right), ``tolerance``, ``rows``, ``count`` (of the engine, which
        must have at least ``rows``), ``unknown_ids`` (answers that are not in ``vectors``), ``payloads`` compared,
        ``wrong_payloads`` (ids), and ``filtered``: ``column``, ``value``, how many ``rows`` have it, ``queries``,
        ``recall`` and ``wrong_queries`` of each filter; none of a column where all rows have one value. Of a
        collection that has sparse vectors also ``sparse`` and ``hybrid``, as
        :func:`align.engines.verify_sparse.verify_sparse` gives them.

    Raises:
        InputError: as :func:`align.engines.send.export`; the collection is not there; or queries of
            another width, or all zeros.
    """
    source = vectors if isinstance(vectors, Vectors) else open_vectors(vectors)
    if k < 1 or not 0 <= recall <= 1:
        raise InputError(f"expected k from 1 and a recall from 0 to 1, got {k} and {recall}")
    if not source.rows:
        raise InputError(f"{source.folder} has no rows: there is nothing to verify")
    schema = schema_of(source, name)
    asked, sample = _drawn(source, schema, queries, np.random.default_rng(seed))
    call: Any = partial(again, retries=retries, where=f"{engine} at {shown(to)}")
    with opened(engine, to, name, options) as target:
        schema = held(schema, target, f"{engine} at {shown(to)}")
        call(target.prepare, schema, make=False)
        exact, count = target.exact, call(target.count)
        asks = [Ask(None, source.rows, asked)]
        asks += [Ask(where, rows, asked[:FILTERED_QUERIES]) for where, rows in _filters(source, sample)]
        for ask in asks:
            where = None if ask.where is None else {ask.where[0]: [ask.where[1]]}
            search = partial(target.search, k=k, where=where)
            for start in range(0, len(ask.queries), QUERIES_A_CALL):
                ask.answers += call(search, ask.queries[start : start + QUERIES_A_CALL])
        found = call(target.payloads, list(sample))
        lexical = verify_sparse(source, schema, target, asked, k, call, seed) if schema.sparse else {}
    tolerance = TOLERANCE[schema.dtype]
    scores = true_scores(source, schema, asks, k)
    judged = [agreement(best, true, tolerance) for best, true in scores]
    right = all(wrong == 0 if exact else measured >= recall for wrong, measured in judged)
    for of in lexical.values():
        of["passed"] = of["recall"] >= recall and not (exact and of.get("wrong_queries"))
    right &= all(of["passed"] for of in lexical.values())
    (wrong, measured), *of_filters = judged
    filtered = [
        {"column": ask.where[0], "value": ask.where[1], "rows": ask.rows, "queries": len(ask.queries),
         "recall": round(share, 6), "wrong_queries": count}
        for ask, (count, share) in zip(asks[1:], of_filters, strict=True) if ask.where
    ]  # fmt: skip
    unlike = [key for key, payload in sample.items() if found.get(key) != payload]
    unknown = int(sum(len(set(row[:k])) for row in asks[0].answers) - np.isfinite(scores[0][1]).sum())
    return {
        "engine": engine, "to": shown(to), "name": name, "exact": exact, "queries": len(asked), "k": k,
        "recall": round(measured, 6), "least_recall": None if exact else recall, "wrong_queries": wrong,
        "tolerance": tolerance, "rows": source.rows, "count": count, "unknown_ids": unknown,
        "payloads": len(sample), "wrong_payloads": unlike, "filtered": filtered,
        **lexical, "passed": bool(right and count >= source.rows and not unlike),
    }  # fmt: skip


def _filters(source: Vectors, sample: Mapping[str, Mapping[str, str]]) -> list[tuple[tuple[str, str], int]]:
    """Column and value to filter by, and how many rows have it.

    They are the rarest languages, and of each column of the user's own, which may have as many values as rows, the
    rarest of a sample.
    """
    languages = rows_of_vectors(source).counts("language")
    named = [name for name in languages if name] if len(languages) > 1 else []
    chosen = [("language", name) for name in named[:RAREST]]
    for column in source.columns:
        drawn = Counter(row[column] for row in sample.values() if row[column])
        if len(drawn) > 1:
            chosen.append((column, min(drawn, key=lambda value: (drawn[value], value))))
    counts = Counter[tuple[str, str]]()
    for table in source.tables(list({column for column, _ in chosen}), verify=False) if chosen else ():
        counts.update({one: pc.sum(pc.equal(table[one[0]], one[1])).as_py() or 0 for one in chosen})
    return [(one, counts[one]) for one in chosen]


def _drawn(
    source: Vectors, schema: Schema, queries: int | ArrayLike, rng: np.random.Generator
) -> tuple[Floats, dict[str, Mapping[str, str]]]:
    """Unit queries, as the stored dtype knows them, and the payloads of some rows by id; one pass over the folder."""
    many = queries if isinstance(queries, int) else 0
    if isinstance(queries, int) and queries < 1:
        raise InputError(f"expected at least 1 query, got {queries}")
    pairs = rng.integers(source.rows, size=(many, 2))
    weights = rng.uniform(0.55, 0.9, size=(many, 1)).astype(np.float32)
    sampled = rng.choice(source.rows, size=min(SAMPLE, source.rows), replace=False)
    ends = np.empty((many, 2, source.dimension), dtype=np.float32)
    sample: dict[str, Mapping[str, str]] = {}
    first = 0
    for table in unit_tables(source, schema, rows=16_384):
        inside = (pairs >= first) & (pairs < first + table.num_rows)
        ends[inside] = vectors_of(table)[pairs[inside] - first]
        here = sampled[(sampled >= first) & (sampled < first + table.num_rows)] - first
        for row in table.select(["id", *schema.payload]).take(here).to_pylist():
            sample[row.pop("id")] = row
        first += table.num_rows
    if isinstance(queries, int):
        asked = weights * ends[:, 0] + (1 - weights) * ends[:, 1]
    else:
        asked = np.asarray(queries)
        if asked.ndim != 2 or asked.shape[1] != source.dimension or not len(asked):
            raise InputError(f"expected queries of shape (n, {source.dimension}), got {asked.shape}")
    unit = normalize(asked).astype(schema.dtype).astype(np.float32)
    blank = np.flatnonzero(~unit.any(axis=1))
    if len(blank) == len(unit) and not many:
        raise InputError(f"all {len(unit)} queries are zeros, and have no nearest row: there is nothing to compare")
    if len(blank):
        log.warning("%d of %d queries are zeros, have no nearest row, and are not asked", len(blank), len(unit))
    return np.delete(unit, blank, axis=0), sample


@dataclass
class Ask:
    """Queries to the rows with a value of a column (``None``: to all), how many those are, and the engine's answers."""

    where: tuple[str, str] | None
    rows: int
    queries: Floats
    answers: list[list[str]] = field(default_factory=list)


def true_scores(source: Vectors, schema: Schema, asks: Sequence[Ask], k: int) -> list[tuple[Floats, Floats]]:
    """For each ask, the highest cosines of each query and the true cosines of the answers; one pass over the folder."""
    scores = [_Scores(ask, min(k, ask.rows)) for ask in asks]
    columns = ("id", *{ask.where[0]: 0 for ask in asks if ask.where}, "vector")
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
        if self._ask.where:
            column, value = self._ask.where
            table = table.filter(pc.equal(table[column], value))
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

"""Does the engine answer by terms, and by both, as the exact search over the folder does?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from align.engines.agreement import Floats, agreement
from align.engines.send import unit_tables
from align.engines.sparse import products
from align.engines.target import Hybrid, Schema
from align.similarity.cosine import TIE_TOLERANCE, normalize
from align.similarity.fusion import DEPTH, RRF, fused_scores
from align.similarity.nearest import keep_best, neighbours_of, no_keys
from align.vectors.folder import Vectors, vectors_of
from align.vectors.sparse import SPARSE, sparse_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

A_PLACE = 1 / (RRF + 1) - 1 / (RRF + 2)
"""By how much a row's fused score may be off: near-ties may swap in either list, which moves a row by a place."""

BATCH = 100
"""Queries a call."""

Answers = list[list[str]]


def verify_sparse(
    source: Vectors, schema: Schema, target: Any, dense: Floats, k: int, call: Any, seed: int
) -> dict[str, dict[str, Any]]:
    """Ask an engine by terms and, where it fuses, by both, and compare.

    An answer by terms is right as one of :func:`align.engines.verify.verify_export` is. One by both is looked at by
    recall alone, also of an engine that is exact: where two rows are nearly equal to a query, either may come first in
    a list, and so may have the rank of the other.

    Args:
        source: what was exported.
        schema: of it.
        target: prepared.
        dense: (n, d) the queries of hybrid searches, beside those by terms, which are drawn.
        k: answers of each query.
        call: what calls the target, again if need be.
        seed: of the queries.

    Returns:
        ``sparse``: ``queries``, ``blank`` (those that have no term), ``recall`` and ``wrong_queries``; ``hybrid``:
        ``queries`` and ``recall``; without it, where the engine has no fusion.
    """
    sparse = drawn_sparse(source, schema, len(dense), np.random.default_rng(seed))
    answers = ask_sparse(target, dense, sparse, k, call, batch=BATCH)
    scores = scores_sparse(source, schema, dense, sparse, answers, k)
    best, true = scores["sparse"]
    wrong, recall = agreement(best, true, TIE_TOLERANCE * max(1.0, float(best.max(initial=0))))
    blank = int((np.diff(sparse.indptr) == 0).sum())
    found = {"sparse": {"queries": len(dense), "blank": blank, "recall": round(recall, 6), "wrong_queries": wrong}}
    if "hybrid" in scores:
        found["hybrid"] = {"queries": len(dense), "recall": round(agreement(*scores["hybrid"], A_PLACE)[1], 6)}
    return found


def drawn_sparse(source: Vectors, schema: Schema, count: int, rng: np.random.Generator) -> csr_array:
    """(count, terms) queries, each the weighted mean of two random rows, as :func:`verify_export` makes dense ones."""
    from scipy.sparse import csr_array, vstack

    pairs = rng.integers(source.rows, size=(count, 2))
    share = rng.uniform(0.55, 0.9, size=(count, 1)).astype(np.float32)
    rows, places = np.unique(pairs, return_inverse=True)
    found, first = [], 0
    for table in source.tables(SPARSE, verify=False):
        here = rows[(rows >= first) & (rows < first + len(table))] - first
        found.append(sparse_of(table, schema.sparse["terms"])[here])
        first += len(table)
    ends = vstack(found, format="csr")
    one, other = (ends[places.reshape(pairs.shape)[:, side]] for side in (0, 1))
    return csr_array(one.multiply(share) + other.multiply(1 - share), dtype=np.float32)


def ask_sparse(target: Any, dense: Floats, sparse: csr_array, k: int, call: Any, *, batch: int) -> dict[str, Answers]:
    """What an engine answers to ``sparse`` queries and, if it fuses, to ``hybrid`` ones: those and the dense ones."""
    answers: dict[str, Answers] = {"sparse": []}
    if isinstance(target, Hybrid):
        answers["hybrid"] = []
    for start in range(0, len(dense), batch):
        here = slice(start, start + batch)
        answers["sparse"] += call(partial(target.search_sparse, k=k), sparse[here])
        if "hybrid" in answers:
            answers["hybrid"] += call(partial(target.search_hybrid, k=k), dense[here], sparse[here])
    return answers


def scores_sparse(
    source: Vectors, schema: Schema, dense: Floats, sparse: csr_array, answers: dict[str, Answers], k: int
) -> dict[str, tuple[Floats, Floats]]:
    """For each kind of answers the highest scores of each query, and the true scores of the answers; one pass.

    Both are (n, k). 0 is a place where nothing is to be found, and nothing was; minus infinity an answer that is
    missing, that is no row, that was given before, or that shares no term with its query.
    """
    count, first = len(dense), 0
    best = {"dense": no_keys(count, DEPTH), "sparse": no_keys(count, max(k, DEPTH))}
    true = np.where(_given(answers["sparse"], k), np.float32(-np.inf), np.float32(0))
    places: dict[str, list[tuple[int, int]]] = {}
    for query, ids in enumerate(answers["sparse"]):
        for place, key in _once(ids[:k]):
            places.setdefault(key, []).append((query, place))
    wanted = pa.array(sorted({*places, *(key for ids in answers.get("hybrid", ()) for key in ids)}), pa.string())
    row_of: dict[str, int] = {}
    for table in unit_tables(source, schema, rows=4096, columns=("id", "vector", *SPARSE), verify=False):
        numbers, scores = np.arange(first, first + len(table)), products(sparse, table)
        keep_best(best["sparse"], scores, numbers)
        keep_best(best["dense"], dense @ normalize(vectors_of(table)).astype(np.float32).T, numbers)
        for row in np.flatnonzero(pc.is_in(table["id"], wanted).to_numpy()):
            row_of[key := table["id"][int(row)].as_py()] = first + int(row)
            for query, place in places.get(key, ()):
                if scores[query, row] > 0:
                    true[query, place] = scores[query, row]
        first += len(table)
    highest, _ = neighbours_of(best["sparse"])
    judged = {"sparse": _missed(np.maximum(highest[:, :k], 0), true)}
    if "hybrid" in answers:
        judged["hybrid"] = _fused([neighbours_of(one) for one in best.values()], answers["hybrid"], row_of, k)
    return judged


def _fused(lists: Sequence[Any], answers: Answers, row_of: dict[str, int], k: int) -> tuple[Floats, Floats]:
    """The same of reciprocal rank fusion of both lists."""
    best = np.zeros((len(answers), k), dtype=np.float32)
    true = np.where(_given(answers, k), np.float32(-np.inf), np.float32(0))
    for query, ids in enumerate(answers):
        both = (
            rows[query][(scores[query] > 0) if number else np.isfinite(scores[query])][:DEPTH].tolist()
            for number, (scores, rows) in enumerate(lists)
        )
        total = fused_scores(both)
        highest = sorted(total.values(), reverse=True)[:k]
        best[query, : len(highest)] = highest
        for place, key in _once(ids[:k]):
            if key in row_of:
                true[query, place] = total.get(row_of[key], 0.0)
    return _missed(best, true)


def _missed(best: Floats, true: Floats) -> tuple[Floats, Floats]:
    """Both, with minus infinity where something was to be found, and nothing was."""
    return best, np.where((true == 0) & (best > 0), np.float32(-np.inf), true)


def _given(answers: Answers, k: int) -> NDArray[np.bool_]:
    counts = np.array([len(ids) for ids in answers])
    given: NDArray[np.bool_] = np.arange(k) < counts[:, None]
    return given


def _once(ids: Sequence[str]) -> list[tuple[int, str]]:
    """Places and ids, each id where it stands first."""
    return [(place, key) for place, key in enumerate(ids) if key not in ids[:place]]

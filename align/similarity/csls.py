"""Cross-domain similarity local scaling (CSLS), and the rank of the best of several right answers.

CSLS(x, y) = 2 cos(x, y) - r_T(x) - r_S(y), with r_T(x) the mean cosine of x to its k = 10 nearest of the target
vocabulary T and r_S(y) that of y to its k nearest of the source vocabulary S: hubs, near to everything, are pushed back
(Conneau et al. 2018, arXiv:1710.04087, equations 2 and 3).

Memory is bounded by ``block``: one tile of ``block * block`` float32 scores exists at a time with a byte mask of its
shape (15 times the tile where all scores are equal or every tile beats the ones before), ``block`` rows of either side
as float32, and of every row the ``k`` best so far. Both sides may be memory-mapped, float16 or float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import TIE_TOLERANCE, check_same_width, matrix, slices, unit_rows
from align.similarity.nearest import check_at_least_one, keep_best, no_keys, scores_and_columns
from align.similarity.tiles import Tile, keep, promising, tiles

_RULES = {"against": (np.greater_equal,), "for": (np.greater,), "mean": (np.greater_equal, np.greater)}


def neighbourhood_means(
    x: ArrayLike, y: ArrayLike, *, k: int = 10, block: int = 2048
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean cosine of each row to its ``k`` nearest rows of the other side, both directions from one set of products.

    With the source vocabulary as ``x`` and the target vocabulary as ``y`` these are r_T(x) and r_S(y) of CSLS. r_S is
    over the whole source vocabulary, not over the queries of a test.

    Args:
        x: (n, d).
        y: (m, d).
        k: neighbours; where the other side has fewer rows, the mean is over all of them (over none it is 0).
        block: rows of each side in one product.

    Returns:
        (n,) of the rows of ``x`` and (m,) of the rows of ``y``, from -1 to 1.

    Raises:
        InputError: ``k`` < 1, the widths differ, or a row holds NaN or Inf.
    """
    x, y = matrix(x), matrix(y)
    return means_of_tiles(tiles(x, y, block), len(x), len(y), k=k)


def means_of_tiles(
    products: Iterable[Tile], n: int, m: int, *, k: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """:func:`neighbourhood_means` of ``n`` and ``m`` rows whose ``products`` are at hand; they are left as they are.

    Raises:
        InputError: ``k`` < 1.
    """
    check_at_least_one(k)
    of_x = np.full((n, min(k, m)), -np.inf, dtype=np.float32)
    of_y = np.full((m, min(k, n)), -np.inf, dtype=np.float32)
    for rows, columns, scores in products:
        for best, tile in ((of_x[rows], scores), (of_y[columns], scores.T)):
            owners, places = promising(tile, best.min(axis=1, initial=np.inf), best.shape[1])
            keep(best, owners, tile[owners, places], nothing=-np.inf)
    return row_means(of_x), row_means(of_y)


def csls_top_k(
    queries: ArrayLike,
    candidates: ArrayLike,
    k: int,
    *,
    query_means: ArrayLike | None = None,
    candidate_means: ArrayLike | None = None,
    block: int = 2048,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The ``k`` candidates of highest CSLS of each query, best first; of equal ones the lower row comes first.

    score_ij = 2 cos_ij - query_means_i - candidate_means_j; means that are ``None`` count as 0. Without any means the
    score is the cosine itself, as in :func:`align.similarity.nearest.top_k`.
    Scores are rounded to the tie tolerance (six decimals); those equal then are ties.

    Args:
        queries: (n, d).
        candidates: (m, d).
        k: how many, at least 1; with fewer candidates all of them are returned.
        query_means: (n,) r_T of the queries, see :func:`neighbourhood_means`.
        candidate_means: (m,) r_S of the candidates.
        block: rows of each side in one product.

    Returns:
        Scores (n, min(k, m)), descending, and rows of ``candidates`` (n, min(k, m)).

    Raises:
        InputError: ``k`` < 1, the widths differ, means of another length, or a row or a mean that is NaN or Inf.
    """
    check_at_least_one(k)
    queries, candidates = matrix(queries), matrix(candidates)
    scale = np.float32(1 if query_means is None and candidate_means is None else 2)
    of_queries = _means(query_means, len(queries), "query")
    of_candidates = _means(candidate_means, len(candidates), "candidate")
    best = no_keys(len(queries), min(k, len(candidates)))
    for rows, columns, scores in tiles(queries, candidates, block):
        scores *= scale
        scores -= of_queries[rows, None]
        scores -= of_candidates[columns]
        keep_best(best[rows], scores, np.arange(columns.start, columns.stop))
    return scores_and_columns(best)


def best_gold_ranks(
    queries: ArrayLike,
    candidates: ArrayLike,
    golds: Sequence[Sequence[int]],
    *,
    candidate_means: ArrayLike | None = None,
    ties: str = "against",
    mask: ArrayLike | None = None,
    block: int = 2048,
) -> NDArray[np.int64] | NDArray[np.float64]:
    """Rank of the best right answer of each query among all candidates that are not right answers of it.

    rank_i = 1 + #{j not in golds_i : s_ij > max over g in golds_i of s_ig}, s_ij = cos_ij - candidate_means_j / 2.
    That is the order of CSLS, in which r_T(x_i) moves all scores of a query alike; without means it is the order of the
    cosine. Counted, never sorted.

    Args:
        queries: (n, d).
        candidates: (m, d).
        golds: for each query the rows of ``candidates`` that are right, at least one.
        candidate_means: (m,) r_S of the candidates, see :func:`neighbourhood_means`; ``None``: rank by cosine.
        ties: what a candidate within 1e-6 of the best gold counts: ``"against"`` the model, 1; ``"for"`` it, 0;
            ``"mean"``, one half.
        mask: (m,) bool; a candidate where it is False does not exist, be it a rival or a gold. ``None``: all count.
        block: rows of each side in one product.

    Returns:
        (n,) ranks from 1: int64, with ``ties="mean"`` float64.

    Raises:
        InputError: a query without a gold (the mask may have taken its last: leave such queries out and count them as
            misses), a gold row that does not exist, means or a mask of another length, an unknown tie rule, different
            widths, or a row or a mean that is NaN or Inf.
    """
    if ties not in _RULES:
        raise InputError(f"ties is {ties!r}: expected one of {', '.join(_RULES)}")
    queries, candidates = matrix(queries), matrix(candidates)
    check_same_width(queries, candidates)
    exists = _mask(mask, len(candidates))
    handicap = np.where(exists, _means(candidate_means, len(candidates), "candidate") / 2, np.float32(np.inf))
    owners, gold = _pairs(golds, len(queries), exists)
    best = _best_gold_scores(queries, candidates, owners, gold, handicap, block)
    bars = {np.greater_equal: best - np.float32(TIE_TOLERANCE), np.greater: best + np.float32(TIE_TOLERANCE)}
    ahead = np.zeros((len(_RULES[ties]), len(queries)), dtype=np.int64)
    for rows, columns, scores in tiles(queries, candidates, block):
        if handicap.any():
            scores -= handicap[columns]
        first, last = np.searchsorted(owners, (rows.start, rows.stop))
        here = first + np.flatnonzero((gold[first:last] >= columns.start) & (gold[first:last] < columns.stop))
        scores[owners[here] - rows.start, gold[here] - columns.start] = -np.inf  # a gold is nobody's rival
        for count, above in zip(ahead, _RULES[ties], strict=True):
            count[rows] += above(scores, bars[above][rows, None]).sum(axis=1, dtype=np.int32)
    ranks: NDArray[np.int64] | NDArray[np.float64] = 1 + (ahead.mean(axis=0) if ties == "mean" else ahead[0])
    return ranks


def row_means(best: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) means of (n, k) scores, summed in float64; 0 where k is 0."""
    means: NDArray[np.float32] = (best.sum(axis=1, dtype=np.float64) / max(1, best.shape[1])).astype(np.float32)
    return means


def _best_gold_scores(
    queries: NDArray[np.generic],
    candidates: NDArray[np.generic],
    owners: NDArray[np.int64],
    gold: NDArray[np.int64],
    handicap: NDArray[np.float32],
    block: int,
) -> NDArray[np.float32]:
    best = np.full(len(queries), -np.inf, dtype=np.float32)
    for here in slices(len(gold), block):
        left = unit_rows(queries[owners[here]], owners[here])
        right = unit_rows(candidates[gold[here]], gold[here])
        np.maximum.at(best, owners[here], np.einsum("ij,ij->i", left, right) - handicap[gold[here]])
    return best


def _pairs(
    golds: Sequence[Sequence[int]], n: int, exists: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(query, gold) for every gold that exists, by query."""
    if len(golds) != n:
        raise InputError(f"golds of {len(golds)} queries: expected the gold rows of each of {n} queries")
    owners = np.repeat(np.arange(n), [len(rows) for rows in golds])
    gold = np.array(list(chain.from_iterable(golds)) or np.empty(0, dtype=np.int64))
    if gold.dtype.kind not in "iu":
        raise InputError(f"golds hold {gold.dtype}: expected row numbers of candidates")
    if len(gold) and not (gold.min() >= 0 and gold.max() < len(exists)):
        raise InputError(f"golds name rows {gold.min()} to {gold.max()}: expected 0 to {len(exists) - 1}")
    there = exists[gold]
    owners, gold = owners[there], gold[there].astype(np.int64)
    without = np.flatnonzero(np.bincount(owners, minlength=n) == 0)
    if len(without):
        raise InputError(
            f"{len(without)} of {n} queries have no gold among the candidates that count, the first is query "
            f"{without[0]}: expected at least one gold each"
        )
    return owners, gold


def _means(means: ArrayLike | None, n: int, side: str) -> NDArray[np.float32]:
    array = np.zeros(n, dtype=np.float32) if means is None else np.asarray(means)
    if array.shape != (n,) or array.dtype.kind not in "fiu":
        raise InputError(
            f"{side} means have shape {array.shape} of {array.dtype}: expected a number for each of {n} rows"
        )
    bad = np.flatnonzero(~(np.abs(array) < 1.001))
    if len(bad):
        raise InputError(f"{side} mean {bad[0]} is {array[bad[0]]}: expected the mean of cosines, from -1 to 1")
    return array.astype(np.float32)


def _mask(mask: ArrayLike | None, n: int) -> NDArray[np.bool_]:
    array = np.ones(n, dtype=bool) if mask is None else np.asarray(mask)
    if array.shape != (n,) or array.dtype != bool:
        raise InputError(
            f"mask has shape {array.shape} of {array.dtype}: expected True or False for each of {n} candidates"
        )
    return array

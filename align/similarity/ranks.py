"""Ranks of right answers among all candidates, by cosine or by CSLS: counted, never sorted.

Memory is bounded by ``block``: one tile of ``block * block`` float32 scores exists at a time with a byte mask of its
shape, and ``block`` rows of either side as float32. Both sides may be memory-mapped, float16 or float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import TIE_TOLERANCE, check_same_width, matrix, slices, tiles, unit_rows
from align.similarity.csls import checked_means

RULES = {"against": (np.greater_equal,), "for": (np.greater,), "mean": (np.greater_equal, np.greater)}
"""What a candidate must be to count, by what ties count."""


def gold_ranks(
    queries: ArrayLike, candidates: ArrayLike, gold: ArrayLike | None = None, *, block: int = 2048
) -> NDArray[np.int64]:
    """Rank of each query's right answer among all candidates by cosine; ties count against the model.

    rank_i = 1 + #{j != gold_i : s_ij >= s_i,gold_i - 1e-6}, with s the cosine.
    A copy of the right answer is therefore ahead of it, and when all embeddings are equal the rank is the number of
    candidates. The right answer is never compared with itself.

    Args:
        queries: (n, d).
        candidates: (m, d).
        gold: (n,) row of ``candidates`` that answers each query; ``None``: row i answers query i (then m >= n).
        block: rows of each side in one product.

    Returns:
        (n,) ranks from 1 to m.

    Raises:
        InputError: the widths differ, a gold row does not exist, or a row holds NaN or Inf.
    """
    queries, candidates = matrix(queries), matrix(candidates)
    check_same_width(queries, candidates)
    rows = _gold_rows(gold, len(queries), len(candidates))
    handicap = np.zeros(len(candidates), dtype=np.float32)
    ranks: NDArray[np.int64] = _counted(queries, candidates, np.arange(len(rows)), rows, handicap, "against", block)[0]
    return ranks


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
        candidate_means: (m,) r_S of the candidates, of ``neighbourhood_means``; ``None``: rank by cosine.
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
    if ties not in RULES:
        raise InputError(f"ties is {ties!r}: expected one of {', '.join(RULES)}")
    queries, candidates = matrix(queries), matrix(candidates)
    check_same_width(queries, candidates)
    exists = _mask(mask, len(candidates))
    handicap = np.where(exists, checked_means(candidate_means, len(candidates), "candidate") / 2, np.float32(np.inf))
    owners, gold = _pairs(golds, len(queries), exists)
    by_rule = _counted(queries, candidates, owners, gold, handicap, ties, block)
    ranks: NDArray[np.int64] | NDArray[np.float64] = by_rule.mean(axis=0) if ties == "mean" else by_rule[0]
    return ranks


def _counted(
    queries: NDArray[np.generic],
    candidates: NDArray[np.generic],
    owners: NDArray[np.int64],
    gold: NDArray[np.int64],
    handicap: NDArray[np.float32],
    ties: str,
    block: int,
) -> NDArray[np.int64]:
    """(rules, n) ranks by each rule of ``ties``; ``owners`` (rising) names the query of each ``gold``."""
    best = np.full(len(queries), -np.inf, dtype=np.float32)  # score of the best right answer
    for here in slices(len(gold), block):
        left = unit_rows(queries[owners[here]], owners[here])
        right = unit_rows(candidates[gold[here]], gold[here])
        np.maximum.at(best, owners[here], np.einsum("ij,ij->i", left, right) - handicap[gold[here]])
    bars = {np.greater_equal: best - np.float32(TIE_TOLERANCE), np.greater: best + np.float32(TIE_TOLERANCE)}
    ahead = np.zeros((len(RULES[ties]), len(queries)), dtype=np.int64)
    for rows, columns, scores in tiles(queries, candidates, block):
        if handicap.any():
            scores -= handicap[columns]
        first, last = np.searchsorted(owners, (rows.start, rows.stop))
        here = first + np.flatnonzero((gold[first:last] >= columns.start) & (gold[first:last] < columns.stop))
        scores[owners[here] - rows.start, gold[here] - columns.start] = -np.inf  # a gold is nobody's rival
        for count, above in zip(ahead, RULES[ties], strict=True):
            count[rows] += above(scores, bars[above][rows, None]).sum(axis=1, dtype=np.int32)
    return 1 + ahead


def _gold_rows(gold: ArrayLike | None, n: int, m: int) -> NDArray[np.int64]:
    if gold is None:
        if n > m:
            raise InputError(f"{n} queries but {m} candidates: expected a candidate for every query")
        return np.arange(n)
    rows = np.asarray(gold)
    if rows.shape != (n,) or (n and rows.dtype.kind not in "iu"):
        raise InputError(f"gold has shape {rows.shape} of {rows.dtype}: expected a row for each of {n} queries")
    if n and not (rows.min() >= 0 and rows.max() < m):
        raise InputError(f"gold names rows {rows.min()} to {rows.max()}: expected 0 to {m - 1}")
    return rows.astype(np.int64)


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


def _mask(mask: ArrayLike | None, n: int) -> NDArray[np.bool_]:
    array = np.ones(n, dtype=bool) if mask is None else np.asarray(mask)
    if array.shape != (n,) or array.dtype != bool:
        raise InputError(
            f"mask has shape {array.shape} of {array.dtype}: expected True or False for each of {n} candidates"
        )
    return array

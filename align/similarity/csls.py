"""Cross-domain similarity local scaling (CSLS).

CSLS(x, y) = 2 cos(x, y) - r_T(x) - r_S(y), with r_T(x) the mean cosine of x to its k = 10 nearest of the target
vocabulary T and r_S(y) that of y to its k nearest of the source vocabulary S: hubs, near to everything, are pushed back
(Conneau et al. 2018, arXiv:1710.04087, equations 2 and 3).

Memory is bounded by ``block``: one tile of ``block * block`` float32 scores exists at a time with a byte mask of its
shape (15 times the tile where all scores are equal or every tile beats the ones before), ``block`` rows of either side
as float32, and of every row the ``k`` best so far. Both sides may be memory-mapped, float16 or float32.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import Tile, matrix, tiles
from align.similarity.nearest import Neighbours, check_at_least_one, keep_best, keep_scores, neighbours_of, no_keys


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
        keep_scores(of_x[rows], scores)
        keep_scores(of_y[columns], scores.T)
    return row_means(of_x), row_means(of_y)


def csls_top_k(
    queries: ArrayLike,
    candidates: ArrayLike,
    k: int,
    *,
    query_means: ArrayLike | None = None,
    candidate_means: ArrayLike | None = None,
    block: int = 2048,
) -> Neighbours:
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
    of_queries = checked_means(query_means, len(queries), "query")
    of_candidates = checked_means(candidate_means, len(candidates), "candidate")
    best = no_keys(len(queries), min(k, len(candidates)))
    for rows, columns, scores in tiles(queries, candidates, block):
        scores *= scale
        scores -= of_queries[rows, None]
        scores -= of_candidates[columns]
        keep_best(best[rows], scores, np.arange(columns.start, columns.stop))
    return neighbours_of(best)


def row_means(best: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) means of (n, k) scores, summed in float64; 0 where k is 0."""
    means: NDArray[np.float32] = (best.sum(axis=1, dtype=np.float64) / max(1, best.shape[1])).astype(np.float32)
    return means


def checked_means(means: ArrayLike | None, n: int, side: str) -> NDArray[np.float32]:
    """(n,) neighbourhood means of a side; ``None``: zeros."""
    array = np.zeros(n, dtype=np.float32) if means is None else np.asarray(means)
    if array.shape != (n,) or array.dtype.kind not in "fiu":
        raise InputError(
            f"{side} means have shape {array.shape} of {array.dtype}: expected a number for each of {n} rows"
        )
    bad = np.flatnonzero(~(np.abs(array) < 1.001))
    if len(bad):
        raise InputError(f"{side} mean {bad[0]} is {array[bad[0]]}: expected the mean of cosines, from -1 to 1")
    return array.astype(np.float32)

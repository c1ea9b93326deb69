"""Margin scores: how much nearer two rows are to each other than to their neighbours.

With r(x) the mean cosine of x to its k nearest rows of the other side:

    cosine    cos(x, y)
    csls      2 cos(x, y) - r(x) - r(y)          (Conneau et al. 2018, arXiv:1710.04087, equation 3)
    ratio     cos(x, y) / ((r(x) + r(y)) / 2)    (Artetxe and Schwenk 2019, arXiv:1811.01136)
    distance  cos(x, y) - (r(x) + r(y)) / 2      (the same; half of csls, and so of the same order)

A ratio to a mean of zero or less says nothing: such a mean counts as 1e-6, so that the score is finite and still rises
with the cosine. Memory is bounded by ``block``: two tiles of ``block * block`` float32 numbers and two masks of that
shape, ``block`` rows of either side as float32, of every row the ``k`` best so far, and the rows of one group.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError, unknown
from align.similarity.cosine import TIE_TOLERANCE, matrix, normalize, slices, tiles
from align.similarity.csls import means_of_tiles, row_means
from align.similarity.nearest import Neighbours, check_at_least_one, keep_best, keep_scores, neighbours_of, no_keys

SCORES = ("cosine", "csls", "ratio", "distance")
LEAST_MEAN = np.float32(1e-6)
"""What a neighbourhood mean that is less counts as in a ratio."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def both_ranks(
    x: ArrayLike,
    y: ArrayLike,
    *,
    score: str = "cosine",
    k: int = 4,
    x_groups: ArrayLike | None = None,
    y_groups: ArrayLike | None = None,
    ties: str = "against",
    block: int = 2048,
) -> tuple[Ints, Ints]:
    """Ranks of the right answers of aligned rows, from ``x`` to ``y`` and from ``y`` to ``x``, in one set of products.

    rank_i = 1 + #{j not right for i : s_ij >= max over right g of s_ig, less the tolerance}, s the score. Row i of the
    other side is right for row i, and so is every row of its group. The tolerance is what 1e-6 of the right answer's
    cosine is worth: of csls 2e-6, of a ratio 1e-6 over the mean that it is divided by.
    The neighbourhood means need the products a first time, unless both sides fit in one block.

    Args:
        x: (n, d).
        y: (n, d); row i answers row i of ``x``.
        score: ``cosine``, ``csls``, ``ratio`` or ``distance``.
        k: neighbours in the means, at least 1; of fewer rows all count. The cosine has none.
        x_groups: (n,) integers; rows of ``x`` of one number are one answer, such as copies of a line. ``None``: each
            row is its own.
        y_groups: (n,) the same for ``y``.
        ties: what a row level with the right answer counts: ``"against"`` the model, 1, or ``"for"`` it, 0.
        block: rows of each side in one product.

    Returns:
        (n,) ranks from 1 of the answers of ``x`` among ``y``, and of the answers of ``y`` among ``x``.

    Raises:
        InputError: unequal numbers of rows or widths, an unknown score or tie rule, ``k`` < 1, groups of another
            length, or a row that holds NaN or Inf.
    """
    check_score(score, k)
    if ties not in ("against", "for"):
        raise InputError(f"ties is {ties!r}: expected one of against, for")
    x, y = matrix(x), matrix(y)
    if len(x) != len(y):
        raise InputError(f"x has {len(x)} rows, y has {len(y)}: expected row i of y to answer row i of x")
    right = _groups(y_groups, len(x), "y"), _groups(x_groups, len(x), "x")
    fits = len(x) <= block
    products = list(tiles(x, y, block)) if fits else tiles(x, y, block)
    x_means, y_means = np.zeros((2, len(x)), dtype=np.float32)
    if score != "cosine":
        x_means, y_means = means_of_tiles(products, len(x), len(y), k=k)
        products = products if fits else tiles(x, y, block)
    above, slack = (np.greater_equal, -TIE_TOLERANCE) if ties == "against" else (np.greater, TIE_TOLERANCE)
    x_bars = _bars(x, y, x_means, y_means, right[0], score, slack, block)
    y_bars = _bars(y, x, y_means, x_means, right[1], score, slack, block)
    x_ahead, y_ahead = np.zeros((2, len(x)), dtype=np.int64)
    for rows, columns, cosines in products:
        scores = _margin(cosines, x_means[rows, None], y_means[columns], score)
        if rows == columns:
            np.fill_diagonal(scores, -np.inf)  # a right answer is nobody's rival
        x_ahead[rows] += _rivals(above(scores, x_bars[rows, None]), right[0], rows, columns).sum(1, dtype=np.int32)
        y_ahead[columns] += _rivals(above(scores, y_bars[columns]), right[1], rows, columns).sum(0, dtype=np.int32)
    return x_ahead + 1, y_ahead + 1


def margin_top_k(
    queries: ArrayLike, candidates: ArrayLike, *, score: str = "ratio", k: int = 4, block: int = 2048
) -> tuple[Floats, Ints]:
    """The ``k`` candidates nearest to each query by cosine, best margin first: how bitext is mined.

    The means of the queries are over those ``k``, those of the candidates over the ``k`` nearest queries; one set of
    products gives both. Of candidates equally near the lower row is among the ``k``, and of equal scores (to the tie
    tolerance, 1e-6) it comes first.

    Args:
        queries: (n, d).
        candidates: (m, d).
        score: ``cosine``, ``csls``, ``ratio`` or ``distance``.
        k: at least 1; of fewer candidates all are returned.
        block: rows of each side in one product.

    Returns:
        Scores (n, min(k, m)), descending to the tie tolerance, and rows of ``candidates`` (n, min(k, m)).

    Raises:
        InputError: an unknown score, ``k`` < 1, the widths differ, or a row holds NaN or Inf.

    References:
        Artetxe and Schwenk 2019, arXiv:1811.01136.
    """
    check_score(score, k)
    queries, candidates = matrix(queries), matrix(candidates)
    best = no_keys(len(queries), min(k, len(candidates)))
    back = np.full((len(candidates), min(k, len(queries))), -np.inf, dtype=np.float32)
    for rows, columns, scores in tiles(queries, candidates, block):
        keep_best(best[rows], scores, np.arange(columns.start, columns.stop))
        keep_scores(back[columns], scores.T)
    nearest = np.sort(neighbours_of(best).rows, axis=1)  # (n, k)
    cosines = np.empty(nearest.shape, dtype=np.float32)
    for here in slices(len(queries), max(1, block // max(1, nearest.shape[1]))):
        units = normalize(queries[here])  # (rows, d)
        near = normalize(candidates[nearest[here].ravel()]).reshape(*nearest[here].shape, units.shape[1])
        cosines[here] = np.einsum("id,ikd->ik", units, near)
    scores = _margin(cosines, row_means(cosines)[:, None], row_means(back)[nearest], score)
    order = np.argsort(-np.rint(scores.astype(np.float64) / TIE_TOLERANCE), axis=1, kind="stable")
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(nearest, order, axis=1)


def margins(there: Neighbours, back: Neighbours, *, score: str = "ratio") -> tuple[Floats, Floats]:
    """Scores of the neighbours of either side: a pair that is in both has the same score in both.

    The means are over the neighbours that are given, of a row that has none 0.

    Args:
        there: of the rows of ``x``, (n, k).
        back: of the rows of ``y``, (m, k).
        score: ``cosine``, ``csls``, ``ratio`` or ``distance``.

    Returns:
        (n, k) and (m, k), in the order of the neighbours; -Inf where there is none.

    Raises:
        InputError: an unknown score.
    """
    check_score(score, 1)
    x_means, y_means = _found_means(there), _found_means(back)
    forward, backward = there.cosines.copy(), back.cosines.copy()
    if forward.size:  # of x first both ways: the last bits of a difference depend on the order
        _margin(forward, x_means[:, None], y_means[np.maximum(there.rows, 0)], score)
        _margin(backward, x_means[np.maximum(back.rows, 0)], y_means[:, None], score)
    forward[there.rows < 0], backward[back.rows < 0] = -np.inf, -np.inf
    return forward, backward


def _found_means(near: Neighbours) -> Floats:
    found = near.rows >= 0
    sums = np.where(found, near.cosines, 0).sum(axis=1, dtype=np.float64)
    means: Floats = (sums / np.maximum(1, found.sum(axis=1))).astype(np.float32)
    return means


def check_score(score: str, k: int) -> None:
    """Refuse a score that does not exist, or no neighbours.

    Raises:
        InputError: the known scores are listed.
    """
    if score not in SCORES:
        raise InputError(unknown("score", score, SCORES))
    check_at_least_one(k)


def _margin(cosines: Floats, x_means: Floats, y_means: Floats, score: str) -> Floats:
    """The scores of ``cosines``, in their place; the means are broadcast to them."""
    if score == "ratio":
        cosines /= np.maximum((x_means + y_means) / 2, LEAST_MEAN)
    elif score != "cosine":
        cosines -= x_means / 2
        cosines -= y_means / 2
        if score == "csls":
            cosines *= 2
    return cosines


def _bars(
    x: NDArray[np.generic],
    y: NDArray[np.generic],
    x_means: Floats,
    y_means: Floats,
    right: Ints | None,
    score: str,
    slack: float,
    block: int,
) -> Floats:
    """(n,) what a rival of each row of ``x`` must reach: the best score of its right answers, ``slack`` nearer."""
    cosines = [
        np.einsum("ij,ij->i", normalize(x[here], first_row=here.start), normalize(y[here], first_row=here.start))
        for here in slices(len(x), block)
    ]
    bars = _margin(np.concatenate(cosines) + np.float32(slack), x_means, y_means, score)
    for rows in _repeated(right):
        for here, there, several in tiles(x[rows], y[rows], block):
            query_rows, answers = rows[here], rows[there]
            scores = _margin(several + np.float32(slack), x_means[query_rows, None], y_means[answers], score)
            bars[query_rows] = np.maximum(bars[query_rows], scores.max(axis=1))
    return bars


def _rivals(beats: NDArray[np.bool_], right: Ints | None, rows: slice, columns: slice) -> NDArray[np.bool_]:
    if right is not None:
        beats &= right[rows, None] != right[columns]
    return beats


def _groups(groups: ArrayLike | None, n: int, side: str) -> Ints | None:
    """Numbers of the groups; ``None``: no row shares its own."""
    if groups is None:
        return None
    numbers = np.asarray(groups)
    if numbers.shape != (n,) or (n and numbers.dtype.kind not in "iu"):
        raise InputError(
            f"{side}_groups have shape {numbers.shape} of {numbers.dtype}: expected an integer for each of {n} rows"
        )
    return None if len(np.unique(numbers)) == n else numbers.astype(np.int64)


def _repeated(groups: Ints | None) -> Iterator[Ints]:
    """Rows of each group that has several."""
    if groups is None:
        return
    order = np.argsort(groups, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        if len(rows) > 1:
            yield rows

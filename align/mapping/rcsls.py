"""A linear map that minimises the CSLS loss of a dictionary."""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.mapping.linear_map import Fit, checked_pairs, normalized_spaces
from align.mapping.procrustes import procrustes

logger = logging.getLogger(__name__)

Projection = Literal["spectral", "none"]
LEAST_RATE = 1e-4
"""A learning rate below this ends the descent."""


def rcsls_loss(
    w: NDArray[np.float64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    negatives_x: NDArray[np.float32],
    negatives_y: NDArray[np.float32],
    *,
    k: int = 10,
    block: int = 2048,
) -> tuple[float, NDArray[np.float64]]:
    """Relaxed CSLS of paired rows, and its gradient.

    L(W) = 1/n sum_i [ -2 x_i W y_i^T + mean of x_i W z^T over the k largest among ``negatives_y``
                      + mean of z W y_i^T over the k largest among ``negatives_x`` ].
    A sum of largest values of linear functions is convex in W, and its gradient is that of the neighbours at W.

    Args:
        w: (d, d), on the right of row vectors.
        x: (n, d) source vectors.
        y: (n, d) their translations.
        negatives_x: (p, d) source vocabulary.
        negatives_y: (q, d) target vocabulary.
        k: neighbours; of fewer negatives all count.
        block: rows of each side in one product: no more than ``block * block`` scores exist at a time.

    Returns:
        The loss and (d, d) dL/dW.

    References:
        Joulin et al. 2018, arXiv:1804.07745, eq. 5.
    """
    loss, gradient = 0.0, np.zeros_like(w)
    for start in range(0, len(x), block):
        here, there = x[start : start + block].astype(np.float64), y[start : start + block].astype(np.float64)
        mapped, back = here @ w, there @ w.T  # z W y^T = z (y W^T)^T: the negatives need no mapped copy
        near_y = _mean_of_nearest(mapped, negatives_y, k, block)  # (b, d)
        near_x = _mean_of_nearest(back, negatives_x, k, block)
        loss += float((mapped * (near_y - 2 * there)).sum() + (back * near_x).sum())
        gradient += here.T @ (near_y - 2 * there) + near_x.T @ there
    return loss / len(x), gradient / len(x)


def rcsls(
    x: ArrayLike,
    y: ArrayLike,
    pairs: ArrayLike,
    *,
    k: int = 10,
    epochs: int = 10,
    rate: float = 1.0,
    batch: int | None = None,
    projection: Projection = "spectral",
    max_negatives: int = 200_000,
    normalization: str = "unit",
    seed: int = 0,
    block: int = 2048,
) -> Fit:
    """Gradient descent on the relaxed CSLS of a dictionary, from Procrustes.

    An epoch that raises the loss is undone and the learning rate halved; the descent ends when it falls below 1e-4.

    Args:
        x: (n, d) source vectors, most frequent words first.
        y: (m, d) target vectors, most frequent words first.
        pairs: (p, 2) rows of source and target.
        k: neighbours of CSLS.
        epochs: at most so many, undone ones included.
        rate: learning rate.
        batch: pairs of a step; ``None``: all, an epoch is one step. With batches an epoch costs twice, as the loss of
            all pairs is measured after it.
        projection: after each step, ``spectral`` clips the singular values of W to 1; ``none``.
        max_negatives: words of each vocabulary, from the top, among which neighbours are sought.
        normalization: of the vectors before the map.
        seed: of the order of pairs in batches.
        block: rows of each side in one product; memory is a copy of the vectors and ``block * block`` scores.

    Returns:
        Maps; the target's is the identity. ``objective`` is the loss, at Procrustes and after each epoch that was kept.

    Raises:
        InputError: no pair, a pair that does not exist, widths that differ, a row that holds NaN or Inf, or an option
            outside its range.

    References:
        Joulin et al. 2018, arXiv:1804.07745.
    """
    if projection not in ("spectral", "none"):
        raise InputError(f"unknown projection {projection!r}: expected spectral or none")
    if not rate > 0 or epochs < 0 or min(k, max_negatives, block, 1 if batch is None else batch) < 1:
        raise InputError("rcsls needs a rate > 0, epochs >= 0, and k, batch, max_negatives and block of at least 1")
    spaces = normalized_spaces(x, y, normalization)
    rows = checked_pairs(pairs, spaces)
    left, right = spaces.x[rows[:, 0]], spaces.y[rows[:, 1]]
    negatives = spaces.x[:max_negatives], spaces.y[:max_negatives]
    draw = np.random.default_rng(seed)

    def measured(w: NDArray[np.float64], some: NDArray[np.int64] | slice) -> tuple[float, NDArray[np.float64]]:
        return rcsls_loss(w, left[some], right[some], *negatives, k=k, block=block)

    def step(w: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        moved: NDArray[np.float64] = w - rate * gradient
        return _clipped(moved) if projection == "spectral" else moved

    w = procrustes(left, right)
    loss, gradient = measured(w, slice(None))
    objective = [loss]
    for epoch in range(1, epochs + 1):
        if batch is None:
            moved = step(w, gradient)
        else:
            moved, order = w, draw.permutation(len(rows))
            for start in range(0, len(order), batch):
                moved = step(moved, measured(moved, order[start : start + batch])[1])
        loss, slope = measured(moved, slice(None))
        logger.info("epoch %d: loss %.5f, rate %g", epoch, loss, rate)
        if loss < objective[-1]:
            w, gradient = moved, slope
            objective.append(loss)
        else:
            rate /= 2
        if rate < LEAST_RATE:
            break
    return spaces.fit(w, rows, "RCSLS loss", objective)


def _clipped(w: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest matrix of spectral norm at most 1."""
    u, s, vt = np.linalg.svd(w)
    near: NDArray[np.float64] = (u * np.minimum(s, 1)) @ vt
    return near


def _mean_of_nearest(
    queries: NDArray[np.float64], candidates: NDArray[np.float32], k: int, block: int
) -> NDArray[np.float64]:
    """(n, d) mean of the k candidates with the largest inner product with each query."""
    asked = queries.astype(np.float32)
    scores = np.empty((len(asked), 0), dtype=np.float32)
    rows = np.empty((len(asked), 0), dtype=np.int64)
    for start in range(0, len(candidates), block):
        here = asked @ candidates[start : start + block].T  # (n, block)
        best = _largest(here, k)
        scores = np.concatenate([scores, np.take_along_axis(here, best, axis=1)], axis=1)
        rows = np.concatenate([rows, best + start], axis=1)
        kept = _largest(scores, k)
        scores, rows = np.take_along_axis(scores, kept, axis=1), np.take_along_axis(rows, kept, axis=1)
    total = np.zeros_like(queries)
    for column in rows.T:  # one neighbour at a time: (n, d), not (n, k, d)
        total += candidates[column]
    return total / rows.shape[1]


def _largest(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """(n, min(k, m)) columns of the k largest scores of each row, in any order."""
    if scores.shape[1] <= k:
        return np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    largest: NDArray[np.int64] = np.argpartition(scores, -k, axis=1)[:, -k:]
    return largest

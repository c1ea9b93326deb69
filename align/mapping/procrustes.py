"""The orthogonal map of paired vectors."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.mapping.linear_map import Fit, checked_pairs, normalized_spaces
from align.similarity.cosine import matrix

logger = logging.getLogger(__name__)


def procrustes(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """The orthogonal W that minimises |X W - Y|_F; row i of ``x`` translates row i of ``y``, and W stands on the right.

    W = U V^T of the singular value decomposition X^T Y = U S V^T. Where the pairs do not determine W (fewer pairs than
    dimensions; a warning is logged), it is the minimiser nearest to the identity.

    Args:
        x: (n, d).
        y: (n, d).

    Returns:
        (d, d) float64, W W^T = I.

    Raises:
        InputError: the shapes differ, there is no row, or one holds NaN or Inf.

    References:
        Schönemann 1966, A generalized solution of the orthogonal Procrustes problem.
    """
    sides = [matrix(side).astype(np.float64) for side in (x, y)]
    if sides[0].shape != sides[1].shape or not sides[0].size:
        raise InputError(f"expected paired vectors of one shape (n, d), got {sides[0].shape} and {sides[1].shape}")
    for name, side in zip("xy", sides, strict=True):
        bad = np.flatnonzero(~np.isfinite(side).all(axis=1))
        if len(bad):
            raise InputError(f"row {bad[0]} of {name} holds NaN or Inf; expected finite numbers")
    cross = sides[0].T @ sides[1]
    free = len(cross) - np.linalg.matrix_rank(cross)
    if free:
        logger.warning("%d pairs leave %d of %d dimensions of the map undetermined", len(sides[0]), free, len(cross))
    return orthogonal(cross)


def orthogonal(cross: NDArray[np.float64]) -> NDArray[np.float64]:
    """The orthogonal W with the largest tr(W^T C); of several the one nearest to the identity.

    Args:
        cross: (d, d) C.
    """
    u, s, vt = np.linalg.svd(cross)
    rank = int((s > s[0] * len(s) * np.finfo(np.float64).eps).sum())
    if rank < len(s):  # any rotation of what is left fits as well: take the one with the largest trace
        a, _, b = np.linalg.svd(u[:, rank:].T @ vt[rank:].T)
        u[:, rank:] = u[:, rank:] @ a @ b
    w: NDArray[np.float64] = u @ vt
    return w


def fit_procrustes(x: ArrayLike, y: ArrayLike, pairs: ArrayLike, *, normalization: str = "unit") -> Fit:
    """The orthogonal map of a dictionary, of normalised vectors.

    Args:
        x: (n, d) source vectors, a row for each word.
        y: (m, d) target vectors.
        pairs: (p, 2) rows of source and target that translate each other.
        normalization: ``unit``, ``center``, ``unit,center,unit``, ... or ``none``.

    Returns:
        Maps; the target's is the identity. The objective is the mean cosine of the pairs.

    Raises:
        InputError: no pair, a pair that does not exist, widths that differ, or a row that holds NaN or Inf.
    """
    spaces = normalized_spaces(x, y, normalization)
    rows = checked_pairs(pairs, spaces)
    left, right = spaces.x[rows[:, 0]], spaces.y[rows[:, 1]]
    w = procrustes(left, right)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines = np.einsum("ij,ij->i", left @ w, right) / np.where(lengths > 0, lengths, 1)
    return spaces.fit(w, rows, "mean cosine of the pairs", [float(cosines.mean())])

"""Language offsets: what the vectors of a language share that says nothing of meaning, and vectors without it.

Three ways, none of which trains anything: the mean of a language is taken off (:func:`language_mean`), a language is
moved onto a pivot (:func:`shift_onto`), or the directions that the means of languages span are projected out
(:func:`language_directions`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import matrix

NEGLIGIBLE = 1e-6
"""A direction along which the means differ by less than this, relative to their length, is rounding."""


def language_mean(x: ArrayLike) -> NDArray[np.float64]:
    """Mean of the vectors of one language, to be taken off each: mu = 1/n sum_i x_i, then x' = x - mu.

    Args:
        x: (n, d), n >= 1.

    Returns:
        (d,) in the unit of the vectors.

    Raises:
        InputError: no row, or one that holds NaN or Inf.

    References:
        Libovicky et al. 2020, ACL 2020.findings-emnlp.150.
    """
    mean: NDArray[np.float64] = _finite(x, "the text of a language").mean(axis=0)
    return mean


def shift_onto(x: ArrayLike, pivot: ArrayLike) -> NDArray[np.float64]:
    """How far a language lies from a pivot, of line-aligned text: delta = 1/n sum_i (x_i - p_i), then x' = x - delta.

    The pivot's own vectors need nothing taken off: an index of them stays as it is.

    Args:
        x: (n, d) of the language, n >= 1.
        pivot: (n, d), row i of the same meaning.

    Returns:
        (d,) in the unit of the vectors.

    Raises:
        InputError: other numbers of rows or dimensions, no row, or one that holds NaN or Inf.

    References:
        arXiv:2606.18801.
    """
    rows, others = _finite(x, "the text of a language"), _finite(pivot, "the pivot's text")
    if rows.shape != others.shape:
        raise InputError(f"vectors of shape {rows.shape}, of the pivot {others.shape}: expected the same")
    shift: NDArray[np.float64] = (rows - others).mean(axis=0)
    return shift


def language_directions(means: ArrayLike, k: int) -> NDArray[np.float64]:
    """Directions in which the means of languages differ, orthogonal to what they have in common (LSAR).

    With M (d, L) the means as columns, w = M 1 / L and W_s S G' the k largest parts of the SVD of M - w 1':
    B = w 1' + W_s S G'; w* = z / |z|^2 with z = pinv(B)' 1; the directions are the k left singular vectors of
    B - w* 1'. Each mean (each column of B) has the same part along w*, so that the directions leave w* as it is.

    Args:
        means: (L, d), L >= 1, a row for each language.
        k: how many, from 0 to L - 1, which is as many as there can be.

    Returns:
        (at most k, d) orthonormal rows; fewer where the means differ along fewer.

    Raises:
        InputError: another ``k``, no row, or one that holds NaN or Inf.

    References:
        Xie et al. 2022, arXiv:2401.05792 (LSAR); Piratla et al. 2020, arXiv:2003.12815 (the decomposition).
    """
    rows = _finite(means, "the means of languages")
    if not 0 <= k < len(rows):
        raise InputError(f"{len(rows)} languages differ along {len(rows) - 1} directions at most, got k = {k}")
    mean = rows.mean(axis=0)
    left, sizes, right = np.linalg.svd(rows - mean, full_matrices=False)  # of the transpose, whose sides are swapped
    near = mean + (left[:, :k] * sizes[:k]) @ right[:k]  # B'
    z = np.linalg.pinv(near) @ np.ones(len(rows))
    length = float(z @ z)
    common = z / length if length > 0 else z
    _, sizes, directions = np.linalg.svd(near - common, full_matrices=False)
    kept = sizes[:k] > NEGLIGIBLE * np.linalg.norm(near)
    found: NDArray[np.float64] = directions[:k][kept]
    return found


def project_out(x: NDArray[np.float32], directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors without their parts along some directions: x' = x - M M' x, with the directions as columns of M.

    One direction after the other and row by row, so that a row does not depend on those beside it, to the last bit.

    Args:
        x: (n, d).
        directions: (k, d) orthonormal rows.

    Returns:
        (n, d) float32.
    """
    for direction in directions:
        x = x - (x * direction).sum(axis=1, keepdims=True) * direction
    return x


def _finite(x: ArrayLike, what: str) -> NDArray[np.float64]:
    rows = matrix(x).astype(np.float64)
    if not len(rows):
        raise InputError(f"{what} has no vector: expected at least one")
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise InputError(f"{what}: row {bad[0]} holds NaN or Inf; expected finite numbers")
    return rows

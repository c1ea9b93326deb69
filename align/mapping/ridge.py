"""The affine map of paired vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import matrix


@dataclass(frozen=True)
class Affine:
    """x W + b."""

    w: NDArray[np.float64]
    """(d, e)."""
    b: NDArray[np.float64]
    """(e,)."""

    def __call__(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, e) of (n, d)."""
        mapped: NDArray[np.float64] = x.astype(np.float64) @ self.w + self.b
        return mapped


def ridge(x: ArrayLike, y: ArrayLike, *, penalty: float = 1e-3) -> Affine:
    """The map that minimises |X W + 1 b' - Y|_F^2 + l |W|_F^2; row i of ``y`` is what row i of ``x`` becomes.

    With X and Y less their means m_x and m_y: W = (X'X + l I)^-1 X'Y and b = m_y - m_x W, where l is ``penalty`` times
    the mean eigenvalue of X'X, so that it means the same for any number of rows and any length of theirs.

    Args:
        x: (n, d).
        y: (n, e).
        penalty: above 0.

    Raises:
        InputError: there is no row, not as many of both, one that holds NaN or Inf, or a penalty of 0 or less.

    References:
        Hoerl and Kennard 1970, Ridge regression.
    """
    sides = [matrix(side).astype(np.float64) for side in (x, y)]
    if len(sides[0]) != len(sides[1]) or not sides[0].size:
        raise InputError(f"expected as many vectors on both sides, got {sides[0].shape} and {sides[1].shape}")
    if not all(np.isfinite(side).all() for side in sides):
        raise InputError("expected finite numbers, a row holds NaN or Inf")
    if not penalty > 0:
        raise InputError(f"penalty must be above 0, got {penalty}")
    means = [side.mean(axis=0) for side in sides]
    left, right = (side - mean for side, mean in zip(sides, means, strict=True))
    square = left.T @ left
    size = np.trace(square) / len(square)
    w = np.linalg.solve(square + penalty * (size or 1.0) * np.eye(len(square)), left.T @ right)
    return Affine(w, means[1] - means[0] @ w)

"""How alike two sets of vectors are: linear centred kernel alignment, and partners against strangers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import normalize


def linear_cka(x: ArrayLike, y: ArrayLike) -> float:
    """CKA = HSIC(K, M) / sqrt(HSIC(K, K) HSIC(M, M)) of the Gram matrices K = X X' and M = Y Y', without bias.

    With the diagonals of K and M set to 0::

        HSIC(K, M) = ( tr(K M) + 1'K1 1'M1 / ((n - 1)(n - 2)) - 2 1'K M1 / (n - 2) ) / (n (n - 3))

    1 where one is the other turned and stretched evenly, wherever both lie; about 0 (also a little below) where they
    have nothing to do with each other, however few the rows are.

    >>> round(linear_cka([[1, 0], [0, 1], [-1, -1], [2, 3]], [[0, 2], [2, 0], [-2, -2], [6, 4]]), 6)
    1.0

    Args:
        x: (n, d) vectors, n >= 4.
        y: (n, e) vectors of the same n things.

    Returns:
        At most 1; NaN where the rows of one have no variance to speak of (HSIC(K, K) <= 0).

    Raises:
        InputError: unequal numbers of rows, or fewer than four.

    References:
        Kornblith et al. 2019, arXiv:1905.00414; Song et al. 2012, JMLR 13 (5), eq. 5 (the estimate without bias).
    """
    a, b = (np.asarray(one, dtype=np.float64) for one in (x, y))
    _check(a.shape, b.shape, least=4)
    first, second = a @ a.T, b @ b.T
    np.fill_diagonal(first, 0)
    np.fill_diagonal(second, 0)
    scale = _hsic(first, first) * _hsic(second, second)
    return _hsic(first, second) / float(np.sqrt(scale)) if scale > 0 else float("nan")


def _hsic(k: NDArray[np.float64], m: NDArray[np.float64]) -> float:
    n, both = len(k), k @ m
    apart = k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * both.sum() / (n - 2)
    return float((np.trace(both) + apart) / (n * (n - 3)))


def partners_and_strangers(x: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """Mean cosine of the rows that belong together, and of all others.

    Args:
        x: (n, d) vectors, n >= 2.
        y: (n, d) their partners.

    Raises:
        InputError: unequal numbers of rows, or fewer than two.
    """
    a, b = (normalize(np.asarray(one, dtype=np.float32)) for one in (x, y))
    _check(a.shape, b.shape, least=2)
    cosines = a @ b.T
    own, n = float(np.trace(cosines)), len(cosines)
    return own / n, (float(cosines.sum()) - own) / (n * (n - 1))


def _check(first: tuple[int, ...], second: tuple[int, ...], *, least: int) -> None:
    if len(first) != 2 or len(second) != 2 or first[0] != second[0] or first[0] < least:
        raise InputError(f"expected two matrices of as many rows, {least} at least, got {first} and {second}")

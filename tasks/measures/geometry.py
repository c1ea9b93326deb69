"""How a space is shaped: hubs that are near to everything, and directions that all vectors share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import matrix, normalize


def k_occurrence(nearest: ArrayLike, m: int) -> NDArray[np.int64]:
    """N_k: how often each candidate is among the ``k`` nearest of a query; its mean is k n / m.

    Args:
        nearest: (n, k) rows of the candidates nearest to each query, as ``align.similarity.nearest.top_k`` gives them.
        m: candidates.

    Returns:
        (m,) counts from 0 to n.

    Raises:
        InputError: not a matrix of rows, or a row that is no candidate.
    """
    rows = matrix(nearest)
    if rows.dtype.kind not in "iu" or (rows.size and not (rows.min() >= 0 and rows.max() < m)):
        raise InputError(f"expected rows of {m} candidates, got {rows.dtype} from {rows.min()} to {rows.max()}")
    counts: NDArray[np.int64] = np.bincount(rows.ravel().astype(np.int64), minlength=m).astype(np.int64)
    return counts


def hubness(nearest: ArrayLike, m: int) -> float:
    """Skewness of the k-occurrence over the candidates: 0 without hubs, the more the greater the hubs are.

    S = mean (N_k - mean N_k)^3 / std(N_k)^3, and 0 where every candidate occurs as often. Ten neighbours are usual.

    Args:
        nearest: (n, k) rows of the candidates nearest to each query, as ``align.similarity.nearest.top_k`` gives them.
        m: candidates, at least 1.

    Raises:
        InputError: no candidates, or as :func:`k_occurrence`.

    References:
        Radovanovic et al. 2010, JMLR 11:2487-2531 (there all rows are queries and candidates).
    """
    if m < 1:
        raise InputError(f"hubness needs at least one candidate, got {m}")
    counts = k_occurrence(nearest, m)
    if (counts == counts[0]).all():
        return 0.0
    off = counts - counts.mean()
    return float((off**3).mean() / (off**2).mean() ** 1.5)


def anisotropy(x: ArrayLike, *, block: int = 8192) -> float:
    """Mean cosine of two different rows: 0 where directions cancel out, 1 where all rows point one way.

    A = (|sum_i u_i|^2 - sum_i |u_i|^2) / (n (n - 1)), u the unit rows: the mean over all pairs without their products.

    Args:
        x: (n, d), n >= 2; the cosine of a row of zeros with any other is 0.
        block: rows held as float32 at a time.

    Returns:
        -1 / (n - 1) to 1.

    Raises:
        InputError: fewer than two rows, or a row that holds NaN or Inf.

    References:
        Ethayarajh 2019, ACL D19-1006 (there over pairs drawn at random).
    """
    rows = matrix(x)
    n = len(rows)
    if n < 2:
        raise InputError(f"anisotropy needs at least two rows, got {n}")
    total, diagonal = np.zeros(rows.shape[1]), 0.0
    for start in range(0, n, block):
        units = normalize(rows[start : start + block], first_row=start).astype(np.float64)
        total += units.sum(axis=0)
        diagonal += float(np.square(units).sum())
    return float((total @ total - diagonal) / (n * (n - 1)))

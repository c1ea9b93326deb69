"""Are the scores of a FAISS index cosines? Asked of every one that is built, with rows of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError

ROWS, K = 100, 10
"""Rows that are looked up, and hits of each."""
TOLERANCE = 0.15
"""Most that a score may differ from the cosine of its hit, on average. Codes of a byte or more for eight dimensions
differ by 0.05, of fewer by 0.1; what leaves out dimensions, or the mean, by more."""
ORDER = 0.6
"""Least share in the order of their cosines, of the pairs of hits whose cosines differ by more than the tolerance."""
ITSELF = 0.8
"""Least share of rows that find themselves, or a copy, among ``K``."""
COPY = 1e-4
"""A hit whose cosine is 1 but for so much is the row itself or a copy of it."""


def check_scores(
    factory: str, queries: NDArray[np.float32], scores: NDArray[np.float32], vectors: NDArray[np.float32]
) -> dict[str, Any]:
    """Compare the scores of hits with their cosines, and see whether rows find themselves.

    Args:
        factory: of the index.
        queries: (n, d) unit vectors of rows.
        scores: (n, k) what the index said; -Inf: no hit.
        vectors: (n, k, d) unit vectors of the hits.

    Returns:
        What the manifest keeps: ``rows`` looked up, ``k``, mean ``difference`` of score and cosine, its ``tolerance``,
        ``order`` (share of pairs) and ``itself`` (share of rows).

    Raises:
        InputError: more than the tolerance, worse order or fewer rows than the bounds of this module.
    """
    there = np.isfinite(scores)
    cosines = np.where(there, np.einsum("nd,nkd->nk", queries, vectors), -np.inf)
    difference = float(np.abs(scores[there] - cosines[there]).mean()) if there.any() else 0.0
    with np.errstate(invalid="ignore"):
        nearer = cosines[:, :, None] - cosines[:, None, :] > TOLERANCE
    nearer &= there[:, :, None] & there[:, None, :]
    higher = np.where(there, scores, 0)[:, :, None] >= np.where(there, scores, 0)[:, None, :]
    order = float(higher[nearer].mean()) if nearer.any() else 1.0
    itself = float((cosines >= 1 - COPY).any(axis=1).mean()) if len(queries) else 1.0
    cure = "give a factory with more bytes a vector or more links, or end it with ,RFlat, which compares whole vectors"
    if difference > TOLERANCE or order < ORDER:
        raise InputError(
            f"the scores of {factory!r} are no cosines: hits of {len(queries)} rows differ from theirs by "
            f"{difference:.3f} on average (at most {TOLERANCE}), and {order:.0%} of pairs are in order (at least "
            f"{ORDER:.0%}): {cure}"
        )
    if itself < ITSELF:
        raise InputError(
            f"{factory!r} does not find what is in it: of {len(queries)} of its rows {itself:.0%} find themselves "
            f"among {scores.shape[1]} hits (at least {ITSELF:.0%}): {cure}"
        )
    return {
        "rows": len(queries), "k": scores.shape[1], "difference": round(difference, 4), "tolerance": TOLERANCE,
        "order": round(order, 4), "itself": round(itself, 4),
    }  # fmt: skip

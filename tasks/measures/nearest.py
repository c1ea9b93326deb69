"""The class of the nearest neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.similarity.cosine import TIE_TOLERANCE
from align.similarity.nearest import top_k


def nearest_class(queries: ArrayLike, known: ArrayLike, classes: NDArray[np.int64], *, k: int = 5) -> NDArray[np.int64]:
    """Class that most of the ``k`` nearest known rows have, by cosine.

    Of classes with as many votes the one with the larger sum of cosines wins (to the tie tolerance, 1e-06), of these
    the lower class. Of known rows that are equally near, the lower row votes.

    Args:
        queries: (n, d).
        known: (m, d), m >= 1.
        classes: (m,) class of each known row, from 0.
        k: voters, at least 1; of fewer known rows all vote.

    Returns:
        (n,) classes.

    Raises:
        InputError: ``k`` < 1, the widths differ, or a row holds NaN or Inf.
    """
    cosines, rows = top_k(queries, known, k)  # (n, min(k, m))
    steps = np.rint(cosines.astype(np.float64) / TIE_TOLERANCE).astype(np.int64)
    vote = 4 * steps.shape[1] * round(1 / TIE_TOLERANCE)  # more than any two sums of cosines can differ by
    totals = np.zeros((len(rows), int(classes.max()) + 1), dtype=np.int64)
    np.add.at(totals, (np.arange(len(rows))[:, None], classes[rows]), vote + steps)
    winners: NDArray[np.int64] = np.argmax(totals, axis=1).astype(np.int64)
    return winners

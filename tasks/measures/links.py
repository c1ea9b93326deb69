"""How well links between words agree with gold ones: alignment error rate, precision, recall, F1."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Pairs = Set[tuple[int, int]]


class Agreement(NamedTuple):
    """Over all lines together."""

    aer: float
    """1 - (|A n S| + |A n P|) / (|A| + |S|), 0 to 1, lower is better."""
    precision: float
    """|A n P| / |A|."""
    recall: float
    """|A n S| / |S|."""
    f1: float
    """2 precision recall / (precision + recall)."""


def line_counts(links: Pairs, sure: Pairs, possible: Pairs) -> tuple[int, int, int, int]:
    """|A|, |S|, |A n S|, |A n P| of one line; P is ``possible`` with S in it.

    >>> line_counts({(0, 0), (1, 1), (2, 2)}, {(0, 0)}, {(1, 1)})
    (3, 1, 1, 2)
    """
    return len(links), len(sure), len(links & sure), len(links & (sure | possible))


def expected_hits(links: Pairs, sure: Pairs, possible: Pairs, words: tuple[int, int], null: int = -1) -> float:
    """|A n S| + |A n P| of one line, on average over all orders of the words that stand behind the numbers of A.

    sum_k |A_k| (|S_k| + |P_k|) / c_k over three kinds of links: of two words, c = m n; of a word of one side with no
    word, c = m or n. P is ``possible`` with S in it. Links that know nothing of the words get no more.

    >>> expected_hits({(0, 0), (1, 1)}, {(0, 0)}, {(0, 1)}, (2, 3))
    1.0

    Args:
        links: what is linked, A.
        sure: S.
        possible: P, with or without S.
        words: (m, n) words of the two sides that may be linked.
        null: the number that says no word.
    """
    found = 0.0
    for kind, cells in (((False, False), words[0] * words[1]), ((False, True), words[0]), ((True, False), words[1])):
        a, s, p = (
            sum((i == null, j == null) == kind for i, j in pairs) for pairs in (links, sure, sure | possible)
        )  # fmt: skip
        found += a * (s + p) / cells if a else 0.0
    return found


def agreement(counts: ArrayLike) -> Agreement:
    """The measures of (n, 4) counts of lines, added up.

    Where nothing is linked and nothing is sure, the error is 0; a share of nothing is 1 if there is nothing to find
    either, else 0.

    >>> agreement([(3, 1, 1, 2), (1, 1, 0, 0)])
    Agreement(aer=0.5, precision=0.5, recall=0.5, f1=0.5)

    References:
        Och and Ney 2003, "A systematic comparison of various statistical alignment models", J03-1002, eq. 24.
    """
    a, s, sure, possible = np.asarray(counts, dtype=np.int64).reshape(-1, 4).sum(axis=0).tolist()
    precision = possible / a if a else float(not s)
    recall = sure / s if s else float(not a)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Agreement(1 - (sure + possible) / (a + s) if a + s else 0.0, precision, recall, f1)


def ratio_items(parts: ArrayLike, wholes: ArrayLike) -> NDArray[np.float64]:
    """(n,) what each line adds to a ratio of sums, so that their mean is the ratio and their spread is its own.

    x_i = R + n (p_i - R w_i) / sum w with R = sum p / sum w. The bootstrap of the mean of x is that of the ratio to the
    first order: a line that is right has weight by its length, and so does the length itself.

    >>> ratio_items([1, 0], [1, 3]).tolist()
    [0.625, -0.125]

    References:
        The linearised ratio estimator: Cochran 1977, "Sampling techniques", section 6.
    """
    p, w = np.asarray(parts, dtype=np.float64), np.asarray(wholes, dtype=np.float64)
    if not w.sum():
        return np.zeros(len(p))
    ratio = p.sum() / w.sum()
    items: NDArray[np.float64] = ratio + len(p) * (p - ratio * w) / w.sum()
    return items

"""Index-time augmentation: vectors of passages are moved towards queries that are supplied for them.

With Q_i the queries supplied for passage i, P'_i = (1 - a) P_i + a * sum Q_i. The index keeps its size, and a search
costs what it did before.

References:
    Zhuang, Shou and Zuccon 2023 (xQG), arXiv:2305.03950.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import TIE_TOLERANCE, matrix, normalize, slices

REDUCE = ("sum", "mean")
ALPHAS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
"""Weights that :func:`best_alpha` tries. xQG's 0.01 is for some 35 queries a passage; a single one needs more."""

Blocks = Callable[[], Iterable[NDArray[Any]]]
"""Gives (rows, d) blocks of a matrix that is not in memory, in order, from its start each time it is called."""


def augment_matrix(
    passages: ArrayLike,
    queries: ArrayLike,
    owners: ArrayLike,
    *,
    alpha: float = 0.01,
    reduce: str = "sum",
    unit: bool = True,
    block: int = 16_384,
) -> NDArray[Any]:
    """Passages moved towards their queries: P'_i = (1 - alpha) P_i + alpha * reduce of {Q_j : owner_j = i}.

    Where n queries are supplied for each passage, the sum with weight a points where the mean does with weight
    a n / (1 - a + a n): 35 queries at 0.01 weigh as much as their mean at 0.26.

    Args:
        passages: (N, d) finite numbers.
        queries: (M, d) finite numbers, of the encoder that made the passages.
        owners: (M,) row of the passage that each query was supplied for, in any order.
        alpha: 0 (the passages, to the last bit) to 1 (their queries alone).
        reduce: ``sum``, or ``mean``, whose weight does not grow with the number of queries.
        unit: passages and queries count as unit vectors, and a passage keeps its length, so that unit vectors stay
            unit ones (for cosine). Else the formula as it stands (for inner products).
        block: passages moved at a time.

    Returns:
        (N, d), float16 if the passages are, else float32. A passage without queries stays as it is, to the last bit;
        one whose sum is zero becomes zero.

    Raises:
        InputError: an option outside its range, widths that differ, an owner that does not exist, NaN or Inf.
    """
    rows, asked = matrix(passages), matrix(queries)
    check_weight(alpha, reduce)
    if rows.shape[1] != asked.shape[1]:
        raise InputError(
            f"passages have {rows.shape[1]} dimensions, queries {asked.shape[1]}: expected the same number"
        )
    owner = _rows(owners, len(asked), len(rows), "owners", "query")
    with np.errstate(over="ignore"):
        result = np.array(rows, dtype=rows.dtype if rows.dtype == np.float16 else np.float32)
    _finite(result, "passages")
    _finite(asked, "queries")
    if not alpha:
        return result
    order = np.argsort(owner, kind="stable")
    for start in range(0, len(rows), block):
        low, high = np.searchsorted(owner[order], [start, start + block])
        mine = order[low:high]
        if not len(mine):
            continue
        moved, first, counts = np.unique(owner[mine], return_index=True, return_counts=True)
        given = normalize(asked[mine]) if unit else asked[mine].astype(np.float32)
        towards = np.add.reduceat(given, first, axis=0)  # (passages with queries, d)
        if reduce == "mean":
            towards /= counts[:, None]
        result[moved] = _moved(result[moved].astype(np.float32), towards, alpha, unit)
    return result


def _moved(
    passages: NDArray[np.float32], towards: NDArray[np.float32], alpha: float, unit: bool
) -> NDArray[np.float32]:
    if not unit:
        return np.float32(1 - alpha) * passages + np.float32(alpha) * towards
    length = np.linalg.norm(
        passages.astype(np.float64), axis=1, keepdims=True
    )  # the squares of 1e30 are Inf in float32
    direction = normalize(np.float32(1 - alpha) * normalize(passages) + np.float32(alpha) * towards)
    moved: NDArray[np.float32] = (length * direction).astype(np.float32)
    return moved


def best_alpha(
    passages: ArrayLike | Blocks,
    queries: ArrayLike,
    owners: ArrayLike,
    dev: ArrayLike,
    gold: ArrayLike,
    *,
    alphas: Sequence[float] = ALPHAS,
    k: int = 10,
    reduce: str = "sum",
    unit: bool = True,
) -> tuple[float, dict[float, float]]:
    """The weight with which most dev queries find their passage among the first k by cosine.

    Ranks count ties against the passage that is looked for, as :func:`align.similarity.ranks.gold_ranks` does.

    Args:
        passages: (N, d), or a function that gives it in blocks.
        queries: (M, d) supplied queries.
        owners: (M,) rows of passages.
        dev: (n, d) queries as users ask them, n >= 1, none of them among those that a result is reported on.
        gold: (n,) row of the passage that answers each.
        alphas: weights to try.
        k: of recall@k.
        reduce: as in :func:`augment_matrix`.
        unit: as in :func:`augment_matrix`.

    Returns:
        The weight (of equal ones the smallest), and recall@k of each, smallest weight first.

    Raises:
        InputError: as :func:`augment_matrix`; no weights, no dev queries, a gold row that does not exist, or k below 1.
    """
    asked, units, answers = matrix(queries), normalize(dev), np.asarray(gold)
    tried = sorted({float(alpha) for alpha in alphas})
    if not tried or not len(units) or k < 1:
        raise InputError(
            f"expected weights to try, dev queries and k >= 1, got {len(tried)} weights, {len(units)} queries and k {k}"
        )
    blocks = passages if callable(passages) else partial(_blocks, matrix(passages))
    count = sum(len(block) for block in blocks())
    _rows(answers, len(units), count, "gold rows", "dev query")
    owner = _rows(owners, len(asked), count, "owners", "query")
    order = np.argsort(owner, kind="stable")

    def augmented() -> Iterator[tuple[int, int, NDArray[np.float32]]]:
        """First row, place of the weight, unit rows: of every block with every weight."""
        start = 0
        for block in blocks():
            mine = order[slice(*np.searchsorted(owner[order], [start, start + len(block)]))]
            for place, alpha in enumerate(tried):
                rows = augment_matrix(block, asked[mine], owner[mine] - start, alpha=alpha, reduce=reduce, unit=unit)
                yield start, place, normalize(rows, first_row=start)
            start += len(block)

    bars = np.empty((len(tried), len(units)), dtype=np.float32)
    for start, place, rows in augmented():
        here = np.flatnonzero((answers >= start) & (answers < start + len(rows)))
        bars[place, here] = np.einsum("ij,ij->i", units[here], rows[answers[here] - start])
    bars -= np.float32(TIE_TOLERANCE)
    ahead = np.zeros(bars.shape, dtype=np.int64)
    for start, place, rows in augmented():
        for first in range(0, len(units), 2048):
            some = slice(first, first + 2048)
            beats = units[some] @ rows.T >= bars[place, some, None]
            gold_rows = answers[some] - start
            inside = np.flatnonzero((gold_rows >= 0) & (gold_rows < len(rows)))
            beats[inside, gold_rows[inside]] = False
            ahead[place, some] += beats.sum(axis=1)
    recalls = {alpha: float((ahead[place] < k).mean()) for place, alpha in enumerate(tried)}
    return max(recalls, key=lambda alpha: recalls[alpha]), recalls


def _blocks(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (rows[here] for here in slices(len(rows), 16_384))


def check_weight(alpha: float, reduce: str) -> None:
    """Refuse a weight outside 0 to 1, or an unknown way to reduce, in one sentence."""
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha must be between 0 and 1, got {alpha}")
    if reduce not in REDUCE:
        raise InputError(f"reduce must be {' or '.join(REDUCE)}, got {reduce!r}")


def _rows(numbers: ArrayLike, n: int, m: int, what: str, each: str) -> NDArray[np.int64]:
    """(n,) numbers of passages."""
    rows = np.asarray(numbers)
    if rows.shape != (n,) or (n and rows.dtype.kind not in "iu"):
        raise InputError(f"{what} have shape {rows.shape} of {rows.dtype}: expected a passage for each {each} of {n}")
    if n and not (rows.min() >= 0 and rows.max() < m):
        raise InputError(f"{what} name passages {rows.min()} to {rows.max()}: expected 0 to {m - 1}")
    return rows.astype(np.int64)


def _finite(rows: NDArray[Any], what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise InputError(f"row {bad[0]} of the {what} holds NaN or Inf; expected finite numbers")

"""Links between the words of two sentences from the vectors of the words, many pairs of sentences at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError, unknown
from align.similarity.cosine import normalize

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
CELLS = 2**20
"""Cells of similarity in one block of sentences: bounds memory, and is what a cache still holds."""


class Links(NamedTuple):
    """What is linked in one pair of sentences, by source, then target."""

    source: NDArray[np.int64]
    """(k,) rows of the first sentence."""
    target: NDArray[np.int64]
    """(k,) rows of the second."""
    scores: Floats
    """(k,) cosine; of ``softmax`` 2PQ / (P + Q)."""


@dataclass(frozen=True)
class Linking:
    """How rows are linked. S = (cos + 1) / 2 of m rows with n.

    - ``argmax``: cell (i, j) is the highest of its row and of its column.
    - ``itermax``: argmax; then, up to ``rounds`` in all, argmax again on S * M, where M is 1 if row and column have no
      link yet, ``alpha`` if one of them has none, 0 else. It ends when nothing is added or one side has no free row;
      where a side has two rows or fewer it is argmax.
    - ``match``: the min(m, n) cells, no two of a row or column, whose sum of S is highest.
    - ``softmax``: P = softmax over j and Q = softmax over i of s_i . t_j / temperature, vectors as they are; linked
      where both are over ``probability``.

    Sources: argmax, itermax, match: Jalili Sabet et al. 2020, findings-emnlp.147; softmax: Dou and Neubig 2021,
    eacl-main.181.
    """

    method: str = "itermax"
    """argmax, itermax, match or softmax."""
    threshold: float = -1.0
    """Links of a lower cosine are dropped: their words have no partner."""
    rounds: int = 2
    """Of itermax, at most."""
    alpha: float = 0.9
    """Of itermax: weight of a cell whose row or column is linked already."""
    probability: float = 1e-3
    """Of softmax: both directions are over it."""
    temperature: float = 1.0
    """Of softmax."""

    def __post_init__(self) -> None:
        """Refuse what no method is, and numbers outside their ranges."""
        if self.method not in METHODS:
            raise InputError(unknown("method of word alignment", self.method, METHODS))
        if not -1 <= self.threshold <= 1:
            raise InputError(f"the threshold is a cosine, -1 to 1, got {self.threshold:g}")
        if not 0 < self.probability < 1 or not 0 < self.alpha <= 1:
            raise InputError(
                f"expected probability inside 0 to 1 and alpha up to 1, got {self.probability:g} and {self.alpha:g}"
            )
        if self.rounds < 1 or self.temperature <= 0:
            raise InputError(
                f"expected rounds of at least 1 and a temperature above 0, got {self.rounds} and {self.temperature:g}"
            )


def link(source: Sequence[Floats], target: Sequence[Floats], linking: Linking) -> list[Links]:
    """Links of pairs of sentences from the vectors of their words.

    Sentences of like length are computed in one block; the links are those of one pair after the other.

    Args:
        source: for each of N pairs (m, d) vectors, m >= 0.
        target: (n, d).
        linking: how.

    Returns:
        N sets of links. A pair with a side without rows has none.

    Raises:
        InputError: another number of sentences or dimensions on the two sides.
    """
    if len(source) != len(target):
        raise InputError(f"expected as many sentences on both sides, got {len(source)} and {len(target)}")
    none = np.empty(0, dtype=np.int64)
    found = [Links(none, none, np.empty(0, dtype=np.float32))] * len(source)
    raw = linking.method == "softmax"
    for pairs in _blocks([len(one) for one in source], [len(one) for one in target]):
        s, t = (_padded([side[i] for i in pairs], raw=raw) for side in (source, target))
        if s.shape[2] != t.shape[2]:
            raise InputError(f"expected vectors of one dimension on both sides, got {s.shape[2]} and {t.shape[2]}")
        m, n = (np.array([len(side[i]) for i in pairs]) for side in (source, target))
        real = (np.arange(s.shape[1]) < m[:, None])[:, :, None] & (np.arange(t.shape[1]) < n[:, None])[:, None]
        linked, scores = METHODS[linking.method](s @ t.transpose(0, 2, 1), real, linking)
        if linking.threshold > -1:
            cosines = scores if not raw else _unit(s) @ _unit(t).transpose(0, 2, 1)
            linked &= cosines >= linking.threshold
        where, i, j = np.nonzero(linked)
        values = scores[where, i, j].astype(np.float32)
        ends = np.searchsorted(where, np.arange(len(pairs) + 1))
        for place, pair in enumerate(pairs):
            part = slice(ends[place], ends[place + 1])
            found[pair] = Links(i[part], j[part], values[part])
    return found


def _blocks(m: Sequence[int], n: Sequence[int]) -> Iterator[list[int]]:
    """Pairs with rows on both sides, those of like length together, of up to ``CELLS`` cells with the padding.

    A pair counts as a square of its longer side: the rows of a long sentence need room beside a short one too.
    """
    sides = {i: max(m[i], n[i]) for i in range(len(m)) if m[i] and n[i]}
    block: list[int] = []
    for i in sorted(sides, key=lambda i: (sides[i], m[i])):  # ascending, so that the last pair has the longest side
        if block and (len(block) + 1) * sides[i] ** 2 > CELLS:
            yield block
            block = []
        block.append(i)
    if block:
        yield block


def _padded(rows: Sequence[Floats], *, raw: bool) -> Floats:
    """(B, longest, d), zeros behind each; unit rows unless ``raw``."""
    flat = np.concatenate(rows).astype(np.float32)
    lengths = np.array([len(one) for one in rows])
    made = np.zeros((len(rows), lengths.max(), flat.shape[1]), dtype=np.float32)
    made[np.arange(made.shape[1]) < lengths[:, None]] = flat if raw else normalize(flat)
    return made


def _unit(rows: Floats) -> Floats:
    """(B, T, d) rows of length 1, or 0."""
    lengths = np.linalg.norm(rows, axis=2, keepdims=True)
    unit: Floats = (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return unit


def _mutual(weights: Floats) -> Bools:
    """(B, m, n) cells that are the first highest of their row and of their column."""
    rows, columns = weights.argmax(axis=2), weights.argmax(axis=1)  # (B, m), (B, n)
    of_row: Bools = rows[:, :, None] == np.arange(weights.shape[2])
    of_column: Bools = columns[:, None] == np.arange(weights.shape[1])[:, None]
    return of_row & of_column


def _argmax(cosines: Floats, real: Bools, linking: Linking) -> tuple[Bools, Floats]:
    return _mutual(np.where(real, cosines, -np.inf)) & real, cosines


def _itermax(cosines: Floats, real: Bools, linking: Linking) -> tuple[Bools, Floats]:
    linked = _argmax(cosines, real, linking)[0]
    rows: Bools = np.any(real, axis=2)  # (B, m) that are no padding
    columns: Bools = np.any(real, axis=1)
    going: Bools = np.minimum(rows.sum(1), columns.sum(1)) > 2
    similarity = (cosines + 1) / 2
    for _ in range(linking.rounds - 1):
        free_rows: Bools = rows & ~np.any(linked, axis=2)
        free_columns: Bools = columns & ~np.any(linked, axis=1)
        going = going & np.any(free_rows, axis=1) & np.any(free_columns, axis=1)
        if not np.any(going):
            break
        one, other = free_rows[:, :, None], free_columns[:, None]
        mask = np.where(one & other, np.float32(1), np.float32(linking.alpha)) * (one | other)
        new = _mutual(np.where(real, similarity * mask, -1)) & (one | other) & real & going[:, None, None]
        going = np.any(new & ~linked, axis=(1, 2))
        linked |= new
    return linked, cosines


def _match(cosines: Floats, real: Bools, linking: Linking) -> tuple[Bools, Floats]:
    from scipy.optimize import linear_sum_assignment

    linked = np.zeros(cosines.shape, dtype=bool)
    for one, weights, cells in zip(linked, cosines, real, strict=True):
        m, n = int(cells.any(axis=1).sum()), int(cells.any(axis=0).sum())
        one[linear_sum_assignment(weights[:m, :n], maximize=True)] = True  # of (cos + 1) / 2 the same cells are best
    return linked, cosines


def _softmax(products: Floats, real: Bools, linking: Linking) -> tuple[Bools, Floats]:
    logits = np.where(real, products / np.float32(linking.temperature), -np.inf)
    forward, backward = (_shares(logits, axis) for axis in (2, 1))
    both = forward + backward
    scores: Floats = np.divide(2 * forward * backward, both, out=np.zeros_like(both), where=both > 0)
    return (forward > linking.probability) & (backward > linking.probability) & real, scores


def _shares(logits: Floats, axis: int) -> Floats:
    """Softmax over an axis; 0 where all is padding."""
    highest = logits.max(axis=axis, keepdims=True)
    raised: Floats = np.exp(logits - np.where(np.isfinite(highest), highest, 0))
    total = raised.sum(axis=axis, keepdims=True)
    shares: Floats = np.divide(raised, total, out=np.zeros_like(raised), where=total > 0)
    return shares


METHODS: dict[str, Callable[[Any, Any, Linking], tuple[Bools, Floats]]] = {
    "argmax": _argmax, "itermax": _itermax, "match": _match, "softmax": _softmax,
}  # fmt: skip
"""(products of rows, which cells are no padding, how) -> linked cells, scores; all (B, m, n)."""

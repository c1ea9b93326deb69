"""Re-ranking inside a task: the candidates that vectors bring are put in the order of a scorer of pairs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.tasks.embedding import Encode

TIE = 1e-6
"""A candidate that scores less than the right answer by no more than this is ahead of it."""


class PairScorer(Protocol):
    """What scores pairs of texts, such as :class:`align.reranking.scorer.Scorer`."""

    def score(self, first: Sequence[str], second: Sequence[str]) -> NDArray[np.float32]:
        """(n,) scores of n queries with n candidates, higher is nearer."""

    def identity(self) -> dict[str, Any]:
        """What decides them."""


class Reranked:
    """A function to vectors with a scorer of pairs, for protocols with a ``rerank_depth``; it counts what it costs.

    Args:
        encode: (texts, language) -> vectors.
        score: (n queries, n candidates) -> (n,) scores, higher is nearer.
    """

    def __init__(self, encode: Encode, score: Callable[[Sequence[str], Sequence[str]], ArrayLike]) -> None:
        self.encode, self.score = encode, score
        self.pairs, self.seconds = 0, 0.0

    def __call__(self, texts: Sequence[str], language: str) -> ArrayLike:
        """Vectors, as without a scorer."""
        return self.encode(texts, language)

    def ranks(
        self,
        ranks: NDArray[Any],
        nearest: NDArray[np.int64],
        right: NDArray[np.bool_],
        queries: Sequence[str],
        candidates: Sequence[str],
    ) -> NDArray[Any]:
        """The ranks of right answers once the nearest candidates stand in the order of the scorer.

        Of a query with a right answer among its nearest, the rank is one more than the number of wrong ones among them
        that score as much as the best right one, or more. Of any other it stays, as no right answer is re-ranked.

        Args:
            ranks: (n,) before.
            nearest: (n, depth) rows of ``candidates``.
            right: (n, depth) which of these are right.
            queries: n texts.
            candidates: m texts.
        """
        began = time.perf_counter()
        first = [query for query in queries for _ in range(nearest.shape[1])]
        second = [candidates[row] for row in nearest.ravel().tolist()]
        scores = np.asarray(self.score(first, second)).reshape(nearest.shape)
        self.pairs, self.seconds = self.pairs + len(first), self.seconds + time.perf_counter() - began
        best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
        ahead = ((scores >= best - TIE) & ~right).sum(axis=1)
        behind = np.maximum(ranks, nearest.shape[1] + 1)
        found: NDArray[Any] = np.where(right.any(axis=1), ahead + 1, behind)
        return found


def reranked_by(encode: Encode, protocol: Any) -> Reranked | None:
    """What re-ranks under a protocol; None: it does not.

    Raises:
        InputError: the protocol re-ranks and there is no scorer, or the reverse.
    """
    depth = protocol.rerank_depth
    if isinstance(encode, Reranked) == (depth is not None):
        return encode if isinstance(encode, Reranked) else None
    if depth is None:
        raise InputError(f"protocol {protocol.name} does not re-rank: a scorer needs rerank_depth, such as 10")
    raise InputError(f"protocol {protocol.name} re-ranks the nearest {depth}: give a scorer (--rerank FOLDER)")


def check_depth(name: str, depth: int | None) -> None:
    """Refuse a protocol that re-ranks fewer than two candidates."""
    if depth is not None and depth < 2:
        raise InputError(f"protocol {name}: rerank_depth is {depth}; expected at least 2 candidates, or none")


def described_depth(depth: int | None) -> str:
    """For the line that describes a protocol."""
    return "" if depth is None else f"; the nearest {depth} of each in the order of a scorer of pairs"

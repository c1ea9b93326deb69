"""A dictionary and an orthogonal map that improve each other, with VecMap's dropout of similarities."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.mapping.linear_map import Spaces, learn_normalization
from align.mapping.procrustes import orthogonal
from align.similarity.csls import csls_top_k, neighbourhood_means

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SelfLearning:
    """How a dictionary is learned; the defaults are VecMap's."""

    frequent: int = 20_000
    """Words of each side, from the top, that the dictionary is made of."""
    k: int = 10
    """Neighbours of CSLS."""
    keep: float = 0.1
    """Probability that a similarity is looked at, at first."""
    growth: float = 2.0
    """What it is multiplied by when the objective stagnates, up to 1."""
    patience: int = 50
    """Rounds without an improvement that count as stagnation."""
    threshold: float = 1e-6
    """The least improvement."""
    initial: int = 4_000
    """Words of each side, from the top, that the unsupervised start compares."""
    rounds: int = 2_000
    """At most so many; a warning is logged when they do not do."""
    seed: int = 0
    """Of the dropout."""

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        counts = (self.frequent, self.k, self.patience, self.initial, self.rounds)
        if min(counts) < 1 or not 0 < self.keep <= 1 or not self.growth > 1 or not self.threshold >= 0:
            raise InputError(f"expected counts >= 1, 0 < keep <= 1, growth > 1 and threshold >= 0, got {self}")


def learn_dictionary(
    spaces: Spaces, pairs: NDArray[np.int64], learning: SelfLearning, *, block: int = 2048
) -> tuple[NDArray[np.int64], list[float]]:
    """Fit an orthogonal map to the dictionary, take the CSLS neighbours under it as the next dictionary, and so on.

    The next dictionary holds the best target of each frequent source word and the best source of each frequent target
    word, each among the similarities that a coin with probability ``keep`` leaves to look at. The objective is the mean
    of the best cosine of each word, of both sides. After ``patience`` rounds without a rise, ``keep`` is multiplied by
    ``growth``; at ``keep`` = 1 the learning ends.

    Args:
        spaces: normalised vocabularies.
        pairs: (p, 2) the start.
        learning: settings.
        block: rows of each side in one product.

    Returns:
        The last dictionary, (n, 2), and the objective each time it rose.
    """
    x, y = spaces.x[: learning.frequent], spaces.y[: learning.frequent]
    draw, keep, waited = np.random.default_rng(learning.seed), learning.keep, 0
    objective: list[float] = []
    for number in range(1, learning.rounds + 1):
        w = orthogonal(cross_product(spaces.x, spaces.y, pairs, block))  # the seed may hold rare words
        mapped = x @ w.astype(np.float32)
        pairs, score = _next_dictionary(mapped, y, learning.k, keep, draw, block)
        if not objective or score >= objective[-1] + learning.threshold:
            objective.append(score)
            waited = 0
        else:
            waited += 1
        if waited > learning.patience:
            logger.info("round %d: best objective %.5f, %.0f %% kept", number, objective[-1], 100 * keep)
            if keep == 1:
                return pairs, objective
            keep, waited = min(1.0, learning.growth * keep), 0
    logger.warning("self-learning did not settle within %d rounds", learning.rounds)
    return pairs, objective


def unsupervised_pairs(
    spaces: Spaces, learning: SelfLearning, *, normalization: str = "unit,center,unit", block: int = 2048
) -> NDArray[np.int64]:
    """A start without any seed: words whose similarities to their own language are distributed alike.

    A word is described by its row of the root of the similarity matrix, (X X^T)^1/2, sorted; that needs no common
    order of words. The dictionary holds the CSLS neighbours of these descriptions, of both directions.

    Args:
        spaces: normalised vocabularies; the top ``learning.initial`` words are used.
        learning: settings.
        normalization: of the descriptions.
        block: rows of each side in one product.

    Returns:
        (n, 2) rows of source and target.
    """
    size = min(learning.initial, len(spaces.x), len(spaces.y))
    x, y = (learn_normalization(_distributions(side[:size]), normalization)[1] for side in (spaces.x, spaces.y))
    means_x, means_y = neighbourhood_means(x, y, k=learning.k, block=block)
    _, forth = csls_top_k(x, y, 1, query_means=means_x, candidate_means=means_y, block=block)
    _, back = csls_top_k(y, x, 1, query_means=means_y, candidate_means=means_x, block=block)
    return _union(forth[:, 0], back[:, 0])


def cross_product(
    x: NDArray[np.float32], y: NDArray[np.float32], pairs: NDArray[np.int64], block: int
) -> NDArray[np.float64]:
    """(d, d) X^T Y over paired rows, in float64, a block of pairs at a time."""
    total = np.zeros((x.shape[1], y.shape[1]))
    for start in range(0, len(pairs), block):
        left, right = pairs[start : start + block].T
        total += x[left].astype(np.float64).T @ y[right].astype(np.float64)
    return total


def _next_dictionary(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    k: int,
    keep: float,
    draw: np.random.Generator,
    block: int,
) -> tuple[NDArray[np.int64], float]:
    """Union of the best of both directions among kept similarities, and the mean of the best cosines of all words."""
    means_x, means_y = neighbourhood_means(x, y, k=k, block=block)
    best_x, best_y = _Best(len(x)), _Best(len(y))
    for first in range(0, len(x), block):
        here = slice(first, first + block)
        for second in range(0, len(y), block):
            there = slice(second, second + block)
            cosines = x[here] @ y[there].T
            best_x.see(here, cosines, means_y[there], second, keep, draw)
            best_y.see(there, cosines.T, means_x[here], first, keep, draw)
    return _union(best_x.rows, best_y.rows), float(best_x.cosines.mean() + best_y.cosines.mean()) / 2


class _Best:
    """Best candidate so far of each query, by CSLS of kept similarities, and its best cosine of all."""

    def __init__(self, queries: int) -> None:
        self.cosines = np.full(queries, -np.inf)
        self.scores = np.full(queries, -np.inf, dtype=np.float32)
        self.rows = np.zeros(queries, dtype=np.int64)

    def see(
        self,
        queries: slice,
        cosines: NDArray[np.float32],
        means: NDArray[np.float32],
        first: int,
        keep: float,
        draw: np.random.Generator,
    ) -> None:
        """Take a block of cosines into account; ``means`` and ``first`` are those of the candidates."""
        np.maximum(self.cosines[queries], cosines.max(axis=1), out=self.cosines[queries])
        scores = cosines - means / 2  # the query's own mean is the same for all its candidates
        if keep < 1:
            scores[draw.random(scores.shape, dtype=np.float32) >= keep] = -np.inf
        columns = scores.argmax(axis=1)
        found = scores[np.arange(len(scores)), columns]
        better = found > self.scores[queries]
        self.scores[queries] = np.where(better, found, self.scores[queries])
        self.rows[queries] = np.where(better, columns + first, self.rows[queries])


def _union(forth: NDArray[np.int64], back: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of both directions; a pair that both find stands twice and weighs double, as in VecMap."""
    ahead = np.stack([np.arange(len(forth)), forth], axis=1)
    behind = np.stack([back, np.arange(len(back))], axis=1)
    return np.concatenate([ahead, behind])


def _distributions(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, n) sorted rows of (X X^T)^1/2 = U S U^T, from X = U S V^T."""
    u, s, _ = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    root: NDArray[np.float32] = ((u * s) @ u.T).astype(np.float32)
    root.sort(axis=1)
    return root

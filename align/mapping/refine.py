"""Procrustes again and again, on the dictionary that the last map suggests."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.mapping.linear_map import Fit, checked_pairs, normalized_spaces
from align.mapping.procrustes import procrustes
from align.similarity.csls import csls_top_k, neighbourhood_means

logger = logging.getLogger(__name__)


def mutual_neighbours(
    x: ArrayLike, y: ArrayLike, *, k: int = 10, block: int = 2048
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Words that are each other's nearest by CSLS.

    Args:
        x: (n, d) source vectors, mapped.
        y: (m, d) target vectors.
        k: neighbours of CSLS.
        block: rows of each side in one product.

    Returns:
        (p, 2) rows of source and target, and the (p,) CSLS of each pair.
    """
    means_x, means_y = neighbourhood_means(x, y, k=k, block=block)
    scores, forth = csls_top_k(x, y, 1, query_means=means_x, candidate_means=means_y, block=block)
    _, back = csls_top_k(y, x, 1, query_means=means_y, candidate_means=means_x, block=block)
    rows = np.arange(len(forth))
    kept = back[forth[:, 0], 0] == rows
    return np.stack([rows, forth[:, 0]], axis=1)[kept], scores[kept, 0]


def refine(
    x: ArrayLike,
    y: ArrayLike,
    seed_pairs: ArrayLike,
    *,
    rounds: int = 5,
    k: int = 10,
    frequent: int = 20_000,
    normalization: str = "unit",
    block: int = 2048,
) -> Fit:
    """Procrustes on a seed, then on the mutual CSLS neighbours of the most frequent words, as in MUSE.

    A round takes the dictionary of mutual neighbours under the last map and fits a new one to it. It stops when the
    mean CSLS of the dictionary no longer rises, and gives the map before.

    Args:
        x: (n, d) source vectors, most frequent words first.
        y: (m, d) target vectors, most frequent words first.
        seed_pairs: (p, 2) rows of source and target.
        rounds: at most so many; 0: Procrustes only.
        k: neighbours of CSLS.
        frequent: words of each side that the dictionary is made of.
        normalization: of the vectors before the map.
        block: rows of each side in one product; memory is a copy of the vectors and ``block * block`` scores.

    Returns:
        Maps; the target's is the identity. ``objective`` is the mean CSLS of the dictionary, for the seed's map and
        for each round that raised it.

    Raises:
        InputError: no pair, a pair that does not exist, widths that differ, or a row that holds NaN or Inf.

    References:
        Lample et al. 2018, arXiv:1710.04087, sections 2.2 and 2.3.
    """
    if rounds < 0 or frequent < 1:
        raise InputError(f"expected rounds >= 0 and frequent >= 1, got {rounds} and {frequent}")
    spaces = normalized_spaces(x, y, normalization)
    pairs = checked_pairs(seed_pairs, spaces)
    common_x, common_y = spaces.x[:frequent], spaces.y[:frequent]

    def induced(w: NDArray[np.float64]) -> tuple[NDArray[np.int64], float]:
        found, scores = mutual_neighbours(common_x @ w.astype(np.float32), common_y, k=k, block=block)
        return found, float(scores.mean(dtype=np.float64))

    w = procrustes(spaces.x[pairs[:, 0]], spaces.y[pairs[:, 1]])
    dictionary, score = induced(w)
    objective = [score]
    for number in range(1, rounds + 1):
        candidate = procrustes(common_x[dictionary[:, 0]], common_y[dictionary[:, 1]])
        found, score = induced(candidate)
        logger.info("round %d: %d mutual neighbours, mean CSLS %.4f", number, len(found), score)
        if score <= objective[-1]:
            break
        w, pairs, dictionary = candidate, dictionary, found
        objective.append(score)
    return spaces.fit(w, pairs, "mean CSLS of mutual neighbours", objective)

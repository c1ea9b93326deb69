"""VecMap: both sides whitened, rotated, re-weighted and de-whitened; the dictionary given, or learned by the map."""

from __future__ import annotations

import logging
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError, unknown
from align.mapping.linear_map import Fit, Spaces, checked_pairs, normalized_spaces
from align.mapping.self_learning import SelfLearning, cross_product, learn_dictionary, unsupervised_pairs

logger = logging.getLogger(__name__)

Mode = Literal["supervised", "semi", "identical", "unsupervised"]
MODES = get_args(Mode)


def vecmap(
    x: ArrayLike,
    y: ArrayLike,
    seed_pairs: ArrayLike | None = None,
    *,
    mode: Mode = "supervised",
    learning: SelfLearning | None = None,
    normalization: str = "unit,center,unit",
    block: int = 2048,
) -> Fit:
    """VecMap's maps of two vocabularies.

    With P the rows of the dictionary's source words, Q those of its target words, and whitenings
    A = (P^T P)^-1/2, B = (Q^T Q)^-1/2, let A P^T Q B = U S V^T. Then

        x -> x A U S^1/2 U^T A^-1 U   and   y -> y B V S^1/2 V^T B^-1 V:

    whitened, rotated into the space where the sides correlate, each direction weighted by the root of its correlation,
    and de-whitened there. Directions that the dictionary does not span are dropped (a warning is logged).

    Modes: ``supervised`` uses ``seed_pairs`` as they are. The others learn a dictionary first (see ``SelfLearning``):
    ``semi`` from ``seed_pairs``, ``identical`` from those of ``identical_seed``, ``unsupervised`` from nothing but the
    distributions of similarities within each language.

    Args:
        x: (n, d) source vectors, most frequent words first.
        y: (m, d) target vectors, most frequent words first.
        seed_pairs: (p, 2) rows of source and target; ``None`` when unsupervised.
        mode: see above.
        learning: settings of self-learning; ``None``: VecMap's.
        normalization: of the vectors before the maps.
        block: rows of each side in one product; memory is a copy of the vectors and ``block * block`` scores, and
            unsupervised two squares of ``learning.initial`` words.

    Returns:
        Maps of both sides. The objective is the mean of the canonical correlations S when supervised, else that of
        self-learning.

    Raises:
        InputError: no pair, a pair that does not exist, widths that differ, a row that holds NaN or Inf, or pairs where
            the mode takes none.

    References:
        Artetxe et al. 2018 (AAAI), Generalizing and improving bilingual word embedding mappings, sections 3.1 to 3.5;
        Artetxe et al. 2018 (ACL), arXiv:1805.06297.
    """
    if mode not in MODES:
        raise InputError(unknown("mode", mode, MODES))
    if (mode == "unsupervised") != (seed_pairs is None):
        raise InputError(f"mode {mode} {'takes no' if seed_pairs is not None else 'needs'} seed pairs")
    spaces, learning = normalized_spaces(x, y, normalization), learning or SelfLearning()
    if seed_pairs is None:
        pairs = unsupervised_pairs(spaces, learning, normalization=normalization, block=block)
    else:
        pairs = checked_pairs(seed_pairs, spaces)
    measure = "mean best cosine of self-learning"
    objective: list[float] = []
    if mode != "supervised":
        pairs, objective = learn_dictionary(spaces, pairs, learning, block=block)
    source, target, correlations = advanced_maps(spaces, pairs, block=block)
    if mode == "supervised":
        measure, objective = "mean canonical correlation", [float(correlations.mean())]
    return spaces.fit(source, pairs, measure, objective, target=target)


def advanced_maps(
    spaces: Spaces, pairs: NDArray[np.int64], *, block: int = 2048
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Whitening, orthogonal map, re-weighting and de-whitening in one matrix a side.

    Returns:
        (d, d) for the source, (d, d) for the target, and the (d,) canonical correlations, in [0, 1].
    """
    a, from_a = _whitening(cross_product(spaces.x, spaces.x, pairs[:, [0, 0]], block), "source", len(pairs))
    b, from_b = _whitening(cross_product(spaces.y, spaces.y, pairs[:, [1, 1]], block), "target", len(pairs))
    u, s, vt = np.linalg.svd(a @ cross_product(spaces.x, spaces.y, pairs, block) @ b)
    v, weight = vt.T, np.sqrt(s)
    return a @ (u * weight) @ u.T @ from_a @ u, b @ (v * weight) @ v.T @ from_b @ v, s


def _whitening(gram: NDArray[np.float64], side: str, pairs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """G^-1/2 and G^1/2; what G does not span is dropped from both."""
    values, vectors = np.linalg.eigh(gram)
    spanned = values > values[-1] * len(values) * np.finfo(np.float32).eps
    if not spanned.all():
        lost = int((~spanned).sum())
        logger.warning("%s: %d of %d dimensions drop out, %d pairs do not span them", side, lost, len(values), pairs)
    root = np.sqrt(np.where(spanned, values, 0))
    inverse = np.divide(1, root, out=np.zeros_like(root), where=spanned)
    return (vectors * inverse) @ vectors.T, (vectors * root) @ vectors.T

"""Anchors: keep what the encoder already knows by staying near the vectors of the frozen starting encoder."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cosine_similarity


def cosine_anchor(current: Tensor, frozen: Tensor) -> Tensor:
    """Mean cosine distance to where the vectors were: L = mean over i of 1 - cos(current_i, frozen_i).

    Args:
        current: (N, D) vectors of the encoder in training. Gradients flow through.
        frozen: (N, D) vectors of the same texts (or of their translations) by the starting encoder; taken as constants.

    Returns:
        () distance in 0..2.

    Raises:
        ValueError: the shapes disagree or there is no row.
    """
    _check("cosine_anchor", current, frozen)
    return (1 - cosine_similarity(current, frozen.detach(), dim=-1)).mean()


def mse_anchor(current: Tensor, frozen: Tensor) -> Tensor:
    """Mean squared distance to where the vectors were: L = mean over i and d of (current_id - frozen_id)^2.

    Args:
        current: (N, D) vectors of the encoder in training. Gradients flow through.
        frozen: (N, D) vectors by the starting encoder; taken as constants.

    Returns:
        () mean square, in squared units of the vectors.

    Raises:
        ValueError: the shapes disagree or there is no row.

    References:
        Reimers and Gurevych 2020, arXiv:2004.09813, eq. 1 (teacher and student there, before and after here).
    """
    _check("mse_anchor", current, frozen)
    return (current - frozen.detach()).pow(2).mean()


def _check(name: str, current: Tensor, frozen: Tensor) -> None:
    if current.shape != frozen.shape or current.dim() != 2 or len(current) == 0:
        shapes = f"{tuple(current.shape)} and {tuple(frozen.shape)}"
        raise ValueError(f"{name} needs two (N, D) matrices of one shape, N >= 1, got {shapes}")

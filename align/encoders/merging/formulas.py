"""How the weights of several encoders become those of one: each formula on one tensor of each.

theta_k is a tensor of encoder k, w_k its weight; theta_0 that of the encoder they were all trained from, and
d_k = theta_k - theta_0 what training changed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

NEARLY_PARALLEL = 1e-6
"""Below this sine of the angle the arc between two tensors is a line."""


def linear(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """sum_k w_k theta_k: an interpolation where the weights sum to 1.

    Args:
        tensors: K of one shape.
        weights: K.

    References:
        Wortsman et al. 2022, arXiv:2203.05482 (model soups).
    """
    return torch.stack([weight * tensor for weight, tensor in zip(weights, tensors, strict=True)]).sum(0)


def slerp(one: Tensor, other: Tensor, t: float) -> Tensor:
    """On the arc from one tensor to another, as vectors: (sin((1 - t) o) theta_1 + sin(t o) theta_2) / sin o.

    o is the angle between them. Where they are nearly parallel, or one is zero: (1 - t) theta_1 + t theta_2.

    Args:
        one: of any shape.
        other: of the same.
        t: 0 gives ``one``, 1 ``other``.
    """
    lengths = float(one.norm() * other.norm())
    cosine = float((one * other).sum()) / lengths if lengths else 1.0
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    if math.sin(angle) < NEARLY_PARALLEL:
        return (1 - t) * one + t * other
    return (math.sin((1 - t) * angle) * one + math.sin(t * angle) * other) / math.sin(angle)


def task(start: Tensor, tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Task arithmetic: theta_0 + sum_k w_k d_k.

    Args:
        start: theta_0.
        tensors: K of its shape.
        weights: K, of any sum; a negative one takes away what an encoder learnt.

    References:
        Ilharco et al. 2023, arXiv:2212.04089.
    """
    return start + linear([tensor - start for tensor in tensors], weights)


def ties(start: Tensor, tensors: Sequence[Tensor], weights: Sequence[float], density: float) -> Tensor:
    """Trim, elect a sign, and average those that agree: theta_0 + mean of w_k d_k over the k that agree.

    Of each d_k the ``density`` of its numbers that are largest in size stay, the others count as 0. The sign of a place
    is that of sum_k w_k d_k; those agree whose w_k d_k has it. Where none has, the start stays.

    Args:
        start: theta_0.
        tensors: K of its shape.
        weights: K; all the same: the lambda of the paper.
        density: above 0, to 1; numbers kept are rounded to the nearest whole, at least 1. Of equal ones the first stay.

    References:
        Yadav et al. 2023, arXiv:2306.01708, algorithm 1.
    """
    moves = torch.stack(
        [weight * _largest(tensor - start, density) for weight, tensor in zip(weights, tensors, strict=True)]
    )
    agree = moves.sign() == moves.sum(0).sign()  # (K, ...)
    return start + (moves * agree).sum(0) / agree.sum(0).clamp(min=1)


def dare(
    start: Tensor, tensors: Sequence[Tensor], weights: Sequence[float], density: float, draw: torch.Generator
) -> Tensor:
    """Drop and rescale: theta_0 + sum_k w_k (m_k d_k) / density, each number of m_k 1 with probability ``density``.

    Args:
        start: theta_0.
        tensors: K of its shape.
        weights: K.
        density: above 0, to 1: one less the share that is dropped.
        draw: of what is kept: one number in [0, 1) for each place, tensor by tensor.

    References:
        Yu et al. 2024, arXiv:2311.03099, equation 2.
    """
    kept = [
        (tensor - start) * (torch.rand(start.shape, generator=draw, dtype=torch.float64) < density) / density
        for tensor in tensors
    ]
    return start + linear(kept, weights)


def _largest(change: Tensor, density: float) -> Tensor:
    """The change with all but its largest numbers 0."""
    flat = change.flatten()
    count = min(len(flat), max(1, round(density * len(flat))))
    order = torch.sort(flat.abs(), descending=True, stable=True).indices[:count]
    kept = torch.zeros_like(flat)
    kept[order] = flat[order]
    return kept.reshape(change.shape)

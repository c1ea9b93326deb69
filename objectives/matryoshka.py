"""Matryoshka: any objective also on the first few dimensions, so that vectors can be cut short."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def matryoshka(
    objective: Callable[..., Tensor],
    *vectors: Tensor | None,
    dimensions: Sequence[int],
    weights: Sequence[float] | None = None,
) -> Tensor:
    """Weighted sum of an objective over prefixes of the vectors.

    With x[:m] the first m dimensions of every row::

        L = sum over k of  weights_k * objective(x[:dimensions_k], y[:dimensions_k], ...)

    A unit vector cut short is no unit vector: the objective itself must compare directions (``cosine``).

    Args:
        objective: takes the vectors and returns a () loss; other arguments are bound by the caller.
        vectors: (N, D) each, or None, handed on in this order.
        dimensions: widths, each in 1..D.
        weights: one per width; None: 1 each.

    Returns:
        () loss.

    Raises:
        ValueError: no width, one outside 1..D, or another number of weights.

    References:
        Kusupati et al. 2022, arXiv:2205.13147, eq. 1.
    """
    width = min(v.shape[1] for v in vectors if v is not None)
    if not dimensions or min(dimensions) < 1 or max(dimensions) > width:
        raise ValueError(f"matryoshka needs dimensions in 1..{width}, got {list(dimensions)}")
    weights = [1.0] * len(dimensions) if weights is None else weights
    if len(weights) != len(dimensions):
        raise ValueError(f"matryoshka needs one weight a dimension, got {len(weights)} for {len(dimensions)}")
    parts = [
        weight * objective(*(None if v is None else v[:, :size] for v in vectors))
        for size, weight in zip(dimensions, weights, strict=True)
    ]
    return torch.stack(parts).sum()

"""Barlow Twins: no negatives, but dimensions that agree across the two sides and say different things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import normalize

from align.objectives.checks import fit
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions
from align.objectives.ranges import AT_LEAST_0


@dataclass(frozen=True)
class BarlowTwinsOptions(PlainOptions):
    """The cross-correlation of the dimensions of both sides shall be the identity."""

    off_diagonal: Annotated[float, AT_LEAST_0] = 0.005
    """Lambda: factor of the redundancy of different dimensions."""


def barlow_twins(source: Tensor, target: Tensor, *, off_diagonal: float = 0.005) -> Tensor:
    """Each dimension agrees across both sides and differs from all others; no negatives are needed.

    With C_de the correlation over the batch of dimension d of the sources and dimension e of the targets::

        L = sum over d of (1 - C_dd)^2  +  off_diagonal * sum over d and e != d of C_de^2

    Args:
        source: (B, D) vectors, B >= 2; row i and ``target`` row i are one pair. Gradients flow through.
        target: (B, D) vectors.
        off_diagonal: at least 0.

    Returns:
        () dimensionless, in float32 at least; a dimension that does not vary has the correlation 0.

    Raises:
        ValueError: the shapes disagree or there are fewer than two rows.

    References:
        Zbontar et al. 2021, arXiv:2103.03230, eq. 1-2 (lambda 0.005).
    """
    right = source.dim() == 2 and source.shape == target.shape and len(source) >= 2
    fit(right, "barlow_twins needs two (B, D) matrices of one shape, B >= 2", source, target)
    with torch.autocast(source.device.type, enabled=False):
        a, b = (_standard(side) for side in (source, target))
        correlation = a.T @ b  # (D, D)
        own = correlation.diagonal()
        others = correlation.pow(2).sum() - own.pow(2).sum()
        return (1 - own).pow(2).sum() + off_diagonal * others


def _standard(side: Tensor) -> Tensor:
    """Columns of mean 0 and length 1."""
    side = side.to(torch.promote_types(side.dtype, torch.float32))
    return normalize(side - side.mean(dim=0), dim=0)


def _value(inputs: Inputs, options: BarlowTwinsOptions, learned: None) -> Tensor:
    # Correlations are of the whole batch: every process has them all.
    return barlow_twins(inputs.all("source"), inputs.all("target"), off_diagonal=options.off_diagonal)


OBJECTIVE = Objective("barlow_twins", barlow_twins, BarlowTwinsOptions, ("source", "target"), _value, prefixes=True)

"""What functions of tensors share: the precision they work in, and what they refuse."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from align.objectives.temperature import check_temperature

NEVER = float("-inf")  # the logit of a row that is no candidate


def working(vectors: Tensor, cosine: bool) -> Tensor:
    """Vectors in float32 at least, as unit rows if ``cosine``."""
    vectors = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
    return normalize(vectors, dim=-1) if cosine else vectors


def fit(true: bool, sentence: str, *tensors: Tensor) -> None:
    """Raise a ValueError of this sentence and the shapes that came, unless it is true."""
    if not true:
        *shapes, last = (str(tuple(each.shape)) for each in tensors)
        raise ValueError(f"{sentence}, got {', '.join(shapes)} and {last}")


def check_rated(name: str, source: Tensor, target: Tensor, values: Tensor) -> None:
    """Refuse anything but two (B, D) matrices and (B,) values, B >= 1."""
    right = source.dim() == 2 and source.shape == target.shape and values.shape == source.shape[:1] and len(source) > 0
    fit(right, f"{name} needs (B, D), (B, D) and (B,), B >= 1", source, target, values)


def check_contrast(
    name: str, source: Tensor, target: Tensor, temperature: float | Tensor, groups: Tensor | None,
    block: int | None = None,
) -> None:  # fmt: skip
    """Refuse anything but (N, D) and (M, D) vectors with M >= N >= 1, M groups and a positive temperature."""
    matrices = source.dim() == target.dim() == 2 and source.shape[1] == target.shape[1] and len(target) >= len(source)
    fit(matrices, f"{name} needs (N, D) and (M, D) with M >= N", source, target)
    fit(len(source) > 0, f"{name} needs at least one pair", source, target)
    check_temperature(name, temperature)
    if groups is not None and groups.shape != (len(target),):
        raise ValueError(f"{name} needs one group per target ({len(target)}), got {tuple(groups.shape)}")
    if block is not None and block < 0:
        raise ValueError(f"{name} needs a block of 1 row or more, 0 for all or None, got {block}")


def anchors_of(name: str, source: Tensor, rows: slice | None) -> Tensor:
    """(A,) the pairs that serve as anchors."""
    pairs = torch.arange(len(source), device=source.device)[rows if rows is not None else slice(None)]
    if len(pairs) == 0:
        raise ValueError(f"{name} needs at least one anchor, got {rows} of {len(source)} pairs")
    return pairs

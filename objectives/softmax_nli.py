"""The original SBERT objective: a classifier of natural language inference on both vectors and their difference."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def softmax_nli(source: Tensor, target: Tensor, label: Tensor, head: Callable[[Tensor], Tensor]) -> Tensor:
    """Cross-entropy of the label given both vectors: L = mean over i of -log softmax(head([u; v; |u - v|]))[label_i].

    Args:
        source: (B, D) vectors u. Gradients flow through.
        target: (B, D) vectors v.
        label: (B,) integers in 0..C-1.
        head: maps (B, 3 D) to (B, C) logits; trained along, and left behind afterwards.

    Returns:
        () mean loss in nats; log(C) when all logits are equal.

    Raises:
        ValueError: the shapes disagree or there is no row.

    References:
        Reimers and Gurevych 2019, arXiv:1908.10084, section 3 (classification objective).
    """
    if source.dim() != 2 or source.shape != target.shape or label.shape != source.shape[:1] or len(source) == 0:
        shapes = f"{tuple(source.shape)}, {tuple(target.shape)} and {tuple(label.shape)}"
        raise ValueError(f"softmax_nli needs (B, D), (B, D) and (B,), B >= 1, got {shapes}")
    return cross_entropy(head(torch.cat([source, target, (source - target).abs()], dim=1)), label)

"""The original SBERT objective: a classifier of natural language inference on both vectors and their difference."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from align.objectives.checks import check_rated
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions, Sizes


def softmax_nli(source: Tensor, target: Tensor, label: Tensor, head: Callable[[Tensor], Tensor]) -> Tensor:
    """A classifier reads the label of a pair (entailment, neutral, contradiction) from both vectors.

    ::

        L = mean over i of -log softmax(head([u_i; v_i; |u_i - v_i|]))[label_i]

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
    check_rated("softmax_nli", source, target, label)
    return cross_entropy(head(torch.cat([source, target, (source - target).abs()], dim=1)), label)


def _value(inputs: Inputs, options: PlainOptions, learned: nn.Module) -> Tensor:
    return softmax_nli(inputs.own("source"), inputs.own("target"), inputs.own("classes"), learned)


def _classifier(options: PlainOptions, sizes: Sizes) -> nn.Module:
    return nn.Linear(3 * sizes.width, sizes.classes)


OBJECTIVE = Objective("softmax_nli", softmax_nli, PlainOptions, ("source", "target", "classes"), _value, _classifier)

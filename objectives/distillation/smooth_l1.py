"""Feature distillation: near a teacher's whitened vectors by the smooth L1 distance, which large errors do not rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor, nn
from torch.nn.functional import layer_norm, smooth_l1_loss

from align.objectives.distillation.distil import projection
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions
from align.objectives.ranges import POSITIVE


@dataclass(frozen=True)
class SmoothL1Options(PlainOptions):
    """Distillation by the smooth L1 distance."""

    beta: Annotated[float, POSITIVE] = 2.0
    """Up to which error the distance is a square."""
    whiten: bool = True
    """Each of the teacher's vectors has mean 0 and variance 1 first."""


def smooth_l1(source: Tensor, target: Tensor, teacher: Tensor, *, beta: float = 2.0, whiten: bool = True) -> Tensor:
    """The vectors of a text and its translation become a teacher's, whitened; large errors do not rule.

    With w the teacher's vectors (if ``whiten`` each minus its mean, over its standard deviation: a layer
    normalisation without weights) and e = source - w, then e = target - w::

        L = sum over both of  mean over i, d of  e_id^2 / (2 beta)   if |e_id| <= beta,   else |e_id| - beta / 2

    Args:
        source: (B, D) the student's vectors of the texts. Gradients flow through.
        target: (B, D) the student's vectors of their translations.
        teacher: (B, D) the teacher's vectors of the texts; taken as constants.
        beta: > 0, in units of the vectors.
        whiten: normalise the teacher's vectors.

    Returns:
        () units of the vectors.

    Raises:
        ValueError: the shapes disagree, there is no row, or beta is not positive.

    References:
        Wei et al. 2022, arXiv:2205.14141, eq. 1-3 (beta 2).
    """
    if source.dim() != 2 or not source.shape == target.shape == teacher.shape or len(source) == 0:
        shapes = ", ".join(str(tuple(each.shape)) for each in (source, target, teacher))
        raise ValueError(f"smooth_l1 needs three (B, D) matrices of one shape, B >= 1, got {shapes}")
    if not beta > 0:  # written so that NaN fails
        raise ValueError(f"smooth_l1 needs beta > 0, got {beta}")
    goal = teacher.detach()
    if whiten:
        goal = layer_norm(goal, goal.shape[1:])
    return smooth_l1_loss(source, goal, beta=beta) + smooth_l1_loss(target, goal, beta=beta)


def _value(inputs: Inputs, options: SmoothL1Options, learned: nn.Module | None) -> Tensor:
    project = learned or nn.Identity()
    return smooth_l1(
        project(inputs.own("source")), project(inputs.own("target")), inputs.own("teacher"), beta=options.beta,
        whiten=options.whiten,
    )  # fmt: skip


OBJECTIVE = Objective("smooth_l1", smooth_l1, SmoothL1Options, ("source", "target", "teacher"), _value, projection)

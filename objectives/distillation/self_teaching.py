"""Self-teaching: beside InfoNCE, a translation's similarities to all other texts become those that a teacher gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from align.objectives.checks import anchors_of, check_contrast, fit, working
from align.objectives.contrastive import info_nce
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions
from align.objectives.ranges import POSITIVE, SHARE
from align.objectives.temperature import check_temperature


@dataclass(frozen=True)
class SelfTeachingOptions(PlainOptions):
    """InfoNCE, and the rows of similarities that the starting encoder gives the sources, or the teacher."""

    share: Annotated[float, SHARE] = 0.5
    """Of the rows of similarities; the rest is InfoNCE's."""
    temperature: Annotated[float, POSITIVE] = 0.05
    """Of InfoNCE."""
    soft_temperature: Annotated[float, POSITIVE] = 0.1
    """Of the rows of similarities, on both sides: higher, and far texts count, too."""
    teacher: bool = False
    """Rows of the teacher's vectors, not of the starting encoder's; they may have other dimensions."""


def self_teaching(source: Tensor, target: Tensor, teacher: Tensor, *, temperature: float = 0.1,
                  rows: slice | None = None) -> Tensor:  # fmt: skip
    """A translation's similarities to all other texts become those that a teacher gives the text itself.

    With t_i, x_i, y_i the unit rows of ``teacher``, ``source`` and ``target``, and j over the other pairs, j != i::

        P_i = softmax over j of t_i . t_j / T        Q_i = softmax over j of y_i . x_j / T
        L = T^2 * mean over i of  KL(P_i || Q_i) = T^2 * mean over i, sum over j of  P_ij (log P_ij - log Q_ij)

    T^2 keeps the size of the gradients whatever T is. The pair itself is left out: what is near it is asked, and not
    whether the pair is found. The objective is (1 - share) * InfoNCE(target, source) + share * L.

    Args:
        source: (B, D) current vectors of the texts. Gradients flow through.
        target: (B, D) those of their translations.
        teacher: (B, D') the teacher's vectors of the texts; taken as constants.
        temperature: T > 0.
        rows: the pairs whose mean is taken; they see all. None: all.

    Returns:
        () nats times T^2, in float32 at least; at least 0, and 0 of one pair, which has no other.

    Raises:
        ValueError: the shapes disagree, there is no anchor, or the temperature is not positive.

    References:
        Fang et al. 2021, arXiv:2009.05166, the self-teaching loss of FILTER, there of class labels; Hinton et al. 2015,
        arXiv:1503.02531, section 2, for T^2.
    """
    check_contrast("self_teaching", source, target, temperature, None)
    same = source.shape == target.shape and teacher.dim() == 2 and len(teacher) == len(source)
    fit(same, "self_teaching needs (B, D), (B, D) and (B, D')", source, target, teacher)
    check_temperature("self_teaching", temperature)
    anchors = anchors_of("self_teaching", source, rows)  # (A,)
    if len(source) == 1:
        return (source.sum() + target.sum()) * 0.0
    itself = torch.arange(len(source), device=source.device) == anchors[:, None]  # (A, B)
    with torch.autocast(source.device.type, enabled=False):
        unit = working(teacher.detach(), True)
        taught = _log_rows(unit[anchors] @ unit.T, itself, temperature)
        found = _log_rows(working(target, True)[anchors] @ working(source, True).T, itself, temperature)
        return temperature**2 * kl_div(found, taught, log_target=True, reduction="batchmean")


def _log_rows(cosines: Tensor, itself: Tensor, temperature: float) -> Tensor:
    """(A, B - 1) log softmax over the other pairs."""
    others = cosines[~itself].view(len(cosines), -1)
    return log_softmax(others / temperature, dim=1)


def _value(inputs: Inputs, options: SelfTeachingOptions, learned: None) -> Tensor:
    source, target, by = inputs.all("source"), inputs.all("target"), inputs.all(_by(options))
    contrast = info_nce(
        target, source, temperature=options.temperature, groups=inputs.all("groups"), rows=inputs.rows(),
        block=inputs.block,
    )  # fmt: skip
    rows = self_teaching(source, target, by, temperature=options.soft_temperature, rows=inputs.rows())
    return (1 - options.share) * contrast + options.share * rows


def _by(options: SelfTeachingOptions) -> str:
    return "teacher" if options.teacher else "start"


OBJECTIVE = Objective(
    "self_teaching", self_teaching, SelfTeachingOptions,
    lambda options: {"source", "target", "groups", _by(options)}, _value, negatives=lambda options, batch: batch - 1,
)  # fmt: skip

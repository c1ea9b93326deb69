"""Distillation: the student's vectors of a text and of its translation match the teacher's vector of the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from align.objectives.anchor import mse_anchor
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions, Sizes, Terms


@dataclass(frozen=True)
class DistilOptions(PlainOptions):
    """A student on both sides of the pairs, or on one."""

    source: bool = True
    """Encode the sources, too; false: the translations only, in half the time, where they hold texts to learn alone."""


def distil(source: Tensor, target: Tensor, teacher: Tensor) -> Tensor:
    """The vectors of a text and of its translation become a teacher's vector of the text.

    ::

        L = mean over i, d of (source_id - teacher_id)^2 + mean over i, d of (target_id - teacher_id)^2

    Args:
        source: (B, D) the student's vectors of the texts. Gradients flow through.
        target: (B, D) the student's vectors of their translations.
        teacher: (B, D) the teacher's vectors of the texts; taken as constants.

    Returns:
        () squared units of the vectors.

    Raises:
        ValueError: the shapes disagree or there is no row.

    References:
        Reimers and Gurevych 2020, arXiv:2004.09813, eq. 1.
    """
    return mse_anchor(source, teacher) + mse_anchor(target, teacher)


def unexplained(student: Tensor, teacher: Tensor) -> Tensor:
    """Fraction of the teacher's variance that the student leaves unexplained.

    FVU = sum over i of |student_i - teacher_i|^2 / sum over i of |teacher_i - mean_i teacher_i|^2: 0 is a perfect
    student, 1 is one that always answers the mean.

    Args:
        student: (B, D) vectors.
        teacher: (B, D) vectors of the same meanings.

    Returns:
        () at least 0; NaN if the teacher's vectors are all equal.

    Raises:
        ValueError: the shapes disagree or there is no row.
    """
    error = mse_anchor(student, teacher)
    return error / (teacher - teacher.mean(dim=0)).pow(2).mean()


def _value(inputs: Inputs, options: DistilOptions, learned: nn.Module | None) -> Terms:
    project = learned or nn.Identity()
    sides = [project(inputs.own(side)) for side in (("source", "target") if options.source else ("target",))]
    teacher = inputs.own("teacher")
    value = distil(sides[0], sides[1], teacher) if options.source else mse_anchor(sides[0], teacher)
    terms = {"distil": (options.weight, value)}
    if len(teacher) > 1:  # reported, not trained on
        terms["unexplained"] = (0.0, unexplained(torch.cat(sides).detach(), teacher.repeat(len(sides), 1)))
    return terms


def _reads(options: DistilOptions) -> set[str]:
    return {"target", "teacher"} | ({"source"} if options.source else set())


def projection(options: Any, sizes: Sizes) -> nn.Module | None:
    """A linear map to the teacher's dimensions, where these are not the encoder's."""
    same = sizes.teacher in (None, sizes.width)
    return None if same else nn.Linear(sizes.width, sizes.teacher or sizes.width, bias=False)


OBJECTIVE = Objective("distil", distil, DistilOptions, _reads, _value, projection)

"""Translation language modelling: masked-LM on a text and its translation (or romanisation) in one sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from align.objectives.inputs import Inputs
from align.objectives.mlm import Masked
from align.objectives.objective import Objective
from align.objectives.ranges import AT_LEAST_0, SHARE_NOT_0, need


@dataclass(frozen=True)
class TlmOptions:
    """Masked language modelling on both sides of a pair in one sequence, in random order."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of the mean loss in the sum; 0: reported, not trained."""
    rate: Annotated[float, SHARE_NOT_0] = 0.15
    """Share of tokens to predict."""
    restart_positions: bool = False
    """Count positions anew in the second text, and keep its start token."""
    interlinear: bool = False
    """Fill each sequence, 2 * train.max_tokens, with the pairs behind it in the table: line, translation, next line."""
    whole_lines: bool = False
    """Mask whole lines, a share rate of all, at most one of a line and its translation; else tokens anywhere."""


def tlm(joint: Masked) -> Tensor:
    """Cross-entropy of the masked pieces of both texts of a pair in one sequence: each helps to predict the other.

    Args:
        joint: the masked positions of sequences as :func:`align.training.masking.texts.join_pairs` makes them, or
            :func:`align.training.masking.interlinear.interlinear`.

    Returns:
        () mean loss in nats; see :func:`align.objectives.mlm.mlm`.

    References:
        Conneau and Lample 2019, arXiv:1901.07291, section 3.3.
    """
    return joint.loss()


def _check(options: TlmOptions) -> None:
    need(
        not (options.interlinear and options.restart_positions), "tlm.interlinear has many lines in a sequence, whose "
        "positions tlm.restart_positions cannot count anew: expected one of them", True,
    )  # fmt: skip
    need(
        not options.whole_lines or options.rate <= 0.5, "tlm.whole_lines leaves one line of two: tlm.rate must be at "
        "most 0.5", options.rate,
    )  # fmt: skip


def _value(inputs: Inputs, options: TlmOptions, learned: None) -> Tensor:
    return tlm(inputs.own("joint"))


OBJECTIVE = Objective("tlm", tlm, TlmOptions, ("joint",), _value, check=_check)

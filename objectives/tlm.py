"""Translation language modelling: masked-LM on a text and its translation (or romanisation) in one sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from align.objectives.inputs import Inputs
from align.objectives.mlm import Masked
from align.objectives.objective import Objective
from align.objectives.ranges import AT_LEAST_0, SHARE_NOT_0


@dataclass(frozen=True)
class TlmOptions:
    """Masked language modelling on both sides of a pair in one sequence, in random order."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of the mean loss in the sum; 0: reported, not trained."""
    rate: Annotated[float, SHARE_NOT_0] = 0.15
    """Share of tokens to predict."""
    restart_positions: bool = False
    """Count positions anew in the second text, and keep its start token."""


def tlm(joint: Masked) -> Tensor:
    """Cross-entropy of the masked pieces of both texts of a pair in one sequence: each helps to predict the other.

    Args:
        joint: the masked positions of sequences as :func:`align.training.masking.texts.join_pairs` makes them.

    Returns:
        () mean loss in nats; see :func:`align.objectives.mlm.mlm`.

    References:
        Conneau and Lample 2019, arXiv:1901.07291, section 3.3.
    """
    return joint.loss()


def _value(inputs: Inputs, options: TlmOptions, learned: None) -> Tensor:
    return tlm(inputs.own("joint"))


OBJECTIVE = Objective("tlm", tlm, TlmOptions, ("joint",), _value)

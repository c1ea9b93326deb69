"""Consistency of word alignment (CO): both directions shall point to the same pairs of pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from align.objectives.inputs import Inputs
from align.objectives.objective import Objective
from align.objectives.ranges import AT_LEAST_0, POSITIVE
from align.objectives.word_alignment.piece_states import PieceStates, counted, pointing


@dataclass(frozen=True)
class AlignmentConsistencyOptions:
    """The alignment from source to target shall be that from target to source."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of this objective in the sum; 0: reported, not trained."""
    layer: Annotated[int, AT_LEAST_0] = 0
    """k of the hidden_states[k] that is read; 0: the layer that the encoder pools."""
    temperature: Annotated[float, POSITIVE] = 1.0
    """What similarities are divided by."""
    cosine: bool = False
    """Of unit states; else of the states as they are."""


def alignment_consistency(pieces: PieceStates, *, temperature: float = 1.0, cosine: bool = False) -> Tensor:
    """What points from source to target shall point back.

    With P and Q of :func:`.piece_states.pointing`, n and m pieces::

        L = - mean over pairs of  trace(P Q^T) / min(n, m),      trace(P Q^T) = sum_ij P_ij Q_ij

    Args:
        pieces: (B, S, D) and (B, T, D) states, and the words of their pieces. Gradients flow through both.
        temperature: of the softmax.
        cosine: of unit states.

    Returns:
        () between -1 (each piece of the shorter text has one of its own) and 0.

    Raises:
        ValueError: see :func:`.piece_states.pointing`.

    References:
        Dou and Neubig 2021, arXiv:2101.08231, eq. 6.
    """
    forward, backward = pointing(pieces, temperature=temperature, cosine=cosine)
    shorter = torch.minimum(counted(pieces.source_words), counted(pieces.target_words))
    return -((forward * backward).sum(dim=(1, 2)) / shorter).mean()


def _value(inputs: Inputs, options: AlignmentConsistencyOptions, learned: None) -> Tensor:
    return alignment_consistency(inputs.own("pieces"), temperature=options.temperature, cosine=options.cosine)


OBJECTIVE = Objective(
    "alignment_consistency", alignment_consistency, AlignmentConsistencyOptions, ("pieces",), _value
)  # fmt: skip

"""Self-training on own word alignments (SO): words that are linked now shall be linked more clearly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from align.objectives.inputs import Inputs
from align.objectives.objective import Objective
from align.objectives.ranges import AT_LEAST_0, POSITIVE, SHARE
from align.objectives.word_alignment.piece_states import PieceStates, counted, pointing, word_links


@dataclass(frozen=True)
class SelfAlignmentOptions:
    """Own word links, made clearer; after a warm-up, since wrong links are learnt as right ones are."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of this objective in the sum; 0: reported, not trained."""
    layer: Annotated[int, AT_LEAST_0] = 0
    """k of the hidden_states[k] that is read; 0: the layer that the encoder pools."""
    temperature: Annotated[float, POSITIVE] = 1.0
    """What similarities are divided by."""
    cosine: bool = False
    """Of unit states; else of the states as they are."""
    threshold: Annotated[float, SHARE] = 0.001
    """Probability that two pieces must have in both directions to be linked."""


def self_alignment(
    pieces: PieceStates, *, temperature: float = 1.0, cosine: bool = False, threshold: float = 0.001
) -> Tensor:
    """Pieces of words that are linked in both directions shall point to each other.

    With P and Q of :func:`.piece_states.pointing` and G in {0, 1} of :func:`.piece_states.word_links`, a constant::

        L = - mean over pairs of  sum_ij (P_ij G_ij) / n  +  sum_ij (Q_ij G_ij) / m

    where n and m are the pieces of the two texts.

    Args:
        pieces: (B, S, D) and (B, T, D) states, and the words of their pieces. Gradients flow through both.
        temperature: of the softmax.
        cosine: of unit states.
        threshold: of a link, in both directions.

    Returns:
        () between -2 (each piece points to linked ones alone) and 0 (nothing is linked).

    Raises:
        ValueError: see :func:`.piece_states.pointing`.

    References:
        Dou and Neubig 2021, arXiv:2101.08231, eq. 4 (there half of it).
    """
    forward, backward = pointing(pieces, temperature=temperature, cosine=cosine)
    links = word_links(forward, backward, pieces, threshold=threshold)
    of_source = (forward * links).sum(dim=(1, 2)) / counted(pieces.source_words)
    of_target = (backward * links).sum(dim=(1, 2)) / counted(pieces.target_words)
    return -(of_source + of_target).mean()


def _value(inputs: Inputs, options: SelfAlignmentOptions, learned: None) -> Tensor:
    return self_alignment(
        inputs.own("pieces"), temperature=options.temperature, cosine=options.cosine, threshold=options.threshold
    )


OBJECTIVE = Objective("self_alignment", self_alignment, SelfAlignmentOptions, ("pieces",), _value)

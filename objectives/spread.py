"""Spread: texts of different meanings are as orthogonal as random directions are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from align.objectives.inputs import Inputs
from align.objectives.labelled import TEXTS, check_labelled, relations, similarities
from align.objectives.objective import Objective, PlainOptions
from align.objectives.ranges import one_of

MOMENTS = ("both", "second")


@dataclass(frozen=True)
class SpreadOptions(PlainOptions):
    """A regulariser, beside an objective that brings texts together."""

    moments: Annotated[str, one_of(*MOMENTS)] = "both"
    """both, as in the paper; or second, the mean square alone (EmbeddingGemma)."""


def spread(vectors: Tensor, labels: Tensor, *, moments: str = "both") -> Tensor:
    """Texts of different meanings become as orthogonal as random directions are (global orthogonal regulariser).

    With s the cosines of all two rows of different labels, M1 = mean of s and M2 = mean of s^2::

        both:    L = M1^2 + max(0, M2 - 1/D)       (of random directions M1 = 0 and M2 = 1/D)
        second:  L = M2

    Args:
        vectors: (N, D), N >= 1: the texts of both sides. Gradients flow through.
        labels: (N,) integers naming the meaning of each text.
        moments: both or second.

    Returns:
        () dimensionless, in float32 at least; 0 with zero gradients where all texts have one label.

    Raises:
        ValueError: the shapes disagree, there is no row, or the moments are unknown.

    References:
        Zhang et al. 2017, arXiv:1708.06320, eq. 5-7; Schechter Vera et al. 2025, arXiv:2509.20354 (second).
    """
    check_labelled("spread", vectors, labels)
    if moments not in MOMENTS:
        raise ValueError(f"spread needs moments out of {', '.join(MOMENTS)}, got {moments!r}")
    unrelated = ~relations(labels)[0]  # (N, N)
    cosines = similarities(vectors, slice(None)) * unrelated
    count = unrelated.sum().clamp(min=1)
    first, second = cosines.sum() / count, cosines.pow(2).sum() / count
    return second if moments == "second" else first.pow(2) + (second - 1 / vectors.shape[1]).clamp(min=0)


def _value(inputs: Inputs, options: SpreadOptions, learned: None) -> Tensor:
    # Moments are no means over anchors: every process takes those of the whole batch.
    return spread(inputs.all("source", "target"), inputs.all("groups", "groups"), moments=options.moments)


OBJECTIVE = Objective("spread", spread, SpreadOptions, TEXTS, _value, prefixes=True)

"""Anchors: keep what the encoder already knows by staying near the vectors of the frozen starting encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor
from torch.nn.functional import cosine_similarity

from align.objectives.checks import fit
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, Terms
from align.objectives.ranges import AT_LEAST_0, AT_LEAST_1, need, one_of


@dataclass(frozen=True)
class AnchorOptions:
    """Stay near the vectors of the starting encoder, so that nothing it knows is forgotten."""

    source: Annotated[float, AT_LEAST_0] = 0.0
    """Weight of the distance of each source (native side) to its own starting vector."""
    target: Annotated[float, AT_LEAST_0] = 0.0
    """Weight of the distance of each target to its source's starting vector."""
    rehearsal: Annotated[float, AT_LEAST_0] = 0.0
    """Weight of the distance of rehearsal texts to their own starting vectors."""
    rehearsal_size: Annotated[int, AT_LEAST_1] = 8
    """Rehearsal texts per process and step."""
    distance: Annotated[str, one_of("cosine", "mse")] = "cosine"
    """cosine or mse."""


def anchor(current: Tensor, frozen: Tensor, *, distance: str = "cosine") -> Tensor:
    """Stay near the starting encoder's vectors, so that nothing it knows is forgotten.

    ::

        cosine:  L = mean over i of  1 - cos(current_i, frozen_i)              in 0..2
        mse:     L = mean over i and d of  (current_id - frozen_id)^2          in squared units of the vectors

    Args:
        current: (N, D) vectors of the encoder in training. Gradients flow through.
        frozen: (N, D) vectors of the same texts (or of their translations) by the starting encoder; taken as constants.
        distance: cosine or mse.

    Returns:
        () distance.

    Raises:
        ValueError: the shapes disagree or there is no row.

    References:
        Reimers and Gurevych 2020, arXiv:2004.09813, eq. 1 (mse; teacher and student there, before and after here).
    """
    right = current.shape == frozen.shape and current.dim() == 2 and len(current) > 0
    fit(right, f"{distance}_anchor needs two (N, D) matrices of one shape, N >= 1", current, frozen)
    if distance == "mse":
        return (current - frozen.detach()).pow(2).mean()
    return (1 - cosine_similarity(current, frozen.detach(), dim=-1)).mean()


def cosine_anchor(current: Tensor, frozen: Tensor) -> Tensor:
    """() mean cosine distance to where the (N, D) vectors were; see :func:`anchor`."""
    return anchor(current, frozen)


def mse_anchor(current: Tensor, frozen: Tensor) -> Tensor:
    """() mean squared distance to where the (N, D) vectors were; see :func:`anchor`."""
    return anchor(current, frozen, distance="mse")


def _value(inputs: Inputs, options: AnchorOptions, learned: None) -> Terms:
    before = {"source": "start", "target": "start", "rehearsal": "rehearsal_start"}
    return {
        f"anchor_{side}": (weight, anchor(inputs.own(side), inputs.own(start), distance=options.distance))
        for side, start in before.items()
        if (weight := getattr(options, side)) and start in inputs
    }


def _reads(options: AnchorOptions) -> set[str]:
    found = {side for side in ("source", "target", "rehearsal") if getattr(options, side)}
    return found | ({"start"} if found & {"source", "target"} else set())


def _check_options(options: AnchorOptions) -> None:
    weights = (options.source, options.target, options.rehearsal)
    need(max(weights) > 0, "anchor needs a positive source, target or rehearsal", weights)


OBJECTIVE = Objective("anchor", anchor, AnchorOptions, _reads, _value, check=_check_options)

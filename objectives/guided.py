"""Guided contrast: a frozen guide says which candidates are too near to be negatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from align.objectives.checks import NEVER, anchors_of, check_contrast, working
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions
from align.objectives.ranges import AT_LEAST_0, POSITIVE, one_of
from align.objectives.temperature import Temperature, learned_temperature, temperature_now

MARGINS = ("absolute", "relative")


@dataclass(frozen=True)
class GuidedOptions(PlainOptions):
    """A contrast whose negatives a frozen guide chooses: the teacher, or without one the starting encoder."""

    temperature: Annotated[float, POSITIVE] = 0.01
    """Divides the cosines."""
    learn_temperature: bool = False
    """Train log(temperature) too."""
    margin: Annotated[float, AT_LEAST_0] = 0.0
    """A negative must be farther than the positive, by the guide, by this."""
    margin_kind: Annotated[str, one_of(*MARGINS)] = "absolute"
    """absolute: of the cosine; relative: a share of the positive's cosine."""


def guided(
    source: Tensor,
    target: Tensor,
    guide_source: Tensor,
    guide_target: Tensor,
    *,
    temperature: float | Tensor = 0.01,
    margin: float = 0.0,
    margin_kind: str = "absolute",
    groups: Tensor | None = None,
    rows: slice | None = None,
) -> Tensor:
    """InfoNCE over both sides without the negatives that a frozen guide finds nearer than the positive (GISTEmbed).

    With S^st, S^ss and S^tt the cosines of sources and targets, of sources, and of targets, G the guide's::

        L = mean over i of  -log( exp(S^st_ii / temperature) / sum over kept j of exp(S_ij / temperature) )

    One softmax runs over the rows i of all three blocks. The pair itself is kept; j of a block is not if
    G_ij > G^st_ii - m, with m = margin (absolute) or |G^st_ii| margin (relative), nor i in the blocks ss and tt.

    Args:
        source: (B, D) vectors; row i and ``target`` row i are one pair. Gradients flow through.
        target: (B, D) vectors.
        guide_source: (B, D') the guide's vectors of the sources; taken as constants.
        guide_target: (B, D') the guide's vectors of the targets.
        temperature: > 0, dimensionless; a tensor if it is learned.
        margin: at least 0.
        margin_kind: absolute or relative.
        groups: (B,) integers naming the meaning of each pair. Rows of equal group are never each other's negatives.
        rows: the pairs that serve as anchors. None: all.

    Returns:
        () mean loss in nats, in float32 at least; 0 where the guide leaves no negative.

    Raises:
        ValueError: the shapes disagree, there is no anchor, the temperature is not positive, or the kind is unknown.

    References:
        Solatorio 2024, arXiv:2402.16829, section 2.2; margins as in sentence-transformers.
    """
    check_contrast("guided", source, target, temperature, groups)
    shapes = [tuple(each.shape) for each in (source, target, guide_source, guide_target)]
    if not len(source) == len(target) == len(guide_source) == len(guide_target) or shapes[2] != shapes[3]:
        raise ValueError(f"guided needs (B, D) twice and (B, D') twice, got {', '.join(map(str, shapes))}")
    if margin_kind not in MARGINS:
        raise ValueError(f"guided needs a margin out of {', '.join(MARGINS)}, got {margin_kind!r}")
    pairs = anchors_of("guided", source, rows)  # (A,)
    itself = torch.arange(len(source), device=source.device) == pairs[:, None]  # (A, B)
    same = itself if groups is None else groups == groups[pairs][:, None]
    with torch.autocast(source.device.type, enabled=False):
        scores = _blocks(source, target, pairs)  # st, ss, tt: (A, B) each
        guides = _blocks(guide_source.detach(), guide_target.detach(), pairs)
        own = guides[0].gather(1, pairs[:, None])  # (A, 1)
        limit = own - margin * (own.abs() if margin_kind == "relative" else 1)
        barred = [(guide > limit) | same for guide in guides]
        barred[0] = barred[0] & ~itself
        # divided first: the gradient of -inf / temperature is NaN
        logits = [(s / temperature).masked_fill(no, NEVER) for s, no in zip(scores, barred, strict=True)]
        return cross_entropy(torch.cat(logits, dim=1), pairs)


def _blocks(source: Tensor, target: Tensor, pairs: Tensor) -> list[Tensor]:
    a, b = working(source, True), working(target, True)
    return [a[pairs] @ b.T, a[pairs] @ a.T, b[pairs] @ b.T]


def _value(inputs: Inputs, options: GuidedOptions, learned: Temperature | None) -> Tensor:
    return guided(
        inputs.all("source"), inputs.all("target"), inputs.all("guide_source"), inputs.all("guide_target"),
        temperature=temperature_now(options, learned), margin=options.margin, margin_kind=options.margin_kind,
        groups=inputs.all("groups"), rows=inputs.rows(),
    )  # fmt: skip


OBJECTIVE = Objective(
    "guided", guided, GuidedOptions, ("source", "target", "groups", "guide"), _value, learned_temperature,
    negatives=lambda options, batch: 3 * batch - 3, prefixes=True,
)  # fmt: skip

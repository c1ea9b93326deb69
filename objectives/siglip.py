"""SigLIP: every pair of texts on its own, by a sigmoid, instead of a softmax over a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from align.objectives.checks import anchors_of, check_contrast, working
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions, Sizes
from align.objectives.ranges import POSITIVE
from align.objectives.temperature import Temperature


@dataclass(frozen=True)
class SiglipOptions(PlainOptions):
    """A sigmoid of every source and target of a batch."""

    temperature: Annotated[float, POSITIVE] = 0.1
    """Divides the cosines."""
    bias: float = -10.0
    """Added to the quotient: at first nearly all are negatives."""
    learn_temperature: bool = True
    """Train log(temperature) and the bias too."""


def siglip(
    source: Tensor,
    target: Tensor,
    *,
    temperature: float | Tensor = 0.1,
    bias: float | Tensor = -10.0,
    groups: Tensor | None = None,
    rows: slice | None = None,
) -> Tensor:
    """Each source and target alone says whether they are a pair: a sigmoid, no softmax over the batch.

    With unit rows, S = source @ target.T, z_ii = 1 and z_ij = -1::

        L = -1/B * sum over i and j of  log sigmoid( z_ij (S_ij / temperature + bias) )

    Args:
        source: (B, D) vectors; row i and ``target`` row i are one pair. Gradients flow through.
        target: (B, D) vectors.
        temperature: > 0, dimensionless; a tensor if it is learned (1 / t of the paper).
        bias: of every logit.
        groups: (B,) integers naming the meaning of each pair; two of one meaning are left out. None: all differ.
        rows: the sources that serve as anchors, whose number divides the sum. None: all.

    Returns:
        () nats, in float32 at least.

    Raises:
        ValueError: the shapes disagree, there is no anchor, or the temperature is not positive.

    References:
        Zhai et al. 2023, arXiv:2303.15343, section 3.2 (temperature 0.1 and bias -10 at first).
    """
    check_contrast("siglip", source, target, temperature, groups)
    if len(source) != len(target):
        raise ValueError(f"siglip needs as many targets as sources, got {len(target)} and {len(source)}")
    pairs = anchors_of("siglip", source, rows)  # (A,)
    with torch.autocast(source.device.type, enabled=False):
        logits = working(source, True)[pairs] @ working(target, True).T / temperature + bias  # (A, B)
        own = torch.arange(len(target), device=source.device) == pairs[:, None]
        losses = -logsigmoid(torch.where(own, logits, -logits))
        if groups is not None:
            losses = losses.masked_fill((groups == groups[pairs][:, None]) & ~own, 0.0)
        return losses.sum() / len(pairs)


class TemperatureAndBias(Temperature):
    """Both parameters of the logits."""

    def __init__(self, temperature: float, bias: float) -> None:
        super().__init__(temperature)
        self.bias = nn.Parameter(torch.tensor(bias))

    def numbers(self) -> dict[str, Tensor]:
        """Both, by their names in the log."""
        return super().numbers() | {"bias": self.bias}


def _learned(options: SiglipOptions, sizes: Sizes) -> TemperatureAndBias | None:
    return TemperatureAndBias(options.temperature, options.bias) if options.learn_temperature else None


def _value(inputs: Inputs, options: SiglipOptions, learned: TemperatureAndBias | None) -> Tensor:
    return siglip(
        inputs.all("source"), inputs.all("target"), temperature=learned() if learned else options.temperature,
        bias=learned.bias if learned else options.bias, groups=inputs.all("groups"), rows=inputs.rows(),
    )  # fmt: skip


OBJECTIVE = Objective(
    "siglip", siglip, SiglipOptions, ("source", "target", "groups"), _value, _learned,
    negatives=lambda options, batch: batch - 1, prefixes=True,
)  # fmt: skip

"""Objectives for pairs with a score (STS): how similar, not merely whether."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from align.objectives.checks import check_rated
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions
from align.objectives.ranges import POSITIVE
from align.objectives.temperature import check_temperature


@dataclass(frozen=True)
class GradedOptions(PlainOptions):
    """An objective on the order of scores (STS)."""

    temperature: Annotated[float, POSITIVE] = 0.05
    """Divides the differences of similarities (1 / scale of sentence-transformers)."""


def cosine_mse(source: Tensor, target: Tensor, score: Tensor) -> Tensor:
    """The cosine shall equal the score: L = mean over i of (cos(source_i, target_i) - score_i)^2.

    Args:
        source: (B, D) vectors. Gradients flow through.
        target: (B, D) vectors.
        score: (B,) in 0..1.

    Returns:
        () mean square, dimensionless.

    Raises:
        ValueError: the shapes disagree or there is no row.

    References:
        Reimers and Gurevych 2019, arXiv:1908.10084, section 3 (regression objective).
    """
    check_rated("cosine_mse", source, target, score)
    return (cosine_similarity(source, target, dim=-1) - score).pow(2).mean()


def cosent(source: Tensor, target: Tensor, score: Tensor, *, temperature: float | Tensor = 0.05) -> Tensor:
    """Pairs of higher score shall have the higher cosine; how much higher is left to the encoder.

    With c_i = cos(source_i, target_i) / temperature::

        L = log( 1 + sum over (i, j) with score_i > score_j of exp(c_j - c_i) )

    Args:
        source: (B, D) vectors. Gradients flow through.
        target: (B, D) vectors.
        score: (B,) in any unit; only their order matters, and equal ones are not compared.
        temperature: > 0, dimensionless.

    Returns:
        () nats; 0 (with zero gradients) when no two scores differ.

    Raises:
        ValueError: the shapes disagree, there is no row, or the temperature is not positive.

    References:
        Su 2022, https://kexue.fm/archives/8847; CoSENTLoss of sentence-transformers.
    """
    check_rated("cosent", source, target, score)
    return _ranking(cosine_similarity(source, target, dim=-1), score, temperature)


def angle(source: Tensor, target: Tensor, score: Tensor, *, temperature: float | Tensor = 0.05) -> Tensor:
    """CoSENT with an odd part beside the cosine, whose gradient does not vanish where the cosine saturates.

    The halves of a vector are real and imaginary part: z = source, w = target in C^(D/2); <z, w> = sum z_d conj(w_d)::

        q_i = <z_i, w_i> / (|z_i| |w_i|),   a_i = |Re q_i + Im q_i|   (Re q_i is the cosine)
        L = log( 1 + sum over (i, j) with score_i > score_j of exp((a_j - a_i) / temperature) )

    Args:
        source: (B, D) vectors, D even. Gradients flow through.
        target: (B, D) vectors.
        score: (B,) in any unit; only their order matters.
        temperature: > 0, dimensionless.

    Returns:
        () nats.

    Raises:
        ValueError: the shapes disagree, D is odd, there is no row, or the temperature is not positive.

    References:
        Li and Li 2023, arXiv:2309.12871, in the form of its authors' code and of sentence-transformers' AnglELoss.
    """
    check_rated("angle", source, target, score)
    if source.shape[1] % 2:
        raise ValueError(f"angle needs vectors of even width, got {source.shape[1]}")
    z, w = normalize(source, dim=1), normalize(target, dim=1)
    (a, b), (c, d) = z.chunk(2, dim=1), w.chunk(2, dim=1)
    real, imaginary = (a * c + b * d).sum(dim=1), (b * c - a * d).sum(dim=1)
    return _ranking((real + imaginary).abs(), score, temperature)


def _ranking(similarity: Tensor, score: Tensor, temperature: float | Tensor) -> Tensor:
    check_temperature("a ranking of scores", temperature)
    difference = (similarity[None, :] - similarity[:, None]) / temperature  # [i, j] = c_j - c_i
    compared = difference[score[:, None] > score[None, :]]
    return torch.logsumexp(torch.cat([compared.new_zeros(1) + 0.0 * similarity.sum(), compared]), dim=0)


def _objective(function: Callable[..., Tensor], *, options: type = GradedOptions, even: bool = False) -> Objective:
    def value(inputs: Inputs, options: Any, learned: None) -> Tensor:
        extra = {"temperature": options.temperature} if hasattr(options, "temperature") else {}
        return function(inputs.all("source"), inputs.all("target"), score=inputs.all("scores"), **extra)

    return Objective(
        function.__name__, function, options, ("source", "target", "scores"), value, prefixes=True, even=even
    )


OBJECTIVES = (_objective(cosine_mse, options=PlainOptions), _objective(cosent), _objective(angle, even=True))

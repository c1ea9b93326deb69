"""A contrast of sparse lexical vectors, and what keeps terms from being used for everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from align.objectives.checks import fit
from align.objectives.contrastive import info_nce
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions, Terms
from align.objectives.ranges import AT_LEAST_0, POSITIVE, one_of
from align.objectives.temperature import Temperature, learned_temperature, temperature_now


@dataclass(frozen=True)
class SparseContrastiveOptions(PlainOptions):
    """InfoNCE on the weights that the masked-LM head gives the terms of a vocabulary, and a penalty of overused terms.

    What these options say of terms is kept in the encoder's folder, and its sparse vectors are made so.
    """

    temperature: Annotated[float, POSITIVE] = 0.05
    """Divides the similarities."""
    learn_temperature: bool = False
    """Train log(temperature) too."""
    activation: Annotated[str, one_of("relu", "elu")] = "relu"
    """relu: log(1 + max(0, logit)); elu: elu(logit) + 1."""
    pivot: str = ""
    """Code of a script, such as Latn: terms are the pieces that have no letter of another one, whatever script a text
    is in. Unset: the pieces of all scripts."""
    continuations: bool = True
    """Whether pieces inside a word are terms; false: those alone that begin one."""
    top: Annotated[int, AT_LEAST_0] = 0
    """Terms of a text that the trained encoder keeps, at most; 0: those of at least 1 / sqrt(terms)."""
    penalty: Annotated[str, one_of("overuse", "flops")] = "overuse"
    """overuse: sum p^3 / sum p; flops: sum p^2."""
    source_penalty: Annotated[float, AT_LEAST_0] = 20.0
    """Weight of the penalty on the sources' terms. That of flops is larger by about the number of terms: 0.002."""
    target_penalty: Annotated[float, AT_LEAST_0] = 20.0
    """Of that on the targets'."""
    ramp: Annotated[str, one_of("linear", "quadratic")] = "quadratic"
    """How both weights rise from 0 in the first ramp_steps."""
    ramp_steps: Annotated[int, AT_LEAST_0] = 100
    """0: they are whole from the start."""


def sparse_contrastive(
    source: Tensor,
    target: Tensor,
    *,
    temperature: float | Tensor = 0.05,
    groups: Tensor | None = None,
    rows: slice | None = None,
    block: int | None = None,
) -> Tensor:
    """InfoNCE in both directions over sparse lexical vectors, whose terms come to mean the same on both sides.

    Row s of a text has a weight s_v >= 0 for each of K terms, the largest that the masked-LM head gives v at any of its
    tokens (:class:`align.encoders.lexical.head.LexicalHead`). With unit rows and S = source @ target.T / temperature
    this is half of both directions of :func:`align.objectives.contrastive.info_nce`. To it the objective adds a
    penalty of both sides, :func:`overuse` or :func:`flops`.

    Args:
        source: (B, K) weights. Gradients flow through.
        target: (B, K) weights.
        temperature: > 0; a tensor if it is learned.
        groups: (B,) integers naming the meaning of each pair; None: all differ.
        rows: the pairs that serve as anchors. None: all.
        block: rows of S held at once; see :func:`.streaming.stream`.

    Returns:
        () mean loss in nats, in float32 at least; log(B) when all similarities are equal, as those of empty rows are.

    Raises:
        ValueError: the shapes disagree, or the temperature is not positive.

    References:
        Formal et al. 2021 (SPLADE), arXiv:2107.05720, section 3; Li et al. 2024 (LexVLA), arXiv:2407.17827.
    """
    fit(
        source.dim() == 2 and source.shape == target.shape,
        "sparse_contrastive needs two (B, K) matrices",
        source,
        target,
    )
    return info_nce(source, target, temperature=temperature, groups=groups, rows=rows, block=block)


def overuse(weights: Tensor) -> Tensor:
    """R = sum over v of p_v^3 / sum over v of p_v, with p the mean of the (B, K) rows.

    That is p^2 averaged over the mass of all terms: dear are terms that most texts use, while one that few use costs
    nothing, however heavy it is there. Of rows as they are, not made unit ones: of such, the cheapest would use all
    terms evenly. 0 where all rows are empty.

    References:
        Li et al. 2024 (LexVLA), arXiv:2407.17827.
    """
    p = _mean(weights)
    return p.pow(3).sum() / p.sum().clamp(min=torch.finfo(p.dtype).tiny)


def flops(weights: Tensor) -> Tensor:
    """F = sum over v of p_v^2, with p the mean of the (B, K) rows: the products that a search of them would take.

    References:
        Paria et al. 2020, arXiv:2004.05665, eq. 4.
    """
    return _mean(weights).pow(2).sum()


def _mean(weights: Tensor) -> Tensor:
    return weights.to(torch.promote_types(weights.dtype, torch.float32)).mean(0)


PENALTIES = {"overuse": overuse, "flops": flops}


def ramp(step: int, steps: int, kind: str) -> float:
    """The share of a weight at a step, from 0: (step / steps), squared if quadratic, and 1 from ``steps`` on.

    >>> [ramp(step, 4, "quadratic") for step in (0, 1, 4, 9)]
    [0.0, 0.0625, 1.0, 1.0]
    """
    share = min(1.0, step / steps) if steps else 1.0
    return share**2 if kind == "quadratic" else share


def _value(inputs: Inputs, options: SparseContrastiveOptions, learned: Temperature | None) -> Terms:
    source, target = inputs.all("source_terms"), inputs.all("target_terms")
    loss = sparse_contrastive(
        source, target, temperature=temperature_now(options, learned), groups=inputs.all("groups"), rows=inputs.rows(),
        block=inputs.block,
    )  # fmt: skip
    share = options.weight * ramp(int(inputs.own("step")), options.ramp_steps, options.ramp)
    penalty = PENALTIES[options.penalty]
    return {
        "sparse_contrastive": (options.weight, loss),
        f"{options.penalty}_source": (share * options.source_penalty, penalty(source)),
        f"{options.penalty}_target": (share * options.target_penalty, penalty(target)),
    }


OBJECTIVE = Objective(
    "sparse_contrastive", sparse_contrastive, SparseContrastiveOptions, ("source", "target", "groups", "terms"), _value,
    learned_temperature, negatives=lambda options, batch: batch - 1, by_blocks=True,
)  # fmt: skip

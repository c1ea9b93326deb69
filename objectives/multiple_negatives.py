"""Multiple negatives ranking: in-batch negatives, and for each pair texts known to be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from align.objectives.contrastive import info_nce
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions
from align.objectives.ranges import AT_LEAST_0, POSITIVE
from align.objectives.temperature import Temperature, learned_temperature, temperature_now


@dataclass(frozen=True)
class MultipleNegativesOptions(PlainOptions):
    """Multiple negatives ranking, with the texts of ``negative``, or of ``negative_1``, ..., as hard negatives."""

    temperature: Annotated[float, POSITIVE] = 0.05
    """Divides the similarities (1 / scale of sentence-transformers)."""
    learn_temperature: bool = False
    """Train log(temperature) too."""
    cosine: bool = True
    """Compare directions; false: raw dot products."""
    symmetric: bool = False
    """Also let each target pick its source."""
    hard_negatives: bool = True
    """The pairs must bring negatives, one or several; false: none is read, those of the batch have to do."""
    false_negatives: Annotated[float, AT_LEAST_0] | None = None
    """A candidate whose similarity exceeds the positive's by more than this is no negative (0.1); unset: all are."""
    hardness: Annotated[float, AT_LEAST_0] = 0.0
    """Times its own similarity is added to the logit of each negative, as a constant: near ones weigh more."""


def multiple_negatives(
    source: Tensor,
    target: Tensor,
    negative: Tensor | None = None,
    *,
    temperature: float | Tensor = 0.05,
    cosine: bool = True,
    symmetric: bool = False,
    groups: Tensor | None = None,
    negative_groups: Tensor | None = None,
    rows: slice | None = None,
    block: int | None = None,
    false_negatives: float | None = None,
    hardness: float = 0.0,
) -> Tensor:
    """Row i of ``source`` must pick row i of ``target`` out of all targets and all hard negatives.

    With unit rows (if ``cosine``), C = [target; negative] and S = source @ C.T / temperature::

        L = mean over i of  -log( exp S_ii / sum over j in J(i) of exp S_ij )

    J(i) holds i itself, every target whose group differs from that of i, and every hard negative whose own group does:
    a contradiction of a translation of my premise contradicts me too, so that the group of the pair it came with never
    bars it, but a text is not its own negative. Without repeated groups this is MultipleNegativesRankingLoss of
    sentence-transformers (scale = 1 / temperature).

    Args:
        source: (B, D) vectors (premises). Gradients flow through.
        target: (B, D) vectors (entailed hypotheses).
        negative: (K, D) vectors (contradicting hypotheses), K >= 0, in any order; None: none.
        temperature: > 0, dimensionless; a tensor if it is learned.
        cosine: compare directions; False takes the raw dot product.
        symmetric: also let each target pick its source out of all sources; the mean of both.
        groups: (B,) integers naming the meaning of each pair; None: all differ.
        negative_groups: (K,) integers naming the meaning of each hard negative; None: none is that of a pair.
        rows: the pairs that serve as anchors. None: all.
        block: rows of S held at once; None: chosen by size; 0: all, as in the formula. See :func:`.streaming.stream`.
        false_negatives: at least 0: a candidate whose similarity exceeds the positive's by more than this is no
            negative (0.1 in Qwen3 Embedding, arXiv:2506.05176). None: all are.
        hardness: at least 0: to the logit of each negative this times its similarity is added, as a constant, so that
            near ones weigh more (arXiv:2503.04812).

    Returns:
        () mean loss in nats, in float32 at least; log(B + K) one-way when all similarities are equal.

    Raises:
        ValueError: the shapes disagree, there is no anchor, the temperature is not positive, or false_negatives or
            hardness is negative.

    References:
        Henderson et al. 2017, arXiv:1705.00652, section 4.4; Reimers and Gurevych 2019, arXiv:1908.10084.
    """
    candidates = target
    if negative is not None and len(negative):
        if negative.dim() != 2 or negative.shape[1:] != target.shape[1:]:
            shapes = f"{tuple(negative.shape)} for targets of shape {tuple(target.shape)}"
            raise ValueError(f"multiple_negatives needs (K, D) negatives, got {shapes}")
        candidates = torch.cat([target, negative])
        if groups is not None:
            if negative_groups is None:
                negative_groups = (groups.min() - 1).expand(len(negative))  # no pair's
            if len(negative_groups) != len(negative):
                raise ValueError(
                    f"multiple_negatives needs one group per negative ({len(negative)}), got {len(negative_groups)}"
                )
            groups = torch.cat([groups, negative_groups])
    return info_nce(
        source, candidates, temperature=temperature, cosine=cosine, symmetric=symmetric, groups=groups, rows=rows,
        block=block, false_negatives=false_negatives, hardness=hardness,
    )  # fmt: skip


def _value(inputs: Inputs, options: MultipleNegativesOptions, learned: Temperature | None) -> Tensor:
    hard = options.hard_negatives
    return multiple_negatives(
        inputs.all("source"), inputs.all("target"), inputs.all("negatives") if hard else None,
        temperature=temperature_now(options, learned), cosine=options.cosine, symmetric=options.symmetric,
        groups=inputs.all("groups"),
        negative_groups=inputs.all("negative_groups") if hard and "negative_groups" in inputs else None,
        rows=inputs.rows(), block=inputs.block, false_negatives=options.false_negatives, hardness=options.hardness,
    )  # fmt: skip


def _reads(options: MultipleNegativesOptions) -> set[str]:
    return {"source", "target", "groups"} | ({"negatives"} if options.hard_negatives else set())


OBJECTIVE = Objective(
    "multiple_negatives", multiple_negatives, MultipleNegativesOptions, _reads, _value, learned_temperature,
    negatives=lambda options, batch: batch - 1, prefixes=True, by_blocks=True,
)  # fmt: skip

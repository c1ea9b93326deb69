"""Contrastive objectives: NT-Xent and InfoNCE over in-batch negatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor

from align.objectives.checks import anchors_of, check_contrast
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions
from align.objectives.ranges import AT_LEAST_0, POSITIVE, need
from align.objectives.similarity_blocks import Contrast
from align.objectives.streaming import stream, whole
from align.objectives.temperature import Temperature, learned_temperature, temperature_now


@dataclass(frozen=True)
class ContrastiveOptions(PlainOptions):
    """A contrastive objective over the pairs of a batch."""

    temperature: Annotated[float, POSITIVE] = 0.05
    """Divides the similarities."""
    learn_temperature: bool = False
    """Train log(temperature) too."""
    cosine: bool = True
    """Compare directions; false: raw dot products."""
    frozen: bool = False
    """Contrast the target side with the vectors that the starting encoder gives the sources, not with current ones."""
    teacher: bool = False
    """The same with the vectors that the teacher gives the sources."""
    bank: Annotated[int, AT_LEAST_0] = 0
    """With info_nce and frozen: starting vectors of so many other sources as extra negatives, at no cost."""
    false_negatives: Annotated[float, AT_LEAST_0] | None = None
    """A candidate whose similarity exceeds the positive's by more than this is no negative (0.1); unset: all are."""
    hardness: Annotated[float, AT_LEAST_0] = 0.0
    """Times its own similarity is added to the logit of each negative, as a constant: near ones weigh more."""


def nt_xent(
    source: Tensor,
    target: Tensor,
    *,
    temperature: float | Tensor = 0.05,
    cosine: bool = True,
    groups: Tensor | None = None,
    rows: slice | None = None,
    block: int | None = None,
    false_negatives: float | None = None,
    hardness: float = 0.0,
) -> Tensor:
    """NT-Xent: every row of both sides must pick its partner out of all 2B - 1 other rows.

    With Z = [source; target] (rows made unit ones if ``cosine``), S = Z @ Z.T / temperature, S_kk = -inf and
    p(k) the partner of row k (k + B or k - B)::

        L = mean over k of  -log( exp S_k,p(k) / sum over j of exp S_kj )

    TransliCo's loss is half of this, with ``cosine=False`` and ``temperature=1``.

    Args:
        source: (B, D) vectors; row i and ``target`` row i are one pair. Gradients flow through.
        target: (B, D) vectors.
        temperature: > 0, dimensionless; a tensor if it is learned.
        cosine: compare directions; False takes the raw dot product.
        groups: (B,) integers naming the meaning of each pair. Rows of equal group are never each other's negatives.
            None: all pairs differ.
        rows: the pairs whose two rows serve as anchors (both sides still see all candidates). For a batch gathered
            from several processes these are the local pairs. None: all.
        block: rows of S held at once; None: chosen by size; 0: all, as in the formula. See :func:`.streaming.stream`.
        false_negatives: at least 0: a candidate whose similarity exceeds the positive's by more than this is no
            negative (0.1 in Qwen3 Embedding, arXiv:2506.05176). None: all are.
        hardness: at least 0: to the logit of each negative this times its similarity is added, as a constant, so that
            near ones weigh more (arXiv:2503.04812).

    Returns:
        () mean loss in nats, in float32 at least; at least 0; log(2B - 1) when all similarities are equal.

    Raises:
        ValueError: the shapes disagree, there is no anchor, the temperature is not positive, or false_negatives or
            hardness is negative.

    References:
        Chen et al. 2020, arXiv:2002.05709, eq. 1; Liu et al. 2024 (TransliCo), ACL 2024.acl-long.136, eq. 2.
    """
    check_contrast("nt_xent", source, target, temperature, groups, block)
    _check_switches("nt_xent", false_negatives, hardness)
    if len(source) != len(target):
        raise ValueError(f"nt_xent needs as many targets as sources, got {len(target)} and {len(source)}")
    size = len(source)
    pairs = anchors_of("nt_xent", source, rows)
    ids = _meanings(groups)
    ids = torch.cat([ids, ids]) if ids is not None else None
    sides = [(pairs, pairs + size), (pairs + size, pairs)]  # rows of both sides together, and their partners
    if block == 0:
        sides = [(torch.cat([pairs, pairs + size]), torch.cat([pairs + size, pairs]))]
    contrasts = [
        Contrast(0, side, 0, partner, ids, itself=True, false_negatives=false_negatives, hardness=hardness)
        for side, partner in sides
    ]
    return _loss([torch.cat([source, target])], contrasts, temperature=temperature, cosine=cosine, block=block)


def info_nce(
    source: Tensor,
    target: Tensor,
    *,
    temperature: float | Tensor = 0.05,
    cosine: bool = True,
    symmetric: bool = True,
    groups: Tensor | None = None,
    rows: slice | None = None,
    block: int | None = None,
    false_negatives: float | None = None,
    hardness: float = 0.0,
) -> Tensor:
    """InfoNCE: row i of ``source`` must pick row i of ``target`` out of all targets.

    With unit rows (if ``cosine``) and S = source @ target.T / temperature::

        one-way:    L = mean over i of  -log( exp S_ii / sum over j of exp S_ij )
        symmetric:  the mean of that and of the same over the columns j < N

    Args:
        source: (N, D) vectors. Gradients flow through.
        target: (M, D) vectors, M >= N; rows N..M-1 are extra negatives of every source (hard negatives, a bank).
        temperature: > 0, dimensionless; a tensor if it is learned.
        cosine: compare directions; False takes the raw dot product.
        symmetric: score targets against sources too.
        groups: (M,) integers; a target of the same group as the source, other than its own, is no negative.
        rows: the sources (and, if symmetric, the targets) that serve as anchors. None: all.
        block: rows of S held at once; None: chosen by size; 0: all, as in the formula. See :func:`.streaming.stream`.
        false_negatives: at least 0: a candidate whose similarity exceeds the positive's by more than this is no
            negative (0.1 in Qwen3 Embedding, arXiv:2506.05176). None: all are.
        hardness: at least 0: to the logit of each negative this times its similarity is added, as a constant, so that
            near ones weigh more (arXiv:2503.04812).

    Returns:
        () mean loss in nats, in float32 at least; log(M) one-way when all similarities are equal.

    Raises:
        ValueError: the shapes disagree, there is no anchor, the temperature is not positive, or false_negatives or
            hardness is negative.

    References:
        van den Oord et al. 2018, arXiv:1807.03748, eq. 4.
    """
    check_contrast("info_nce", source, target, temperature, groups, block)
    _check_switches("info_nce", false_negatives, hardness)
    switches: dict[str, Any] = {"false_negatives": false_negatives, "hardness": hardness}
    size = len(source)
    pairs = anchors_of("info_nce", source, rows)  # (A,)
    ids = _meanings(groups)
    if symmetric and len(pairs) == size and false_negatives is None and block != 0:
        contrasts = [Contrast(0, pairs, 1, pairs, ids, mutual=True, **switches)]
    else:
        contrasts = [Contrast(0, pairs, 1, pairs, ids, **switches)]
        inside = ids[:size] if ids is not None else None
        contrasts += [Contrast(1, pairs, 0, pairs, inside, **switches)] if symmetric else []
    return _loss([source, target], contrasts, temperature=temperature, cosine=cosine, block=block)


def _loss(matrices: list[Tensor], contrasts: list[Contrast], *, block: int | None, **how: Any) -> Tensor:
    return whole(matrices, contrasts, **how) if block == 0 else stream(matrices, contrasts, block=block, **how)


def _check_switches(name: str, false_negatives: float | None, hardness: float) -> None:
    for option, value in (("false_negatives", false_negatives), ("hardness", hardness)):
        if value is not None and not value >= 0:  # written so that NaN fails
            raise ValueError(f"{name} needs {option} of at least 0, got {value}")


def _meanings(groups: Tensor | None) -> Tensor | None:
    """Groups as small integers, cheaper to compare; None where no two are equal."""
    if groups is None:
        return None
    distinct, ids = torch.unique(groups, return_inverse=True)
    return ids.int() if len(distinct) < len(groups) else None


def _value(
    function: Callable[..., Tensor], inputs: Inputs, options: ContrastiveOptions, learned: Temperature | None
) -> Tensor:
    """The targets are the anchors, so that frozen sources and their bank are the candidates."""
    groups, candidates = inputs.all("groups"), inputs.all(_partner(options))
    if options.bank:
        bank = inputs.own("bank")
        groups = torch.cat([groups, groups.new_full((len(bank),), -1)])  # no group of the batch
        candidates = torch.cat([candidates, bank])
    return function(
        inputs.all("target"), candidates, temperature=temperature_now(options, learned), cosine=options.cosine,
        groups=groups, rows=inputs.rows(), block=inputs.block, false_negatives=options.false_negatives,
        hardness=options.hardness,
    )  # fmt: skip


def _reads(options: ContrastiveOptions) -> set[str]:
    return {"target", "groups", _partner(options)} | ({"bank"} if options.bank else set())


def _partner(options: ContrastiveOptions) -> str:
    return "teacher" if options.teacher else "start" if options.frozen else "source"


def _check_nt_xent(options: ContrastiveOptions) -> None:
    need(not options.bank, "nt_xent has no use for a bank (info_nce has): it must be 0", options.bank)
    need(not (options.frozen and options.teacher), "nt_xent needs frozen or teacher, not both", True)


def _check_info_nce(options: ContrastiveOptions) -> None:
    need(options.frozen or not options.bank, "info_nce.bank needs info_nce.frozen = true", options.frozen)
    need(not (options.frozen and options.teacher), "info_nce needs frozen or teacher, not both", True)


OBJECTIVES = (
    Objective(
        "nt_xent", nt_xent, ContrastiveOptions, _reads, partial(_value, nt_xent), learned_temperature,
        check=_check_nt_xent, negatives=lambda options, batch: 2 * batch - 2, prefixes=True, by_blocks=True,
    ),
    Objective(
        "info_nce", info_nce, ContrastiveOptions, _reads, partial(_value, info_nce), learned_temperature,
        check=_check_info_nce, negatives=lambda options, batch: batch - 1 + options.bank, prefixes=True, by_blocks=True,
    ),
)  # fmt: skip

"""Contrastive objectives: NT-Xent and InfoNCE over in-batch negatives."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

NEVER = float("-inf")  # the logit of a row that is no candidate


def nt_xent(
    source: Tensor,
    target: Tensor,
    *,
    temperature: float | Tensor = 0.05,
    cosine: bool = True,
    groups: Tensor | None = None,
    rows: slice | None = None,
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

    Returns:
        () mean loss in nats, at least 0; log(2B - 1) when all similarities are equal.

    Raises:
        ValueError: the shapes disagree, or the temperature is not positive.

    References:
        Chen et al. 2020, arXiv:2002.05709, eq. 1; Liu et al. 2024 (TransliCo), ACL 2024.acl-long.136, eq. 2.
    """
    _check("nt_xent", source, target, temperature, groups)
    if len(source) != len(target):
        raise ValueError(f"nt_xent needs as many targets as sources, got {len(target)} and {len(source)}")
    size = len(source)
    if cosine:
        source, target = normalize(source, dim=-1), normalize(target, dim=-1)
    pairs = torch.arange(size, device=source.device)[rows if rows is not None else slice(None)]  # (A,)
    everything = torch.cat([source, target])  # (2B, D)
    anchors = torch.cat([pairs, pairs + size])  # (2A,) rows of `everything`
    partners = torch.cat([pairs + size, pairs])  # (2A,)
    logits = everything[anchors] @ everything.T / temperature  # (2A, 2B)
    columns = torch.arange(2 * size, device=source.device)
    barred = columns == anchors[:, None]  # itself
    if groups is not None:
        both = torch.cat([groups, groups])
        barred = barred | ((both == both[anchors][:, None]) & (columns != partners[:, None]))
    return cross_entropy(logits.masked_fill(barred, NEVER), partners)


def info_nce(
    source: Tensor,
    target: Tensor,
    *,
    temperature: float | Tensor = 0.05,
    cosine: bool = True,
    symmetric: bool = True,
    groups: Tensor | None = None,
    rows: slice | None = None,
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

    Returns:
        () mean loss in nats; log(M) one-way when all similarities are equal.

    Raises:
        ValueError: the shapes disagree, or the temperature is not positive.

    References:
        van den Oord et al. 2018, arXiv:1807.03748, eq. 4.
    """
    _check("info_nce", source, target, temperature, groups)
    if cosine:
        source, target = normalize(source, dim=-1), normalize(target, dim=-1)
    pairs = torch.arange(len(source), device=source.device)[rows if rows is not None else slice(None)]  # (A,)
    forward = _one_way(source[pairs], target, pairs, groups, temperature)
    if not symmetric:
        return forward
    inside = groups[: len(source)] if groups is not None else None
    return (forward + _one_way(target[pairs], source, pairs, inside, temperature)) / 2


def _one_way(
    anchors: Tensor, candidates: Tensor, gold: Tensor, groups: Tensor | None, temperature: float | Tensor
) -> Tensor:
    logits = anchors @ candidates.T / temperature  # (A, M)
    if groups is not None:
        columns = torch.arange(len(candidates), device=logits.device)
        barred = (groups == groups[gold][:, None]) & (columns != gold[:, None])
        logits = logits.masked_fill(barred, NEVER)
    return cross_entropy(logits, gold)


def _check(name: str, source: Tensor, target: Tensor, temperature: float | Tensor, groups: Tensor | None) -> None:
    shapes = f"{tuple(source.shape)} and {tuple(target.shape)}"
    if source.dim() != 2 or target.dim() != 2 or source.shape[1] != target.shape[1] or len(target) < len(source):
        raise ValueError(f"{name} needs (N, D) and (M, D) with M >= N, got {shapes}")
    if len(source) == 0:
        raise ValueError(f"{name} needs at least one pair, got {shapes}")
    warmth = float(torch.as_tensor(temperature).detach())
    if not warmth > 0:  # written so that NaN fails
        raise ValueError(f"{name} needs a temperature > 0, got {warmth}")
    if groups is not None and groups.shape != (len(target),):
        raise ValueError(f"{name} needs one group per target ({len(target)}), got {tuple(groups.shape)}")

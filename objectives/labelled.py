"""Objectives over concept labels: any two texts of one label are positives, whatever their languages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from align.objectives.checks import NEVER, fit, working
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions
from align.objectives.ranges import POSITIVE
from align.objectives.temperature import check_temperature


@dataclass(frozen=True)
class LabelledOptions(PlainOptions):
    """A contrastive objective over all texts of a batch, in which those of one group are positives."""

    temperature: Annotated[float, POSITIVE] = 0.07
    """Divides the cosines."""


def label_nt_xent(
    vectors: Tensor,
    labels: Tensor,
    *,
    temperature: float | Tensor = 0.07,
    cosine: bool = True,
    rows: slice | None = None,
) -> Tensor:
    """NT-Xent over labels: every text must pick each text of its label out of those of all other labels.

    With unit rows (if ``cosine``), S = vectors @ vectors.T / temperature, P the ordered pairs a != p of one label, and
    N(a) the rows of another label than a::

        L = mean over (a, p) in P of  -log( exp S_ap / (exp S_ap + sum over n in N(a) of exp S_an) )

    Rows of one label are never each other's negatives, and positives stay out of each other's denominator. The sum over
    N(a) is the same for all p: memory grows with N^2, not with (positive pairs) x (negative pairs).

    Args:
        vectors: (N, D), N >= 1: the texts of both sides. Gradients flow through.
        labels: (N,) integers naming the concept of each text. A label that occurs once is a negative only.
        temperature: > 0, dimensionless; a tensor if it is learned.
        cosine: compare directions; False takes the raw dot product.
        rows: the anchors, A rows; all rows stay candidates. Their sum is divided by A / N times the positive pairs of
            the *whole* batch, so that the mean over processes with A rows each is the loss of the whole. None: all.

    Returns:
        () mean loss in nats, computed in float32 at least; 0 for an anchor without negatives, and 0 with zero gradients
        when no label occurs twice.

    Raises:
        ValueError: the shapes disagree, there is no row, or the temperature is not positive.

    References:
        Green, Ponzetto and Glavaš 2023, ACL 2023.acl-long.426; Chen et al. 2020, arXiv:2002.05709, eq. 1.
    """
    check_labelled("label_nt_xent", vectors, labels)
    check_temperature("label_nt_xent", temperature)
    anchors = rows if rows is not None else slice(None)
    similarity = similarities(vectors, anchors, cosine=cosine) / temperature  # (A, N)
    same, positive = relations(labels)
    against = similarity.masked_fill(same[anchors], NEVER).logsumexp(dim=1)  # (A,)
    anchor, partner = positive[anchors].nonzero(as_tuple=True)
    losses = softplus(against[anchor] - similarity[anchor, partner])  # -log(exp s / (exp s + exp against))
    return losses.sum() / (positive.sum().clamp(min=1) * (len(similarity) / len(labels)))


def supcon(
    vectors: Tensor,
    labels: Tensor,
    *,
    temperature: float | Tensor = 0.07,
    cosine: bool = True,
    rows: slice | None = None,
) -> Tensor:
    """SupCon: every text must pick the texts of its label out of all other texts.

    With unit rows (if ``cosine``), S = vectors @ vectors.T / temperature and P(a) the other rows of the label of a::

        L = mean over a with P(a) not empty of  mean over p in P(a) of  -log( exp S_ap / sum over j != a of exp S_aj )

    Unlike :func:`label_nt_xent`, positives stand in each other's denominator, and every anchor weighs the same.

    Args:
        vectors: (N, D), N >= 1: the texts of both sides. Gradients flow through.
        labels: (N,) integers naming the concept of each text.
        temperature: > 0, dimensionless; a tensor if it is learned.
        cosine: compare directions; False takes the raw dot product.
        rows: the anchors, A rows, whose sum is divided by A / N times the anchors with a positive in the *whole* batch.
            None: all.

    Returns:
        () mean loss in nats, computed in float32 at least; log(N - 1) when all similarities are equal, and 0 with zero
        gradients when no label occurs twice.

    Raises:
        ValueError: the shapes disagree, there is no row, or the temperature is not positive.

    References:
        Khosla et al. 2020, arXiv:2004.11362, eq. 2 (L_out; there a sum over anchors).
    """
    check_labelled("supcon", vectors, labels)
    check_temperature("supcon", temperature)
    anchors = rows if rows is not None else slice(None)
    similarity = similarities(vectors, anchors, cosine=cosine) / temperature  # (A, N)
    same, positive = relations(labels)
    itself, mine = (same & ~positive)[anchors], positive[anchors]  # (A, N) each
    everything = similarity.masked_fill(itself, NEVER).logsumexp(dim=1)  # (A,)
    partners = (similarity * mine).sum(dim=1) / mine.sum(dim=1).clamp(min=1)  # (A,)
    losses = (everything - partners)[mine.any(dim=1)]
    return losses.sum() / (positive.any(dim=1).sum().clamp(min=1) * (len(similarity) / len(labels)))


def similarities(vectors: Tensor, anchors: slice, *, cosine: bool = True) -> Tensor:
    """(A, N) similarities of the anchors with all rows, in float32 at least: also under autocast, which would round."""
    with torch.autocast(vectors.device.type, enabled=False):
        vectors = working(vectors, cosine)
        return vectors[anchors] @ vectors.T


def relations(labels: Tensor) -> tuple[Tensor, Tensor]:
    """(N, N) bool twice: whether two rows have one label, and whether they are also two different rows."""
    same = labels[:, None] == labels
    return same, same.clone().fill_diagonal_(False)


def check_labelled(name: str, vectors: Tensor, labels: Tensor) -> None:
    """Refuse anything but (N, D) vectors and (N,) labels with N >= 1."""
    right = vectors.dim() == 2 and labels.shape == vectors.shape[:1] and len(vectors) > 0
    fit(right, f"{name} needs (N, D) vectors and (N,) labels, N >= 1", vectors, labels)


def over_texts(function: Callable[..., Tensor], inputs: Inputs, options: Any, learned: None) -> Tensor:
    """An objective of this kind over the texts of both sides, whose labels are the pairs' meanings."""
    settings = asdict(options)
    del settings["weight"]
    labels = inputs.all("groups", "groups")
    return function(inputs.all("source", "target"), labels=labels, rows=inputs.rows(2), **settings)


def _objective(function: Callable[..., Tensor]) -> Objective:
    return Objective(
        function.__name__, function, LabelledOptions, TEXTS, partial(over_texts, function), negatives=other_texts,
        prefixes=True,
    )  # fmt: skip


def other_texts(options: Any, batch: int) -> int:
    """Negatives of a text in a batch of so many pairs."""
    return 2 * batch - 2


TEXTS = ("source", "target", "groups")
OBJECTIVES = (_objective(label_nt_xent), _objective(supcon))

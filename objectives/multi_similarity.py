"""Multi-Similarity: hard pairs of one label and of two, each weighed by how hard the others are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from torch import Tensor
from torch.nn.functional import softplus

from align.objectives.checks import NEVER
from align.objectives.labelled import TEXTS, check_labelled, other_texts, over_texts, relations, similarities
from align.objectives.objective import Objective, PlainOptions
from align.objectives.ranges import COSINE, COSINE_DIFFERENCE, POSITIVE, one_of

MINERS = ("triplet", "multi_similarity")


@dataclass(frozen=True)
class MultiSimilarityOptions(PlainOptions):
    """Multi-Similarity on the hard pairs of a batch, in which texts of one group are positives."""

    alpha: Annotated[float, POSITIVE] = 1.0
    """Sharpness of the positives."""
    beta: Annotated[float, POSITIVE] = 60.0
    """Sharpness of the negatives."""
    base: Annotated[float, COSINE] = 0.5
    """The cosine between near and far."""
    margin: Annotated[float, COSINE_DIFFERENCE] = 0.2
    """Pairs count if a positive is not nearer than a negative by more than this: SapBERT's 0.2; 0.1 in Wang et al."""
    miner: Annotated[str, one_of(*MINERS)] = "triplet"
    """Nearer by what: triplet, the distance of unit vectors (SapBERT); multi_similarity, the cosine (Wang et al.)."""


def multi_similarity(
    vectors: Tensor,
    labels: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 60.0,
    base: float = 0.5,
    margin: float = 0.2,
    miner: str = "triplet",
    rows: slice | None = None,
) -> Tensor:
    """Pull positives whose cosine is below ``base``, push negatives above it, of the pairs that are hard enough.

    With S the cosines, and P(a) and N(a) the positives and negatives of a that are in any hard triplet (a, p, n)::

        L = mean over a of  1/alpha log(1 + sum over p in P(a) of exp(-alpha (S_ap - base)))
                          + 1/beta  log(1 + sum over n in N(a) of exp(  beta (S_an - base)))

    A triplet is hard if its positive is not nearer than its negative by more than the margin, nearness being

    - ``triplet``: minus the Euclidean distance of unit vectors, |a - n| - |a - p| <= margin (SapBERT's, 0.2);
    - ``multi_similarity``: the cosine, S_ap - S_an <= margin (Wang et al., eq. 7-8, epsilon = 0.1 there).

    So a pair is in one if it is with the hardest partner of the other kind: memory grows with N^2, not N^3.

    Args:
        vectors: (N, D), N >= 1: the texts of both sides. Gradients flow through the loss, not through the choice.
        labels: (N,) integers naming the concept of each text.
        alpha: > 0, sharpness of the positives.
        beta: > 0, sharpness of the negatives.
        base: the cosine between near and far.
        margin: of nearness, in its unit; 2 makes every triplet hard. An anchor without positives or without negatives
            is in none.
        miner: triplet or multi_similarity.
        rows: the anchors; the mean is over these. None: all.

    Returns:
        () mean loss over all anchors, computed in float32 at least; 0 with zero gradients when no triplet is hard.

    Raises:
        ValueError: the shapes disagree, there is no row, alpha or beta is not positive, or the miner is unknown.

    References:
        Wang et al. 2019, arXiv:1904.06627, eq. 15; Liu et al. 2021 (SapBERT), arXiv:2010.11784.
    """
    check_labelled("multi_similarity", vectors, labels)
    if not (alpha > 0 and beta > 0):  # written so that NaN fails
        raise ValueError(f"multi_similarity needs alpha > 0 and beta > 0, got {alpha} and {beta}")
    if miner not in MINERS:
        raise ValueError(f"multi_similarity needs a miner out of {', '.join(MINERS)}, got {miner!r}")
    anchors = rows if rows is not None else slice(None)
    similarity = similarities(vectors, anchors)  # (A, N)
    same, positive = relations(labels)
    positive, negative = positive[anchors], ~same[anchors]  # (A, N) each
    near = similarity.detach()
    if miner == "triplet":
        near = -(2 - 2 * near).clamp(min=0).sqrt()
    nearest = near.masked_fill(~negative, NEVER).amax(dim=1, keepdim=True)  # (A, 1) of the negatives
    farthest = near.masked_fill(~positive, -NEVER).amin(dim=1, keepdim=True)  # (A, 1) of the positives
    pulled = positive & (near - nearest <= margin)
    pushed = negative & (farthest - near <= margin)
    pull = (-alpha * (similarity - base)).masked_fill(~pulled, NEVER).logsumexp(dim=1)  # (A,)
    push = (beta * (similarity - base)).masked_fill(~pushed, NEVER).logsumexp(dim=1)  # (A,)
    return (softplus(pull) / alpha + softplus(push) / beta).mean()


OBJECTIVE = Objective(
    "multi_similarity", multi_similarity, MultiSimilarityOptions, TEXTS, partial(over_texts, multi_similarity),
    negatives=other_texts, prefixes=True,
)  # fmt: skip

"""The loss of a lexical head: of all words of the other language, which is a translation?"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus


def vocabulary_softmax(
    queries: Tensor, candidates: Tensor, rows: Tensor, golds: Tensor, *, temperature: float = 0.05
) -> Tensor:
    """Softmax over a whole vocabulary, in which the translations of a word are never each other's negatives.

    With unit rows, s_ij = q_i . c_j / temperature and G_i the golds of query i:

        L = 1/B sum_i 1/|G_i| sum_(g in G_i) -log( exp s_ig / (exp s_ig + sum_(j not in G_i) exp s_ij) )

    Args:
        queries: (B, D). Gradients flow through; lengths do not count.
        candidates: (V, D), every word of the vocabulary. Gradients flow through.
        rows: (n,) of each gold the query that it translates, each of 0 .. B - 1 at least once.
        golds: (n,) of each gold its candidate; a pair comes once.
        temperature: above 0.

    Returns:
        () nats; log(V) at uniform similarity and one gold each.

    References:
        The denominator is that of Oord et al. 2018, arXiv:1807.03748, with the golds left out as in NT-Xent over labels
        (Green et al. 2023, ACL 2023.acl-long).
    """
    scores = normalize(queries, dim=1) @ normalize(candidates, dim=1).T
    scores = scores.float() / temperature if scores.dtype == torch.bfloat16 else scores / temperature  # (B, V)
    right = scores[rows, golds]  # (n,)
    hidden = scores.index_put((rows, golds), scores.new_tensor(-torch.inf))
    wrong = torch.logsumexp(hidden, dim=1)[rows]
    share = 1 / torch.bincount(rows, minlength=len(queries)).to(scores.dtype)[rows]
    return (softplus(wrong - right) * share).sum() / len(queries)

"""Cloze: does the masked-LM head restore a hidden part of a text, such as the name of an entity?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear

from align.encoders.batching import budget_batches, evaluating
from align.encoders.blocks import masked_lm_head
from align.encoders.encoder import Encoder
from align.encoders.words import span_tokens
from align.errors import InputError


class Restored(NamedTuple):
    """What the head made of n hidden parts."""

    pieces: NDArray[np.int64]
    """(n,) pieces of each."""
    hits: NDArray[np.bool_]
    """(n,) whether each of them is the likeliest of the vocabulary at its place (hit@1)."""
    nats: NDArray[np.float64]
    """(n,) mean of -log p over its pieces."""
    found: NDArray[np.bool_]
    """(n,) whether it is likelier than every other one of ``among`` that has as many pieces."""
    others: NDArray[np.int64]
    """(n,) how many of these there are."""


@torch.inference_mode()
def cloze(
    encoder: Encoder, texts: Sequence[str], places: Sequence[tuple[int, int]], *, among: Sequence[str] = (),
    batch_tokens: int = 1024,
) -> Restored:  # fmt: skip
    """Hide a part of each text, all its pieces at once, and let the masked-LM head say what stood there.

    With m_1..m_k the masked pieces of a part, true ones t_1..t_k, and p the head's probabilities given the rest::

        hit  = all_i (argmax_v p(m_i = v) = t_i)        nats = 1/k sum_i -log p(m_i = t_i)
        found = sum_i log p(m_i = t_i) > sum_i log p(m_i = c_i) for all other names c of k pieces

    The head is told how many pieces are missing, and chooses each by itself. Pieces that reach beyond the part, as in
    scripts without spaces, are hidden whole. Ties are against the model.

    Args:
        encoder: with a masked-LM head and a fast tokenizer.
        texts: n of them.
        places: characters ``start`` to ``end`` - 1 of each.
        among: names that might stand there, cut into pieces as they would be behind the character before the part.
        batch_tokens: padded tokens of one forward pass; bounds memory.

    Raises:
        InputError: an encoder without head or mask, or as :func:`align.encoders.words.span_tokens`.

    References:
        Jiang et al. 2020 (X-FACTR), arXiv:2010.06189, section 4: independent prediction of multi-piece names.
    """
    transform, weight, bias = masked_lm_head(encoder.model)
    mask = encoder.tokenizer.mask_token_id
    if mask is None:
        raise InputError(f"{type(encoder.tokenizer).__name__} has no mask token to hide a part of a text by")
    rows = span_tokens(encoder, texts, places)
    pieces = np.array([sum(row.counted or ()) for row in rows], dtype=np.int64)
    before = [text[max(0, start - 1) : start] for text, (start, _) in zip(texts, places, strict=True)]
    others = {left: _by_pieces(encoder, left, among) for left in dict.fromkeys(before)} if among else {}
    made = Restored(
        pieces, np.zeros(len(rows), bool), np.zeros(len(rows)), np.zeros(len(rows), bool), np.zeros(len(rows), int)
    )
    with evaluating(encoder):
        for batch in budget_batches(np.array([len(row.ids) for row in rows], dtype=np.int64), batch_tokens):
            ids, attention = encoder.pad([rows[i].ids for i in batch])
            hidden, _ = encoder.pad([[int(of) for of in rows[i].counted or ()] for i in batch])
            at = (hidden == 1) & (attention == 1)
            states = encoder.hidden(ids.masked_fill(at, mask), attention, head=True).last[at]  # (P, D)
            every = linear(transform(states), weight, bias).float().log_softmax(-1)  # (P, V)
            parts = torch.split(every, pieces[batch].tolist()), torch.split(ids[at], pieces[batch].tolist())
            for i, logp, truth in zip(batch, *parts, strict=True):
                right = logp.gather(1, truth[:, None]).sum()
                made.hits[i] = bool((logp.argmax(1) == truth).all())
                made.nats[i] = -right.item() / len(truth)
                known = others.get(before[i], {}).get(len(truth))
                if known is not None:
                    known = known.to(truth.device)
                    rest = known[(known != truth).any(1)]
                    made.others[i] = len(rest)
                    made.found[i] = bool((logp[torch.arange(len(truth)), rest].sum(1) < right).all())
    return made


def _by_pieces(encoder: Encoder, left: str, names: Sequence[str]) -> dict[int, Tensor]:
    """(c, k) the pieces of names behind a character, by their number k."""
    found: dict[int, dict[tuple[int, ...], None]] = {}
    parts = [(len(left), len(left) + len(name)) for name in names]
    for row in span_tokens(encoder, [left + name for name in names], parts):
        own = tuple(of for of, counted in zip(row.ids, row.counted or (), strict=True) if counted)
        found.setdefault(len(own), {})[own] = None
    return {k: torch.tensor([*rows]) for k, rows in found.items()}

"""TransliCo's training step in plain transformers: padded forward passes, one for each side of the pairs.

As its code runs: each side is masked on its own; states of one layer are averaged over a side's own tokens; the loss is
both masked-LM losses and half of NT-Xent over raw dot products, times 0.5. Its own model class applies the masked-LM
head to the masked positions alone (``full_logits=False``); transformers' applies it to all. ``forwards=3`` takes the
states for the contrast from a pass of their own over both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from align.encoders.encoder import Encoder
from align.encoders.text_model import padded
from align.objectives.mlm import IGNORED
from align.training.masking import mask_tokens


@dataclass(frozen=True)
class Side:
    """One side of a batch."""

    ids: Tensor
    """(B, T), masked."""
    attention: Tensor
    """(B, T), 0 at padding."""
    labels: Tensor
    """(B, T) pieces to predict, -100 elsewhere."""
    text: Tensor
    """(B, T) bool: neither padding nor <s> nor </s>, masked or not."""


def terms(
    model: PreTrainedModel, source: Side, target: Side, *, layer: int, forwards: int, full_logits: bool
) -> dict[str, Tensor]:
    """The three terms of a batch, unweighted: mlm_source, mlm_target, nt_xent."""
    states = forwards == 2
    head = model.cls if hasattr(model, "cls") else model.lm_head  # BERT's, and XLM-R's
    found, views = {}, []
    for name, side in (("mlm_source", source), ("mlm_target", target)):
        given = {"input_ids": side.ids, "attention_mask": side.attention, "output_hidden_states": states}
        if full_logits:
            out = model(**given, labels=side.labels)
            found[name] = out.loss
        else:
            out = model.base_model(**given)
            chosen = side.labels != IGNORED
            found[name] = cross_entropy(head(out.last_hidden_state[chosen]), side.labels[chosen])
        if states:
            views.append(mean(out.hidden_states[layer], side.text))
    if not states:
        both = [joined(one, other) for one, other in zip(read(source), read(target), strict=True)]
        out = model.base_model(input_ids=both[0], attention_mask=both[1], output_hidden_states=True)
        views = list(mean(out.hidden_states[layer], both[2].bool()).chunk(2))
    found["nt_xent"] = nt_xent(*views)
    return found


def loss(found: dict[str, Tensor]) -> Tensor:
    """Both masked-LM terms, and the contrast at the weight that its scripts give it."""
    return found["mlm_source"] + found["mlm_target"] + 0.5 * (0.5 * found["nt_xent"])


def mean(states: Tensor, text: Tensor) -> Tensor:
    """(B, D) means of (B, T, D) states over the tokens of the text."""
    kept = text.unsqueeze(-1).to(states.dtype)
    return (states * kept).sum(1) / kept.sum(1)


def nt_xent(source: Tensor, target: Tensor) -> Tensor:
    """Every row picks its partner out of all others, by raw dot products."""
    rows = torch.cat([source, target])
    scores = rows @ rows.T
    scores.fill_diagonal_(float("-inf"))
    partners = torch.arange(len(rows), device=rows.device).roll(len(source))
    return cross_entropy(scores, partners)


def read(side: Side) -> tuple[Tensor, Tensor, Tensor]:
    """What a pass without labels needs."""
    return side.ids, side.attention, side.text.long()


def joined(one: Tensor, other: Tensor) -> Tensor:
    """Rows of both, the narrower filled up with zeros, which attention leaves out."""
    width = max(one.shape[1], other.shape[1])
    return torch.cat([torch.nn.functional.pad(part, (0, width - part.shape[1])) for part in (one, other)])


def side(rows: list[NDArray[np.int32]], encoder: Encoder, *, rate: float, generator: torch.Generator) -> Side:
    """Rows of ids as one side of a batch, masked anew."""
    ids, attention = padded(rows, encoder.tokenizer.pad_token_id or 0)
    text = attention.bool() & ~torch.isin(ids, torch.tensor(encoder.added_ids))
    masked, labels = mask_tokens(
        ids, text, rate=rate, mask_id=int(encoder.tokenizer.mask_token_id),
        vocabulary=int(encoder.model.config.vocab_size), generator=generator,
    )  # fmt: skip
    return Side(masked, attention, labels, text)


def split(batch: dict[str, Any], encoder: Encoder) -> tuple[Side, Side]:
    """The two sides of a batch of ours, each cut to its own longest text."""
    sizes = list(batch["sides"])
    sides = []
    for parts in zip(*(torch.split(batch[name], sizes) for name in ("ids", "attention", "labels")), strict=True):
        if len(parts[0]):
            width = int(parts[1].sum(1).max())
            ids, attention, labels = (part[:, :width].contiguous() for part in parts)
            sides.append(Side(ids, attention, labels, attention.bool() & ~special(ids, labels, encoder)))
    source, target = sides
    return source, target


def special(ids: Tensor, labels: Tensor, encoder: Encoder) -> Tensor:
    """Tokens that the tokenizer added; a piece that masking replaced by such a one is none."""
    return torch.isin(ids, torch.tensor(encoder.added_ids)) & (labels == IGNORED)


def random_batches(count: int, size: int) -> Iterator[NDArray[np.int64]]:
    """Row numbers, every one once, ``size`` at a time."""
    yield from np.random.default_rng(0).permutation(count).reshape(-1, size)

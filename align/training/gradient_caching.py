"""All texts of a batch through the encoder: at once, or in micro-batches whose activations are not kept.

A contrastive objective needs the vectors of the whole batch, but not the activations that made them. So each
micro-batch is a checkpointed region: its forward pass keeps nothing but its vectors, and when their gradient arrives it
runs once more, with the same dropout. That is GradCache (Gao et al. 2021, arXiv:2101.06983) with one backward pass for
all: processes exchange gradients once, and the objective's blocks may be of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from align.encoders.batching import budget_batches
from align.encoders.encoder import Encoder


class Encoded(NamedTuple):
    """What objectives read of a batch."""

    vectors: Tensor
    """(R, D) pooled, not yet unit ones."""
    states: Tensor
    """(P, D) last states at the masked positions, row by row; P = 0 without a mask."""


def encode_batch(
    encoder: Encoder,
    ids: Tensor,
    attention: Tensor,
    *,
    lengths: Sequence[int],
    masked: Tensor | None = None,
    types: Tensor | None = None,
    positions: Tensor | None = None,
    counted: Tensor | None = None,
    micro_tokens: int = 0,
) -> Encoded:
    """Vectors of (R, T) ids, and the states that a masked-LM head reads at the (R, T) ``masked`` positions.

    Runs ``micro_tokens`` at a time, texts of similar length together, and again in the backward pass; 0: all at once.
    ``counted`` is explained at :meth:`align.encoders.encoder.Encoder.pool`, the rest at its ``hidden``.
    """
    run = partial(_encode, encoder)
    if not micro_tokens or sum(lengths) <= micro_tokens:
        return run(ids, attention, masked, types, positions, counted, list(lengths))
    sizes = np.asarray(lengths, dtype=np.int64)
    vectors, states, places = [], [], []
    order = []
    for part in budget_batches(sizes, micro_tokens):
        rows, width = torch.from_numpy(part).to(ids.device), int(sizes[part[0]])  # the longest comes first
        order.append(rows)
        inputs = [None if x is None else x[rows, :width] for x in (ids, attention, masked, types, positions, counted)]
        encoded: Encoded = checkpoint(run, *inputs, sizes[part].tolist(), use_reentrant=False)
        vectors.append(encoded.vectors)
        states.append(encoded.states)
        if inputs[2] is not None:
            row, column = inputs[2].nonzero(as_tuple=True)
            places.append(rows[row] * ids.shape[1] + column)
    whole = torch.cat(vectors)[torch.cat(order).argsort()]
    return Encoded(whole, torch.cat(states)[torch.cat(places).argsort()] if places else torch.cat(states))


def _encode(
    encoder: Encoder, ids: Tensor, attention: Tensor, masked: Tensor | None, types: Tensor | None,
    positions: Tensor | None, counted: Tensor | None, lengths: list[int],
) -> Encoded:  # fmt: skip
    hidden = encoder.hidden(ids, attention, head=masked is not None, types=types, positions=positions, lengths=lengths)
    states = hidden.last[masked] if masked is not None else hidden.last[:0, 0]
    return Encoded(encoder.pool(hidden.layer, ids, attention, counted=counted), states)

"""The fusion scorer: an encoder's own layers read two texts first apart, then together, then apart again."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from align.encoders.blocks import blocks, norms_last_layer, reads_molecules
from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling, after_prompt
from align.encoders.route import refuse_route
from align.errors import InputError

TEMPERATURE = 0.05
"""What divides the weighted cosine."""
BARRED = torch.finfo(torch.bfloat16).min
"""Added to what no token shall see: finite in every number format that autocast may choose, but float16."""
LIKE = 1e-3
"""Two computations of one state differ by less."""


@dataclass(frozen=True)
class Shape:
    """Which of the layers, up to the one that is pooled, read a pair together; the rest above them apart again."""

    separate: int
    """m layers that read each text for itself. They stay the encoder's own, so that a text passes them once."""
    joint: int
    """k layers over both texts in one sequence."""


class Texts(NamedTuple):
    """States of B texts, padded on the right."""

    states: Tensor
    """(B, T, D)"""
    attention: Tensor
    """(B, T), 0 at padding."""
    special: Tensor
    """(B, T) bool, True at tokens that the tokenizer added."""


class Fusion(nn.Module):
    """The score of a pair of texts, from their states behind the first m layers of an encoder.

    With h_x, h_y these states, s_0 and s_1 a learned vector of each side (0 at first), and pool the encoder's own::

        [a ; b] = joint layers([h_x + s_0 ; h_y + s_1])          each token sees both texts
        u, v    = unit(pool(rest(a))), unit(pool(rest(b)))       each its own again
        score   = sum over d of w_d u_d v_d / 0.05 + bias        w = 1, bias = 0 at first: a cosine

    FILTER's shape for an encoder of L layers is m + k + rest = L; m + k = L is a cross-encoder from layer m on. The
    places of a text's tokens are counted anew for each text.

    Args:
        encoder: whose layers are copied; it is not changed.
        shape: m and k.

    Raises:
        InputError: the encoder has fewer layers, or layers that cannot be run one by one on states.

    References:
        Fang et al. 2021 (FILTER), arXiv:2009.05166, for translations there; Humeau et al. 2020, arXiv:1905.01969, for
        what joint reading is worth to a ranking.
    """

    def __init__(self, encoder: Encoder, shape: Shape) -> None:
        super().__init__()
        depth = encoder.layer
        if shape.separate < 0 or shape.joint < 1 or shape.separate + shape.joint > depth:
            raise InputError(
                f"a scorer needs separate layers of at least 0 and joint ones of at least 1, together at most the "
                f"{depth} that the encoder pools; got {shape.separate} and {shape.joint}"
            )
        check_layers(encoder)
        self.shape, self.pooling, self.prompt_tokens = shape, encoder.pooling, encoder.prompt_tokens
        self.blocks = deepcopy(blocks(encoder.model)[shape.separate : depth])
        self.blocks.requires_grad_(True)
        width = int(encoder.model.config.get_text_config().hidden_size)
        self.sides = nn.Parameter(torch.zeros(2, width))
        self.weights, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(()))
        self.to(encoder.device)

    def forward(self, first: Texts, second: Texts) -> Tensor:
        """(B,) scores of B pairs."""
        size = first.states.shape[1]
        both = torch.cat([first.states + self.sides[0], second.states + self.sides[1]], dim=1)
        both = run(self.blocks[: self.shape.joint], both, torch.cat([first.attention, second.attention], dim=1))
        vectors = []
        for side, states in ((first, both[:, :size]), (second, both[:, size:])):
            states = run(self.blocks[self.shape.joint :], states, side.attention)
            counted = after_prompt(side.attention, self.prompt_tokens)
            vectors.append(normalize(self.pooling(states, counted, side.special), dim=-1))
        with torch.autocast(both.device.type, enabled=False):
            return (vectors[0] * vectors[1]) @ self.weights / TEMPERATURE + self.bias


def run(layers: Sequence[nn.Module] | nn.ModuleList, states: Tensor, attention: Tensor) -> Tensor:
    """(B, T, D) what layers make of states; no token sees one where the (B, T) attention is 0."""
    seen = attention[:, None, None, :].bool()
    mask = torch.zeros(seen.shape, dtype=states.dtype, device=states.device)
    mask = mask.masked_fill(~seen, BARRED)
    for layer in layers:
        made = layer(states, attention_mask=mask)
        states = made[0] if isinstance(made, tuple) else made
    return states


def below(encoder: Encoder, separate: int) -> Encoder:
    """The encoder, of the same weights, whose ``hidden`` gives the states that a scorer starts from."""
    reader = copy(encoder)
    reader.pooling = Pooling(layer=separate)
    return reader


def check_layers(encoder: Encoder) -> None:
    """Refuse an encoder whose layers, one after the other, do not make the states that it makes itself.

    Raises:
        InputError: says which, and what is missing.
    """
    refuse_route(encoder, "a scorer")
    what = type(encoder.model).__name__
    if encoder.offsets is not None or len(encoder.tail) or encoder.pooling.with_average:
        raise InputError("a scorer reads an encoder as it pools one layer: this one has offsets, or more behind that")
    if norms_last_layer(encoder.model) or reads_molecules(encoder.model) or encoder.pooling.average_layers:
        raise InputError(f"a scorer runs single layers and pools the last of them, which {what} here does not allow")
    rows = encoder.tokenize(["a", "a b c"])
    ids, attention = encoder.pad(rows)
    layers = blocks(encoder.model)[: encoder.layer]
    was = encoder.training
    try:
        with torch.no_grad():
            encoder.eval()
            start = below(encoder, 0).hidden(ids, attention).layer
            wanted, found = encoder.hidden(ids, attention).layer, run(layers, start, attention)
    except TypeError as error:
        raise InputError(f"the layers of {what} need more than states and a mask ({error}): expected BERT's") from error
    finally:
        encoder.train(was)
    there = attention.bool()
    apart = (wanted[there] - found[there]).float().abs().max() / wanted[there].float().abs().max()
    if not apart < (LIKE if wanted.dtype == torch.float32 else 0.1):
        raise InputError(f"the layers of {what} cannot be run one by one: expected those of BERT or XLM-R")

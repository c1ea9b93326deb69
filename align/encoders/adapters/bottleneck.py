"""Bottleneck adapters: what a small module adds to the states that a block gives, one or several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu
from transformers import PreTrainedModel

from align.encoders.blocks import blocks
from align.errors import InputError

NAME = "bottlenecks"
"""Of the module on a block, and so in the name of each of its parameters and of no other."""


class Bottleneck(nn.Module):
    """``W_u gelu(W_d LN(x))``: (..., D) to (..., D) through ``size`` numbers; 0 at the start, for W_u and its bias are.

    References:
        Houlsby et al. 2019, arXiv:1902.00751, section 2.1; Hou et al. 2022, findings-emnlp.287: reduction D / size 16.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.norm, self.down, self.up = nn.LayerNorm(width), nn.Linear(width, size), nn.Linear(size, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, states: Tensor) -> Tensor:
        """What is added to the states."""
        added: Tensor = self.up(gelu(self.down(self.norm(states))))
        return added


class Bottlenecks(nn.Module):
    """x + sum_i s_i A_i(x) of (..., D) states x: several adapters of one block, fused by shares s that sum to 1.

    AdapterFusion (Pfeiffer et al. 2021, arXiv:2005.00247) learns who is heard where; a mean needs no further data.
    """

    shares: Tensor

    def __init__(self, several: Sequence[nn.Module], shares: Sequence[float] = (1.0,)) -> None:
        super().__init__()
        self.each = nn.ModuleList(several)
        self.register_buffer("shares", torch.tensor(shares, dtype=torch.float32))

    def forward(self, states: Tensor) -> Tensor:
        """The states with what all add."""
        shares = self.shares.to(states.dtype)
        return states + torch.stack([share * one(states) for share, one in zip(shares, self.each, strict=True)]).sum(0)


def put_bottlenecks(model: PreTrainedModel, on: Mapping[int, Bottlenecks]) -> None:
    """Let blocks, by their number from 0, give their states with what adapters add; older ones are replaced.

    The hook comes before all others, so that whoever reads the states of a block reads those with the adapters.
    """
    for number, adapters in on.items():
        block = blocks(model)[number]
        if not hasattr(block, NAME):
            block.register_forward_hook(_through, prepend=True)
        setattr(block, NAME, adapters)


def _through(block: nn.Module, _: Any, made: Any) -> Any:
    adapters: Bottlenecks | None = getattr(block, NAME, None)
    if adapters is None:
        return made
    return (adapters(made[0]), *made[1:]) if isinstance(made, tuple) else adapters(made)


def bottlenecks(model: PreTrainedModel) -> dict[int, Bottlenecks]:
    """The adapters of a model by the number of their block; none: it has none."""
    found = ((number, getattr(block, NAME, None)) for number, block in enumerate(blocks(model)))
    return {number: adapters for number, adapters in found if adapters is not None}


@contextmanager
def without_bottlenecks(model: PreTrainedModel) -> Iterator[dict[int, Bottlenecks]]:
    """While the context lasts the model is as it was without its adapters, which are yielded."""
    taken = bottlenecks(model)
    for number in taken:
        setattr(blocks(model)[number], NAME, None)
    try:
        yield taken
    finally:
        for number, adapters in taken.items():
            setattr(blocks(model)[number], NAME, adapters)


def new_bottlenecks(model: PreTrainedModel, numbers: Sequence[int], reduction: int) -> dict[int, Bottlenecks]:
    """An adapter for each of some blocks, D / reduction numbers wide; it adds nothing yet.

    Raises:
        InputError: a reduction that leaves no number.
    """
    width = int(model.config.get_text_config().hidden_size)
    if reduction > width:
        raise InputError(f"an adapter's reduction divides the width of the states, {width}; got {reduction}")
    return {number: Bottlenecks([Bottleneck(width, width // reduction)]) for number in numbers}


def fused(several: Sequence[Mapping[int, Bottlenecks]], weights: Sequence[float]) -> dict[int, Bottlenecks]:
    """The adapters of several encoders side by side, by block; each encoder's share is its weight."""
    made = {}
    for number in several[0]:
        own = [on[number] for on in several]
        shares = [w * share for w, one in zip(weights, own, strict=True) for share in one.shares.tolist()]
        made[number] = Bottlenecks([one for adapters in own for one in adapters.each], shares)
    return made


def refuse_bottlenecks(model: PreTrainedModel, what: str) -> None:
    """For what reads the weights of a model without its adapters.

    Raises:
        InputError: it has some.
    """
    if bottlenecks(model):
        raise InputError(
            f"this encoder has bottleneck adapters on its blocks, which cannot be merged into them: {what}"
        )

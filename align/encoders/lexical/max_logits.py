"""The largest logit of each term over the tokens of a text, without the logits of all tokens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

TILE = 2**24  # logits held at once unless the caller says how many terms


def max_logits(
    states: Tensor, weight: Tensor, bias: Tensor | None, lengths: Sequence[int], *, block: int | None = None
) -> Tensor:
    """For each text n and term v, the max over its tokens t of states_t . weight_v + bias_v.

    Terms go by blocks, so that no more than (T, block) logits are held; which token had the largest is kept, and the
    gradient flows to that token alone. Memory beyond the inputs: N x K values and as many int32 places.

    Args:
        states: (T, D) states that the output embeddings read, text after text. Gradients flow through.
        weight: (K, D) output embeddings of the terms.
        bias: (K,) or None.
        lengths: tokens of each of the N texts, together T; a text may have none.
        block: terms at once, at least 1; None: as many as keep a block near 2**24 logits.

    Returns:
        (N, K) in float32 at least; -Inf for a text without tokens. Under bfloat16 autocast the logits come from a
        bfloat16 product.

    Raises:
        ValueError: the shapes disagree, or the block is not positive.
    """
    fits = states.dim() == weight.dim() == 2 and states.shape[1] == weight.shape[1] and len(states) == sum(lengths)
    if not fits or (bias is not None and bias.shape != weight.shape[:1]):
        shapes = [tuple(tensor.shape) for tensor in (states, weight, bias) if tensor is not None]
        raise ValueError(f"max_logits needs (T, D), (K, D), (K,) and {sum(lengths)} tokens, got {shapes}")
    if block is not None and block < 1:
        raise ValueError(f"max_logits needs a block of 1 term or more, got {block}")
    device = states.device.type
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    block = block or max(1, TILE // max(1, len(states)))
    read = torch.tensor([n for n, length in enumerate(lengths) if length], dtype=torch.long, device=states.device)
    found: Tensor = _MaxLogits.apply(  # type: ignore[no-untyped-call]
        states, weight, bias, [length for length in lengths if length], block, low
    )
    empty = found.new_full((len(lengths), len(weight)), float("-inf"))
    return empty.index_copy(0, read, found)


class _MaxLogits(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, lengths: list[int], block: int,
        low: torch.dtype | None,
    ) -> Tensor:  # fmt: skip
        wide = torch.promote_types(torch.promote_types(states.dtype, weight.dtype), torch.float32)
        ctx.block, ctx.low, ctx.wide = block, low or wide, wide
        top = states.new_empty(len(lengths), len(weight), dtype=wide)
        place = torch.empty(top.shape, dtype=torch.int32, device=states.device)
        rows = states.to(ctx.low)
        ends = torch.tensor([0, *lengths]).cumsum(0).tolist()
        with torch.autocast(states.device.type, enabled=False):
            for terms in _blocks(len(weight), block):
                logits = (rows @ weight[terms].to(ctx.low).T).to(wide)  # (T, block)
                if bias is not None:
                    logits += bias[terms]
                for n, (start, end) in enumerate(pairwise(ends)):
                    largest = logits[start:end].max(0)
                    top[n, terms] = largest.values
                    place[n, terms] = largest.indices + start
        ctx.save_for_backward(states, weight, bias, place)
        return top

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        states, weight, bias, place = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:3]
        dstates, dweight = (
            torch.zeros_like(tensor, dtype=ctx.wide) if need else None
            for tensor, need in zip((states, weight), wanted[:2], strict=True)
        )
        with torch.autocast(states.device.type, enabled=False):
            for terms in _blocks(len(weight), ctx.block):
                here = slopes[:, terms]
                dlogits = here.new_zeros(len(states), here.shape[1])  # each place is of one text
                dlogits.scatter_(0, place[:, terms].long(), here)
                if dstates is not None:
                    dstates += (dlogits.to(ctx.low) @ weight[terms].to(ctx.low)).to(ctx.wide)
                if dweight is not None:
                    dweight[terms] = dlogits.T @ states.to(ctx.wide)
        dbias = slopes.sum(0).to(bias.dtype) if bias is not None and wanted[2] else None
        made = [None if one is None else one.to(of.dtype) for one, of in ((dstates, states), (dweight, weight))]
        return *made, dbias, None, None, None


def _blocks(terms: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, terms, size)]

"""Cross-entropy over a large vocabulary without the logits of all positions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from align.objectives.solved import solved
from align.objectives.streaming import excess

TILE = 2**24  # logits held at once unless the caller says how many rows


def linear_cross_entropy(
    states: Tensor, weight: Tensor, bias: Tensor | None, truth: Tensor, *, block: int | None = None
) -> Tensor:
    """Sum over positions of -log softmax(states @ weight.T + bias)[truth]; the (P, V) logits are never held at once.

    With p the softmax of a row of logits::

        dlogits = p - 1[v = truth]        dstates = dlogits @ weight
        dweight = dlogits.T @ states      dbias   = sum over positions of dlogits

    Positions go by blocks, each of which sees its whole rows: value and gradients are made in one pass, in the forward
    pass, and scaled in the backward pass. A weight that wants no gradient (frozen embeddings) saves a third of the
    work. Memory beyond the inputs, in numbers: P D + V D + V for the gradients, and block x V for the logits; under
    bfloat16 autocast also V D and block x V in bfloat16.

    Args:
        states: (P, D), P >= 0. Gradients flow through.
        weight: (V, D) output embeddings.
        bias: (V,) or None.
        truth: (P,) integers in 0..V-1.
        block: positions at once, at least 1; None: as many as keep a block near 2**24 logits.

    Returns:
        () loss in nats, in float32 at least. Under bfloat16 autocast the logits come from a bfloat16 product, as
        torch's linear would make them; softmax, loss and the gradient by the weight are float32.

    Raises:
        ValueError: the shapes disagree, or the block is not positive.
    """
    shapes = [tuple(tensor.shape) for tensor in (states, weight, truth)]
    fits = states.dim() == weight.dim() == 2 and states.shape[1] == weight.shape[1] and truth.shape == states.shape[:1]
    if not fits or (bias is not None and bias.shape != weight.shape[:1]):
        shapes += [tuple(bias.shape)] if bias is not None else []
        raise ValueError(f"linear_cross_entropy needs (P, D), (V, D), (P,) and (V,), got {', '.join(map(str, shapes))}")
    if block is not None and block < 1:
        raise ValueError(f"linear_cross_entropy needs a block of 1 position or more, got {block}")
    if len(truth) and not 0 <= int(truth.min()) <= int(truth.max()) < len(weight):
        span = f"{int(truth.min())}..{int(truth.max())}"
        raise ValueError(f"linear_cross_entropy needs a truth in 0..{len(weight) - 1}, got {span}")
    device = states.device.type
    cast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    # float16 would lose the small probabilities before the backward pass has scaled them
    low = torch.bfloat16 if cast == torch.bfloat16 else None
    block = block or max(1, TILE // len(weight))
    return solved(partial(_solve, truth, block, low), states, weight, bias)


def _solve(
    truth: Tensor, block: int, low: torch.dtype | None, tensors: Sequence[Any], wanted: Sequence[bool]
) -> tuple[Tensor, list[Tensor | None]]:
    states, weight, bias = tensors
    with torch.no_grad(), torch.autocast(states.device.type, enabled=False):
        dtype = torch.promote_types(torch.promote_types(states.dtype, weight.dtype), torch.float32)
        matrix = weight.to(low or dtype)  # (V, D)
        tile = states.new_empty(min(block, len(states)), len(weight), dtype=dtype)
        dstates, dweight, dbias = (
            torch.zeros_like(tensor, dtype=dtype) if need and tensor is not None else None
            for tensor, need in zip(tensors, wanted, strict=True)
        )
        loss = tile.new_zeros(())
        for start in range(0, len(states), block):
            part = slice(start, start + block)
            rows, gold = states[part].to(matrix.dtype), truth[part, None]
            logits = _product(rows, matrix.T, tile[: len(rows)])
            if bias is not None:
                logits.add_(bias)
            own = logits.gather(1, gold)
            top = logits.amax(1, keepdim=True)
            others = logits.sub_(top).exp_().scatter_(1, gold, 0.0).sum(1, keepdim=True)
            loss += excess(others, own.sub_(top)).sum()
            total = own.exp_().add_(others)
            # total * (softmax - 1 at the truth); the division is left to the small factor
            slopes = logits.scatter_(1, gold, -others)
            if dstates is not None:
                _product(slopes.to(matrix.dtype), matrix, dstates[part]).div_(total)
            if dweight is not None:
                dweight.addmm_(slopes.T, states[part].to(dtype) / total)
            if dbias is not None:
                dbias.addmv_(slopes.T, total.reciprocal().squeeze(1))
        return loss, [dstates, dweight, dbias]


def _product(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """The matrix product in ``out``, whose dtype may be a wider one."""
    return torch.mm(left, right, out=out) if left.dtype == out.dtype else out.copy_(left @ right)

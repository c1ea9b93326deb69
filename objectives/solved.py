"""Losses whose gradients are made along with them, in the forward pass, and scaled in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Solve = Callable[[Sequence[Any], Sequence[bool]], tuple[Tensor, Sequence[Tensor | None]]]


def solved(solve: Solve, *tensors: Tensor | None) -> Tensor:
    """The loss that ``solve(tensors, wanted)`` gives with its gradients, which have no gradients of their own.

    Args:
        solve: from the tensors, and whether the gradient by each is wanted, the () loss and these gradients, None
            where one is not wanted.
        tensors: those that gradients may flow to.
    """
    loss: Tensor = _Solved.apply(solve, torch.is_grad_enabled(), *tensors)  # type: ignore[no-untyped-call]
    return loss


class _Solved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, solve: Solve, training: bool, *tensors: Tensor | None) -> Tensor:
        # inside a Function gradients are always off: the caller says whether it is training
        ctx.save_for_backward(*tensors)
        ctx.solve = solve
        loss, ctx.gradients = solve(tensors, [training and need for need in ctx.needs_input_grad[2:]])
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        # Scaled in place and handed out, so that they are never held twice; a second backward makes them anew.
        gradients = ctx.gradients or ctx.solve(ctx.saved_tensors, ctx.needs_input_grad[2:])[1]
        ctx.gradients = None
        scaled = [
            None if gradient is None else gradient.mul_(upstream.to(gradient.device)).to(tensor.dtype)
            for gradient, tensor in zip(gradients, ctx.saved_tensors, strict=True)
        ]
        return None, None, *scaled

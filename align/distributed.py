"""What several processes of one run share: embeddings with their gradients, and sums."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def world() -> tuple[int, int]:
    """(rank, number of processes); (0, 1) outside a distributed run."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def first_of_launch() -> bool:
    """Whether this is the first of the processes that torchrun launched, before they have met; or the only one."""
    return os.environ.get("RANK", "0") == "0"


class _Gather(torch.autograd.Function):
    """Concatenate equal (B, ...) blocks of all processes; each gets the sum of the gradients of its own block."""

    @staticmethod
    def forward(ctx: Any, block: Tensor) -> Tensor:
        whole = block.new_empty(world()[1] * len(block), *block.shape[1:])
        _collective("all_gather", "into_tensor")(whole, block.contiguous())
        return whole

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        own = gradient.new_empty(len(gradient) // world()[1], *gradient.shape[1:])
        _collective("reduce_scatter", "tensor")(own, gradient.contiguous())  # an all-reduce moves twice as much
        return own


def _collective(name: str, old: str) -> Callable[..., Any]:
    """The collective on one tensor: newer versions call it ``_single``, and warn of the name before."""
    found: Callable[..., Any] = getattr(dist, f"{name}_single", None) or getattr(dist, f"{name}_{old}")
    return found


def gather(block: Tensor) -> Tensor:
    """(W * B, ...) rows of all W processes from each one's (B, ...), in the order of ranks, with gradients.

    Any type: integers are gathered as they are. Every process must bring as many rows.

    If process r's loss is L_r over its own anchors and all gathered candidates, and gradients are averaged over
    processes (as DistributedDataParallel does), the result is the gradient of mean_r L_r on the whole batch: no
    further factor is due. Gathering without gradients loses the part that reaches a row as another process's
    negative, and what is left is too small by the number of processes.
    """
    if world()[1] == 1:
        return block
    gathered: Tensor = _Gather.apply(block)  # type: ignore[no-untyped-call]  # torch leaves apply untyped
    return gathered


def total(value: Tensor) -> Tensor:
    """Sum of a value over all processes, without gradients."""
    value = value.detach().clone()
    if world()[1] > 1:
        dist.all_reduce(value)
    return value


def share(module: nn.Module) -> None:
    """Give every process the weights of the first."""
    if world()[1] > 1:
        for value in module.state_dict().values():
            dist.broadcast(value, 0)

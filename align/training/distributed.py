"""What several processes of one run share: embeddings with their gradients, sums, and the work of encoding."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from align.errors import InputError

Made = TypeVar("Made")
TIMEOUT = "ALIGN_TIMEOUT"
LOST = re.compile(r"gloo|nccl|connection (closed|reset|refused)|timed out|socket|broken pipe", re.IGNORECASE)
"""In what the backends of torch.distributed say, which have no exception of their own for it."""
ROWS = 2**16  # vectors of each process that are gathered at once


def world() -> tuple[int, int]:
    """(rank, number of processes); (0, 1) outside a distributed run."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def first_of_launch() -> bool:
    """Whether this is the first process of a distributed run, also before they have met; or the only one."""
    rank, processes = world()
    return rank == 0 if processes > 1 else os.environ.get("RANK", "0") == "0"


def launch(device: torch.device) -> tuple[int, int]:
    """(rank, number of processes), starting the process group if torchrun launched us: NCCL for a GPU, else gloo."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timeout())
    return world()


def timeout() -> timedelta:
    """How long processes of a run wait for one another: ``ALIGN_TIMEOUT`` seconds, or half an hour.

    Raises:
        InputError: no positive number.
    """
    given = os.environ.get(TIMEOUT, "1800")
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise InputError(f"{TIMEOUT} is {given!r}; expected the seconds that processes of a run wait for one another")
    return timedelta(seconds=seconds)


def lost(error: Exception) -> bool:
    """Whether it says that another process of this run cannot be reached."""
    distributed = world()[1] > 1 or isinstance(error, dist.DistError)
    return distributed and LOST.search(str(error)) is not None


def backend(device: torch.device) -> str:
    """What moves tensors of such a device between the processes: ``nccl``, ``gloo``, ...; empty: nothing does."""
    parts = (part.partition(":") for part in dist.get_backend_config().split(","))  # cpu:gloo,cuda:nccl
    return {kind: name for kind, _, name in parts}.get(device.type, "")


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
        local = gradient.new_empty(len(gradient) // world()[1], *gradient.shape[1:])
        _collective("reduce_scatter", "tensor")(local, gradient.contiguous())  # an all-reduce moves twice as much
        return local


def _collective(name: str, old: str) -> Callable[..., Any]:
    """The collective on one tensor: newer versions call it ``_single``, and warn of the name before."""
    found: Callable[..., Any] = getattr(dist, f"{name}_single", None) or getattr(dist, f"{name}_{old}")
    return found


def gather(block: Tensor, counts: Sequence[int] | None = None) -> Tensor:
    """(W * B, ...) rows of all W processes from each one's (B, ...), in the order of ranks, with gradients.

    Any type: integers are gathered as they are. Every process must bring as many rows, or all must say by ``counts``,
    (W,), how many each brings; the shorter blocks then travel with rows of zeros, which nobody sees.

    If process r's loss is L_r over its own anchors and all gathered candidates, and gradients are averaged over
    processes (as DistributedDataParallel does), the result is the gradient of mean_r L_r on the whole batch: no
    further factor is due. Gathering without gradients loses the part that reaches a row as another process's
    negative, and what is left is too small by the number of processes.
    """
    if world()[1] == 1:
        return block
    if counts is not None and len({*counts}) > 1:
        most = max(counts)
        whole = gather(torch.cat([block, block.new_zeros(most - len(block), *block.shape[1:])]))
        return torch.cat([whole[rank * most :][:count] for rank, count in enumerate(counts)])
    gathered: Tensor = _Gather.apply(block)  # type: ignore[no-untyped-call]  # torch leaves apply untyped
    return gathered


def total(value: Tensor) -> Tensor:
    """Sum of a value over all processes, without gradients."""
    value = value.detach().clone()
    if world()[1] > 1:
        dist.all_reduce(value)
    return value


def in_shares(
    encode: Callable[[Sequence[str]], NDArray[np.float32]], texts: Sequence[str], *, dimension: int,
    device: torch.device,
) -> NDArray[np.float32]:  # fmt: skip
    """(n, D) vectors of n texts, of which process r of W encodes those of number r, W + r, 2 W + r, ...; all get all.

    They are gathered on ``device``.
    """
    rank, processes = world()
    if processes == 1:
        return encode(texts)
    local = np.zeros((-(-len(texts) // processes), dimension), dtype=np.float32)  # as many rows as any other's
    share = texts[rank::processes]
    if share:
        local[: len(share)] = encode(share)
    vectors = np.empty((processes * len(local), dimension), dtype=np.float32)
    for start in range(0, len(local), ROWS):
        block = gather(torch.from_numpy(local[start : start + ROWS]).to(device)).cpu().numpy()  # (W * b, D), by process
        by_text = block.reshape(processes, -1, dimension).swapaxes(0, 1).reshape(len(block), dimension)
        vectors[start * processes :][: len(block)] = by_text
    return vectors[: len(texts)]


def share(module: nn.Module) -> None:
    """Give every process the weights of the first."""
    if world()[1] > 1:
        for value in module.state_dict().values():
            dist.broadcast(value, 0)


def first_process_first(build: Callable[[], Made]) -> Made:
    """Build in the first process, then, with the files there, in the others; its error is the error of all."""
    rank, processes = world()
    if processes == 1:
        return build()
    failure: list[str | None] = [None]
    made = None
    try:
        if rank == 0:
            made = build()
    except BaseException as error:
        failure = [str(error) or repr(error)]
        raise
    finally:
        dist.broadcast_object_list(failure)
    if failure[0]:
        raise InputError(failure[0])
    return made or build()

"""Where a process computes."""

from __future__ import annotations

import os

import torch

from align.errors import InputError


def chosen_device(asked: str | torch.device | None) -> torch.device:
    """The device that was asked for; ``None``: :func:`own_device`.

    Raises:
        InputError: there is no such device here.
    """
    if asked is None:
        return own_device()
    try:
        device = torch.device(asked)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"no device {str(asked)!r} here ({reason}): expected cpu, cuda, cuda:1, ...") from error
    return device


def own_device() -> torch.device:
    """Where this process computes: on the GPU of its number under torchrun, on the current GPU alone, or on the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    rank = os.environ.get("LOCAL_RANK")
    return torch.device("cuda", torch.cuda.current_device() if rank is None else int(rank) % torch.cuda.device_count())


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16; without them it is slower there than float32, often by far."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())  # type: ignore[no-untyped-call]

"""Where a process computes."""

from __future__ import annotations

import os

import torch


def own_device() -> torch.device:
    """Where this process computes: on the GPU of its number under torchrun, on the current GPU alone, or on the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    rank = os.environ.get("LOCAL_RANK")
    return torch.device("cuda", torch.cuda.current_device() if rank is None else int(rank) % torch.cuda.device_count())

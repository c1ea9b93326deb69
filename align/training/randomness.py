"""What a run's seed decides beside its batches: new weights, and the dropout of each process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import set_seed

from align.streams import stream
from align.training.distributed import world


@contextmanager
def drawn_from(seed: int, *names: str | int) -> Iterator[None]:
    """While the context lasts, torch draws on the CPU from one stream of this seed; then it goes on where it was.

    New weights are drawn so: they depend on the seed and their names alone, and are the same in every process. See
    :func:`align.streams.stream`.
    """
    with torch.random.fork_rng(devices=[]):
        drawn = int(stream(seed, *names).integers(2**63))
        torch.default_generator.manual_seed(drawn)  # torch.manual_seed would set that of GPUs, too
        yield


def start_streams(seed: int) -> None:
    """Set all global generators of this process, for dropout: those of process r to seed + r, so that none is alike."""
    set_seed((seed + world()[0]) % 2**32)

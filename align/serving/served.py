"""What is served: an encoder by name, its indexes, the thread that encodes, and the limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from align.indexes.index import Index
from align.serving.embeddings import EMBED, embedding_work
from align.serving.searching import search_work
from align.serving.worker import Worker

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder


@dataclass(frozen=True)
class Limits:
    """What a request may bring, and how much may wait; more is refused with a sentence."""

    body: int = 8_000_000
    """Bytes."""
    texts: int = 2_048
    """Of one request, as OpenAI allows."""
    waiting: int = 4_096
    """Texts in the queue."""


@dataclass(frozen=True, eq=False)
class Served:
    """All that answers requests. Build one with :func:`served`; another encoder needs no more than a worker."""

    name: str
    dimension: int
    max_tokens: int
    unit: bool
    worker: Worker
    limits: Limits
    indexes: Mapping[str, Index] = field(default_factory=dict)
    encoder: Encoder | None = None
    since: int = field(default_factory=lambda: int(time.time()))
    """Seconds since 1970."""
    searching: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def alone(self, work: Callable[[], Any]) -> Any:
        """What a function returns, run in a thread beside the encoding one; one such at a time."""
        async with self.searching:
            return await asyncio.to_thread(work)


def served(
    encoder: Encoder, indexes: Mapping[str, Index], *, name: str, query_prompt: str | None = None,
    limits: Limits | None = None,
) -> Served:  # fmt: skip
    """An encoder and indexes that it made.

    Raises:
        InputError: an index was made by another encoder; the fields that differ are named.
    """
    limits = limits or Limits()
    works = {index: search_work(encoder, opened, query_prompt) for index, opened in indexes.items()}
    worker = Worker(works | {EMBED: embedding_work(encoder)}, waiting=limits.waiting)
    return Served(name, encoder.dimension, encoder.max_tokens, encoder.unit, worker, limits, indexes, encoder)

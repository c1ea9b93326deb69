"""Evaluation tasks: each asks for embeddings through ``encode(texts, language) -> (n, d)`` and returns a result."""

from collections.abc import Callable
from typing import Any

from align.tasks.bitext import read_aligned, read_columns, read_files, read_hub, read_sets
from align.tasks.metrics import mean_reciprocal_rank, precision_at
from align.tasks.protocols import PROTOCOLS, Protocol
from align.tasks.retrieval import retrieval
from align.tasks.retrieval_result import RetrievalResult, combine

TASKS: dict[str, Callable[..., Any]] = {"retrieval": retrieval}

__all__ = [
    "PROTOCOLS",
    "TASKS",
    "Protocol",
    "RetrievalResult",
    "combine",
    "mean_reciprocal_rank",
    "precision_at",
    "read_aligned",
    "read_columns",
    "read_files",
    "read_hub",
    "read_sets",
    "retrieval",
]

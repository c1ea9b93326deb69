"""Evaluation tasks: each asks for embeddings through ``encode(texts, language) -> (n, d)`` and returns a result."""

from collections.abc import Callable
from typing import Any

from align.tasks.bitext import read_aligned, read_columns, read_files, read_hub, read_sets
from align.tasks.classification import classification
from align.tasks.classification_result import ClassificationResult
from align.tasks.correlation import bootstrap_interval, pearson, spearman
from align.tasks.labelled import LabelledTexts, read_classification
from align.tasks.metrics import mean_reciprocal_rank, precision_at
from align.tasks.protocols import PROTOCOLS, Protocol
from align.tasks.retrieval import retrieval
from align.tasks.retrieval_result import RetrievalResult, combine
from align.tasks.sts import sts
from align.tasks.sts_result import StsResult
from align.tasks.sts_sets import StsSet, read_sts

TASKS: dict[str, Callable[..., Any]] = {"classification": classification, "retrieval": retrieval, "sts": sts}

__all__ = [
    "PROTOCOLS",
    "TASKS",
    "ClassificationResult",
    "LabelledTexts",
    "Protocol",
    "RetrievalResult",
    "StsResult",
    "StsSet",
    "bootstrap_interval",
    "classification",
    "combine",
    "mean_reciprocal_rank",
    "pearson",
    "precision_at",
    "read_aligned",
    "read_classification",
    "read_columns",
    "read_files",
    "read_hub",
    "read_sets",
    "read_sts",
    "retrieval",
    "spearman",
    "sts",
]

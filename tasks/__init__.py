"""Evaluation tasks: each asks for embeddings through ``encode(texts, language) -> (n, d)`` and returns a result."""

from collections.abc import Callable
from typing import Any

from align.tasks.bitext import read_aligned, read_columns, read_files, read_hub, read_sets
from align.tasks.bli import bli, bli_pairs
from align.tasks.bli_protocols import BLI_PROTOCOLS, BliProtocol, find_bli_protocol
from align.tasks.bli_result import BliResult, BliScore
from align.tasks.classification import classification
from align.tasks.classification_result import ClassificationResult
from align.tasks.correlation import bootstrap_interval, pearson, spearman
from align.tasks.dictionaries import Dictionary, find_dictionaries, read_dictionary
from align.tasks.labelled import LabelledTexts, read_classification
from align.tasks.metrics import mean_reciprocal_rank, precision_at
from align.tasks.protocols import PROTOCOLS, Protocol
from align.tasks.retrieval import retrieval
from align.tasks.retrieval_result import RetrievalResult, combine
from align.tasks.sts import sts
from align.tasks.sts_result import StsResult
from align.tasks.sts_sets import StsSet, read_sts
from align.tasks.vocabulary import read_vocabulary
from align.tasks.word_vectors import mixed
from align.tasks.wordsim import wordsim
from align.tasks.wordsim_result import WordsimResult
from align.tasks.wordsim_sets import read_wordsim

TASKS: dict[str, Callable[..., Any]] = {
    "bli": bli_pairs,
    "classification": classification,
    "retrieval": retrieval,
    "sts": sts,
    "wordsim": wordsim,
}

__all__ = [
    "BLI_PROTOCOLS",
    "PROTOCOLS",
    "TASKS",
    "BliProtocol",
    "BliResult",
    "BliScore",
    "ClassificationResult",
    "Dictionary",
    "LabelledTexts",
    "Protocol",
    "RetrievalResult",
    "StsResult",
    "StsSet",
    "WordsimResult",
    "bli",
    "bli_pairs",
    "bootstrap_interval",
    "classification",
    "combine",
    "find_bli_protocol",
    "find_dictionaries",
    "mean_reciprocal_rank",
    "mixed",
    "pearson",
    "precision_at",
    "read_aligned",
    "read_classification",
    "read_columns",
    "read_dictionary",
    "read_files",
    "read_hub",
    "read_sets",
    "read_sts",
    "read_vocabulary",
    "read_wordsim",
    "retrieval",
    "spearman",
    "sts",
    "wordsim",
]

"""Evaluation tasks: each asks for embeddings through ``encode(texts, language) -> (n, d)`` and returns a result."""

from collections.abc import Callable
from typing import Any

from align.tasks.bli.protocols import BLI_PROTOCOLS, BliProtocol, find_bli_protocol
from align.tasks.bli.result import BliResult, BliScore
from align.tasks.bli.task import bli_pairs
from align.tasks.bli.word_vectors import mixed
from align.tasks.classification import task as classification_task
from align.tasks.classification.result import ClassificationResult
from align.tasks.layers import LayerResult, best_layer, layer_sweep, split_lines
from align.tasks.measures.geometry import anisotropy, hubness, k_occurrence
from align.tasks.measures.ranks import mean_reciprocal_rank, precision_at
from align.tasks.mexa import task as mexa_task
from align.tasks.mexa.result import MexaResult, combine_mexa
from align.tasks.mexa.task import mexa_score
from align.tasks.retrieval import task as retrieval_task
from align.tasks.retrieval.protocols import PROTOCOLS, Protocol
from align.tasks.retrieval.result import RetrievalResult, combine
from align.tasks.statistics.correlation import bootstrap_interval, pearson, spearman
from align.tasks.sts import task as sts_task
from align.tasks.sts.result import StsResult
from align.tasks.texts.bitext import read_aligned, read_columns, read_files, read_hub, read_sets
from align.tasks.texts.dictionaries import Dictionary, find_dictionaries, read_dictionary
from align.tasks.texts.hard_negatives import HardNegative, HardNegatives, hard_negatives
from align.tasks.texts.labelled import LabelledTexts, read_classification
from align.tasks.texts.sts_sets import StsSet, read_sts
from align.tasks.texts.vocabulary import read_vocabulary
from align.tasks.texts.wordsim_sets import read_wordsim
from align.tasks.wordsim import task as wordsim_task
from align.tasks.wordsim.result import WordsimResult
from align.tasks.xsim import task as xsim_task
from align.tasks.xsim.result import XsimResult, XsimScore, combine_xsim
from align.tasks.xsim.task import xsim_plus

TASKS: dict[str, Callable[..., Any]] = {
    "bli": bli_pairs,
    "classification": classification_task.classification,
    "mexa": mexa_task.mexa,
    "retrieval": retrieval_task.retrieval,
    "sts": sts_task.sts,
    "wordsim": wordsim_task.wordsim,
    "xsim": xsim_task.xsim,
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
    "HardNegative",
    "HardNegatives",
    "LabelledTexts",
    "LayerResult",
    "MexaResult",
    "Protocol",
    "RetrievalResult",
    "StsResult",
    "StsSet",
    "WordsimResult",
    "XsimResult",
    "XsimScore",
    "anisotropy",
    "best_layer",
    "bli_pairs",
    "bootstrap_interval",
    "combine",
    "combine_mexa",
    "combine_xsim",
    "find_bli_protocol",
    "find_dictionaries",
    "hard_negatives",
    "hubness",
    "k_occurrence",
    "layer_sweep",
    "mean_reciprocal_rank",
    "mexa_score",
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
    "spearman",
    "split_lines",
    "xsim_plus",
]

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
from align.tasks.geometry import anisotropy, hubness, k_occurrence
from align.tasks.hard_negatives import HardNegative, HardNegatives, hard_negatives
from align.tasks.labelled import LabelledTexts, read_classification
from align.tasks.layers import LayerResult, best_layer, layer_sweep, split_lines
from align.tasks.metrics import mean_reciprocal_rank, precision_at
from align.tasks.mexa import mexa, mexa_score
from align.tasks.mexa_result import MexaResult, combine_mexa
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
from align.tasks.xsim import xsim, xsim_plus
from align.tasks.xsim_result import XsimResult, XsimScore, combine_xsim

TASKS: dict[str, Callable[..., Any]] = {
    "bli": bli_pairs,
    "classification": classification,
    "mexa": mexa,
    "retrieval": retrieval,
    "sts": sts,
    "wordsim": wordsim,
    "xsim": xsim,
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
    "bli",
    "bli_pairs",
    "bootstrap_interval",
    "classification",
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
    "mexa",
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
    "retrieval",
    "spearman",
    "split_lines",
    "sts",
    "wordsim",
    "xsim",
    "xsim_plus",
]

"""Evaluation tasks: each asks for embeddings through ``encode(texts, language) -> (n, d)`` and returns a result."""

from align.tasks.bli.protocols import BLI_PROTOCOLS, BliProtocol, find_bli_protocol
from align.tasks.bli.task import bli_pairs
from align.tasks.bli.word_vectors import mixed
from align.tasks.layers import best_layer, layers_object, split_lines
from align.tasks.measures.geometry import anisotropy, hubness, k_occurrence
from align.tasks.measures.ranks import mean_reciprocal_rank, precision_at
from align.tasks.mexa.task import mexa_score
from align.tasks.result import Result, combine
from align.tasks.retrieval.protocols import PROTOCOLS, Protocol
from align.tasks.statistics.correlation import bootstrap_interval, pearson, spearman
from align.tasks.texts.bitext import read_aligned, read_columns, read_files, read_hub, read_sets
from align.tasks.texts.dictionaries import Dictionary, find_dictionaries, read_dictionary
from align.tasks.texts.hard_negatives import HardNegative, HardNegatives, hard_negatives
from align.tasks.texts.labelled import LabelledTexts, read_classification
from align.tasks.texts.sts_sets import StsSet, read_sts
from align.tasks.texts.vocabulary import read_vocabulary
from align.tasks.texts.wordsim_sets import read_wordsim
from align.tasks.xsim.task import xsim_plus

__all__ = [
    "BLI_PROTOCOLS",
    "PROTOCOLS",
    "BliProtocol",
    "Dictionary",
    "HardNegative",
    "HardNegatives",
    "LabelledTexts",
    "Protocol",
    "Result",
    "StsSet",
    "anisotropy",
    "best_layer",
    "bli_pairs",
    "bootstrap_interval",
    "combine",
    "find_bli_protocol",
    "find_dictionaries",
    "hard_negatives",
    "hubness",
    "k_occurrence",
    "layers_object",
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

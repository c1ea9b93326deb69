"""Linear maps between word vector spaces, learned from a seed dictionary or without one.

Every method takes the vectors of two vocabularies, most frequent words first, and pairs of their rows, and gives a
``Fit``: a map for each side, after which cosines compare words of both languages.
"""

from align.mapping.linear_map import Fit, LinearMap, Normalization
from align.mapping.methods import METHODS, fit_map
from align.mapping.procrustes import fit_procrustes, procrustes
from align.mapping.rcsls import rcsls
from align.mapping.refine import refine
from align.mapping.seeds import Seed, identical_seed, pairs_of
from align.mapping.self_learning import SelfLearning
from align.mapping.vecmap import vecmap

__all__ = [
    "METHODS",
    "Fit",
    "LinearMap",
    "Normalization",
    "Seed",
    "SelfLearning",
    "fit_map",
    "fit_procrustes",
    "identical_seed",
    "pairs_of",
    "procrustes",
    "rcsls",
    "refine",
    "vecmap",
]

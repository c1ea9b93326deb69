"""Pair builders: raw data in, one table of pairs out."""

from align.pairs.filters import Filters
from align.pairs.read import read_pairs
from align.pairs.sampling import Share, quotas
from align.pairs.sources import HubText, Source
from align.pairs.table import COLUMNS, PairWriter, pair_writer, write_pairs
from align.pairs.transliteration import transliteration_pairs

__all__ = [
    "COLUMNS",
    "Filters",
    "HubText",
    "PairWriter",
    "Share",
    "Source",
    "pair_writer",
    "quotas",
    "read_pairs",
    "transliteration_pairs",
    "write_pairs",
]

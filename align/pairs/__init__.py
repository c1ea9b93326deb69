"""Pair builders: raw data in, one table of pairs out."""

from align.pairs.filters.identify import language_identifier
from align.pairs.filters.shares import PairShare, Share, quotas
from align.pairs.filters.texts import Filters, TranslationFilters, WordFilters
from align.pairs.lexicons.lexicon import Lexicon
from align.pairs.lexicons.pivot import Pivot
from align.pairs.reading.sources import HubRows, HubText, RowFile, Source
from align.pairs.table import COLUMNS, PairWriter, pair_writer, write_pairs

__all__ = [
    "COLUMNS",
    "Filters",
    "HubRows",
    "HubText",
    "Lexicon",
    "PairShare",
    "PairWriter",
    "Pivot",
    "RowFile",
    "Share",
    "Source",
    "TranslationFilters",
    "WordFilters",
    "language_identifier",
    "pair_writer",
    "quotas",
    "write_pairs",
]

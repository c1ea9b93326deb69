"""Pair builders: raw data in, one table of pairs out."""

from align.pairs.filters.identify import language_identifier
from align.pairs.filters.language_pairs import PairShare
from align.pairs.filters.lines import Filters
from align.pairs.filters.shares import Share, quotas
from align.pairs.filters.translations import TranslationFilters
from align.pairs.filters.words import WordFilters
from align.pairs.lexicons.kinds import Lexicon
from align.pairs.lexicons.pivot import Pivot
from align.pairs.reading.row_sources import HubRows, RowFile
from align.pairs.reading.sources import HubText, Source
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

"""Pair builders: raw data in, one table of pairs out."""

from align.pairs.filters import Filters
from align.pairs.identify import language_identifier
from align.pairs.language_pairs import PairShare
from align.pairs.lexicons import Lexicon
from align.pairs.nli import nli_pairs
from align.pairs.pivot import Pivot
from align.pairs.read import read_pairs
from align.pairs.row_sources import HubRows, RowFile
from align.pairs.sampling import Share, quotas
from align.pairs.sources import HubText, Source
from align.pairs.sts import sts_pairs
from align.pairs.synonyms import synonym_pairs
from align.pairs.table import COLUMNS, PairWriter, pair_writer, write_pairs
from align.pairs.translation import translation_pairs
from align.pairs.translation_filters import TranslationFilters
from align.pairs.transliteration import transliteration_pairs
from align.pairs.word_filters import WordFilters

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
    "nli_pairs",
    "pair_writer",
    "quotas",
    "read_pairs",
    "sts_pairs",
    "synonym_pairs",
    "translation_pairs",
    "transliteration_pairs",
    "write_pairs",
]

"""A token tagger: which words to romanise, translate or leave, learned from a labelled file."""

from align.pairs.tagging.labelled_tagger import cross_validate, fit_tagger
from align.pairs.tagging.tagger import Tagger

__all__ = ["Tagger", "cross_validate", "fit_tagger"]

"""Which words are worth a pair."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal, get_args

import regex

from align.errors import InputError
from align.pairs.filters.translations import TranslationFilters, letters, side_problem

Choice = Literal["drop", "keep"]
Case = Literal["keep", "lower"]
DIGIT = regex.compile(r"\p{Nd}")


@dataclass(frozen=True)
class WordFilters:
    """Which words, glosses and pairs to keep."""

    min_letters: int = 2
    """Shortest word kept, in ``letters``: a Han character counts 3, a kana or Hangul syllable 2, others 1."""
    max_chars: int = 50
    """Longest word kept, in characters (code points)."""
    max_words: int = 4
    """Entries of more words, by white space, are dropped; 1 keeps single words only."""
    min_script_share: float = 0.5
    """Share of the letters of a word that must have the script of its language, in (0, 1]."""
    digits: Choice = "drop"
    """Drop or keep words with a digit."""
    identical: Choice = "drop"
    """Drop or keep pairs of words that ``normalised`` makes equal; they are counted either way."""
    gloss_chars: int = 300
    """Longest gloss kept, in characters."""
    case: Case = "keep"
    """Write words as they stand, or in lower case: as protocols of BLI and lists of frequent words have them. A cased
    encoder that learns ``Haus`` learns little of ``haus``."""

    def __post_init__(self) -> None:
        _ = self.of_a_word, self.of_a_gloss
        if self.min_letters < 1 or self.max_words < 1:
            raise InputError(
                f"min_letters and max_words must be at least 1, got {self.min_letters} and {self.max_words}"
            )
        for name in ("digits", "identical"):
            if getattr(self, name) not in get_args(Choice):
                raise InputError(f"{name} is one of {', '.join(get_args(Choice))}; got {getattr(self, name)!r}")
        if self.case not in get_args(Case):
            raise InputError(f"case is one of {', '.join(get_args(Case))}; got {self.case!r}")

    @functools.cached_property
    def of_a_word(self) -> TranslationFilters:
        """Length and script of a word."""
        return TranslationFilters(min_chars=1, max_chars=self.max_chars, min_script_share=self.min_script_share)

    @functools.cached_property
    def of_a_gloss(self) -> TranslationFilters:
        """Length and script of a gloss."""
        return TranslationFilters(min_chars=2, max_chars=self.gloss_chars, min_script_share=self.min_script_share)


def word_problem(word: str, language: str, filters: WordFilters) -> str:
    """Why a word gives no pair, or ``""``.

    As ``side_problem`` (``empty``, ``too long``, ``lone surrogate``, ``no letter``, ``other script``), then ``digit``,
    ``too many words`` or ``too short``.
    """
    problem = side_problem(word, language, filters.of_a_word)
    if problem:
        return problem
    if filters.digits == "drop" and DIGIT.search(word):
        return "digit"
    if len(word.split()) > filters.max_words:
        return "too many words"
    return "too short" if letters(word) < filters.min_letters else ""

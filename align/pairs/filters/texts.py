"""Which texts, translations and words are worth a pair: what can be seen of them without a model."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import regex
from numpy.typing import NDArray

from align.errors import InputError
from align.pairs.choices import check_choices
from align.text.languages import macrolanguage, script_share
from align.text.normal_forms import normalised
from align.text.surrogates import SURROGATES

Duplicates = Literal["keep", "exact", "near"]
Identity = Literal["keep", "drop"]

# compiled here: the cache of ``regex`` costs more a call than the search
LETTER = regex.compile(r"\p{L}")
NEITHER_LETTER_NOR_MARK = regex.compile(r"[^\p{L}\p{M}\t]")


@dataclass(frozen=True)
class Filters:
    """Which lines and pairs to keep."""

    min_chars: Annotated[int, "Shortest text kept, in characters (code points)."] = 2
    max_chars: Annotated[int, "Longest text kept, in characters; an encoder of 512 tokens reads little more."] = 1000
    duplicates: Annotated[
        Duplicates, "Drop none (keep), equal texts (exact), or also those that differ in digits and punctuation (near)."
    ] = "near"
    identity: Annotated[Identity, "drop or keep pairs whose sides are equal (TransliCo keeps them)."] = "drop"

    def __post_init__(self) -> None:
        if not 1 <= self.min_chars <= self.max_chars:
            raise InputError(f"expected 1 <= min_chars <= max_chars, got {self.min_chars} and {self.max_chars}")
        check_choices(self)


def reject_reason(text: str, filters: Filters) -> str:
    """Why ``text`` gives no pair, or ``""`` when it does.

    ``empty``, ``too short``, ``too long``, ``no letter`` (nothing to romanise: digits, punctuation, emoji) or
    ``lone surrogate`` (a JSON string can hold one; it has no UTF-8 form).
    """
    if not text:
        return "empty"
    if len(text) < filters.min_chars:
        return "too short"
    if len(text) > filters.max_chars:
        return "too long"
    if SURROGATES.search(text):
        return "lone surrogate"
    return "" if LETTER.search(text) else "no letter"


def skeleton(text: str) -> str:
    """Letters and marks of a text already ``normalised``: texts equal here are near duplicates.

    ``Chapter 3, verse 1`` and ``chapter 4 verse 2`` share a skeleton. Marks stay: Indic vowel signs are marks. So does
    a tab, which normalised text lacks: it parts the two sides of a pair.
    """
    return str(NEITHER_LETTER_NOR_MARK.sub("", text))


def repeats(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """True where an equal hash stands earlier: the first of its kind is the one that stays."""
    repeated = np.ones(len(hashes), dtype=bool)
    repeated[np.unique(hashes, return_index=True)[1]] = False
    return repeated


Copies = Literal["drop", "keep"]
Repeated = Literal["exact", "keep"]
Identify = Callable[[str], str]
"""``identify(text)``: its language, ``hin`` or ``hin_Deva``, or ``""`` if that is uncertain.

With an attribute ``languages``, macrolanguages that it can name, texts of other languages are not judged.
"""

HAN = regex.compile(r"\p{Han}")
SYLLABLE = regex.compile(r"[\p{Hiragana}\p{Katakana}\p{Hangul}]")


@dataclass(frozen=True)
class TranslationFilters:
    """Which translations to keep."""

    min_chars: Annotated[int, "Shortest text kept on either side, in characters (code points)."] = 2
    max_chars: Annotated[int, "Longest text kept on either side, in characters."] = 1000
    max_ratio: Annotated[float, "Longest side to shortest, in letters (a Han character counts 3, a kana 2)."] = 4.0
    ratio_from: Annotated[int, "The ratio counts if the longer side has so many letters: short texts vary."] = 20
    min_script_share: Annotated[float, "Share of a side's letters that must have the script of its language."] = 0.3
    copies: Annotated[Copies, "drop or keep pairs whose sides are equal but for case and white space."] = "drop"
    duplicates: Annotated[Repeated, "Drop pairs of two languages equal to one before (exact), or keep them."] = "exact"

    def __post_init__(self) -> None:
        _ = self.of_a_side
        if not 1 <= self.max_ratio < math.inf:
            raise InputError(f"max_ratio must be a number, at least 1, got {self.max_ratio}")
        if self.ratio_from < 0:
            raise InputError(f"ratio_from must not be negative, got {self.ratio_from}")
        if not 0 < self.min_script_share <= 1:
            raise InputError(f"min_script_share must lie in (0, 1], got {self.min_script_share}")
        check_choices(self)

    @functools.cached_property
    def of_a_side(self) -> Filters:
        """The lengths, as filters of one text."""
        return Filters(min_chars=self.min_chars, max_chars=self.max_chars)


def letters(text: str) -> int:
    """Length of a text as if it were alphabetic: a Han character counts 3, a kana or Hangul syllable 2, others 1.

    English to Chinese, Japanese and Korean is then about 1 to 1, as it is to most languages; by code points it is 3:1,
    2:1 and 2:1 (medians over STS benchmark and TICO-19).
    """
    return len(text) if text.isascii() else len(text) + 2 * len(HAN.findall(text)) + len(SYLLABLE.findall(text))


def side_problem(text: str, language: str, filters: TranslationFilters, identify: Identify | None = None) -> str:
    """Why one side gives no pair, or ``""``.

    As ``reject_reason``, then ``other script``, then ``other language`` if ``identify`` names another.
    """
    reason = reject_reason(text, filters.of_a_side)
    if reason:
        return reason
    code, _, script = language.partition("_")
    if not (script == "Latn" and text.isascii()) and script_share(text, script) < filters.min_script_share:
        return "other script"
    return "other language" if identify and _is_other(identify, text, code, script) else ""


def _is_other(identify: Identify, text: str, code: str, script: str) -> bool:
    """Whether a language is found, and it is another; members of one macrolanguage (``pes``, ``prs``) are the same."""
    judged = getattr(identify, "languages", None)
    if judged is not None and macrolanguage(code) not in judged:
        return False
    language, _, written = identify(text).partition("_")
    return bool(language) and (macrolanguage(language) != macrolanguage(code) or written not in ("", script))


def pair_problem(source: str, target: str, filters: TranslationFilters) -> str:
    """Why two sides that are fine by themselves give no pair: ``copy``, ``length ratio``, or ``""``."""
    if filters.copies == "drop" and normalised(source) == normalised(target):
        return "copy"
    shorter, longer = sorted((letters(source), letters(target)))
    return "length ratio" if longer >= filters.ratio_from and longer > filters.max_ratio * shorter else ""


Choice = Literal["drop", "keep"]
Case = Literal["keep", "lower"]
DIGIT = regex.compile(r"\p{Nd}")


@dataclass(frozen=True)
class WordFilters:
    """Which words, glosses and pairs to keep."""

    min_letters: Annotated[int, "Shortest word kept; a Han character counts 3, a kana or Hangul syllable 2."] = 2
    max_chars: Annotated[int, "Longest word kept, in characters (code points)."] = 50
    max_words: Annotated[int, "Longest entry kept, in words by white space."] = 4
    min_script_share: Annotated[float, "Share of a word's letters that must have the script of its language."] = 0.5
    digits: Annotated[Choice, "drop or keep words with a digit."] = "drop"
    identical: Annotated[Choice, "drop or keep pairs of words equal but for case, which are counted."] = "drop"
    gloss_chars: Annotated[int, "Longest gloss kept, in characters."] = 300
    case: Case = "keep"
    """Write words as they stand, or in lower case: as protocols of BLI and lists of frequent words have them. A cased
    encoder that learns ``Haus`` learns little of ``haus``."""

    def __post_init__(self) -> None:
        _ = self.of_a_word, self.of_a_gloss
        if self.min_letters < 1 or self.max_words < 1:
            raise InputError(
                f"min_letters and max_words must be at least 1, got {self.min_letters} and {self.max_words}"
            )
        check_choices(self)

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

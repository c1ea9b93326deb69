"""Which translations are worth a pair: what can be seen of a pair without a model."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import regex

from align.errors import InputError
from align.pairs.filters.lines import Filters, reject_reason
from align.text.languages import macrolanguage, script_share
from align.text.normal_forms import normalised

Copies = Literal["drop", "keep"]
Duplicates = Literal["exact", "keep"]
Identify = Callable[[str], str]
"""``identify(text)``: its language, ``hin`` or ``hin_Deva``, or ``""`` if that is uncertain.

With an attribute ``languages``, macrolanguages that it can name, texts of other languages are not judged.
"""

HAN = regex.compile(r"\p{Han}")
SYLLABLE = regex.compile(r"[\p{Hiragana}\p{Katakana}\p{Hangul}]")


@dataclass(frozen=True)
class TranslationFilters:
    """Which translations to keep."""

    min_chars: int = 2
    """Shortest text kept on either side, in characters (code points)."""
    max_chars: int = 1000
    """Longest text kept on either side, in characters."""
    max_ratio: float = 4.0
    """Longest side to shortest, in ``letters``; a translation is rarely more than twice as long."""
    ratio_from: int = 20
    """The ratio counts if the longer side has at least so many ``letters``: short texts vary."""
    min_script_share: float = 0.3
    """Share of the letters of a side that must have the script of its language, in (0, 1]."""
    copies: Copies = "drop"
    """Drop or keep pairs whose sides are equal but for case, width and white space (untranslated text)."""
    duplicates: Duplicates = "exact"
    """Drop the second and later pairs of two languages that are equal but for case, width and white space, or keep."""

    def __post_init__(self) -> None:
        _ = self.of_a_side
        if not 1 <= self.max_ratio < math.inf:
            raise InputError(f"max_ratio must be a number, at least 1, got {self.max_ratio}")
        if self.ratio_from < 0:
            raise InputError(f"ratio_from must not be negative, got {self.ratio_from}")
        if not 0 < self.min_script_share <= 1:
            raise InputError(f"min_script_share must lie in (0, 1], got {self.min_script_share}")
        for name, choices in (("copies", get_args(Copies)), ("duplicates", get_args(Duplicates))):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} is one of {', '.join(choices)}; got {getattr(self, name)!r}")

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

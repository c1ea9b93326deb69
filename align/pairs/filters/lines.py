"""Which lines are worth a pair, and which of them say the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import regex
from numpy.typing import NDArray

from align.errors import InputError

Duplicates = Literal["keep", "exact", "near"]
Identity = Literal["keep", "drop"]

# compiled here: the cache of ``regex`` costs more a call than the search
LETTER = regex.compile(r"\p{L}")
NEITHER_LETTER_NOR_MARK = regex.compile(r"[^\p{L}\p{M}\t]")
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Filters:
    """Which lines and pairs to keep."""

    min_chars: int = 2
    """Shortest text kept, in characters (code points)."""
    max_chars: int = 1000
    """Longest text kept, in characters; an encoder of 512 tokens reads little more."""
    duplicates: Duplicates = "near"
    """Drop no duplicates (keep), equal texts (exact), or also texts that differ in digits and punctuation (near)."""
    identity: Identity = "drop"
    """Keep or drop pairs whose two sides are equal (TransliCo keeps them)."""

    def __post_init__(self) -> None:
        if not 1 <= self.min_chars <= self.max_chars:
            raise InputError(f"expected 1 <= min_chars <= max_chars, got {self.min_chars} and {self.max_chars}")
        if self.duplicates not in get_args(Duplicates):
            raise InputError(f"duplicates is one of {', '.join(get_args(Duplicates))}; got {self.duplicates!r}")
        if self.identity not in get_args(Identity):
            raise InputError(f"identity is one of {', '.join(get_args(Identity))}; got {self.identity!r}")


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
    if SURROGATE.search(text):
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

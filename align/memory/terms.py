"""The terms of a list that occur in a text: the longest first, at the bounds of words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import regex

from align.text.edit_distance import plain_text

BOUND = regex.compile(r"(?<![\u1039\u17d2\u1a60])\b", regex.WORD)
"""Bounds of words by Unicode (UAX 29): in scripts without spaces those of all written characters. No bound is behind a
sign that stacks the next consonant under the one before (Burmese, Khmer, Tai Tham)."""
KATAKANA = regex.compile(r"(?<=\p{scx=Kana})(?=\p{scx=Kana})(?!\p{M})")
"""UAX 29 takes a run of Katakana for one word, though such a run is often several."""


@dataclass(frozen=True)
class Term:
    """A term in a text."""

    source: str
    """As it stands in the text."""
    targets: tuple[str, ...]
    """Its translations, in the order of the list."""
    start: int
    """Place of its first character in the text, of which runs of white space are one space (``plain_text``)."""


def term_list(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Translations of each term; terms that differ only in case or white space are one."""
    made: dict[str, dict[str, None]] = {}
    for source, target in pairs:
        made.setdefault(plain_text(source).casefold(), {})[plain_text(target)] = None
    made.pop("", None)
    return {source: tuple(targets) for source, targets in made.items()}


def find_terms(text: str, terms: Mapping[str, tuple[str, ...]]) -> tuple[Term, ...]:
    """The terms in a text, in their order there; where two overlap the longer one, of equal length the first.

    Case does not count. A term begins and ends at the bound of a word; in a script without spaces (Chinese, Japanese,
    Thai, Lao, Khmer, Burmese, Tibetan) at that of any written character. Inflected forms are not found.
    """
    text, longest = plain_text(text), max(map(len, terms), default=0)
    bounds = sorted({match.start() for pattern in (BOUND, KATAKANA) for match in pattern.finditer(text)})
    found = []
    for at, start in enumerate(bounds):
        for end in bounds[at + 1 :]:
            if end - start > longest:  # folding the case never shortens
                break
            if text[start:end].casefold() in terms:
                found.append((start, end))
    taken: list[tuple[int, int]] = []
    for start, end in sorted(found, key=lambda span: (span[0] - span[1], span[0])):
        if all(end <= other or another <= start for other, another in taken):
            taken.append((start, end))
    return tuple(Term(text[start:end], terms[text[start:end].casefold()], start) for start, end in sorted(taken))

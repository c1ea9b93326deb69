"""How alike two segments are to the letter: the fuzzy match of translators."""

from __future__ import annotations

import unicodedata

from align.text.normal_forms import visible


def plain_text(text: str) -> str:
    """``visible``, NFC, every run of white space one space, none at the ends: texts equal then are the same segment."""
    return " ".join(unicodedata.normalize("NFC", visible(text)).split())


def fuzzy_match(a: str, b: str) -> float:
    """1 - Levenshtein distance / characters of the longer text: 1 equal, 0 nothing in common.

    Characters are code points, and their case counts. Two empty texts are equal.
    """
    longer = max(len(a), len(b))
    return 1 - levenshtein(a, b) / longer if longer else 1.0


def levenshtein(a: str, b: str) -> int:
    """Insertions, deletions and substitutions of characters that make ``b`` of ``a``.

    A column of the table of distances is kept as two integers with a bit for each character of ``a``: where the
    distance rises by one from the character before, and where it falls. A character of ``b`` costs a few operations.

    References:
        Myers 1999, "A fast bit-vector algorithm for approximate string matching"; Hyyrö 2003 for the distance.
    """
    if not a or not b:
        return len(a) + len(b)
    places: dict[str, int] = {}
    for i, character in enumerate(a):
        places[character] = places.get(character, 0) | 1 << i
    whole, last = (1 << len(a)) - 1, 1 << len(a) - 1
    rises, falls, distance = whole, 0, len(a)
    for character in b:
        equal = places.get(character, 0)
        diagonal = (((equal & rises) + rises) ^ rises) | equal | falls  # no dearer than the place up and to the left
        right_rises = falls | ~(diagonal | rises) & whole
        right_falls = rises & diagonal
        distance += bool(right_rises & last) - bool(right_falls & last)
        right_rises = right_rises << 1 | 1  # the first row of the table counts up
        right_falls <<= 1
        rises = (right_falls | ~(diagonal | right_rises)) & whole
        falls = right_rises & diagonal & whole
    return distance

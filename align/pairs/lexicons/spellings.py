"""Several words in one cell of a word list: alternatives that were written down together."""

from __future__ import annotations

import re

from align.text.languages import macrolanguage
from align.text.tags import parsed

SLASH = re.compile(r"\s+/\s*|\s*/\s+|／")
"""Parts alternatives; ``and/or`` is one word."""
COMMA = re.compile(r"\s*[,;、；،؛，]\s*")
"""Parts words of one; a phrase may hold it as its own."""
ALTERNATIVES = "alternatives"
"""The problem of a cell of which it cannot be told whether it is one phrase or several words."""


def spellings(cell: str, tag: str, headword: str) -> list[tuple[str, str, str]]:
    """The words of a cell, each with its language tag and its problem or ``""``.

    A slash beside a space parts alternatives. Of Chinese, two that differ are the traditional and the simplified
    spelling, in this order, as Wiktionary writes them. Commas part words of one: of a cell of phrases it cannot be told
    whether they do, and where the headword holds one, too, the cell is one phrase.

    >>> spellings("蘋果 /苹果", "cmn", "apple")
    [('蘋果', 'cmn-Hant', ''), ('苹果', 'cmn-Hans', '')]
    >>> spellings("loin des yeux, loin du cœur", "fr", "out of sight, out of mind")
    [('loin des yeux, loin du cœur', 'fr', '')]
    """
    if SLASH.search(headword):
        return [(cell, tag, ALTERNATIVES)]
    parts = [part for part in map(str.strip, SLASH.split(cell)) if part]
    tags = [tag] * len(parts)
    named = parsed(tag)
    if len(parts) == 2 and macrolanguage(named.language) == "zho" and not named.scripts and parts[0] != parts[1]:
        tags = [f"{tag}-Hant", f"{tag}-Hans"]
    found: list[tuple[str, str, str]] = []
    for part, one in zip(parts or [cell], tags or [tag], strict=True):
        words = [word for word in COMMA.split(part) if word]
        if len(words) < 2 or COMMA.search(headword):
            found.append((part, one, ""))
        elif "，" in part or any(" " in word for word in words):  # the comma of Chinese sentences parts no words
            found.append((part, one, ALTERNATIVES))
        else:
            found += [(word, one, "") for word in words]
    return list(dict.fromkeys(found))

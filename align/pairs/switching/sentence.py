"""A sentence as words and what stands between them, so that words can be exchanged and all else stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import regex

from align.pairs.tagging.tokens import Tokens, join_tokens, split_tokens

HAS_LETTER = regex.compile(r"\p{L}")
SCRIPTS = ("Hani", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr", "Tibt")
"""Of Unicode: scripts that put no space between words."""
UNSPACED = regex.compile("[" + "".join(rf"\p{{scx={script}}}" for script in SCRIPTS) + "]")
CODES = frozenset({*SCRIPTS, "Hans", "Hant", "Jpan"})
"""Of language codes: the same."""
Place = tuple[int, int]
"""Tokens of a sentence: the first, and the one behind the last."""


@dataclass(frozen=True)
class Sentence:
    """The n tokens of a text, the n + 1 stretches around them, and which tokens are words: those with a letter."""

    tokens: tuple[str, ...]
    between: tuple[str, ...]
    words: tuple[int, ...]
    joined: bool = False
    """The spaces between given tokens are no part of the text: its script writes none."""

    def replaced(self, changes: Mapping[Place, str]) -> str:
        """The text with other words at some places, none of which overlap.

        Where the script writes no spaces, those between tokens are left out, but between words of which one is spaced.
        """
        made, gaps, at = list[str](), [self.between[0]], 0
        stops = dict(changes.keys())
        while at < len(self.tokens):
            stop = stops.get(at, at + 1)
            made.append(changes.get((at, stop), self.tokens[at]))
            gaps.append(self.between[stop])
            at = stop
        if self.joined:
            inner = zip(made, made[1:], gaps[1:-1], strict=False)
            gaps[1:-1] = [gap if _apart(one, other) else "" for one, other, gap in inner]
        return join_tokens(made, gaps)


def _apart(one: str, other: str) -> bool:
    return bool(HAS_LETTER.search(one) and HAS_LETTER.search(other)) and (spaced(one) or spaced(other))


def spaced(token: str) -> bool:
    """Whether a word is written with spaces around it: it has a letter, and none of ``UNSPACED``.

    >>> spaced("house"), spaced("房子"), spaced("。")
    (True, False, False)
    """
    return bool(HAS_LETTER.search(token)) and not UNSPACED.search(token)


def cut(text: str, language: str, tokens: Tokens = "words") -> Sentence:
    """A text cut into tokens (:func:`align.pairs.tagging.tokens.split_tokens`).

    Runs of letters of a script without spaces are no words, unless tokens are given (``spaces``).
    """
    found, between = split_tokens(text, tokens)
    joined = tokens == "spaces" and language.partition("_")[2] in CODES
    words = tuple(
        place for place, token in enumerate(found)
        if HAS_LETTER.search(token) and not (tokens == "words" and UNSPACED.search(token))
    )  # fmt: skip
    return Sentence(tuple(found), tuple(between), words, joined)

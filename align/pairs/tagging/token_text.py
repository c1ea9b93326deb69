"""A text as tokens and what stands between them."""

from __future__ import annotations

from typing import Literal, get_args

import regex

from align.errors import InputError

Tokens = Literal["words", "spaces"]

WORD = r"[\p{L}\p{N}][\p{L}\p{N}\p{M}\u200c\u200d]*"  # the joiners shape letters of Persian and of India
PATTERNS = {
    "words": regex.compile(rf"{WORD}(?:['’]{WORD})*|[^\s\p{{L}}\p{{N}}]+"),
    "spaces": regex.compile(r"\S+"),
}


def split_tokens(text: str, tokens: Tokens = "words") -> tuple[list[str], list[str]]:
    """The n tokens of a text, and the n + 1 stretches around them: before the first, between two, after the last.

    Args:
        text: a script that puts spaces between words.
        tokens: ``words``: runs of letters, digits and their marks, apostrophes inside, and runs of anything else but
            white space. ``spaces``: runs of anything but white space, for text that is already cut into tokens.

    Raises:
        InputError: ``tokens`` is neither.
    """
    if tokens not in get_args(Tokens):
        raise InputError(f"tokens is one of {', '.join(get_args(Tokens))}; got {tokens!r}")
    return PATTERNS[tokens].findall(text), PATTERNS[tokens].split(text)


def join_tokens(tokens: list[str], between: list[str]) -> str:
    """The text of n tokens and the n + 1 stretches around them."""
    return between[0] + "".join(token + space for token, space in zip(tokens, between[1:], strict=True))

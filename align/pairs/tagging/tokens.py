"""Tokens: a text cut into them, and what one looks like to a tagger that sees one at a time."""

from __future__ import annotations

import unicodedata
from collections.abc import Set
from typing import Literal

import regex

from align.pairs.choices import check_choice
from align.text.edit_distance import levenshtein
from align.text.languages import dominant_script
from align.text.normal_forms import normalised

Tokens = Literal["words", "spaces"]

WORD = r"[\p{L}\p{N}][\p{L}\p{N}\p{M}\u200c\u200d]*"  # the joiners shape letters of Persian and of India
PATTERNS = {
    "words": regex.compile(rf"{WORD}(?:['’]{WORD})*|[^\s\p{{L}}\p{{N}}]+"),
    "spaces": regex.compile(r"\S+"),
}
COMPARED = 60
"""Characters of each word that are compared; an address on the web can be much longer."""
SIZES = (2, 3, 4)
"""Lengths of the character n-grams, a space at either end of the token included."""


def split_tokens(text: str, tokens: Tokens = "words") -> tuple[list[str], list[str]]:
    """The n tokens of a text, and the n + 1 stretches around them: before the first, between two, after the last.

    Args:
        text: a script that puts spaces between words.
        tokens: ``words``: runs of letters, digits and their marks, apostrophes inside, and runs of anything else but
            white space. ``spaces``: runs of anything but white space, for text that is already cut into tokens.
    """
    check_choice("tokens", tokens, Tokens)
    return PATTERNS[tokens].findall(text), PATTERNS[tokens].split(text)


def join_tokens(tokens: list[str], between: list[str]) -> str:
    """The text of n tokens and the n + 1 stretches around them."""
    return between[0] + "".join(token + space for token, space in zip(tokens, between[1:], strict=True))


def token_features(
    token: str, *, closed: Set[str] = frozenset(), romanised: str | None = None, translated: str | None = None
) -> dict[str, float]:
    """Names and values of the features of one token: 1 for all but the distances, which lie in 0..1.

    Case (lower, upper, title, mixed, none), digits and punctuation (none, some, all), the set of its scripts, its
    character n-grams, whether it is of a closed class, and the edit distances between it, its romanisation and its
    candidate translation.

    What is None is not known, and no feature; a candidate translation is ``""`` if there is none. Words of ``closed``
    classes are as ``normalised`` makes them.

    References:
        After the etymology tagger of Micallef et al. 2024 (2024.eacl-long.61), whose CRF also sees neighbours.
    """
    kinds = [unicodedata.category(character)[0] for character in token]
    letters = [character for character, kind in zip(token, kinds, strict=True) if kind == "L"]
    scripts = sorted({dominant_script(letter) for letter in letters})
    names = {f"case {_case(token)}", f"digits {_share(kinds, 'N')}", f"punctuation {_share(kinds, 'PS')}"}
    names.add(f"scripts {' '.join(scripts) or 'none'}")
    names |= {f"gram {gram}" for gram in _grams(token.casefold())}
    if normalised(token) in closed:
        names.add("closed class")
    if translated == "":
        names.add("no translation")
    features = dict.fromkeys(sorted(names), 1.0)  # sorted: sums of floats depend on their order
    if romanised is not None:
        features["distance token romanised"] = edit_distance(token, romanised)
    if translated:
        features["distance token translated"] = edit_distance(token, translated)
    if translated and romanised is not None:
        features["distance romanised translated"] = edit_distance(romanised, translated)
    return features


def edit_distance(a: str, b: str) -> float:
    """Levenshtein distance of two words, divided by the length of the longer one: 0 equal, 1 nothing in common.

    Case does not count, and only the first ``COMPARED`` characters do. Two empty words are equal.
    """
    a, b = a.casefold()[:COMPARED], b.casefold()[:COMPARED]
    return levenshtein(a, b) / max(len(a), len(b), 1)


def _case(token: str) -> str:
    for name, holds in (("lower", token.islower()), ("upper", token.isupper()), ("title", token.istitle())):
        if holds:
            return name
    return "mixed" if token.casefold() != token else "none"


def _share(kinds: list[str], wanted: str) -> str:
    """None, some or all of the characters; marks and joiners, as in an emoji, count as the rest does."""
    bases = [kind in wanted for kind in kinds if kind not in "MC"]
    return "none" if not any(bases) else "all" if all(bases) else "some"


def _grams(token: str) -> set[str]:
    padded = f" {token} "
    return {padded[i : i + size] for size in SIZES for i in range(len(padded) - size + 1)}

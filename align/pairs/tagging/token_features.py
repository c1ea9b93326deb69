"""What a token looks like, for a tagger that sees one token at a time."""

from __future__ import annotations

import unicodedata
from collections.abc import Set

from align.pairs.tagging.edit_distance import edit_distance
from align.text.languages import dominant_script
from align.text.normal_forms import normalised

SIZES = (2, 3, 4)
"""Lengths of the character n-grams, a space at either end of the token included."""


def token_features(
    token: str, *, closed: Set[str] = frozenset(), romanised: str | None = None, translated: str | None = None
) -> dict[str, float]:
    """Names and values of the features of one token: 1 for all but the distances, which lie in 0..1.

    Case (lower, upper, title, mixed, none), digits and punctuation (none, some, all), the set of its scripts, its
    character n-grams, whether it is of a closed class, and the edit distances between it, its romanisation and its
    candidate translation.

    Args:
        token: any text.
        closed: words of closed classes, as ``normalised`` makes them.
        romanised: its romanisation; None: not known, and no feature.
        translated: its candidate translation, ``""`` if there is none; None: not known, and no feature.

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

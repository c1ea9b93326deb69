"""The function that romanises: one that is given, or uroman."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

from align.errors import InputError

Language = TypeVar("Language")
Romanizer = Callable[[list[str], str], list[str]]
"""``romanizer(texts, language)``: as many texts in Latin letters, in the same order."""


def chosen_romanizer(given: Romanizer | None, *, backend: str, processes: int) -> tuple[Romanizer, str]:
    """``given``, or else the romaniser of these options; and its name and version, for manifests."""
    if given is not None:
        return given, f"given: {getattr(given, '__name__', type(given).__name__)}"
    from align.text.romanize.romanizer import romanize, romanizer_version

    def run(texts: list[str], language: str) -> list[str]:
        return romanize(texts, lang=language, backend=backend, processes=processes)

    return run, romanizer_version(backend)


def romanised_words(words: Sequence[str], language: str, romanizer: Romanizer) -> list[str]:
    """Each word romanised on its own, without white space at the ends."""
    romanised = romanizer(list(words), language)
    if len(romanised) != len(words):
        raise InputError(f"the romaniser gave {len(romanised)} texts for {len(words)} of {language}")
    return [text.strip() for text in romanised]


def each_language(
    texts: Sequence[str], languages: Sequence[Language], change: Callable[[list[str], Language], Sequence[str]]
) -> list[str]:
    """What ``change(texts, language)`` makes of the texts of each language, in the order of all texts."""
    places: dict[Language, list[int]] = defaultdict(list)
    for place, language in enumerate(languages):
        places[language].append(place)
    changed: dict[int, str] = {}
    for language, some in places.items():
        changed |= zip(some, change([texts[place] for place in some], language), strict=True)
    return [changed[place] for place in range(len(texts))]

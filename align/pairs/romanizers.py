"""The function that romanises: one that is given, or uroman."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

from align.errors import InputError
from align.pairs.reading.lines import read_source
from align.pairs.reading.sources import AnySource
from align.text.romanize.spellings import Romanize, learn_spellings

Language = TypeVar("Language")
Romanizer = Romanize


def chosen_romanizer(given: Romanizer | None, *, backend: str, processes: int) -> tuple[Romanizer, str]:
    """``given``, or else the romaniser of these options; and its name and version, for manifests."""
    if given is not None:
        return given, f"given: {getattr(given, '__name__', type(given).__name__)}"
    from align.text.romanize.romanizer import romanize, romanizer_version

    def run(texts: list[str], language: str) -> list[str]:
        return romanize(texts, lang=language, backend=backend, processes=processes)

    return run, romanizer_version(backend)


def respelling(sources: Sequence[AnySource], romanizer: Romanizer, version: str, *, seed: int) -> tuple[Romanizer, str]:
    """A romaniser that writes each language of human romanisations as they spell it, and all others as ``romanizer``.

    Raises:
        InputError: there is no human romanisation, or none that goes word by word.
    """
    attested: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for source in sources:
        for line in read_source(source):
            if not line.problem:
                attested[line.language].append((line.text, line.roman, 1))
    if not attested:
        raise InputError("respelling needs human romanisations: expected files of native TAB roman")
    learnt = {
        language: learn_spellings(rows, language=language, romanizer=romanizer) for language, rows in attested.items()
    }

    def run(texts: list[str], language: str) -> list[str]:
        return learnt[language].romanize(texts, seed=seed) if language in learnt else romanizer(texts, language)

    counts = ", ".join(f"{language} ({len(one.words)} words)" for language, one in sorted(learnt.items()))
    return run, f"{version}; as people spell it, seed {seed}: {counts}"


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

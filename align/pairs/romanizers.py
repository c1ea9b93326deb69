"""The function that romanises: one that is given, or uroman."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from align.errors import InputError

Romanizer = Callable[[list[str], str], list[str]]
"""``romanizer(texts, language)``: as many texts in Latin letters, in the same order."""


def chosen_romanizer(given: Romanizer | None, *, backend: str, processes: int) -> tuple[Romanizer, str]:
    """``given``, or else ``align.text.romanize.romanizer`` with these options; and its name and version, for manifests.

    Raises:
        InputError: unknown backend, or its package is missing.
    """
    if given is not None:
        return given, f"given: {getattr(given, '__name__', type(given).__name__)}"
    from align.text.romanize.romanizer import romanize, romanizer_version

    def run(texts: list[str], language: str) -> list[str]:
        return romanize(texts, lang=language, backend=backend, processes=processes)

    return run, romanizer_version(backend)


def romanised_words(words: Sequence[str], language: str, romanizer: Romanizer) -> list[str]:
    """Each word romanised on its own, without white space at the ends.

    Raises:
        InputError: the romaniser gave another number of texts.
    """
    romanised = romanizer(list(words), language)
    if len(romanised) != len(words):
        raise InputError(f"the romaniser gave {len(romanised)} texts for {len(words)} of {language}")
    return [text.strip() for text in romanised]

"""Switching by a dictionary: words of a sentence become one of their translations (CSR4mBART, lexicon switching)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from align.errors import InputError
from align.pairs.filters.texts import WordFilters
from align.pairs.lexicons.lexicon import GivenLexicons
from align.pairs.switching.sentence import Place, Sentence
from align.pairs.switching.spans import draw_spans
from align.pairs.word_pairs import word_pairs
from align.text.case import like_case, lower

Languages = tuple[str, str]
Translations = Mapping[str, Sequence[str]]
"""Translations of words in lower case, the best first."""


@dataclass(frozen=True)
class Switching:
    """How much of a sentence is switched."""

    rate: Annotated[float, "Share of the words of a sentence that are drawn."] = 0.35
    span: Annotated[float, "Mean length of the drawn runs of words (Poisson)."] = 3.5
    top: Annotated[int, "A word becomes one of so many translations, the first ones of its dictionary."] = 3

    def __post_init__(self) -> None:
        draw_spans(1, self.rate, self.span, np.random.default_rng(0))  # refuses what makes no sense
        if self.top < 1:
            raise InputError(f"top, the translations of a word that are drawn from, is at least 1; got {self.top}")


@dataclass
class Switched:
    """A mixed text, what stands in it at which tokens of the sentence, and how many drawn words have no translation."""

    text: str
    changes: dict[Place, str] = field(default_factory=dict)
    unknown: int = 0


def switch_words(
    sentence: Sentence, translations: Translations, languages: Languages, rng: np.random.Generator,
    how: Switching = Switching(),
) -> Switched:  # fmt: skip
    """The sentence with drawn words exchanged: each becomes one of its first ``how.top`` translations, all as likely.

    Words are looked up in lower case; their capitals pass on to the translation (``like_case``). What is drawn and has
    no translation stays as it is, so that a small dictionary switches less than ``how.rate``. The published code sorts
    by similarity in ascending order, and so takes the least similar words; here they are the first of the dictionary.

    Args:
        sentence: see :func:`align.pairs.switching.sentence.cut`.
        translations: of its language into another.
        languages: the two.
        rng: source of all randomness.
        how: how much is switched.

    References:
        Pan et al., CSR4mBART: 35 % of the words, spans of Poisson(3.5), three translations.
    """
    places = sentence.words
    if not places:
        return Switched(sentence.replaced({}))
    drawn = [places[k] for start, stop in draw_spans(len(places), how.rate, how.span, rng) for k in range(start, stop)]
    changes, unknown = dict[Place, str](), 0
    for place in drawn:
        word = sentence.tokens[place]
        known = translations.get(lower(word, languages[0]), ())[: how.top]
        if known:
            changes[place, place + 1] = like_case(known[int(rng.integers(len(known)))], word, languages[1])
        unknown += not known
    return Switched(sentence.replaced(changes), changes, unknown)


def read_translations(lexicons: Path | str | GivenLexicons) -> tuple[dict[Languages, dict[str, list[str]]], Any]:
    """Translations of words by (from, into), both ways, in the order of the files; and where they are from.

    Args:
        lexicons: a table of ``align pairs synonyms``, or what :func:`align.synonym_pairs` takes: dictionaries, ...

    Raises:
        InputError: as these functions; no pair is of two languages.
    """
    given, manifest = word_pairs(lexicons, filters=WordFilters(max_words=3, case="keep"))
    about = manifest["sources"] if manifest else [{"name": str(lexicons)}]
    found: dict[Languages, dict[str, dict[str, None]]] = {}
    for source, target, one, other in given:
        if one != other:
            for word, into, way in ((source, target, (one, other)), (target, source, (other, one))):
                found.setdefault(way, {}).setdefault(lower(word, way[0]), {})[into] = None
    if not found:
        raise InputError("no pair of words of two languages to switch by: expected dictionaries of two languages")
    return {way: {word: [*of] for word, of in words.items()} for way, words in found.items()}, about


def coverage(sentences: Sequence[Sentence], translations: Translations, language: str) -> tuple[int, int]:
    """How many words of some sentences have a translation, and how many there are."""
    words = Counter(lower(one.tokens[place], language) for one in sentences for place in one.words)
    return sum(count for word, count in words.items() if word in translations), words.total()

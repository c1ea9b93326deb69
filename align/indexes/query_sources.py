"""Where queries for passages come from, without a network: the passages themselves, a dictionary, a model of one's own.

A source is a function of texts and their language codes ("" where not known) that gives the queries of each text.
Titles and translations that are there already need none: lines ``id TAB title`` are a file of queries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import regex

from align.errors import InputError
from align.pairs.lexicons.dictionary import dictionary_pairs
from align.text.hashing import text_sha256
from align.vectors.corpus import parts

Source = Callable[[Sequence[str], Sequence[str]], list[list[str]]]
"""(texts, languages) -> the queries of each text, any number of them."""

# A full stop ends a sentence before white space only (3.5, example.org); those of other scripts anywhere.
_SENTENCE = regex.compile(
    r".+?(?:[.!?…]+[\p{Pe}\p{Pf}\"']*(?=\s|$)|[。！？｡।॥۔؟።။។։܀܁܂]+[\p{Pe}\p{Pf}]*|$)", regex.DOTALL
)
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}\u200c\u200d]+(?:['’-][\p{L}\p{M}\p{N}\u200c\u200d]+)*")


class Generator(Protocol):
    """A model that writes queries, such as a sequence-to-sequence one."""

    def generate(self, text: str, language: str, k: int) -> list[str]:
        """At most ``k`` queries that the text answers; ``language`` is that of the text, "" if not known."""
        ...


def first_sentences(texts: Sequence[str], languages: Sequence[str]) -> list[list[str]]:
    """The first sentence of each text. An abbreviation before a space (Dr. ) ends one too early.

    >>> first_sentences(["It is 3.5 km. Far?", "नमस्ते। कैसे?"], ["", ""])
    [['It is 3.5 km.'], ['नमस्ते।']]
    """
    found = (_SENTENCE.match(text.strip()) for text in texts)
    return [[match[0]] if match else [] for match in found]


def romanized(texts: Sequence[str], languages: Sequence[str]) -> list[list[str]]:
    """Each text in Latin letters, as uroman writes it with the rules of its language.

    Raises:
        InputError: an unknown language code.
    """
    return [[latin] for latin in parts.romanized(texts, languages)]


def lexicon_switched(lexicon: Path, *, share: float = 0.5, seed: int = 0) -> Source:
    """A source that replaces words of a text by their translations.

    Of the w words of a text that the dictionary has, max(1, round(share * w)) are replaced, each by one of its
    translations, all drawn with equal chances from ``seed`` and the text alone. Words are looked up as written, then
    in lower case; what is written without spaces between words is not cut into words.

    Args:
        lexicon: dictionary, a line ``word TAB translation`` (or a space), plain or compressed.
        share: of the known words, above 0 and at most 1.
        seed: at least 0.

    Raises:
        InputError: not such a file, no entries, or an option outside its range.
    """
    if not 0 < share <= 1 or seed < 0:
        raise InputError(f"expected a share above 0 and at most 1, and a seed of at least 0, got {share} and {seed}")
    entries: dict[str, list[str]] = {}
    for pair in dictionary_pairs(lexicon, source_lang="und", target_lang="und"):
        if not pair.problem:
            entries.setdefault(pair.source, []).append(pair.target)
    if not entries:
        raise InputError(f"{lexicon} has no entries; expected lines of word TAB translation")

    def switch(text: str) -> list[str]:
        words = [match for match in _WORD.finditer(text) if match[0] in entries or match[0].lower() in entries]
        if not words:
            return []
        draw = np.random.default_rng([seed, int(text_sha256(text)[:16], 16)])
        chosen = draw.choice(len(words), size=max(1, round(share * len(words))), replace=False)
        for place in sorted(chosen.tolist(), reverse=True):
            word = words[place]
            choices = entries.get(word[0]) or entries[word[0].lower()]
            text = text[: word.start()] + choices[draw.integers(len(choices))] + text[word.end() :]
        return [text]

    return lambda texts, languages: [switch(text) for text in texts]


def generated(generator: Generator, *, k: int = 5) -> Source:
    """A source that asks a generator for ``k`` queries of each text.

    Raises:
        InputError: ``k`` below 1; and from the source, something else than a list of at most ``k`` strings.
    """
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")

    def ask(text: str, language: str) -> list[str]:
        queries: Any = generator.generate(text, language, k)
        if not isinstance(queries, list) or len(queries) > k or not all(isinstance(query, str) for query in queries):
            raise InputError(
                f"{type(generator).__name__}.generate: expected a list of at most {k} strings, got {queries!r:.60}"
            )
        return queries

    return lambda texts, languages: [ask(*row) for row in zip(texts, languages, strict=True)]

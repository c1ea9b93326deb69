"""Romanisation as people spell it: drawn from word lists, and for other words from how people depart from uroman.

A romaniser writes each word one way; people write it many ways, and an encoder that was trained on the one does not
read the others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import numpy as np
import regex

from align.errors import InputError
from align.text.romanize.romanizer import romanize

Romanize = Callable[[list[str], str], list[str]]
"""``romanizer(texts, language)``: as many texts in Latin letters, in the same order."""
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}\u200c\u200d]+")  # a mark, or a joiner within a word, ends none
START, END = "^", "$"
Letter = tuple[str, str, str]


@dataclass
class Spellings:
    """How the people of one language write its words in Latin letters, learnt by :func:`learn_spellings`."""

    language: str
    plain: Romanize
    """``plain(texts, language)``, whose letters the others are told from."""
    words: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Of a word, how often each spelling is attested."""
    edits: dict[Letter, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Of a letter of uroman's, between the ones before and behind it, how often people write what in its place."""

    def romanize(self, texts: Sequence[str], *, seed: int = 0) -> list[str]:
        """A spelling of each text: each of its words as one of its people might write it, in lower case.

        A known word is drawn by its attestations; of any other each of the romaniser's letters is replaced by what
        people write for it between these neighbours, drawn by count. What is no word stays the romaniser's.
        """
        rng = np.random.default_rng(seed)
        words = sorted({word for text in texts for word in _WORD.findall(text)})
        plain = dict(zip(words, self.plain(words, self.language), strict=True))
        spelt = [_WORD.sub(lambda found: self._draw(found[0], plain[found[0]], rng), text) for text in texts]
        return self.plain(spelt, self.language)  # signs between words

    def _draw(self, word: str, plain: str, rng: np.random.Generator) -> str:
        if word.lower() in self.words:
            return _drawn(self.words[word.lower()], rng)
        return "".join(_drawn(self.edits[key], rng) if key in self.edits else key[1] for key in letters(plain.lower()))


def uroman(texts: list[str], language: str) -> list[str]:
    """What :func:`align.romanize` makes of them."""
    return romanize(texts, lang=language)


def learn_spellings(
    attested: Iterable[tuple[str, str, int]], *, language: str, romanizer: Romanize = uroman
) -> Spellings:
    """Learn how people spell from (text, as they wrote it, how often); equal rows add up.

    Of a text with as many words as its other form, each word is a row; any other is left out.

    Raises:
        InputError: no spelling is left, or a count is below 1.
    """
    found = Spellings(language, romanizer)
    for text, written, times in attested:
        if times < 1:
            raise InputError(f"{text} as {written} is attested {times} times: expected 1 or more")
        sides = [_WORD.findall(text), _WORD.findall(written)]
        for word, spelling in zip(*sides, strict=True) if len(sides[0]) == len(sides[1]) else ():
            found.words[word.lower()][spelling.lower()] += times
    if not found.words:
        raise InputError(f"no word of {language} has a spelling: expected texts and their romanisations, word by word")
    plain = romanizer([*found.words], language)
    for ours, theirs in zip(plain, found.words.values(), strict=True):
        for spelling, times in theirs.items():
            for key, written in aligned(ours.lower(), spelling):
                found.edits[key][written] += times
    return found


def letters(word: str) -> list[Letter]:
    """Each letter between the one before and the one behind it."""
    return [*zip(START + word, word, word[1:] + END, strict=False)]


def aligned(ours: str, theirs: str) -> list[tuple[Letter, str]]:
    """For each letter of ``ours``, between its neighbours, what stands for it in ``theirs``.

    >>> aligned("pura", "poor")
    [(('^', 'p', 'u'), 'p'), (('p', 'u', 'r'), 'oo'), (('u', 'r', 'a'), 'r'), (('r', 'a', '$'), '')]
    """
    written = [""] * len(ours)
    for kind, i, end, j, stop in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            for k in range(end - i):
                written[i + k] += theirs[j + k]
        elif ours:
            written[max(0, i - 1) if kind == "insert" else i] += theirs[j:stop]
    return [*zip(letters(ours), written, strict=True)]


def _drawn(counts: Counter[str], rng: np.random.Generator) -> str:
    several = [*counts]
    shares = np.cumsum([counts[one] for one in several])
    return several[int(np.searchsorted(shares, rng.integers(shares[-1]), side="right"))]

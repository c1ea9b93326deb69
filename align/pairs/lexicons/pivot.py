"""Dictionaries joined through a third language: a-en and en-b give a-b, with noise that is measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.pairs.filters.shares import pair_name
from align.pairs.lexicons.format import WordPair
from align.pairs.lexicons.lexicon import Lexicon, find_lexicons, lexicon_rows
from align.text.languages import check_language
from align.text.normal_forms import normalised

ROUTES = (1, 2, 3)


@dataclass(frozen=True)
class Pivot:
    """How dictionaries are joined."""

    language: str = "eng_Latn"
    """The language they share."""
    min_routes: int = 1
    """A pair needs so many different pivot words: 1 takes every pair; more is less noise and fewer pairs."""
    direct: tuple[Path | str | Lexicon, ...] = ()
    """Dictionaries that the joined pairs are measured against, and that give no pairs themselves."""

    def __post_init__(self) -> None:
        check_language(self.language)
        if self.min_routes < 1:
            raise InputError(f"min_routes must be at least 1, got {self.min_routes}")


def routes_of(first: Iterable[WordPair], second: Iterable[WordPair], *, pivot: str) -> list[tuple[WordPair, int]]:
    """Pairs of a word of ``first`` and a word of ``second`` that share a translation, each with how many they share.

    Each dictionary has the language ``pivot`` on either side; pivot words are shared if ``normalised`` makes them
    equal. A homograph among them (bank) joins words that mean different things. File, line and concept
    (``pivot:word``) are those of the first word that is shared; the kind is ``pivot``.
    """
    by_word: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in second:
        word, other, language = _sides(line, pivot)
        by_word[normalised(word)].append((other, language))
    joined: dict[tuple[str, str], tuple[WordPair, set[str]]] = {}
    for line in first:
        word, source, language = _sides(line, pivot)
        key = normalised(word)
        for target, target_lang in by_word.get(key, ()):
            pair = WordPair(line.file, line.number, language, target_lang, source, target, f"{pivot}:{word}")
            names = normalised(source), normalised(target)
            joined.setdefault(names, (pair._replace(kind="pivot"), set()))[1].add(key)
    return [(pair, len(routes)) for pair, routes in joined.values()]


def _sides(line: WordPair, pivot: str) -> tuple[str, str, str]:
    if line.source_lang == pivot:
        return line.source, line.target, line.target_lang
    if line.target_lang == pivot:
        return line.target, line.source, line.source_lang
    languages = f"{line.source_lang}-{line.target_lang}"
    raise InputError(f"{line.file}, line {line.number}: expected a word in {pivot}, got {languages}")


def pivot_noise(joined: Sequence[tuple[WordPair, int]], direct: Iterable[WordPair]) -> dict[str, Any]:
    """How joined pairs of two languages compare with a direct dictionary of the two, which is never complete.

    With J the joined pairs of at least r routes, D the direct ones, both as ``normalised`` words, and J' the part of J
    whose source word is in D::

        precision = |J & D| / |J'|        recall = |J & D| / |D|

    A pair of J' that is not in D counts as wrong, also where D lacks a good translation: precision is a lower bound.

    Returns:
        ``{"direct": |D|, "routes": {"1": {"joined": |J|, "judged": |J'|, "correct": |J & D|, "precision": ...,
        "recall": ...}, "2": ..., "3": ...}}``; precision is None where nothing can be judged.
    """
    keys = [((normalised(pair.source), normalised(pair.target)), routes) for pair, routes in joined]
    source_lang = joined[0][0].source_lang if joined else None
    known: set[tuple[str, str]] = set()
    for line in direct:
        names = normalised(line.source), normalised(line.target)
        known.add(names if source_lang in (None, line.source_lang) else (names[1], names[0]))
    sources = {source for source, _ in known}
    table = {}
    for least in ROUTES:
        pairs = [key for key, routes in keys if routes >= least]
        judged = sum(source in sources for source, _ in pairs)
        correct = sum(key in known for key in pairs)
        table[str(least)] = {
            "joined": len(pairs),
            "judged": judged,
            "correct": correct,
            "precision": round(correct / judged, 4) if judged else None,
            "recall": round(correct / len(known), 4) if known else None,
        }
    return {"direct": len(known), "routes": table}


class Joins:
    """Keeps lines with the pivot to join them, and lines without it to measure what comes of it."""

    def __init__(self, pivot: Pivot) -> None:
        self.noise: dict[str, Any] = {}
        self.fewer_routes = 0
        self._pivot = pivot
        self._to_join: dict[str, list[WordPair]] = defaultdict(list)
        self._direct: dict[str, list[WordPair]] = defaultdict(list)

    def keep(self, line: WordPair) -> None:
        """Take note of a line of two languages."""
        codes = {line.source_lang, line.target_lang}
        if self._pivot.language in codes:
            self._to_join[(codes - {self._pivot.language}).pop()].append(line)
        else:
            self._direct[pair_name(*codes)].append(line)

    def pairs(self) -> Iterator[WordPair]:
        """Joined pairs of all two languages; ``noise`` (see ``pivot_noise``) and ``fewer_routes`` are filled in."""
        for lexicon in find_lexicons(self._pivot.direct) if self._pivot.direct else ():
            for row in lexicon_rows(lexicon):
                if isinstance(row, WordPair) and not row.problem:
                    self._direct[pair_name(row.source_lang, row.target_lang)].append(row)
        for one, two in combinations(sorted(self._to_join), 2):
            joined = routes_of(self._to_join[one], self._to_join[two], pivot=self._pivot.language)
            name = pair_name(one, two)
            if name in self._direct:
                self.noise[name] = pivot_noise(joined, self._direct[name])
            for pair, routes in joined:
                if routes < self._pivot.min_routes:
                    self.fewer_routes += 1
                else:
                    yield pair

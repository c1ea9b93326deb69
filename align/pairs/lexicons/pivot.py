"""Dictionaries joined through a third language: a-en and en-b give a-b, with noise that is measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.pairs.lexicons.kinds import Lexicon
from align.pairs.lexicons.rows import WordPair
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
    """Pairs of a word of ``first`` and one of ``second`` that share a translation in ``pivot``, with their routes.

    Each dictionary has the pivot on either side; pivot words are shared if ``normalised`` makes them equal. The routes
    of a pair are the different pivot words that join it; a homograph among them (bank) joins words that mean different
    things. File, line and concept (``pivot:word``) are those of the first route; the kind is ``pivot``.

    Raises:
        InputError: a line lacks the pivot language.
    """
    return [(pair, len(routes)) for pair, routes in _joined(first, second, pivot).values()]


Join = dict[tuple[str, str], tuple[WordPair, set[str]]]


def _joined(first: Iterable[WordPair], second: Iterable[WordPair], pivot: str) -> Join:
    by_word: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in second:
        word, other, language = _sides(line, pivot)
        by_word[normalised(word)].append((other, language))
    joined: Join = {}
    for line in first:
        word, source, language = _sides(line, pivot)
        key = normalised(word)
        for target, target_lang in by_word.get(key, ()):
            pair = WordPair(line.file, line.number, language, target_lang, source, target, f"{pivot}:{word}")
            names = normalised(source), normalised(target)
            joined.setdefault(names, (pair._replace(kind="pivot"), set()))[1].add(key)
    return joined


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

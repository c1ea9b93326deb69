"""Pairs that lexicons could give, one after another, and which of them are accepted."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from align.pairs.filters.evaluation_words import EvaluationWords
from align.pairs.filters.translations import side_problem
from align.pairs.filters.words import WordFilters, word_problem
from align.pairs.lexicons.concepts import Span, concept_pairs
from align.pairs.lexicons.joins import Joins
from align.pairs.lexicons.kinds import Lexicon, lexicon_rows
from align.pairs.lexicons.pivot import Pivot
from align.pairs.lexicons.rows import ConceptWord, WordPair
from align.pairs.table import PairWriter
from align.text.normal_forms import normalised, text_hash


@dataclass(frozen=True)
class Wanted:
    """Which pairs are made; ``synonym_pairs`` explains each option."""

    filters: WordFilters
    languages: frozenset[str] = frozenset()
    span: Span = "both"
    per_concept: int | None = 10
    seed: int = 0
    glosses: bool = False
    self_pairs: bool = False
    pivot: Pivot | None = None

    @functools.cached_property
    def readable(self) -> frozenset[str]:
        """The languages and the pivot; empty if all are wanted."""
        return self.languages | {self.pivot.language} if self.pivot and self.languages else self.languages


@dataclass
class Candidates:
    """Reads lexicons and makes pairs; ``accepts`` then judges each. Whatever gives no pair is counted."""

    writer: PairWriter
    held_out: EvaluationWords
    wanted: Wanted
    words: Counter[str] = field(default_factory=lambda: Counter(read=0, kept=0, rejected=0, left_out=0, alone=0))
    pairs: Counter[str] = field(
        default_factory=lambda: Counter({"lines": 0, "from_concepts": 0, "glosses": 0, "joined": 0, "self": 0})
    )
    left_out: Counter[str] = field(default_factory=Counter)
    identical: int = 0
    concepts: dict[str, list[ConceptWord]] = field(default_factory=dict)
    vocabulary: dict[tuple[str, str], WordPair] = field(default_factory=dict)
    joins: Joins | None = None
    seen: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.joins = Joins(self.wanted.pivot) if self.wanted.pivot else None

    @property
    def lines(self) -> int:
        """Rows read."""
        return self.words["read"] + self.pairs["lines"]

    def counts(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "lines": self.lines,
            "words": dict(self.words),
            "concepts": len(self.concepts),
            "pairs": dict(self.pairs),
            "left_out": {reason: count for reason, count in self.left_out.items() if count},
            "identical_pairs": self.identical,
            "pivot": self.joins.noise if self.joins else {},
        }

    def read(self, lexicon: Lexicon, codes: set[str]) -> Iterator[WordPair]:
        """Pairs that stand in a lexicon: lines and glosses. The languages that it is read in are added to ``codes``."""
        readable = self.wanted.readable
        for row in lexicon_rows(lexicon, sorted(readable)):
            if isinstance(row, ConceptWord):
                named = {row.language} - {""}
                yield from self._word(row)
            else:
                named = {row.source_lang, row.target_lang} - {""}
                yield from self._line(row, named)
            codes |= named & readable if readable else named

    def _word(self, row: ConceptWord) -> Iterator[WordPair]:
        self.words["read"] += 1
        if row.language and self.wanted.languages and row.language not in self.wanted.languages:
            self.words["left_out"] += 1
            return
        problem = row.problem or word_problem(row.word, row.language, self.wanted.filters)
        if problem:
            self._reject_word(problem, row)
            return
        self.words["kept"] += 1
        self.concepts.setdefault(row.concept, []).append(row)
        if self.wanted.glosses and row.gloss:
            self.pairs["glosses"] += 1
            pair = WordPair(row.file, row.number, row.language, row.language, row.word, row.gloss, row.concept)
            yield pair._replace(kind="gloss")

    def _line(self, row: WordPair, codes: set[str]) -> Iterator[WordPair]:
        self.pairs["lines"] += 1
        if self.wanted.languages and not codes <= self.wanted.readable:
            self.left_out["other language"] += 1
        elif row.kind == "gloss" and not self.wanted.glosses:
            self.left_out["gloss"] += 1
        elif problem := row.problem or self._sides_problem(row):
            self._reject(problem, row)
        else:
            if self.joins and row.kind == "synonym" and len(codes) == 2:
                self.joins.keep(row)
            if self.wanted.languages and not codes <= self.wanted.languages:
                self.left_out["other language"] += 1
                return
            self._learn(row, row.source_lang, row.source)
            if row.kind != "gloss":
                self._learn(row, row.target_lang, row.target)
            yield row

    def _sides_problem(self, row: WordPair) -> str:
        problem = word_problem(row.source, row.source_lang, self.wanted.filters)
        if problem:
            return f"source: {problem}"
        problem = "" if row.kind == "gloss" else word_problem(row.target, row.target_lang, self.wanted.filters)
        return f"target: {problem}" if problem else ""

    def _learn(self, row: ConceptWord | WordPair, language: str, word: str) -> None:
        if self.wanted.self_pairs:
            pair = WordPair(row.file, row.number, language, language, word, word, row.concept, kind="self")
            self.vocabulary.setdefault((language, normalised(word)), pair)

    def from_concepts(self) -> Iterator[WordPair]:
        """Pairs of the words of each concept; a word that it has twice in one language is rejected."""
        wanted = self.wanted
        for rows in self.concepts.values():
            words: dict[tuple[str, str], ConceptWord] = {}
            for row in rows:
                if words.setdefault((row.language, normalised(row.word)), row) is not row:
                    self.words["kept"] -= 1
                    self._reject_word("twice in its concept", row)
                else:
                    self._learn(row, row.language, row.word)
            self.words["alone"] += len(words) == 1
            pairs, beyond = concept_pairs(
                list(words.values()), span=wanted.span, per_concept=wanted.per_concept, seed=wanted.seed
            )
            self.pairs["from_concepts"] += len(pairs) + beyond
            self.left_out["beyond per_concept"] += beyond
            yield from pairs

    def joined(self) -> Iterator[WordPair]:
        """Pairs of every two languages that dictionaries join through the pivot."""
        if self.joins:
            for pair in self.joins.pairs():
                self.pairs["joined"] += 1
                yield pair
            self.pairs["joined"] += self.joins.fewer_routes
            self.left_out["fewer routes"] += self.joins.fewer_routes

    def with_themselves(self) -> Iterator[WordPair]:
        """Every word with itself, once."""
        self.pairs["self"] += len(self.vocabulary)
        yield from self.vocabulary.values()

    def accepts(self, pair: WordPair) -> bool:
        """Whether a pair that could be is one; else it is rejected, and the reason counted."""
        problem = self._problem(pair)
        if problem:
            self._reject(problem, pair)
        return not problem

    def _problem(self, pair: WordPair) -> str:
        if pair.kind == "gloss":
            problem = side_problem(pair.target, pair.target_lang, self.wanted.filters.of_a_gloss)
            if problem:
                return f"gloss: {problem}"
        source, target = normalised(pair.source), normalised(pair.target)
        if source == target and pair.kind != "self":
            self.identical += 1
            if self.wanted.filters.identical == "drop":
                return "identical"
        sides = sorted(((pair.source_lang, source), (pair.target_lang, target)))
        key = text_hash("\t".join(part for side in sides for part in side))
        if key in self.seen:
            return "duplicate"
        self.seen.add(key)
        return "in a test set" if self.held_out.meets(source, target) else ""

    def _reject(self, problem: str, pair: WordPair) -> None:
        self.writer.reject(problem, pair.file, pair.number, f"{pair.source}\t{pair.target}")

    def _reject_word(self, problem: str, row: ConceptWord) -> None:
        self.words["rejected"] += 1
        self.writer.reject(problem, row.file, row.number, row.word)

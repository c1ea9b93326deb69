"""Pairs that lexicons could give, one after another, and which of them are accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from align.errors import InputError
from align.pairs.choices import check_choice
from align.pairs.filters.held_out import EvaluationWords
from align.pairs.filters.shares import draw
from align.pairs.filters.texts import WordFilters, side_problem, word_problem
from align.pairs.lexicons.format import ConceptWord, WordPair, no_word
from align.pairs.lexicons.lexicon import Lexicon, lexicon_rows
from align.pairs.lexicons.pivot import Joins, Pivot
from align.pairs.table import PairWriter
from align.text.normal_forms import normalised, text_hash

Span = Literal["within", "across", "both"]
MOST_WORDS = 5000


@dataclass
class Candidates:
    """Reads lexicons and makes pairs; ``accepts`` then judges each. Whatever gives no pair is counted.

    ``synonym_pairs`` explains the options.
    """

    writer: PairWriter
    held_out: EvaluationWords
    filters: WordFilters
    languages: frozenset[str]
    span: Span
    per_concept: int | None
    seed: int
    glosses: bool
    self_pairs: bool
    pivot: Pivot | None
    words: Counter[str] = field(default_factory=lambda: Counter(read=0, kept=0, rejected=0, left_out=0, alone=0))
    pairs: Counter[str] = field(
        default_factory=lambda: Counter({"lines": 0, "from_concepts": 0, "glosses": 0, "joined": 0, "self": 0})
    )
    left_out: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    """Of the languages that are not wanted, the rows that name them."""
    identical: int = 0
    concepts: dict[str, list[ConceptWord]] = field(default_factory=dict)
    vocabulary: dict[tuple[str, str], WordPair] = field(default_factory=dict)
    joins: Joins | None = None
    seen: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.joins = Joins(self.pivot) if self.pivot else None
        pivot = {self.pivot.language} if self.pivot and self.languages else set()
        self.readable = self.languages | pivot  # empty if all are wanted

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
        for row in lexicon_rows(lexicon, sorted(self.readable)):
            if isinstance(row, ConceptWord):
                named = {row.language} - {""}
                yield from self._word(row)
            else:
                named = {row.source_lang, row.target_lang} - {""}
                yield from self._line(row, named)
            codes |= named & self.readable if self.readable else named

    def _word(self, row: ConceptWord) -> Iterator[WordPair]:
        self.words["read"] += 1
        if row.language and self.languages and row.language not in self.languages:
            self.words["left_out"] += 1
            self.others[row.language] += 1
            return
        problem = row.problem or word_problem(row.word, row.language, self.filters)
        if problem:
            self._reject_word(problem, row)
            return
        self.words["kept"] += 1
        self.concepts.setdefault(row.concept, []).append(row)
        if self.glosses and row.gloss:
            self.pairs["glosses"] += 1
            pair = WordPair(row.file, row.number, row.language, row.language, row.word, row.gloss, row.concept)
            yield pair._replace(kind="gloss")

    def _line(self, row: WordPair, codes: set[str]) -> Iterator[WordPair]:
        self.pairs["lines"] += 1
        if self.languages and not codes <= self.readable:
            self.left_out["other language"] += 1
            self.others.update(codes - self.readable)
        elif row.kind == "gloss" and not self.glosses:
            self.left_out["gloss"] += 1
        elif problem := row.problem or self._sides_problem(row):
            self._reject(problem, row)
        else:
            if self.joins and row.kind == "synonym" and len(codes) == 2:
                self.joins.keep(row)
            if self.languages and not codes <= self.languages:
                self.left_out["other language"] += 1
                return
            self._learn(row, row.source_lang, row.source)
            if row.kind != "gloss":
                self._learn(row, row.target_lang, row.target)
            yield row

    def _sides_problem(self, row: WordPair) -> str:
        problem = word_problem(row.source, row.source_lang, self.filters)
        if problem:
            return f"source: {problem}"
        problem = "" if row.kind == "gloss" else word_problem(row.target, row.target_lang, self.filters)
        return f"target: {problem}" if problem else ""

    def _learn(self, row: ConceptWord | WordPair, language: str, word: str) -> None:
        if self.self_pairs:
            pair = WordPair(row.file, row.number, language, language, word, word, row.concept, kind="self")
            self.vocabulary.setdefault((language, normalised(word)), pair)

    def from_concepts(self) -> Iterator[WordPair]:
        """Pairs of the words of each concept; a word that it has twice in one language is rejected."""
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
                list(words.values()), span=self.span, per_concept=self.per_concept, seed=self.seed
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

    def check_languages(self) -> None:
        """Refuse lexicons of other languages alone, for a table that would be empty.

        Raises:
            InputError: no word of the languages that are wanted was read; with those that there are.
        """
        if self.others and not self.words["kept"] + self.words["rejected"] and not sum(self.writer.rejects.values()):
            found = [code for code, _ in self.others.most_common()]
            raise InputError(no_word("the lexicons", sorted(self.languages), found))

    def accepts(self, pair: WordPair) -> bool:
        """Whether a pair that could be is one; else it is rejected, and the reason counted."""
        problem = self._problem(pair)
        if problem:
            self._reject(problem, pair)
        return not problem

    def _problem(self, pair: WordPair) -> str:
        if pair.kind == "gloss":
            problem = side_problem(pair.target, pair.target_lang, self.filters.of_a_gloss)
            if problem:
                return f"gloss: {problem}"
        source, target = normalised(pair.source), normalised(pair.target)
        if source == target and pair.kind != "self":
            self.identical += 1
            if self.filters.identical == "drop":
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


def concept_pairs(
    words: Sequence[ConceptWord], *, span: Span = "both", per_concept: int | None = 10, seed: int = 0
) -> tuple[list[WordPair], int]:
    """Pairs of the n words of one concept, and how many of them all are left out.

    All pairs are n (n - 1) / 2 for ``both``; ``within`` keeps those of one language, ``across`` those of two. The draw
    depends on the seed and the concept only. Which word is the source depends on the two words alone, so that every
    language is on either side.
    """
    if len(words) > MOST_WORDS:
        first = words[0]
        raise InputError(
            f"{first.file}, line {first.number}: the concept {first.concept!r} has {len(words)} words; expected at "
            f"most {MOST_WORDS}: does the column of concepts hold something else?"
        )
    one, two = np.triu_indices(len(words), 1)  # (n (n - 1) / 2,) each
    if span != "both":
        codes = np.unique([word.language for word in words], return_inverse=True)[1] if words else one
        chosen = (codes[one] == codes[two]) == (span == "within")
        one, two = one[chosen], two[chosen]
    available = len(one)
    if per_concept is not None and available > per_concept:
        kept = draw(available, per_concept, language=words[0].concept, seed=seed)
        one, two = one[kept], two[kept]
    pairs = [_pair(words[i], words[j]) for i, j in zip(one.tolist(), two.tolist(), strict=True)]
    return pairs, available - len(pairs)


def _pair(one: ConceptWord, two: ConceptWord) -> WordPair:
    if text_hash(f"{one.language}\t{one.word}") > text_hash(f"{two.language}\t{two.word}"):
        one, two = two, one
    return WordPair(one.file, one.number, one.language, two.language, one.word, two.word, one.concept)


def check_options(span: str, per_concept: int | None) -> None:
    """Refuse options that ``concept_pairs`` cannot follow."""
    if per_concept is not None and per_concept < 1:
        raise InputError(f"per_concept must be at least 1, or None for all pairs; got {per_concept}")
    check_choice("span", span, Span)

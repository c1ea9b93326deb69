"""Pairs from the words of a concept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from align.errors import InputError
from align.pairs.filters.shares import draw
from align.pairs.lexicons.rows import ConceptWord, WordPair
from align.text.normal_forms import text_hash

Span = Literal["within", "across", "both"]
MOST_WORDS = 5000


def concept_pairs(
    words: Sequence[ConceptWord], *, span: Span = "both", per_concept: int | None = 10, seed: int = 0
) -> tuple[list[WordPair], int]:
    """Pairs of the n words of one concept, and how many of them all are left out.

    All pairs are n (n - 1) / 2 for ``both``; ``within`` keeps those of one language, ``across`` those of two. The draw
    depends on the seed and the concept only. Which word is the source depends on the two words alone, so that every
    language is on either side.

    Args:
        words: the words, each (language, word) once, of one concept.
        span: pairs within a language, across languages, or both.
        per_concept: at most so many pairs; None: all.
        seed: of the draw.

    Raises:
        InputError: the concept has more than 5000 words: its column cannot be one of concepts.
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
    """Refuse options that ``concept_pairs`` cannot follow.

    Raises:
        InputError: the span is not one of ``Span``, or no pair is allowed.
    """
    if per_concept is not None and per_concept < 1:
        raise InputError(f"per_concept must be at least 1, or None for all pairs; got {per_concept}")
    if span not in get_args(Span):
        raise InputError(f"span is one of {', '.join(get_args(Span))}; got {span!r}")

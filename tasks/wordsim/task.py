"""Word similarity: does the cosine of two words, of one language or two, follow what people say of their likeness?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.tasks.bli.word_vectors import word_vectors
from align.tasks.embedding import Encode
from align.tasks.sts.task import sts
from align.tasks.texts.sts_sets import StsSet
from align.tasks.wordsim.result import WordsimResult

Covered = Callable[[Sequence[str], str], NDArray[np.bool_]]
"""(words, language) -> (n,) whether each word has a vector."""


def wordsim(
    encode: Encode,
    sets: Mapping[str, StsSet],
    *,
    covered: Covered | None = None,
    resamples: int = 1000,
    seed: int = 0,
    per_item: bool = False,
) -> WordsimResult:
    """Correlation of the cosine of two words with the score that people gave the pair, over the covered pairs of a set.

    As ``sts``: Spearman's rho is the number to quote, cosines closer than the tie tolerance are ties, the interval is
    that of a bootstrap over pairs. A pair with a word that has no vector, or without a score (NaN), is left out and
    counted: coverage is the share of pairs scored. Each word of a language is encoded once, however many pairs and sets
    it stands in.

    Args:
        encode: (words, language) -> (n, d) finite embeddings; phrases come as they stand in the set.
        sets: test sets by name (see ``read_wordsim``).
        covered: (words, language) -> (n,) whether ``encode`` has a vector for each; ``None``: it has one for all.
        resamples: of the bootstrap (95 % percentile interval of rho); 0: no interval.
        seed: of the bootstrap.
        per_item: keep the cosine of every pair.

    Returns:
        Scores of each set, and means over the monolingual and the cross-lingual ones.

    Raises:
        InputError: no set; fewer than two covered pairs, or of one gold score only; embeddings of the wrong shape, with
            NaN, of unequal dimensions, or with equal cosines.

    References:
        Hill et al. 2015, SimLex-999, J15-4004; Camacho-Collados et al. 2017, SemEval-2017 task 2, S17-2002 (phrases,
        two languages); Vulić et al. 2020, Multi-SimLex, 2020.cl-4.5.
    """
    if not sets:
        raise InputError("no word similarity set was given")
    kept = {name: _covered_pairs(name, one, covered) for name, one in sets.items()}
    rows = _rows(kept)
    vectors = {language: word_vectors(encode, list(words), language) for language, words in rows.items()}

    def look_up(words: Sequence[str], language: str) -> NDArray[np.float32]:
        return vectors[language][[rows[language][word] for word in words]]

    result = sts(look_up, kept, resamples=resamples, seed=seed, per_item=per_item)
    return WordsimResult(result.scores, resamples, seed)


def _covered_pairs(name: str, one: StsSet, covered: Covered | None) -> StsSet:
    """The set with blanks for the words of pairs that are left out: ``sts`` passes over blank pairs and counts them."""
    keep = ~np.isnan(np.array(one.scores, dtype=np.float64))
    if covered and keep.any():
        has = [covered(words, code) for words, code in zip((one.first, one.second), one.languages, strict=True)]
        keep &= has[0] & has[1]
        if not keep.any():
            raise InputError(
                f"{name}: none of its {len(keep)} pairs is covered (vectors for {has[0].sum()} first and "
                f"{has[1].sum()} second words); expected vectors of {' and '.join(dict.fromkeys(one.languages))}, "
                "in the same case"
            )
    first, second = (
        tuple(word if kept else "" for word, kept in zip(words, keep, strict=True)) for words in (one.first, one.second)
    )
    return replace(one, first=first, second=second)


def _rows(sets: Mapping[str, StsSet]) -> dict[str, dict[str, int]]:
    """Row of each distinct word of each language, in the order of the sets."""
    rows: dict[str, dict[str, int]] = {}
    for one in sets.values():
        for language, side in zip(one.languages, (one.first, one.second), strict=True):
            for word in filter(str.strip, side):
                found = rows.setdefault(language, {})
                found.setdefault(word, len(found))
    return rows

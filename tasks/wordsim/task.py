"""Word similarity: does the cosine of two words, of one language or two, follow what people say of their likeness?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.tasks.bli.word_vectors import word_vectors
from align.tasks.embedding import Encode
from align.tasks.result import Result
from align.tasks.sts.task import SPEARMAN, StsScore, halved, scored_pairs, sts, units_of
from align.tasks.task import OneWay, Row, Task, Unit, both_sides
from align.tasks.texts.sts_sets import StsSet
from align.tasks.texts.wordsim_sets import read_wordsim

Covered = Callable[[Sequence[str], str], NDArray[np.bool_]]
"""(words, language) -> (n,) whether each word has a vector."""


def wordsim(
    encode: Encode,
    sets: Mapping[str, StsSet],
    *,
    covered: Covered | None = None,
    per_item: bool = False,
) -> Result[StsScore]:
    """Correlation of the cosine of two words with the score that people gave the pair, over the covered pairs of a set.

    As ``sts``: Spearman's rho is the number to quote, cosines closer than the tie tolerance are ties. A pair
    with a word that has no vector, or without a score (NaN), is left out and counted. Each word of a language is
    encoded once, however many pairs and sets it stands in.

    Args:
        encode: (words, language) -> (n, d) finite embeddings; phrases come as they stand in the set.
        sets: test sets by name (see ``read_wordsim``).
        covered: (words, language) -> (n,) whether ``encode`` has a vector for each; ``None``: it has one for all.
        per_item: keep the cosine of every pair.

    Returns:
        Scores of each set, whose mean rho is the headline; ``left_out`` counts the pairs that are not covered.

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

    return sts(look_up, kept, per_item=per_item)


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


def _read(source: str | Path, names: Sequence[str] | None, protocol: OneWay) -> Iterator[Unit]:
    return units_of(read_wordsim([source] if Path(source).exists() else str(source).split(",")), names)


def _rows_of_unit(encode: Encode, unit: Unit, one: StsSet, protocol: OneWay) -> list[Row]:
    covered: Covered | None = getattr(encode, "covered", None)
    found = wordsim(encode, {unit.name: one}, covered=covered, per_item=True)
    return [scored_pairs(found.scores[0], one, unit)]


TASK = Task(
    "wordsim", "do words of one language or two lie as near as people say?", _read, _rows_of_unit, both_sides,
    {SPEARMAN.name: SPEARMAN}, SPEARMAN.name, statistic="spearman", inputs="words",
    halves=lambda one, how: (*halved(one, how.seed), f"a random half of the pairs (seed {how.seed})"),
)  # fmt: skip

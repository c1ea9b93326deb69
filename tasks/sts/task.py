"""Semantic textual similarity: does the cosine of two sentences follow what people say of their likeness?"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.similarity.cosine import TIE_TOLERANCE
from align.tasks.embedding import Encode, Side, embed
from align.tasks.statistics.correlation import bootstrap_interval, pearson, sample, spearman
from align.tasks.sts.result import StsResult, StsScore
from align.tasks.texts.line_checks import check_aligned
from align.tasks.texts.sts_sets import StsSet

logger = logging.getLogger(__name__)


ROUNDING = 0.05
"""Gold scores of a row that differ by no more are the same score, rounded to one decimal in one of the files."""


def sts(
    encode: Encode,
    sets: Mapping[str, StsSet],
    *,
    cross: bool = False,
    resamples: int = 1000,
    seed: int = 0,
    per_item: bool = False,
) -> StsResult:
    """Correlation of the cosine of two sentences with their gold score, over the pairs of a set.

    Spearman's rho, with mean ranks for ties, is the number to quote; cosines are rounded to the tie tolerance (1e-06)
    before they are ranked, so that pairs of identical sentences tie as they do in the gold scores. Pearson's r is of
    the cosines as they are. A pair that is blank on either side is left out and counted.

    With ``cross``, sentence 1 of language i also meets sentence 2 of language j, for every i and j: the sets must be
    row-aligned translations of each other. Row k has the gold score that it has in the set of language i; the sets may
    differ in it by ``ROUNDING``. Each side of each set is encoded once.

    Args:
        encode: (texts, label of their language) -> (n, d) finite embeddings, never called with a blank text.
        sets: test sets by name (see ``read_sts``).
        cross: score every pair of languages.
        resamples: of the bootstrap (95 % percentile interval of rho); 0: no interval.
        seed: of the bootstrap.
        per_item: keep the cosine of every pair of sentences.

    Returns:
        Scores of each set, those across languages, and their means.

    Raises:
        InputError: no set; fewer than two pairs, or pairs of one gold score only; with ``cross`` fewer than two sets, a
            set of two languages, unequal numbers of rows, or gold scores that differ; embeddings of the wrong shape,
            with NaN, or with equal cosines.

    References:
        Cer et al. 2017, SemEval-2017 task 1, S17-2001 (pairs, Pearson); Reimers et al. 2016, C16-1009 (Spearman).
    """
    if not sets:
        raise InputError("no STS set was given")
    if resamples < 0:
        raise InputError(f"resamples must be 0 or more, got {resamples}")
    for name, one in sets.items():
        sample(_scored(one), f"{name}, gold scores")  # refused before anything is encoded
    if cross:
        _check_rows(sets)
    sides: dict[str, tuple[Side, Side]] = {}

    def score(name: str, i: str, j: str) -> StsScore:
        languages = (sets[i].languages[0], sets[j].languages[1])
        return _score(name, languages, sets[i].scores, (sides[i][0], sides[j][1]), resamples, seed, per_item)

    scores: list[StsScore] = []
    for number, (name, one) in enumerate(sets.items(), 1):
        sides[name] = (_side(encode, one, 0, name), _side(encode, one, 1, name))
        scores.append(score(name, name, name))
        if len(sets) > 1:
            logger.info("sts %d/%d: %s, Spearman %.3f", number, len(sets), name, scores[-1].spearman)
        if not cross:
            del sides[name]
    pairs = itertools.permutations(sets, 2) if cross else ()
    across = tuple(score(f"{i}-{j}", i, j) for i, j in pairs)
    return StsResult(tuple(scores), across, resamples, seed)


def _scored(one: StsSet) -> list[float]:
    """Gold scores of the pairs without a blank side."""
    rows = zip(one.scores, one.first, one.second, strict=True)
    return [score for score, first, second in rows if first.strip() and second.strip()]


def _check_rows(sets: Mapping[str, StsSet]) -> None:
    names = list(sets)
    if len(sets) < 2:
        raise InputError(f"scores across languages need at least two sets, got {names[0]}")
    for name, one in sets.items():
        if one.languages[0] != one.languages[1]:
            raise InputError(f"{name} is of two languages: scores across languages are made of sets of one each")
    if len({one.languages for one in sets.values()}) < len(sets):
        raise InputError(f"two of {', '.join(names)} are of one language: across languages expects one set of each")
    check_aligned({name: one.first for name, one in sets.items()})
    gold = np.array([one.scores for one in sets.values()])  # (sets, n)
    differ = np.flatnonzero(np.ptp(gold, axis=0) > ROUNDING + 1e-9)
    if len(differ):
        row = differ[0]
        low, high = int(gold[:, row].argmin()), int(gold[:, row].argmax())
        raise InputError(
            f"{names[low]} and {names[high]} give pair {row + 1} the scores {gold[low, row]:g} and {gold[high, row]:g} "
            f"({len(differ)} pairs differ): row-aligned sets with equal scores (to {ROUNDING}) were expected"
        )


def _side(encode: Encode, one: StsSet, which: int, name: str) -> Side:
    texts, language = (one.first, one.second)[which], one.languages[which]
    return embed(lambda given, _: encode(given, language), texts, f"{name}, {('first', 'second')[which]} sentences")


def _score(
    name: str,
    languages: tuple[str, str],
    gold: Sequence[float],
    pair: tuple[Side, Side],
    resamples: int,
    seed: int,
    per_item: bool,
) -> StsScore:
    first, second = pair
    if first.embeddings.shape[1] != second.embeddings.shape[1]:
        widths = f"{first.embeddings.shape[1]} and {second.embeddings.shape[1]}"
        raise InputError(f"{name}: the encoder returned {widths} dimensions for the two sides; expected the same")
    rows = np.flatnonzero(first.filled & second.filled)
    cosines = _cosines(first.embeddings[rows], second.embeddings[rows])
    scores = sample(np.array(gold)[rows], f"{name}, gold scores")
    ranked = sample(np.rint(cosines / TIE_TOLERANCE) * TIE_TOLERANCE, f"{name}, cosines")
    kept: list[float | None] = [None] * len(gold)
    for row, cosine in zip(rows, cosines, strict=True):
        kept[row] = float(cosine)
    return StsScore(
        name,
        *languages,
        n=len(rows),
        left_out=len(gold) - len(rows),
        spearman=spearman(ranked, scores),
        pearson=pearson(cosines, scores),
        interval=bootstrap_interval(ranked, scores, resamples=resamples, seed=seed) if resamples else None,
        cosines=tuple(kept) if per_item else None,
    )


def _cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) cosine of row i with row i; 0 where a row is all zeros."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    products = np.einsum("ij,ij->i", x, y)
    cosines: NDArray[np.float64] = np.divide(products, lengths, out=np.zeros(len(x)), where=lengths > 0)
    return cosines

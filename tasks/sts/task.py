"""Semantic textual similarity: does the cosine of two sentences follow what people say of their likeness?"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError, there_are
from align.similarity.cosine import TIE_TOLERANCE
from align.tasks.embedding import Encode, Side, embed
from align.tasks.layers import split_lines
from align.tasks.result import Result
from align.tasks.statistics.correlation import pearson, sample, spearman
from align.tasks.task import Halving, OneWay, Row, Task, Unit, both_sides, lost, row
from align.tasks.texts.line_checks import check_aligned
from align.tasks.texts.sts_sets import StsSet, read_sts

logger = logging.getLogger(__name__)


SPEARMAN = OneWay("spearman of the cosine", "spearman")
ROUNDING = 0.05
"""Gold scores of a row that differ by no more are the same score, rounded to one decimal in one of the files."""


@dataclass(frozen=True)
class StsScore:
    """Correlation of cosine and gold score over the pairs of one set."""

    name: str
    """Name of the set, or of two that were joined (``de-en``)."""
    first: str
    """Language of sentence 1."""
    second: str
    """Language of sentence 2."""
    n: int
    """Pairs scored."""
    left_out: int
    """Pairs that are blank on either side."""
    spearman: float
    """Spearman's rho, -1 to 1."""
    pearson: float
    """Pearson's r, -1 to 1."""
    cosines: tuple[float | None, ...] | None = field(default=None, repr=False)
    """Cosine of each pair, ``None`` for one left out; kept by choice."""


def sts(
    encode: Encode,
    sets: Mapping[str, StsSet],
    *,
    cross: bool = False,
    per_item: bool = False,
) -> Result[StsScore]:
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
        per_item: keep the cosine of every pair of sentences.

    Returns:
        Scores of each set, whose mean rho is the headline, then those across languages.

    Raises:
        InputError: no set; fewer than two pairs, or pairs of one gold score only; with ``cross`` fewer than two sets, a
            set of two languages, unequal numbers of rows, or gold scores that differ; embeddings of the wrong shape,
            with NaN, or with equal cosines.

    References:
        Cer et al. 2017, SemEval-2017 task 1, S17-2001 (pairs, Pearson); Reimers et al. 2016, C16-1009 (Spearman).
    """
    if not sets:
        raise InputError("no STS set was given")
    for name, one in sets.items():
        sample(_scored(one), f"{name}, gold scores")  # refused before anything is encoded
    if cross:
        _check_rows(sets)
    sides: dict[str, tuple[Side, Side]] = {}

    def score(name: str, i: str, j: str) -> StsScore:
        languages = (sets[i].languages[0], sets[j].languages[1])
        return _score(name, languages, sets[i].scores, (sides[i][0], sides[j][1]), per_item)

    scores: list[StsScore] = []
    for number, (name, one) in enumerate(sets.items(), 1):
        sides[name] = (_side(encode, one, 0, name), _side(encode, one, 1, name))
        scores.append(score(name, name, name))
        if len(sets) > 1:
            logger.info("sts %d/%d: %s, Spearman %.3f", number, len(sets), name, scores[-1].spearman)
        if not cross:
            del sides[name]
    pairs = itertools.permutations(sets, 2) if cross else ()
    across = [score(f"{i}-{j}", i, j) for i, j in pairs]
    return Result((*scores, *across), tuple(one.spearman for one in scores), SPEARMAN)


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
    for place, cosine in zip(rows, cosines, strict=True):
        kept[place] = float(cosine)
    return StsScore(
        name,
        *languages,
        n=len(rows),
        left_out=len(gold) - len(rows),
        spearman=spearman(ranked, scores),
        pearson=pearson(cosines, scores),
        cosines=tuple(kept) if per_item else None,
    )


def _cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) cosine of row i with row i; 0 where a row is all zeros."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    products = np.einsum("ij,ij->i", x, y)
    cosines: NDArray[np.float64] = np.divide(products, lengths, out=np.zeros(len(x)), where=lengths > 0)
    return cosines


def _read(
    source: str | Path,
    names: Sequence[str] | None,
    protocol: OneWay,
    *,
    split: str = "test",
    cross: bool = False,
    revision: str | None = None,
) -> Iterator[Unit]:
    """A unit for each set and, with ``cross``, for sentence 1 of one set with sentence 2 of each other."""
    sets = read_sts(source, split=split, revision=revision)
    yield from units_of(sets, names)
    if not cross:
        return
    kept = {name: one for name, one in sets.items() if names is None or name in names}
    _check_rows(kept)
    for i, j in itertools.permutations(kept, 2):
        languages = (kept[i].languages[0], kept[j].languages[1])
        one = replace(kept[i], second=kept[j].second, languages=languages)
        yield Unit(f"{i}-{j}", partial(lambda found: found, one))


def units_of(sets: Mapping[str, StsSet], names: Sequence[str] | None) -> Iterator[Unit]:
    """A unit for each set of scored pairs, or for those that are asked for."""
    yield from (
        lost(name, f"no set {name}; there are {there_are(name, sets)}") for name in names or () if name not in sets
    )
    for name, one in sets.items():
        if names is None or name in names:
            yield Unit(name, partial(lambda found: found, one), "unit")


def _rows(encode: Encode, unit: Unit, one: StsSet, protocol: OneWay) -> list[Row]:
    return [scored_pairs(sts(encode, {unit.name: one}, per_item=True).scores[0], one, unit)]


def scored_pairs(score: StsScore, one: StsSet, unit: Unit) -> Row:
    """The row of a set of scored pairs."""
    every = zip(score.cosines or (), one.scores, range(1, len(one.scores) + 1), strict=True)
    kept = [(cosine, gold, line) for cosine, gold, line in every if cosine is not None]
    return row(
        score.name, score.first, score.second, "direct" if score.first != score.second else "",
        [round(cosine, 6) for cosine, *_ in kept],
        [line if unit.lines == "number" else f"{score.name} {line}" for *_, line in kept],
        value=score.spearman, left_out=score.left_out + one.unread,
        metrics={"spearman": score.spearman, "pearson": score.pearson}, gold=[gold for _, gold, _ in kept],
    )  # fmt: skip


def _halves(one: StsSet, how: Halving) -> tuple[StsSet | None, StsSet, str]:
    """The dev split of the source, or random halves; where only other units have a dev split, these choose."""
    dev = {name: other for name, other in _dev_sets(how.source).items() if name in how.names}
    if dev:
        return dev.get(how.name), one, f"the dev split of {', '.join(dev)}"
    return *halved(one, how.seed), f"a random half of the pairs (seed {how.seed})"


def _dev_sets(source: str) -> Mapping[str, StsSet]:
    try:
        test, dev = read_sts(source), read_sts(source, split="dev")
    except InputError as error:
        logger.info("no dev split (%s): the test pairs are halved", error)
        return {}
    return {name: one for name, one in dev.items() if test.get(name) != one}  # a file without split is both


def halved(one: StsSet, seed: int) -> tuple[StsSet, StsSet]:
    """Two random halves of the pairs."""
    first, second = (
        replace(
            one, scores=tuple(one.scores[i] for i in rows), first=tuple(one.first[i] for i in rows),
            second=tuple(one.second[i] for i in rows),
        )
        for rows in split_lines(len(one.scores), seed=seed)
    )  # fmt: skip
    return first, second


TASK = Task(
    "sts", "do cosines follow what people say of likeness, within and across languages?", _read, _rows, both_sides,
    {SPEARMAN.name: SPEARMAN}, SPEARMAN.name, statistic="spearman", halves=_halves,
)  # fmt: skip

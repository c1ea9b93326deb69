"""Scores of one direction of bilingual lexicon induction: ranks, metrics, and the best candidates of each word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from align.similarity.csls import csls_top_k, neighbourhood_means
from align.similarity.ranks import best_gold_ranks
from align.tasks.bli.protocols import BliProtocol
from align.tasks.bli.units import Questions, Unit
from align.tasks.bli.words import Side, Vocabulary
from align.tasks.reranked import Reranked

Means = NDArray[np.float32] | None
"""(m,) r_S of the target vocabulary; ``None``: CSLS is not asked for."""
Ranks = Mapping[Unit, float]


class Word(NamedTuple):
    """The outcome for one unit."""

    source: str
    """The source word as it was encoded."""
    golds: tuple[str, ...]
    """Its translations among the candidates; (): it was not covered."""
    ranks: Mapping[str, float]
    """Rank of the best translation by method; empty where it was not covered."""


class Translation(NamedTuple):
    """One candidate found for a source word."""

    method: str
    """``NN`` or ``CSLS``."""
    source: str
    """The source word as it was encoded."""
    rank: int
    """From 1."""
    candidate: str
    """The word found."""
    score: float
    """Cosine, or CSLS = 2 cos - r_T - r_S."""
    gold: bool
    """Whether the dictionary says so."""


@dataclass(frozen=True)
class MethodScore:
    """What one method of retrieval, NN or CSLS, scored in one direction."""

    metrics: Mapping[str, float]
    """P@1, P@5, P@10, MRR, from 0 to 1."""
    with_identical: float
    """P@1 over all lines."""
    without_identical: float | None
    """P@1 when lines whose two words are the same are no part of the dictionary; ``None``: no unit is left."""


@dataclass(frozen=True)
class BliScore:
    """One direction: words of one language among the candidates of another."""

    source: str
    """Language of the questions."""
    target: str
    """Language of the candidates."""
    lines: int
    """Of the dictionary."""
    duplicates: int
    """Lines that repeat an earlier one."""
    units: int
    """Source words or lines, as the protocol says, covered or not."""
    covered: int
    """Units that can be answered."""
    n: int
    """Units that count: the denominator."""
    candidates: int
    """Words searched."""
    golds_per_source: float
    """Mean number of different translations among the candidates, over source words that have one."""
    identical: float
    """Share of the lines whose two words are the same but for case."""
    outside_script: float
    """Share of the target vocabulary in another script than the language's, before a script filter."""
    methods: Mapping[str, MethodScore]
    """By ``NN`` and ``CSLS``."""
    words: tuple[Word, ...] | None = field(default=None, repr=False)
    """The outcome for each unit; kept by choice."""
    translations: tuple[Translation, ...] = field(default=(), repr=False)
    """The best candidates of each covered source word; kept by choice."""

    @property
    def coverage(self) -> float:
        """Share of the units that can be answered."""
        return self.covered / self.units


def score_direction(
    asked: Questions,
    source: Side,
    target: Side,
    candidates: Vocabulary,
    means: Means,
    protocol: BliProtocol,
    *,
    per_word: bool,
    translations: int,
    reranked: Reranked | None = None,
) -> BliScore:
    """The score of one direction; arguments as of ``bli_pairs``."""
    ranks = _ranks(asked.covered, source, target, candidates, means, protocol)
    if reranked is not None:
        ranks = _reranked(reranked, ranks, source, target, candidates, means, protocol)
    covered = [unit for unit in asked.chosen if unit.golds]
    golds: dict[str, set[int]] = {}
    for unit in covered:
        golds.setdefault(unit.source, set()).update(unit.golds)
    words = [
        Word(u.source, tuple(candidates.words[g] for g in u.golds), {m: r[u] for m, r in ranks.items() if u.golds})
        for u in (asked.chosen if per_word else ())
    ]
    return BliScore(
        candidates=len(candidates.candidates),
        source=asked.dictionary.languages[0],
        target=asked.dictionary.languages[1],
        lines=len(asked.dictionary.pairs),
        duplicates=asked.dictionary.duplicates,
        units=len(asked.chosen),
        covered=len(covered),
        n=len(_counted(asked.chosen, protocol)),
        golds_per_source=sum(map(len, golds.values())) / len(golds),
        identical=asked.dictionary.identical,
        outside_script=candidates.outside_script,
        methods={name: _method(asked, found, protocol) for name, found in ranks.items()},
        words=tuple(words) if per_word else None,
        translations=tuple(_best(golds, source, target, candidates, means, translations, protocol)),
    )


def _ranks(
    units: Sequence[Unit], source: Side, target: Side, candidates: Vocabulary, means: Means, protocol: BliProtocol
) -> dict[str, Ranks]:
    queries = source.look_up([unit.source for unit in units])
    methods: dict[str, Means] = {"NN": None} if means is None else {"NN": None, "CSLS": means}
    found: dict[str, Ranks] = {}
    for name, penalty in methods.items():
        ranks = best_gold_ranks(
            queries,
            target.vectors,
            [unit.golds for unit in units],
            candidate_means=penalty,
            ties=protocol.ties,
            mask=candidates.mask,
        )
        found[name] = dict(zip(units, ranks.tolist(), strict=True))
    return found


def _reranked(
    by: Reranked, ranks: Mapping[str, Ranks], source: Side, target: Side, candidates: Vocabulary, means: Means,
    protocol: BliProtocol,
) -> dict[str, Ranks]:  # fmt: skip
    """The same once a scorer has put the nearest of each method in its order."""
    units = list(next(iter(ranks.values())))
    words = [unit.source for unit in units]
    found: dict[str, Ranks] = {}
    for method, _, nearest in _nearest(words, source, target, candidates, means, protocol.rerank_depth or 0, protocol):
        right = np.array([np.isin(rows, unit.golds) for rows, unit in zip(nearest, units, strict=True)])
        before = np.array([ranks[method][unit] for unit in units])
        after = by.ranks(before, nearest, right, words, candidates.words)
        found[method] = dict(zip(units, after.tolist(), strict=True))
    return found


def _counted(units: Sequence[Unit], protocol: BliProtocol) -> list[Unit]:
    return [unit for unit in units if unit.golds or protocol.denominator == "all"]


def _method(asked: Questions, ranks: Ranks, protocol: BliProtocol) -> MethodScore:
    def of(units: Sequence[Unit]) -> NDArray[np.float64]:
        return np.array([ranks.get(unit, np.inf) for unit in _counted(units, protocol)])

    chosen, dropped = of(asked.chosen), of(asked.dropped)
    return MethodScore(
        metrics={f"P@{k}": float((chosen <= k).mean()) for k in (1, 5, 10)} | {"MRR": float((1 / chosen).mean())},
        with_identical=float((of(asked.kept) <= 1).mean()),
        without_identical=float((dropped <= 1).mean()) if len(dropped) else None,
    )


def _best(
    golds: Mapping[str, set[int]],
    source: Side,
    target: Side,
    candidates: Vocabulary,
    means: Means,
    k: int,
    protocol: BliProtocol,
) -> Iterator[Translation]:
    """The ``k`` best candidates of each source word: by NN all of them, then by CSLS."""
    if not k:
        return
    for method, scores, rows in _nearest(list(golds), source, target, candidates, means, k, protocol):
        for word, word_scores, word_rows in zip(golds, scores.tolist(), rows.tolist(), strict=True):
            for rank, (score, row) in enumerate(zip(word_scores, word_rows, strict=True), 1):
                yield Translation(method, word, rank, candidates.words[row], score, row in golds[word])


def _nearest(
    words: Sequence[str], source: Side, target: Side, candidates: Vocabulary, means: Means, k: int,
    protocol: BliProtocol,
) -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.int64]]]:  # fmt: skip
    """By method, the scores and the rows of the ``k`` best candidates of each source word: first NN, then CSLS."""
    queries, vectors, mask = source.look_up(words), target.vectors, candidates.mask
    rows = np.arange(len(vectors)) if mask is None else np.flatnonzero(mask)
    searched = vectors if mask is None else vectors[rows]
    scores, places = csls_top_k(queries, searched, k)
    yield "NN", scores, rows[places]
    if means is not None:
        query_means, _ = neighbourhood_means(queries, vectors, k=protocol.csls_k)
        scores, places = csls_top_k(queries, searched, k, query_means=query_means, candidate_means=means[rows])
        yield "CSLS", scores, rows[places]


def translation_lines(scores: Iterable[BliScore]) -> Iterator[str]:
    """Lines of a table of the translations that were kept, a header first, parted by TABs."""
    yield "source_lang\ttarget_lang\tmethod\tsource\trank\tcandidate\tscore\tgold"
    for score in scores:
        for t in score.translations:
            yield (
                f"{score.source}\t{score.target}\t{t.method}\t{t.source}\t{t.rank}\t{t.candidate}\t{t.score:.6f}\t"
                f"{'yes' if t.gold else 'no'}"
            )

"""Scores of one direction of bilingual lexicon induction: ranks, metrics, and the best candidates of each word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from align.similarity.csls import csls_top_k, neighbourhood_means
from align.similarity.ranks import best_gold_ranks
from align.tasks.bli.protocols import BliProtocol
from align.tasks.bli.result import BliScore, MethodScore, Translation, Word
from align.tasks.bli.units import Questions, Unit
from align.tasks.bli.words import Side, Vocabulary
from align.tasks.statistics.intervals import bootstrap_mean

Means = NDArray[np.float32] | None
"""(m,) r_S of the target vocabulary; ``None``: CSLS is not asked for."""
Ranks = Mapping[Unit, float]


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
    resamples: int,
) -> BliScore:
    """The score of one direction; arguments as of ``bli_pairs``."""
    ranks = _ranks(asked.covered, source, target, candidates, means, protocol)
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
        methods={name: _method(asked, found, protocol, resamples > 0) for name, found in ranks.items()},
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


def _counted(units: Sequence[Unit], protocol: BliProtocol) -> list[Unit]:
    return [unit for unit in units if unit.golds or protocol.denominator == "all"]


def _method(asked: Questions, ranks: Ranks, protocol: BliProtocol, interval: bool) -> MethodScore:
    def of(units: Sequence[Unit]) -> NDArray[np.float64]:
        return np.array([ranks.get(unit, np.inf) for unit in _counted(units, protocol)])

    chosen, dropped = of(asked.chosen), of(asked.dropped)
    words = [unit.source for unit in _counted(asked.chosen, protocol)]
    return MethodScore(
        metrics={f"P@{k}": float((chosen <= k).mean()) for k in (1, 5, 10)} | {"MRR": float((1 / chosen).mean())},
        interval=bootstrap_mean(chosen <= 1, lines=words) if interval else None,
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
    queries, vectors, mask = source.look_up(list(golds)), target.vectors, candidates.mask
    rows = np.arange(len(vectors)) if mask is None else np.flatnonzero(mask)
    searched = vectors if mask is None else vectors[rows]
    found = {"NN": csls_top_k(queries, searched, k)}
    if means is not None:
        query_means, _ = neighbourhood_means(queries, vectors, k=protocol.csls_k)
        found["CSLS"] = csls_top_k(queries, searched, k, query_means=query_means, candidate_means=means[rows])
    for method, (scores, places) in found.items():
        for word, word_scores, word_rows in zip(golds, scores.tolist(), rows[places].tolist(), strict=True):
            for rank, (score, row) in enumerate(zip(word_scores, word_rows, strict=True), 1):
                yield Translation(method, word, rank, candidates.words[row], score, row in golds[word])

"""What bilingual lexicon induction returns: a score for each direction and averages; as JSON, tables and TSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from align.tasks.bli.protocols import METRICS, BliProtocol
from align.tasks.table import Cell, markdown


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
    interval: tuple[float, float] | None
    """95 % interval of P@1 (Wilson), by source word; ``None``: none was asked for."""
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


@dataclass(frozen=True)
class BliAverage:
    """Unweighted mean over directions."""

    group: str
    """``all``, ``from CODE`` or ``to CODE``."""
    directions: int
    """How many were averaged."""
    methods: Mapping[str, Mapping[str, float]]
    """P@1, P@5, P@10 and MRR by method."""


@dataclass(frozen=True)
class BliResult:
    """Scores of bilingual lexicon induction under one protocol."""

    protocol: BliProtocol
    scores: tuple[BliScore, ...]
    resamples: int
    """0: there are no intervals."""
    seed: int
    """As it was given: Wilson's interval draws nothing."""

    def headline(self) -> float:
        """Mean of the protocol's headline number over directions."""
        method, _, metric = self.protocol.headline.partition(" ")
        return _mean("all", self.scores).methods[method][metric]

    def averages(self) -> tuple[BliAverage, ...]:
        """Means over all directions, and over those from or to each language that has several; all weigh the same."""
        groups: dict[str, list[BliScore]] = {}
        for score in self.scores:
            for group in (f"from {score.source}", f"to {score.target}"):
                groups.setdefault(group, []).append(score)
        several = sorted(name for name, group in groups.items() if len(group) > 1)
        return (*(_mean(name, groups[name]) for name in several), _mean("all", self.scores))

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values but the translations, which are a table of their own; ``words`` where kept."""
        return {
            "task": "bli",
            "protocol": asdict(self.protocol),
            "headline": {self.protocol.headline: self.headline()},
            "scores": [_row(score) for score in self.scores],
            "averages": [asdict(average) for average in self.averages()],
            "interval": {"of": "P@1 (Wilson, by source word)", "level": 0.95} if self.resamples else None,
        }

    def table(self) -> str:
        """The protocol, then Markdown tables of what was asked, of scores and of averages.

        ``with identical`` and ``without`` are P@1 with all lines and without those whose two words are the same.
        """
        asked: list[list[Cell]] = [
            [s.source, s.target, s.lines, s.units, s.covered, s.coverage, s.candidates, s.golds_per_source, s.identical,
             s.outside_script]
            for s in self.scores
        ]  # fmt: skip
        head = ["source", "target", "lines", "units", "covered", "coverage", "candidates", "golds", "identical"]
        parts = [self.protocol.describe(), markdown([*head, "other script"], asked), self._scores()]
        if len(self.scores) > 1:
            means: list[list[Cell]] = [
                [average.group, average.directions, method, *(metrics[name] for name in METRICS)]
                for average in self.averages()
                for method, metrics in average.methods.items()
            ]
            parts.append(markdown(["mean", "directions", "method", *METRICS], means))
        return "\n\n".join(parts)

    def _scores(self) -> str:
        header = ["source", "target", "method", "n", *METRICS, "with identical", "without"]
        rows: list[list[Cell]] = []
        for score in self.scores:
            for method, found in score.methods.items():
                metrics = [found.metrics[name] for name in METRICS]
                out: Cell = "-" if found.without_identical is None else found.without_identical
                row: list[Cell] = [score.source, score.target, method, score.n, *metrics, found.with_identical, out]
                rows.append([*row, *(found.interval or ())])
        return markdown([*header, *(["P@1 low", "high"] if self.resamples else [])], rows)

    def translations(self) -> Iterable[str]:
        """Lines of a table of the translations that were kept, a header first, parted by TABs."""
        yield "source_lang\ttarget_lang\tmethod\tsource\trank\tcandidate\tscore\tgold"
        for score in self.scores:
            for t in score.translations:
                yield (
                    f"{score.source}\t{score.target}\t{t.method}\t{t.source}\t{t.rank}\t{t.candidate}\t{t.score:.6f}\t"
                    f"{'yes' if t.gold else 'no'}"
                )


def _mean(group: str, scores: Sequence[BliScore]) -> BliAverage:
    return BliAverage(
        group,
        len(scores),
        {
            method: {name: float(np.mean([s.methods[method].metrics[name] for s in scores])) for name in METRICS}
            for method in scores[0].methods
        },
    )


def _row(score: BliScore) -> dict[str, Any]:
    row = asdict(replace(score, words=None, translations=())) | {"coverage": score.coverage}
    del row["words"], row["translations"]
    return row if score.words is None else row | {"words": [word._asdict() for word in score.words]}

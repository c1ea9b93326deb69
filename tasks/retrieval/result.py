"""What sentence retrieval returns: a score for each search, averages per script, script gaps; as JSON and a table."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from align.errors import InputError
from align.tasks.retrieval.protocols import METRICS, Protocol, in_headline
from align.tasks.table import Cell, markdown


@dataclass(frozen=True)
class Score:
    """One search: every line of one language among the lines of another."""

    queries: str
    """Language of the queries."""
    candidates: str
    """Language that is searched."""
    n: int
    """Lines scored; there are as many candidates."""
    left_out: int
    """Lines that are blank on either side."""
    metrics: Mapping[str, float]
    """P@1, P@5, P@10, MRR, from 0 to 1."""
    ranks: tuple[int, ...] | None = field(default=None, repr=False)
    """Rank of the right answer for each line, 0 for a line left out; kept by choice."""
    hubness: float | None = None
    """Skewness of how often each candidate is among the ten nearest, see ``measures.geometry``; by choice."""
    anisotropy: float | None = None
    """Mean cosine of two candidates; by choice."""


@dataclass(frozen=True)
class ScriptGap:
    """P@1 lost when the same language is written in its other script."""

    language: str
    """ISO 639-3."""
    scripts: tuple[str, str]
    """A and B, in alphabetical order."""
    other: str
    """The language X that both are searched against."""
    direction: str
    """``to_other``: P@1(A -> X) - P@1(B -> X); ``from_other``: P@1(X -> A) - P@1(X -> B)."""
    gap: float
    """-1 to 1; above 0 when A does better."""


@dataclass(frozen=True)
class Average:
    """Unweighted mean over searches of one script and direction."""

    script: str
    """Script of the side that is not the pivot; for ``direct`` searches both; ``all``: every one."""
    direction: str
    """``to_pivot``, ``from_pivot``, or ``direct`` for searches without the pivot."""
    searches: int
    """How many were averaged."""
    metrics: Mapping[str, float]
    """As in ``Score``."""


@dataclass(frozen=True)
class RetrievalResult:
    """Scores of sentence retrieval under one protocol."""

    protocol: Protocol
    scores: tuple[Score, ...]
    script_gaps: tuple[ScriptGap, ...] = ()

    def direction(self, score: Score) -> str:
        """``to_pivot``, ``from_pivot`` or ``direct``."""
        if score.candidates == self.protocol.pivot:
            return "to_pivot"
        return "from_pivot" if score.queries == self.protocol.pivot else "direct"

    def averages(self) -> tuple[Average, ...]:
        """Mean over languages, per script and over all, for each direction apart; languages weigh the same."""
        groups: dict[tuple[str, str], list[Score]] = {}
        for score in self.scores:
            direction = self.direction(score)
            for script in (self._script(score, direction), "all"):
                groups.setdefault((direction, script), []).append(score)
        ordered = sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] == "all", item[0][1]))
        return tuple(Average(script, direction, len(group), _mean(group)) for (direction, script), group in ordered)

    def _script(self, score: Score, direction: str) -> str:
        queries, candidates = script_of(score.queries), script_of(score.candidates)
        return {"to_pivot": queries, "from_pivot": candidates}.get(direction, f"{queries}-{candidates}")

    def headline(self) -> float:
        """Mean of the protocol's headline metric over all searches with the pivot (over all if none has it)."""
        return self.means()[self.protocol.headline]

    def means(self) -> dict[str, float]:
        """Mean of every metric over the searches that the headline is of."""
        counted = in_headline([self.direction(score) for score in self.scores])
        return _mean([self.scores[i] for i in counted])

    def mean_script_gap(self) -> float | None:
        """Mean of the absolute script gaps; ``None`` when no language came in two scripts."""
        return float(np.mean([abs(gap.gap) for gap in self.script_gaps])) if self.script_gaps else None

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; ``ranks``, ``hubness`` and ``anisotropy`` only where there are such."""
        rows = [
            {**asdict(score), "metrics": dict(score.metrics), "direction": self.direction(score)}
            for score in self.scores
        ]
        for row in rows:
            for name in ("ranks", "hubness", "anisotropy"):
                if row[name] is None:
                    del row[name]
        return {
            "task": "retrieval",
            "protocol": asdict(self.protocol),
            "headline": {self.protocol.headline: self.headline()},
            "scores": rows,
            "averages": [{**asdict(average), "metrics": dict(average.metrics)} for average in self.averages()],
            "script_gaps": [asdict(gap) for gap in self.script_gaps],
            "mean_script_gap": self.mean_script_gap(),
        }

    def table(self) -> str:
        """The protocol, then Markdown tables of searches, averages and script gaps."""
        scores: list[list[Cell]] = [[s.queries, s.candidates, s.n, s.left_out, *_cells(s.metrics)] for s in self.scores]
        averages: list[list[Cell]] = [[a.script, a.direction, a.searches, *_cells(a.metrics)] for a in self.averages()]
        parts = [
            self.protocol.describe(),
            markdown(["queries", "candidates", "n", "left out", *METRICS], scores),
            markdown(["script", "direction", "searches", *METRICS], averages),
        ]
        if self.script_gaps:
            gaps: list[list[Cell]] = [
                [f"{g.language} {' - '.join(g.scripts)}", g.other, g.direction, g.gap] for g in self.script_gaps
            ]
            parts += ["Script gap: P@1 of the first script minus P@1 of the second"]
            parts += [markdown(["language", "other", "direction", "gap"], gaps)]
        return "\n\n".join(parts)


def combine(results: Sequence[RetrievalResult]) -> RetrievalResult:
    """One result of several text sets (such as the 112 of Tatoeba), scored under the same protocol.

    Raises:
        InputError: no results, or protocols differ.
    """
    protocols = {result.protocol for result in results}
    if len(protocols) != 1:
        names = sorted(protocol.name for protocol in protocols)
        raise InputError(f"expected results of one protocol, got {', '.join(names) or 'none'}")
    chain = itertools.chain.from_iterable
    scores, gaps = chain(r.scores for r in results), chain(r.script_gaps for r in results)
    return RetrievalResult(results[0].protocol, tuple(scores), tuple(gaps))


def script_gaps(scores: Sequence[Score]) -> tuple[ScriptGap, ...]:
    """Gaps of every language scored in two scripts A, B against the same other language X, in each direction.

    gap = P@1(A -> X) - P@1(B -> X), and P@1(X -> A) - P@1(X -> B), with A before B in the alphabet.
    """
    found = {(score.queries, score.candidates): score.metrics["P@1"] for score in scores}
    codes = sorted({code for pair in found for code in pair})
    gaps = []
    for a, b in same_language(codes):
        for other in (code for code in codes if code.partition("_")[0] != a.partition("_")[0]):
            for direction, first, second in (
                ("to_other", (a, other), (b, other)),
                ("from_other", (other, a), (other, b)),
            ):
                if first in found and second in found:
                    scripts = (script_of(a), script_of(b))
                    gap = found[first] - found[second]
                    gaps.append(ScriptGap(a.partition("_")[0], scripts, other, direction, gap))
    return tuple(gaps)


def same_language(codes: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of codes that are one language in two scripts, in alphabetical order."""
    pairs = itertools.combinations(sorted(codes), 2)
    return [(a, b) for a, b in pairs if a.partition("_")[0] == b.partition("_")[0]]


def script_of(code: str) -> str:
    """``Deva`` of ``hin_Deva``."""
    return code.partition("_")[2]


def _mean(scores: Sequence[Score]) -> dict[str, float]:
    return {name: float(np.mean([score.metrics[name] for score in scores])) for name in METRICS}


def _cells(metrics: Mapping[str, float]) -> list[float]:
    return [metrics[name] for name in METRICS]

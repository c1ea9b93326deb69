"""What MEXA returns: a curve over layers for each language and pooling, means and maxima; as JSON and a table."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from align.errors import InputError
from align.tasks.layers import best_layer, mean_curve
from align.tasks.table import Cell, markdown


def chance(n: int) -> float:
    """MEXA of random vectors: 1 / (2n - 1), the share of the 2n - 1 cosines of a row and a column that is the own.

    >>> round(chance(100), 5)
    0.00503
    """
    return 1 / (2 * n - 1)


@dataclass(frozen=True)
class MexaScore:
    """One language with the pivot, by one pooling."""

    language: str
    """Code."""
    pooling: str
    """mean, weighted, last, cls, or nothing: the model's own."""
    n: int
    """Lines scored."""
    left_out: int
    """Lines that are blank in the language or the pivot."""
    curve: tuple[float, ...]
    """(L',) mu at each layer, 0 to 1."""
    hits: tuple[tuple[int, ...], ...] | None = field(default=None, repr=False)
    """(L', n) 1 where a line hits at a layer; kept by choice."""

    @property
    def mean(self) -> float:
        """Mean of mu over layers."""
        return float(np.mean(self.curve))

    @property
    def max(self) -> float:
        """Highest mu of a layer."""
        return max(self.curve)

    @property
    def items(self) -> list[float] | None:
        """(n,) share of the layers at which each line hits; their mean is ``mean``. ``None``: hits were not kept."""
        return None if self.hits is None else [float(share) for share in np.mean(self.hits, axis=0)]


@dataclass(frozen=True)
class Missing:
    """A language that could not be scored."""

    name: str
    """Code."""
    reason: str
    """One sentence."""


@dataclass(frozen=True)
class MexaResult:
    """MEXA of a model."""

    pivot: str
    """The language that all are compared with."""
    n: int
    """Lines asked for, at most those there are."""
    layers: tuple[int, ...]
    """(L',) k of hidden_states[k], in the order of the curves."""
    scores: tuple[MexaScore, ...]
    """By language, and within it by pooling."""
    missing: tuple[Missing, ...] = ()
    """Languages without a score."""
    accuracy: Mapping[str, float] = field(default_factory=dict)
    """Accuracy of tasks in the pivot, by name."""

    @property
    def poolings(self) -> list[str]:
        """Names of the poolings, the first of which makes the headline."""
        return list(dict.fromkeys(score.pooling for score in self.scores))

    def headline(self, pooling: str | None = None) -> float:
        """Mean over languages of the mean over layers, by the first pooling or the one named."""
        return float(np.mean([score.mean for score in self._of(pooling)]))

    def adjusted(self, score: MexaScore) -> dict[str, dict[str, float]]:
        """Score (mu) times accuracy, for each task: its estimate in the language, from mean and maximum of mu."""
        return {task: {"mean": score.mean * value, "max": score.max * value} for task, value in self.accuracy.items()}

    def curves(self, pooling: str | None = None) -> dict[str, Any]:
        """The ``layers`` object of a result file: curves of the first pooling, or of the one named.

        ``best`` is the layer of the highest mean over languages on these very lines: a finding, not a test score.
        """
        curves = {score.language: score.curve for score in self._of(pooling)}
        mean = mean_curve(curves)
        return {
            "metric": "MEXA",
            "best": self.layers[best_layer(mean)],
            "chosen_on": "the lines that are scored",
            "mean": mean,
            "curves": {language: list(curve) for language, curve in curves.items()},
            "layers": list(self.layers),
        }

    def describe(self) -> str:
        """One line for the head of a table: all that a number depends on beside the model and the text."""
        counts = sorted({score.n for score in self.scores})
        sizes = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        return (
            f"mexa: share of lines nearer to their translation than to any other line, and it to them; cosine with "
            f"{self.pivot}; strict (a tie is no hit; 1e-12 for rounding); n = {sizes} (first {self.n} lines), chance "
            f"{chance(counts[-1]):.3f}; hidden_states[{self.layers[0]}..{self.layers[-1]}], "
            f"{len(self.layers)} layers, by mean (headline) and maximum; pooling {self._named(self.poolings)}"
        )

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; ``hits`` and ``items`` only where they were kept."""
        return {
            "task": "mexa",
            "headline": {"mexa": self.headline()},
            "protocol": self.describe(),
            "pivot": self.pivot,
            "scores": [self._row(score) for score in self.scores],
            "means": [
                {
                    "pooling": pooling,
                    "mean": self.headline(pooling),
                    "max": float(np.mean([score.max for score in self._of(pooling)])),
                }
                for pooling in self.poolings
            ],
            "missing": [asdict(one) for one in self.missing],
            "accuracy": dict(self.accuracy),
            "layers": self.curves(),
        }

    def table(self) -> str:
        """The protocol, then Markdown tables: languages with mean and maximum, and the curves of each pooling."""
        header = ["language", "pooling", "n", "left out", "chance", "mean", "max", "at layer"]
        header += [f"{task}, {kind}" for task in self.accuracy for kind in ("mean", "max")]
        rows: list[list[Cell]] = []
        for s in self.scores:
            top = self.layers[best_layer(s.curve)]
            adjusted = [value for pair in self.adjusted(s).values() for value in pair.values()]
            named = self._named([s.pooling])
            rows.append([s.language, named, s.n, s.left_out, chance(s.n), s.mean, s.max, top, *adjusted])
        for pooling in self.poolings:
            mean, top_mean = self.headline(pooling), float(np.mean([score.max for score in self._of(pooling)]))
            rows.append(["mean", self._named([pooling]), "", "", "", mean, top_mean, *[""] * (len(header) - 7)])
        parts = [self.describe(), markdown(header, rows)]
        for pooling in self.poolings:
            curves: list[list[Cell]] = [[s.language, *s.curve] for s in self._of(pooling)]
            curves.append(["mean", *mean_curve({s.language: s.curve for s in self._of(pooling)})])
            parts.append(markdown([f"{self._named([pooling])}, layer", *map(str, self.layers)], curves))
        parts += [f"missing: {one.name}: {one.reason}" for one in self.missing]
        return "\n\n".join(parts)

    def _of(self, pooling: str | None) -> list[MexaScore]:
        wanted = self.poolings[0] if pooling is None else pooling
        found = [score for score in self.scores if score.pooling == wanted]
        if not found:
            raise InputError(f"no score is pooled by {wanted!r}: there are {self._named(self.poolings)}")
        return found

    def _named(self, poolings: Sequence[str]) -> str:
        return ", ".join(pooling or "the model's own" for pooling in poolings)

    def _row(self, score: MexaScore) -> dict[str, Any]:
        row = asdict(score) | {"mean": score.mean, "max": score.max, "chance": chance(score.n)}
        row["at_layer"] = self.layers[best_layer(score.curve)]
        if score.hits is None:
            del row["hits"]
        else:
            row["items"] = score.items
        if self.accuracy:
            row["adjusted"] = self.adjusted(score)
        return row


def combine_mexa(results: Sequence[MexaResult]) -> MexaResult:
    """One result of several text sets (such as those of Tatoeba), each with pivot lines of its own.

    Raises:
        InputError: no results, or of different pivots, layers or accuracies.
    """
    if len({(one.pivot, one.layers, tuple(one.accuracy.items())) for one in results}) != 1:
        raise InputError("expected MEXA results of one pivot, the same layers and accuracies")
    chain = itertools.chain.from_iterable
    scores, missing = chain(one.scores for one in results), chain(one.missing for one in results)
    first = results[0]
    n = max(one.n for one in results)
    return MexaResult(first.pivot, n, first.layers, tuple(scores), tuple(missing), first.accuracy)

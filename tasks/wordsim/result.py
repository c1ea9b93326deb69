"""What word similarity returns: scores of sets, coverage and means; as JSON and a table, for one layer or several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from align.tasks.sts.result import StsMean, StsResult, StsScore
from align.tasks.table import Cell, markdown

_GROUPS = {"sets": "all sets", "diagonal": "monolingual", "off diagonal": "cross-lingual"}


@dataclass(frozen=True)
class WordsimResult:
    """Scores of word similarity."""

    scores: tuple[StsScore, ...]
    """One for each set; ``left_out`` counts the pairs that are not covered or have no score."""
    resamples: int
    """Of the bootstrap; 0: there are no intervals."""
    seed: int
    """Of the bootstrap."""

    def headline(self) -> float:
        """Mean rho over the sets."""
        return self._sts().headline()

    def coverage(self) -> float:
        """Share of the pairs of all sets that were scored."""
        return sum(s.n for s in self.scores) / sum(s.n + s.left_out for s in self.scores)

    def means(self) -> tuple[StsMean, ...]:
        """Unweighted means over all sets and, where sets of two languages are among them, over those and the others."""
        return tuple(replace(mean, group=_GROUPS[mean.group]) for mean in self._sts().means())

    def describe(self) -> str:
        """One line for the head of a table: all that a number depends on beside the model and the words."""
        interval = f"; interval: 95 % of {self.resamples} bootstrap resamples, seed {self.seed}"
        return (
            "wordsim: Spearman (headline) and Pearson correlation of the cosine of two words with people's score, over "
            f"covered pairs; ties get their mean rank; cosines are ranked to 1e-06{interval if self.resamples else ''}"
        )

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; ``cosines`` only where they were kept."""
        return {
            "task": "wordsim",
            "headline": {"spearman": self.headline(), "coverage": self.coverage()},
            "scores": [
                row | {"coverage": _coverage(score)}
                for row, score in zip(self._sts().to_json()["scores"], self.scores, strict=True)
            ],
            "means": [asdict(mean) for mean in self.means()],
            "bootstrap": {"resamples": self.resamples, "seed": self.seed, "level": 0.95},
            "protocol": self.describe(),
        }

    def table(self) -> str:
        """The protocol, then Markdown tables of sets and of means."""
        header = ["set", "word 1", "word 2", "n", "coverage", "Spearman", "Pearson"]
        rows: list[list[Cell]] = [
            [s.name, s.first, s.second, s.n, _coverage(s), s.spearman, s.pearson] for s in self.scores
        ]
        if self.resamples:
            header += ["low", "high"]
            for row, score in zip(rows, self.scores, strict=True):
                row += score.interval or ("-", "-")
        means: list[list[Cell]] = [[m.group, m.scores, m.spearman, m.pearson] for m in self.means()]
        tables = [markdown(header, rows), markdown(["mean over", "sets", "Spearman", "Pearson"], means)]
        return "\n\n".join([self.describe(), *tables])

    def _sts(self) -> StsResult:
        return StsResult(self.scores, (), self.resamples, self.seed)


def layers_json(results: Mapping[int, WordsimResult]) -> dict[str, Any]:
    """Results of several layers of one encoder as plain values."""
    return {"task": "wordsim", "layers": {str(layer): result.to_json() for layer, result in results.items()}}


def layers_table(results: Mapping[int, WordsimResult]) -> str:
    """The protocol, then Spearman's rho as Markdown tables: a row for each set and mean, a column for each layer."""
    one, layers = next(iter(results.values())), [str(layer) for layer in results]
    rows: list[list[Cell]] = [
        [score.name, score.n, _coverage(score), *(result.scores[i].spearman for result in results.values())]
        for i, score in enumerate(one.scores)
    ]
    means: list[list[Cell]] = [
        [mean.group, mean.scores, *(result.means()[i].spearman for result in results.values())]
        for i, mean in enumerate(one.means())
    ]
    tables = [
        markdown(["Spearman at layer", "n", "coverage", *layers], rows),
        markdown(["mean over", "sets", *layers], means),
    ]
    return "\n\n".join([one.describe(), *tables])


def _coverage(score: StsScore) -> float:
    return score.n / (score.n + score.left_out)

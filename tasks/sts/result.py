"""What semantic textual similarity returns: scores of sets and across languages, means; as JSON and a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from align.tasks.table import Cell, markdown


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
    interval: tuple[float, float] | None
    """95 % bootstrap interval of rho; ``None``: none was asked for, or no resample has a rho."""
    cosines: tuple[float | None, ...] | None = field(default=None, repr=False)
    """Cosine of each pair, ``None`` for one left out; kept by choice."""


@dataclass(frozen=True)
class StsMean:
    """Unweighted mean over scores: a large set counts as much as a small one."""

    group: str
    """``sets``: every set as it was read; ``diagonal``: both sentences in one language; ``off diagonal``: in two."""
    scores: int
    """How many were averaged."""
    spearman: float
    """Mean rho."""
    pearson: float
    """Mean r."""


@dataclass(frozen=True)
class StsResult:
    """Scores of semantic textual similarity."""

    scores: tuple[StsScore, ...]
    """One for each set."""
    across: tuple[StsScore, ...]
    """Sentence 1 of one set with sentence 2 of another, for every two; empty unless asked for."""
    resamples: int
    """Of the bootstrap; 0: there are no intervals."""
    seed: int
    """Of the bootstrap."""

    def headline(self) -> float:
        """Mean rho over the sets."""
        return float(np.mean([score.spearman for score in self.scores]))

    def means(self) -> tuple[StsMean, ...]:
        """Means over the sets and, where two languages met, over the diagonal and off it; no mean of nothing."""
        every = (*self.scores, *self.across)
        two = [score for score in every if score.first != score.second]
        one = [score for score in every if score.first == score.second]
        groups = {"sets": self.scores, "diagonal": one if two else [], "off diagonal": two}
        return tuple(_mean(name, group) for name, group in groups.items() if group)

    def describe(self) -> str:
        """One line for the head of a table: all that a number depends on beside the model and the text."""
        interval = f"; interval: 95 % of {self.resamples} bootstrap resamples, seed {self.seed}"
        return (
            "sts: Spearman (headline) and Pearson correlation of the cosine with the gold score; ties get their mean "
            f"rank; cosines are ranked to 1e-06{interval if self.resamples else ''}"
        )

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; ``cosines`` only where they were kept."""
        return {
            "task": "sts",
            "headline": {"spearman": self.headline()},
            "scores": [_row(score) for score in self.scores],
            "across": [_row(score) for score in self.across],
            "means": [asdict(mean) for mean in self.means()],
            "bootstrap": {"resamples": self.resamples, "seed": self.seed, "level": 0.95},
            "protocol": self.describe(),
        }

    def table(self) -> str:
        """The protocol, then Markdown tables of sets, of the matrix of languages and of means."""
        header = ["set", "sentence 1", "sentence 2", "n", "left out", "Spearman", "Pearson"]
        rows: list[list[Cell]] = [
            [s.name, s.first, s.second, s.n, s.left_out, s.spearman, s.pearson] for s in self.scores
        ]
        if self.resamples:
            header += ["low", "high"]
            for row, score in zip(rows, self.scores, strict=True):
                row += score.interval or ("-", "-")
        parts = [self.describe(), markdown(header, rows)]
        if self.across:
            parts += ["Spearman; sentence 1 in the language of the row, sentence 2 of the column", self._matrix()]
        means: list[list[Cell]] = [[m.group, m.scores, m.spearman, m.pearson] for m in self.means()]
        return "\n\n".join([*parts, markdown(["mean over", "scores", "Spearman", "Pearson"], means)])

    def _matrix(self) -> str:
        languages = [score.first for score in self.scores]
        found = {(score.first, score.second): score.spearman for score in (*self.scores, *self.across)}
        rows: list[list[Cell]] = [[i, *(found[i, j] for j in languages)] for i in languages]
        return markdown(["", *languages], rows)


def _mean(group: str, scores: Sequence[StsScore]) -> StsMean:
    rho, r = (float(np.mean([getattr(score, name) for score in scores])) for name in ("spearman", "pearson"))
    return StsMean(group, len(scores), rho, r)


def _row(score: StsScore) -> dict[str, Any]:
    row = asdict(score)
    if score.cosines is None:
        del row["cosines"]
    return row

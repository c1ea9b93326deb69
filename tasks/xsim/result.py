"""What xsim returns: an error rate for each search, by kind of what won; as JSON and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from align.errors import InputError
from align.tasks.table import Cell, markdown


@dataclass(frozen=True)
class XsimScore:
    """Every line of one language, aligned with the lines of another."""

    queries: str
    """Language of the lines that are aligned."""
    candidates: str
    """Language that they are aligned with."""
    n: int
    """Lines scored."""
    left_out: int
    """Lines that are blank on either side."""
    error: float
    """Share of lines that are aligned with another, from 0 to 1."""
    kinds: Mapping[str, float]
    """The share that each kind of winner has in it: ``misaligned``, another line; or a kind of hard negative."""
    negatives: Mapping[str, int]
    """Hard negatives among the candidates, by kind."""
    untouched: int
    """Lines scored without a hard negative of their own."""
    items: tuple[int, ...] | None = field(default=None, repr=False)
    """1 for each line that is aligned with another, 0 for the others; kept by choice."""


@dataclass(frozen=True)
class XsimResult:
    """Error rates under one similarity."""

    hard: bool
    """Whether hard negatives are among the candidates (xsim++)."""
    similarity: str
    """``ratio``, ``distance``, ``csls`` or ``cosine``."""
    k: int
    """Nearest candidates by cosine that the similarity chooses from; neighbours in its means."""
    seed: int | None
    """Of the hard negatives."""
    scores: tuple[XsimScore, ...]

    def headline(self) -> float:
        """Mean error over the searches, from 0 to 1."""
        return float(np.mean([score.error for score in self.scores]))

    def describe(self) -> str:
        """One line for the head of a table."""
        among = "lines and the hard negatives of each" if self.hard else "lines"
        return (
            f"{self._name()}: share of lines whose best candidate is another; candidates: of all {among} on the "
            f"other side the {self.k} nearest by cosine, ranked by {self.similarity}; equal texts: all right; ties: "
            "against the model (tolerance 1e-06); headline error"
        )

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; ``items`` only where they were kept."""
        rows = [
            {**asdict(score), "kinds": dict(score.kinds), "negatives": dict(score.negatives)} for score in self.scores
        ]
        for row in rows:
            if row["items"] is None:
                del row["items"]
        return {
            "task": self._name(), "similarity": self.similarity, "k": self.k, "seed": self.seed,
            "headline": {"error": self.headline()}, "scores": rows,
        }  # fmt: skip

    def table(self) -> str:
        """The definition, then a Markdown table of the searches."""
        kinds = list(dict.fromkeys(chain.from_iterable(score.kinds for score in self.scores)))
        rows: list[list[Cell]] = [
            [s.queries, s.candidates, s.n, s.left_out, s.error, *(s.kinds.get(kind, 0.0) for kind in kinds)]
            for s in self.scores
        ]
        rows.append(["mean", "", sum(s.n for s in self.scores), sum(s.left_out for s in self.scores), self.headline(),
                     *(float(np.mean([s.kinds.get(kind, 0.0) for s in self.scores])) for kind in kinds)])  # fmt: skip
        parts = [self.describe(), markdown(["queries", "candidates", "n", "left out", "error", *kinds], rows)]
        if self.hard:
            made: list[list[Cell]] = [
                [s.queries, s.candidates, *s.negatives.values(), s.untouched] for s in self.scores
            ]
            parts += ["Hard negatives, and lines without one"]
            parts += [markdown(["queries", "candidates", *self.scores[0].negatives, "lines without"], made)]
        return "\n\n".join(parts)

    def _name(self) -> str:
        return "xsim++" if self.hard else "xsim"


def combine_xsim(results: Sequence[XsimResult]) -> XsimResult:
    """One result of several text sets, scored alike.

    Raises:
        InputError: no results, or they were scored differently.
    """
    ways = {(result.hard, result.similarity, result.k, result.seed) for result in results}
    if len(ways) != 1:
        raise InputError(f"expected xsim results scored in one way, got {len(ways)} ways")
    return XsimResult(*ways.pop(), tuple(chain.from_iterable(result.scores for result in results)))

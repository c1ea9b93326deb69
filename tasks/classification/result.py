"""What classification returns: accuracy per language and probe, transfer gaps; as JSON and a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from align.tasks.table import Cell, markdown

PROBES = ("knn", "logistic")


@dataclass(frozen=True)
class ClassificationScore:
    """Accuracy on the test split of one language."""

    language: str
    """Its code."""
    n: int
    """Lines scored."""
    left_out: int
    """Lines of the test split that are blank."""
    accuracy: Mapping[str, float]
    """By probe (``knn``, ``logistic``), 0 to 1."""
    commonest: float
    """Accuracy of always saying the commonest class of the training lines: what a probe must beat."""
    lines: tuple[int, ...] | None = field(default=None, repr=False)
    """Number (from 1) of each line scored; kept by choice."""
    predictions: Mapping[str, tuple[str, ...]] | None = field(default=None, repr=False)
    """By probe the class predicted for each of ``lines``; kept by choice."""


@dataclass(frozen=True)
class ClassificationResult:
    """Accuracy of two probes on frozen embeddings, learnt in one language."""

    train: str
    """The language learnt from."""
    classes: tuple[str, ...]
    """In alphabetical order."""
    training_lines: int
    """Lines the probes learnt from."""
    dev_lines: int
    """Lines that the penalty could be chosen on."""
    k: int
    """Neighbours that vote."""
    penalty: float
    """Of the logistic probe."""
    penalty_chosen: bool
    """Whether the dev split chose it."""
    scores: tuple[ClassificationScore, ...]
    """The training language first."""

    def mean_of_others(self, probe: str) -> float | None:
        """Mean accuracy over the languages not learnt from; ``None`` when there is none."""
        others = [score.accuracy[probe] for score in self.scores if score.language != self.train]
        return float(np.mean(others)) if others else None

    def transfer_gap(self, probe: str) -> float | None:
        """Accuracy in the training language minus the mean over the others, -1 to 1; ``None`` without others."""
        others = self.mean_of_others(probe)
        return None if others is None else self.scores[0].accuracy[probe] - others

    def describe(self) -> str:
        """One line for the head of a table: all that a number depends on beside the model and the text."""
        penalty = f"{self.penalty:g}{f' (best on {self.dev_lines} dev lines)' if self.penalty_chosen else ''}"
        return (
            f"classification: {len(self.classes)} classes, learnt from {self.training_lines} lines of {self.train}; "
            f"kNN: {self.k} nearest by cosine, most votes, then the larger sum of cosines; "
            f"logistic: standardised vectors, L2 penalty {penalty}; commonest: always the commonest training class"
        )

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; ``lines`` and ``predictions`` only where they were kept."""
        rows = []
        for score in self.scores:
            row = {**asdict(score), "accuracy": dict(score.accuracy)}
            rows.append({key: value for key, value in row.items() if value is not None})
        return {
            "task": "classification",
            "train": self.train,
            "classes": list(self.classes),
            "training_lines": self.training_lines,
            "dev_lines": self.dev_lines,
            "k": self.k,
            "penalty": self.penalty,
            "penalty_chosen": self.penalty_chosen,
            "scores": rows,
            "mean_of_others": {probe: self.mean_of_others(probe) for probe in PROBES},
            "transfer_gap": {probe: self.transfer_gap(probe) for probe in PROBES},
            "protocol": self.describe(),
        }

    def table(self) -> str:
        """The protocol, then Markdown tables of languages and of transfer gaps."""
        rows: list[list[Cell]] = [
            [s.language, s.n, s.left_out, *(s.accuracy[probe] for probe in PROBES), s.commonest] for s in self.scores
        ]
        parts = [self.describe(), markdown(["accuracy", "n", "left out", "kNN", "logistic", "commonest"], rows)]
        if len(self.scores) > 1:
            gaps: list[list[Cell]] = [
                [name, *(value for probe in PROBES if (value := of(probe)) is not None)]
                for name, of in (("mean of the others", self.mean_of_others), ("transfer gap", self.transfer_gap))
            ]
            parts.append(markdown([f"learnt in {self.train}", "kNN", "logistic"], gaps))
        return "\n\n".join(parts)

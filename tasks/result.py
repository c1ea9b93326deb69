"""What a task gives that is called from Python: scores, and the number to quote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import chain
from typing import Any, Generic, TypeVar

import numpy as np

from align.errors import InputError
from align.tasks.table import Cell, markdown

S = TypeVar("S")


@dataclass(frozen=True)
class Result(Generic[S]):
    """Scores of a task under one protocol; ``align.evaluate`` gives them with intervals, as a file."""

    scores: tuple[S, ...]
    """One for each part: a search, a set, a language."""
    values: tuple[float, ...] = field(repr=False)
    """What the headline averages."""
    protocol: Any = None
    """How it was scored; ``None``: there is one way."""
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """What else is known."""

    def headline(self) -> float:
        """The unweighted mean of the values."""
        return float(np.mean(self.values))

    def table(self) -> str:
        """How it was scored, then a Markdown table of the scores."""
        rows = [_cells(score) for score in self.scores]
        header = list(dict.fromkeys(chain.from_iterable(rows)))
        table = markdown(header, [[row.get(name, "-") for name in header] for row in rows])
        return table if self.protocol is None else f"{self.protocol.describe()}\n\n{table}"


def combine(results: Sequence[Result[S]]) -> Result[S]:
    """One result of several text sets (such as the 112 of Tatoeba), scored under the same protocol.

    Raises:
        InputError: no results, or protocols differ.
    """
    if not results or any(one.protocol != results[0].protocol for one in results):
        names = sorted({str(getattr(one.protocol, "name", one.protocol)) for one in results})
        raise InputError(f"expected results of one protocol, got {', '.join(names) or 'none'}")
    scores, values = (
        tuple(chain.from_iterable(getattr(one, name) for one in results)) for name in ("scores", "values")
    )
    return Result(scores, values, results[0].protocol, results[0].facts)


def _cells(score: Any) -> dict[str, Cell]:
    """Text and numbers of a score by name, also those that it has by name."""
    cells: dict[str, Cell] = {}
    for one in fields(score):
        value = getattr(score, one.name)
        given = value.items() if isinstance(value, Mapping) else [(one.name.replace("_", " "), value)]
        for name, inner in given:
            if isinstance(inner, str | int | float):
                cells[name] = inner
            elif is_dataclass(inner):
                cells |= {f"{name} {label}": cell for label, cell in _cells(inner).items()}
    return cells

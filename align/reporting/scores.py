"""Scores by language pair: a heat map of languages by direction and model, or a square of languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from align.reporting.collection import Benchmark, Collection
from align.reporting.numbers import covered, number

KINDS = (("to_pivot", "from_pivot"), ("direct",), ("romanised",), ("",))
"""Directions that share a table."""
HEADINGS = {
    "to_pivot": "language → {}", "from_pivot": "{} → language", "direct": "language → {}", "": "",
    "romanised": "language → {}",
}  # fmt: skip
Row = tuple[str, str, int]
"""Language, the other one, and which of several scores of the two."""
Cells = dict[tuple[str, int], Mapping[str, Any]]
"""Score by direction and model."""


@dataclass(frozen=True)
class Table:
    """The scores of one kind of direction."""

    rows: Mapping[Row, Cells]
    directions: Sequence[str]

    @cached_property
    def languages(self) -> list[str]:
        """Those of the rows."""
        return sorted({language for language, _, _ in self.rows})

    @cached_property
    def others(self) -> list[str]:
        """Those they are scored with."""
        return sorted({other for _, other, _ in self.rows})

    @cached_property
    def square(self) -> bool:
        """Whether at least half of all pairs of languages are there."""
        n = len({*self.languages, *self.others})
        return self.directions == ["direct"] and n > 2 and 2 * len(self.rows) >= n * (n - 1)

    @cached_property
    def named(self) -> bool:
        """Whether two languages have several scores."""
        return any(again for *_, again in self.rows)

    def heading(self, direction: str) -> str:
        """Over the columns of a direction."""
        return HEADINGS[direction].format(self.others[0] if len(self.others) == 1 else "other")


def scores(collection: Collection) -> dict[str, Any]:
    """The tables of each benchmark."""
    found = [(one, [table for kind in KINDS if (table := _table(one, kind)).rows]) for one in collection.benchmarks]
    return {"found": [(benchmark, tables) for benchmark, tables in found if tables], "items": items, "seeds": seeds}


def items(scores: Iterable[Mapping[str, Any]]) -> str:
    """How many items each of some scores has, and of how many; each number once."""
    return " / ".join(covered(*both) for both in sorted({(one["n"], one.get("left_out") or 0) for one in scores}))


def seeds(score: Mapping[str, Any]) -> str:
    """The score with each seed of a tuned encoder, for the end of a sentence; "" where nothing was tuned."""
    values = (score.get("facts") or {}).get("of_seeds") or []
    return f", seeds {', '.join(number(value) for value in sorted(values))}" if values else ""


def _table(benchmark: Benchmark, kind: Sequence[str]) -> Table:
    rows: dict[Row, Cells] = {}
    for model, result in benchmark.results.items():
        seen: dict[tuple[str, str, str], int] = {}
        for score in result["scores"]:
            if score["direction"] in kind:
                place = (score["language"], score["other"], score["direction"])
                again = seen[place] = seen.get(place, -1) + 1
                rows.setdefault((*place[:2], again), {})[place[2], model] = score
    used = {direction for cells in rows.values() for direction, _ in cells}
    return Table(rows, [direction for direction in kind if direction in used])

"""Scores by group, the shape of the space by language, and what is missing with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from align.reporting.collection import Benchmark, Collection
from align.reporting.numbers import Axis, axis_of

TITLES = {"seen": "in training"}


@dataclass(frozen=True)
class Grouped:
    """The means of one kind of group."""

    kind: str
    rows: Mapping[str, Mapping[int, Mapping[str, Any]]]
    """Group by its name and the number of the model."""

    @property
    def title(self) -> str:
        """Over the names of the groups."""
        return TITLES.get(self.kind, self.kind)

    @property
    def axis(self) -> Axis:
        """Both ends of the axis."""
        return axis_of(group for held in self.rows.values() for group in held.values())

    def scores(self, name: str) -> str:
        """How many scores a group has, of all models."""
        return "/".join(map(str, sorted({group["scores"] for group in self.rows[name].values()})))


@dataclass(frozen=True)
class Parts:
    """What a benchmark has of all this."""

    heading: str
    groups: Sequence[Grouped]
    geometry: Mapping[int, Mapping[str, Mapping[str, float]]]
    """Measures of each language, by the number of the model."""
    missing: Mapping[tuple[str, str], Sequence[int]]
    """The models that miss something, by its name and the reason."""

    @property
    def measures(self) -> list[str]:
        """Names of what is measured of the space."""
        return list(dict.fromkeys(key for held in self.geometry.values() for one in held.values() for key in one))

    @property
    def codes(self) -> list[str]:
        """Languages whose space is measured."""
        return sorted({code for held in self.geometry.values() for code in held})


def groups(collection: Collection) -> dict[str, Any]:
    """Groups, geometry and missing languages of each benchmark that has any."""
    found = [_parts(benchmark) for benchmark in collection.benchmarks]
    return {"found": [parts for parts in found if parts.groups or parts.geometry or parts.missing]}


def _parts(benchmark: Benchmark) -> Parts:
    by_kind: dict[str, dict[str, dict[int, Mapping[str, Any]]]] = {}
    for model, result in benchmark.having("groups").items():
        for group in result["groups"]:
            by_kind.setdefault(group["by"], {}).setdefault(group["group"], {})[model] = group
    missing: dict[tuple[str, str], list[int]] = {}
    for model, result in benchmark.having("missing").items():
        for entry in result["missing"]:
            missing.setdefault((entry["name"], entry["reason"]), []).append(model)
    geometry = {model: result["geometry"] for model, result in benchmark.having("geometry").items()}
    grouped = [Grouped(kind, rows) for kind, rows in by_kind.items()]
    return Parts(benchmark.heading, grouped, geometry, dict(sorted(missing.items())))

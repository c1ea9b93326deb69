"""How every number came about: protocol, data, weights, versions, time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from align.files.nested import flattened
from align.reporting.collection import Benchmark, Collection, Result
from align.reporting.numbers import finite

PARTS = ("score", "protocol", "data", "encoder", "versions", "run")


def provenance(collection: Collection) -> dict[str, Any]:
    """Of each benchmark the facts by part and name, a value for each of its models."""
    return {"found": [(one.title, list(one.results), _parts(one)) for one in collection.benchmarks]}


def facts(result: Result) -> Iterator[tuple[tuple[str, str], str]]:
    """((part, name), value) of all that a result says of its making."""
    yield ("score", "model"), str(result["model"])
    yield ("score", "metric"), str(result["metric"])
    yield ("score", "statistic"), str(result.get("statistic", ""))
    for part in ("protocol", "data", "encoder", "versions"):
        for name, value in flattened(result.get(part) or {}):
            yield (part, name), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    seconds = finite(result.get("seconds"))
    yield ("run", "created"), str(result.get("created", ""))
    yield ("run", "seconds"), "" if seconds is None else f"{seconds:,.1f}"


def _parts(benchmark: Benchmark) -> Mapping[str, Mapping[str, Sequence[str]]]:
    by_model = [dict(facts(result)) for result in benchmark.results.values()]
    parts: dict[str, dict[str, Sequence[str]]] = {part: {} for part in PARTS}
    for part, name in dict.fromkeys(key for held in by_model for key in held):
        parts[part][name] = [held.get((part, name)) or "–" for held in by_model]
    return parts

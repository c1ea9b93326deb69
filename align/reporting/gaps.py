"""Script gaps: what one language loses when it is written in its other script."""

from __future__ import annotations

from typing import Any

from align.reporting.collection import Benchmark, Collection
from align.reporting.numbers import finite

Key = tuple[str, str, str, str, str]
Gaps = dict[Key, dict[int, float | None]]


def gaps(collection: Collection) -> dict[str, Any]:
    """Of each benchmark with languages in two scripts: the gaps, the widest of all, and their mean size by model."""
    found = []
    for benchmark in collection.having("script_gaps"):
        by_key = found_gaps(benchmark)
        sizes: dict[int, list[float]] = {model: [] for model in benchmark.having("script_gaps")}
        for by_model in by_key.values():
            for model, gap in by_model.items():
                sizes[model] += [] if gap is None else [abs(gap)]
        reach = max((size for held in sizes.values() for size in held), default=0.0)
        means = {model: sum(held) / len(held) for model, held in sizes.items() if held}
        found.append((benchmark.title, by_key, reach, means))
    return {"found": found}


def found_gaps(benchmark: Benchmark) -> Gaps:
    """Gap by (language, script, script, other, direction) and model, the widest of the first model first."""
    found: Gaps = {}
    for model, result in benchmark.having("script_gaps").items():
        for gap in result["script_gaps"]:
            key = (gap["language"], gap["scripts"][0], gap["scripts"][1], gap["other"], gap["direction"])
            found.setdefault(key, {})[model] = finite(gap["gap"])

    def width(key: Key) -> float:
        first = next(iter(found[key].values()))
        return abs(first or 0.0)

    return {key: found[key] for key in sorted(found, key=lambda key: (-width(key), key))}

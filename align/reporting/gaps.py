"""Script gaps: what one language loses when it is written in its other script."""

from __future__ import annotations

from collections.abc import Sequence

from align.reporting.collection import Benchmark, Collection
from align.reporting.markup import Html, element, finite, join, number
from align.reporting.names import coded, language_name
from align.reporting.table import Section, bars, block, counted, ends, model_legend, stack, table

Key = tuple[str, str, str, str, str]


def gaps(collection: Collection) -> Section:
    """Bars for each benchmark with languages in two scripts."""
    parts = [_benchmark(benchmark, collection.labels) for benchmark in collection.having("script_gaps")]
    lead = (
        "P@1 in the first script minus P@1 in the second, everything else equal: "
        "a bar to the right says that the first script does better. Short bars are the aim."
    )
    body = join(model_legend(collection.labels), *parts) if parts else Html("")
    return Section("gaps", "Script gaps", lead, body, "No result has a language in two scripts.")


def found_gaps(benchmark: Benchmark) -> dict[Key, dict[int, float | None]]:
    """Gap by (language, script, script, other, direction) and model, the widest of the first model first."""
    found: dict[Key, dict[int, float | None]] = {}
    for model, result in benchmark.having("script_gaps").items():
        for gap in result["script_gaps"]:
            key = (gap["language"], gap["scripts"][0], gap["scripts"][1], gap["other"], gap["direction"])
            found.setdefault(key, {})[model] = finite(gap["gap"])

    def width(key: Key) -> float:
        first = next(iter(found[key].values()))
        return abs(first or 0.0)

    return {key: found[key] for key in sorted(found, key=lambda key: (-width(key), key))}


def _benchmark(benchmark: Benchmark, models: Sequence[str]) -> Html:
    found = found_gaps(benchmark)
    reach = max((abs(gap) for by_model in found.values() for gap in by_model.values() if gap is not None), default=0)
    rows = []
    for (language, first, second, other, direction), by_model in found.items():
        towards = direction == "to_other"
        rows.append(
            element(
                "tr",
                element("th", coded(language) if language_name(language) else language, scope="row"),
                element("td", f"{first} − {second}", class_="code"),
                element("td", bars(by_model, models, reach=reach or 1.0), class_="strip-cell"),
                element("td", stack([number(gap, sign=True) for gap in by_model.values()]), class_="number"),
                element("td", "→ " if towards else None, other, None if towards else " →", class_="code"),
            )
        )
    middle = element("th", ends(f"−{reach:.2f}", "0", f"+{reach:.2f}"), scope="col")
    head: list[object] = ["language", "scripts", middle, counted("gap"), "with"]
    means = []
    for model in benchmark.having("script_gaps"):
        sizes = [abs(gap) for by_model in found.values() if (gap := by_model.get(model)) is not None]
        if sizes:
            means.append(f"{models[model]} {sum(sizes) / len(sizes):.3f}")
    note = element("p", f"Mean size of the gap: {', '.join(means)}.", class_="note") if means else None
    return block(benchmark.title, table(head, rows, label=benchmark.title), note)

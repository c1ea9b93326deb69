"""The summary: every headline with its interval, and what is not comparable."""

from __future__ import annotations

from collections.abc import Sequence

from align.reporting.collection import Benchmark, Collection, Result
from align.reporting.difference import RULE, interval_ends, unclustered
from align.reporting.markup import Html, element, join, number
from align.reporting.table import (
    Section,
    boxed,
    difference_cell,
    dots,
    end,
    interval_text,
    lowest,
    model_name,
    numbers_of,
)  # fmt: skip
from align.tasks.retrieval.protocols import in_headline


def summary(collection: Collection) -> Section:
    """Models and benchmarks."""
    several = len(collection.labels) > 1
    low = lowest(numbers_of(result["headline"] for one in collection.benchmarks for result in one.results.values()))
    axis = f"{end(low)} – 1"
    head = ["Benchmark and model", "Score", "95 % interval", axis, "Difference" if several else ""]
    cells = [
        element("th", text, scope="col", class_="strip-cell" if text == axis else "number" if i else None)
        for i, text in enumerate(head)
        if text
    ]
    bodies = [_benchmark(benchmark, collection.labels, low) for benchmark in collection.benchmarks]
    inner = element("table", element("thead", element("tr", *cells)), *bodies, class_="summary")
    box = boxed(inner, label="summary")
    rule = element("p", f"Differences are to {collection.labels[0]}. {RULE}", class_="note") if several else None
    found = notices(collection)
    listed = element("ul", *(element("li", text) for text in found), class_="notices") if found else None
    lead = "The macro average of each benchmark with its 95 % interval; hover over a dot to read it."
    return Section("summary", "Summary", lead, join(listed, box, rule), "")


def _benchmark(benchmark: Benchmark, models: Sequence[str], low: float) -> Html:
    first = benchmark.first
    scores = _averaged(first)
    about = f"{first['metric']}, {scores:,} score{'' if scores == 1 else 's'}"
    width = 5 if len(models) > 1 else 4
    heading = element("th", benchmark.title, element("small", about), colspan=width, scope="rowgroup")
    rows = [element("tr", heading, class_="head")]
    for model, result in benchmark.results.items():
        headline = result["headline"]
        cells = [
            element("th", model_name(models, model), scope="row"),
            element("td", number(headline.get("value")), class_="number strong"),
            element("td", interval_text(headline), class_="number"),
            element("td", dots({model: headline}, models, low=low), class_="strip-cell"),
        ]  # fmt: skip
        if len(models) > 1:
            cells.append(difference_cell(benchmark.differences.means.get(model) if 0 in benchmark.results else None))
        rows.append(element("tr", *cells))
    return element("tbody", *rows)


def _averaged(result: Result) -> int:
    """How many scores the headline is the mean of."""
    return len(in_headline([score["direction"] for score in result["scores"]]))


def notices(collection: Collection) -> list[str]:
    """What keeps numbers from being compared, and what is missing; a sentence each."""
    found = []
    for benchmark in collection.benchmarks:
        results = list(benchmark.results.values())
        absent = [name for model, name in enumerate(collection.labels) if model not in benchmark.results]
        if absent:
            found.append(f"{benchmark.title}: no result of {', '.join(absent)}.")
        if len({str(result["data"].get("sha256")) for result in results}) > 1:
            found.append(f"{benchmark.title}: the models were measured on different data; do not compare them.")
        keys = sorted({key for result in results for key in result["protocol"]})
        differ = [key for key in keys if len({str(result["protocol"].get(key)) for result in results}) > 1]
        if differ:
            found.append(f"{benchmark.title}: the protocols differ in {', '.join(differ)}; do not compare the models.")
        rows = {_averaged(result) for result in results}
        if len(rows) > 1:
            counts = ", ".join(str(_averaged(result)) for result in results)
            found.append(f"{benchmark.title}: the averages are over different numbers of scores ({counts}).")
        missing = {entry["name"] for result in results for entry in result["missing"]}
        if missing:
            found.append(f"{benchmark.title}: {len(missing)} missing, listed with reasons under Groups.")
        if any(interval_ends(result["headline"]) is None for result in results):
            found.append(f"{benchmark.title}: no interval was computed for every model.")
        if any(unclustered(result) for result in results):
            found.append(
                f"{benchmark.title}: a result does not say which items come from one line; where scores share lines, "
                "the intervals of means are too short."
            )
    return found

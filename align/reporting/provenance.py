"""How every number came about: protocol, data, weights, versions, time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from align.files.nested import flattened
from align.reporting.collection import Benchmark, Collection, Result
from align.reporting.markup import Html, element, finite, join
from align.reporting.table import Section, block, boxed, model_name


def provenance(collection: Collection) -> Section:
    """A table for each benchmark: a column for each model, one cell across where they agree."""
    parts = [_benchmark(benchmark, collection.labels) for benchmark in collection.benchmarks]
    lead = "Where all models agree, a value stands once; a row with several values is a difference."
    return Section("provenance", "Protocol and provenance", lead, join(*parts), "")


def facts(result: Result) -> Iterator[tuple[str, str, str]]:
    """(part, name, value) of all that a result says of its making."""
    yield "score", "model", str(result["model"])
    yield "score", "metric", str(result["metric"])
    yield "score", "statistic", str(result.get("statistic", ""))
    for part in ("protocol", "data", "encoder", "versions"):
        for name, value in flattened(result.get(part) or {}):
            yield part, name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    seconds = finite(result.get("seconds"))
    yield "run", "created", str(result.get("created", ""))
    yield "run", "seconds", "" if seconds is None else f"{seconds:,.1f}"


def _benchmark(benchmark: Benchmark, models: Sequence[str]) -> Html:
    facts_by_model = {model: {(p, n): v for p, n, v in facts(result)} for model, result in benchmark.results.items()}
    keys = list(dict.fromkeys(key for held in facts_by_model.values() for key in held))
    order = ("score", "protocol", "data", "encoder", "versions", "run")
    bodies = []
    for part in order:
        rows = []
        for _, name in (key for key in keys if key[0] == part):
            values = [held.get((part, name), "–") or "–" for held in facts_by_model.values()]
            if len(set(values)) == 1:
                cells = [element("td", values[0], colspan=len(values))]
            else:
                cells = [element("td", value, class_="differs") for value in values]
            rows.append(element("tr", element("th", name, scope="row"), *cells))
        if rows:
            heading = element("th", part, colspan=1 + len(facts_by_model), scope="rowgroup")
            bodies.append(element("tbody", element("tr", heading, class_="head"), *rows))
    names = (element("th", model_name(models, model), scope="col") for model in facts_by_model)
    head = element("thead", element("tr", element("th"), *names))
    inner = element("table", head, *bodies, class_="facts")
    return block(benchmark.title, boxed(inner, label=f"{benchmark.title}: provenance", class_="box whole"))

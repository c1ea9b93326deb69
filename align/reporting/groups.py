"""Scores by group, the shape of the space by language, and what is missing with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from align.reporting.collection import Benchmark, Collection
from align.reporting.markup import Html, element, join, number
from align.reporting.names import coded, language_name
from align.reporting.table import (
    Section,
    block,
    counted,
    dots,
    end,
    ends,
    lowest,
    model_legend,
    model_name,
    numbers_of,
    stack,
    table,
)  # fmt: skip

TITLES = {"seen": "in training"}


def groups(collection: Collection) -> Section:
    """Groups, geometry and missing languages of each benchmark."""
    parts = []
    for benchmark in collection.benchmarks:
        shown = [*_groups(benchmark, collection.labels), *_geometry(benchmark, collection.labels)]
        missing = _missing(benchmark, collection.labels)
        if shown or missing:
            panels = element("div", *shown, class_="flow") if shown else None
            parts.append(block(benchmark.heading, panels, missing))
    lead = "The mean over the scores of a group, with its 95 % interval where one was computed."
    body = join(model_legend(collection.labels), *parts) if parts else Html("")
    return Section("groups", "Groups and what is missing", lead, body, "The results hold no groups, and miss nothing.")


def _groups(benchmark: Benchmark, models: Sequence[str]) -> list[Html]:
    kinds = dict.fromkeys(group["by"] for result in benchmark.results.values() for group in result.get("groups") or [])
    return [_by(benchmark, models, kind) for kind in kinds]


def _by(benchmark: Benchmark, models: Sequence[str], kind: str) -> Html:
    found: dict[str, dict[int, Mapping[str, Any]]] = {}
    counts: dict[str, set[int]] = {}
    for model, result in benchmark.results.items():
        for group in result.get("groups") or []:
            if group["by"] == kind:
                found.setdefault(group["group"], {})[model] = group
                counts.setdefault(group["group"], set()).add(group["scores"])
    low = lowest(numbers_of(group for held in found.values() for group in held.values()))
    rows = [
        element(
            "tr",
            element("th", coded(name) if kind == "language" and language_name(name) else name, scope="row"),
            element("td", "/".join(map(str, sorted(counts[name]))), class_="number"),
            element("td", dots(held, models, low=low), class_="strip-cell"),
            element("td", stack([number(group.get("value")) for group in held.values()]), class_="number"),
        )
        for name, held in found.items()
    ]
    head = [TITLES.get(kind, kind), counted("scores"), element("th", ends(end(low), "1"), scope="col"), counted("mean")]
    return element("figure", table(head, rows, label=f"by {kind}"))


def _geometry(benchmark: Benchmark, models: Sequence[str]) -> list[Html]:
    found = {model: result["geometry"] for model, result in benchmark.having("geometry").items()}
    if not found:
        return []
    names = list(dict.fromkeys(key for held in found.values() for values in held.values() for key in values))
    head: list[object] = ["language"]
    tops = [element("th")]
    for name in names:
        tops.append(element("th", name, colspan=len(found), scope="colgroup"))
        head += [counted(model_name(models, model), class_="tight") for model in found]
    rows = []
    for code in sorted({code for held in found.values() for code in held}):
        cells = [
            element("td", number(held.get(code, {}).get(name), digits=2), class_="number")
            for name in names
            for held in found.values()
        ]
        rows.append(element("tr", element("th", coded(code), scope="row"), *cells))
    return [element("figure", table(head, rows, label="geometry", groups=element("tr", *tops)))]


def _missing(benchmark: Benchmark, models: Sequence[str]) -> Html | None:
    found: dict[tuple[str, str], list[int]] = {}
    for model, result in benchmark.having("missing").items():
        for entry in result["missing"]:
            found.setdefault((entry["name"], entry["reason"]), []).append(model)
    if not found:
        return None
    rows = [
        element(
            "tr",
            element("th", coded(name) if language_name(name) else name, scope="row"),
            element("td", reason),
            element("td", *(model_name(models, model) for model in missed)),
        )
        for (name, reason), missed in sorted(found.items())
    ]
    return element("figure", table(["missing", "reason", "models"], rows, label="missing"), class_="wide")

"""Scores by layer: the mean over languages as a line, every language as a row of a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from align.reporting.chart import Line, chart
from align.reporting.collection import Benchmark, Collection
from align.reporting.markup import Html, element, join
from align.reporting.names import coded
from align.reporting.table import Section, block, heat_cell, lowest, model_class, model_name, scale, sorter, table

Layers = Mapping[int, Mapping[str, Any]]


def layers(collection: Collection) -> Section:
    """A chart and a heat map for each benchmark that was scored by layer."""
    found = collection.having("layers")
    charts = [_chart(benchmark, collection.labels) for benchmark in found]
    maps = [_heat(benchmark, collection.labels) for benchmark in found]
    lead = (
        "Layer 0 is the embedding layer. A ring, and ★ in the heat map, mark the layer chosen; "
        "the heat map gives every language (.85 is 0.85)."
    )
    body = Html("")
    if found:
        body = join(element("div", *charts, class_="panels"), *maps)
    return Section("layers", "Layers", lead, body, "No result was scored layer by layer.")


def by_layer(held: Mapping[str, Any], curve: Sequence[object]) -> list[tuple[int, object]]:
    """(k of hidden_states[k], score), ascending; of a file that names no layers they are 0, 1, ..."""
    numbers = held.get("layers") or range(len(curve))
    return sorted(zip(numbers, curve, strict=False), key=lambda point: point[0])


def _chart(benchmark: Benchmark, models: Sequence[str]) -> Html:
    found: Layers = {model: result["layers"] for model, result in benchmark.having("layers").items()}
    metric = next(iter(found.values())).get("metric") or benchmark.first["metric"]
    lines = [
        Line(models[model], model_class(model), by_layer(held, held["mean"]), chosen=held.get("best"))
        for model, held in found.items()
    ]
    label = f"{benchmark.title}: mean {metric} by layer"
    drawn = chart(lines, x="layer", y=f"mean {metric}", label=label, zero=True)
    return element("div", block(benchmark.title, drawn, _chosen(found, models)))


def _chosen(found: Layers, models: Sequence[str]) -> Html | None:
    notes = [
        f"{models[model]}: layer {held['best']}" + (f", chosen on {held['chosen_on']}" if held.get("chosen_on") else "")
        for model, held in found.items()
        if held.get("best") is not None
    ]
    return element("p", "; ".join(notes) + ".", class_="note") if notes else None


def _heat(benchmark: Benchmark, models: Sequence[str]) -> Html | None:
    found: Layers = {model: result["layers"] for model, result in benchmark.having("layers").items()}
    codes = sorted({code for held in found.values() for code in held.get("curves") or {}})
    if not codes:
        return None
    numbers = {model: [k for k, _ in by_layer(held, held["mean"])] for model, held in found.items()}
    low = lowest(value for held in found.values() for curve in (held.get("curves") or {}).values() for value in curve)
    head: list[object] = ["language"]
    groups = [element("th")]
    for model, held in found.items():
        width = len(numbers[model])
        groups.append(element("th", model_name(models, model), colspan=width, scope="colgroup", class_="edge"))
        for k in numbers[model]:
            name = element("span", k, "★" if k == held.get("best") else None)
            edge = "edge" if k == numbers[model][0] else None
            head.append(element("th", sorter(name), scope="col", class_=edge))
    rows = []
    for code in codes:
        cells = []
        for model, held in found.items():
            curve = dict(by_layer(held, (held.get("curves") or {}).get(code) or []))
            for k in numbers[model]:
                note, first = f"{code}, layer {k}, {models[model]}", k == numbers[model][0]
                cells.append(heat_cell(curve.get(k), digits=2, note=note, edge=first, low=low))
        rows.append(element("tr", element("th", coded(code), scope="row"), *cells))
    drawn = table(head, rows, label=f"{benchmark.title}: language by layer", groups=element("tr", *groups))
    legend = element("p", scale(low), class_="legend")
    return block(f"{benchmark.title}, language by layer", legend, element("div", drawn, class_="dense"))

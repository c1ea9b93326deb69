"""Scores by layer: the mean over languages as a line, every language as a row of a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from align.reporting.chart import Chart, Line, chart
from align.reporting.collection import Benchmark, Collection
from align.reporting.numbers import Axis, axis
from align.reporting.palette import model_class

Layers = Mapping[int, Mapping[str, Any]]
"""What each model's result says of layers."""


@dataclass(frozen=True)
class Swept:
    """The layers of a benchmark."""

    title: str
    layers: Layers
    chart: Chart | None
    codes: Sequence[str]
    """Languages with a curve of their own."""
    axis: Axis
    """Both ends of the scale of these curves."""

    def numbers(self, model: int) -> list[int]:
        """The layers of a model."""
        return [k for k, _ in by_layer(self.layers[model], self.layers[model]["mean"])]

    def curve(self, model: int, code: str) -> dict[int, object]:
        """Score of a language by layer."""
        held = self.layers[model]
        return dict(by_layer(held, (held.get("curves") or {}).get(code) or []))


def layers(collection: Collection) -> dict[str, Any]:
    """A chart and a heat map for each benchmark that was scored by layer."""
    return {"found": [_swept(benchmark, collection.labels) for benchmark in collection.having("layers")]}


def by_layer(held: Mapping[str, Any], curve: Sequence[object]) -> list[tuple[int, object]]:
    """(k of hidden_states[k], score), ascending; of a file that names no layers they are 0, 1, ..."""
    numbers = held.get("layers") or range(len(curve))
    return sorted(zip(numbers, curve, strict=False), key=lambda point: point[0])


def layer_metric(benchmark: Benchmark) -> str:
    """What the layers of a benchmark are scored by."""
    first = next(iter(benchmark.having("layers").values()))["layers"]
    return str(first.get("metric") or benchmark.first["metric"])


def _swept(benchmark: Benchmark, models: Sequence[str]) -> Swept:
    found: Layers = {model: result["layers"] for model, result in benchmark.having("layers").items()}
    metric = f"mean {layer_metric(benchmark)}"
    lines = [
        Line(models[model], model_class(model), by_layer(held, held["mean"]), chosen=held.get("best"))
        for model, held in found.items()
    ]
    drawn = chart(lines, x="layer", y=metric, label=f"{benchmark.title}: {metric} by layer", zero=True)
    curves = [held.get("curves") or {} for held in found.values()]
    codes = sorted({code for held in curves for code in held})
    ends = axis(value for held in curves for curve in held.values() for value in curve)
    return Swept(benchmark.title, found, drawn, codes, ends)

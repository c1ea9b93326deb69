"""The figures of the report as PNG and SVG files; needs the extra ``plots``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, count, product
from pathlib import Path
from typing import Any

import numpy as np

from align.errors import InputError
from align.files.whole import whole_file
from align.reporting.collection import Benchmark, collect
from align.reporting.gaps import found_gaps
from align.reporting.layers import by_layer, layer_metric
from align.reporting.numbers import axis as ends_of
from align.reporting.numbers import finite
from align.reporting.points import drawable

CATEGORIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8f7d00", "#4d4d4d")
HEAT = ("#f4f1e8", "#d3e5d3", "#8cc7c0", "#4199b3", "#23659a", "#122f62")
"""Colours of the light theme of ``templates/palette.css``: of categories, and between which the heat scale runs."""
COLORS = ("#8b949e", *CATEGORIES)
"""Of the models: the first is grey."""
MARKERS = ("o", "s", "^", "D", "v", "*", "P", "X", "<", ">", "h", "p")


def draw_plots(
    results: Sequence[Path], folder: Path, *, names: Sequence[str] | None = None, baseline: str | None = None
) -> list[Path]:
    """Draw heat maps, layer curves, script gaps and maps of every benchmark that has them.

    All text in them is codes, names and numbers in ASCII, so that no font lacks a letter. The same results give the
    same SVG.

    Args:
        results: result files, as for ``report``.
        folder: where ``heat-BENCHMARK.png``, ``.svg`` and the others go; other files in it stay.
        names: as for ``report``.
        baseline: as for ``report``.

    Returns:
        the files written.

    Raises:
        InputError: matplotlib is not installed, or what ``report`` refuses.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("plots need matplotlib: pip install 'align-encoders[plots]'") from error
    collection = collect(results, names=names, baseline=baseline)
    written: list[Path] = []
    for benchmark, (name, draw) in product(collection.benchmarks, FIGURES.items()):
        figure = Figure(layout="constrained", dpi=150)
        FigureCanvasAgg(figure)
        if not draw(figure, benchmark, [plain(model) for model in collection.labels]):
            continue
        base = f"{name}-{file_name(benchmark.title)}"
        stems = chain([base], (f"{base}-{number}" for number in count(2)))  # names may differ in a sign only
        stem = next(stem for stem in stems if Path(folder) / f"{stem}.png" not in written)
        for form in ("png", "svg"):
            path = Path(folder) / f"{stem}.{form}"
            salt: Any = {"svg.hashsalt": "align", "svg.fonttype": "path"}
            with matplotlib.rc_context(salt), whole_file(path) as temporary:
                figure.savefig(temporary, format=form, metadata={"Date": None} if form == "svg" else None)
            written.append(path)
    return written


def plain(text: str) -> str:
    """Text that any font can show and that matplotlib takes as it is: ASCII, no mathematics."""
    return text.encode("ascii", "replace").decode().replace("$", r"\$")


def file_name(text: str) -> str:
    """A name for a file: letters, digits, dots and dashes."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.") or "benchmark"


def heat_map(figure: Any, benchmark: Benchmark, models: Sequence[str]) -> bool:
    """Languages by direction and model."""
    from matplotlib.colors import LinearSegmentedColormap

    metric = benchmark.first["metric"]
    found: dict[tuple[str, str], dict[str, float | None]] = {}
    for model, result in benchmark.results.items():
        for score in result["scores"]:
            column = f"{models[model]} {score['direction']}".strip()
            row = (score["language"], "" if score["direction"].endswith("pivot") else score["other"])
            found.setdefault(row, {})[column] = finite(score["metrics"].get(metric))
    if not found:
        return False
    columns = list(dict.fromkeys(column for cells in found.values() for column in cells))
    grid = np.array([[finite(cells.get(column)) for column in columns] for cells in found.values()], dtype=float)
    figure.set_size_inches(2.6 + 0.55 * len(columns), 1.8 + 0.16 * len(found))
    axis = figure.subplots()
    colors = LinearSegmentedColormap.from_list("align", HEAT).with_extremes(bad="#ffffff")
    image = axis.imshow(
        grid, aspect="auto", vmin=benchmark.axis[0], vmax=benchmark.axis[1], cmap=colors, interpolation="nearest"
    )
    axis.set_yticks(range(len(found)), [plain(" ".join(filter(None, row))) for row in found], fontsize=6)
    axis.set_xticks(range(len(columns)), columns, rotation=40, ha="right", fontsize=7)
    axis.set_title(plain(f"{benchmark.title}, {metric}"), fontsize=9)
    figure.colorbar(image, ax=axis, shrink=0.5)
    return True


def layer_curves(figure: Any, benchmark: Benchmark, models: Sequence[str]) -> bool:
    """The mean by layer."""
    found = benchmark.having("layers")
    if not found:
        return False
    figure.set_size_inches(5.4, 3.4)
    axis = figure.subplots()
    ends = ends_of(value for result in found.values() for value in result["layers"]["mean"])
    for model, result in found.items():
        held, color = result["layers"], COLORS[model % len(COLORS)]
        curve = {k: finite(value) for k, value in by_layer(held, held["mean"])}
        mean = np.array(list(curve.values()), dtype=float)
        axis.plot(list(curve), mean, marker="o", markersize=3, color=color, label=models[model])
        best = held.get("best")
        if curve.get(best) is not None:
            axis.plot([best], [curve[best]], marker="o", markersize=9, markerfacecolor="none", color=color)
    metric = plain(f"mean {layer_metric(benchmark)}")
    axis.set(xlabel="layer", ylabel=metric, title=plain(benchmark.title), ylim=ends)
    axis.xaxis.get_major_locator().set_params(integer=True)  # there is no layer 0.5
    return _framed(axis)


def gap_bars(figure: Any, benchmark: Benchmark, models: Sequence[str]) -> bool:
    """Script gaps, a bar for each model."""
    found = found_gaps(benchmark)
    if not found:
        return False
    figure.set_size_inches(6.4, 1.4 + 0.22 * len(found))
    axis = figure.subplots()
    shown = list(benchmark.having("script_gaps"))
    height = 0.8 / len(shown)
    for place, model in enumerate(shown):
        rows = [(i, by_model[model]) for i, by_model in enumerate(found.values()) if by_model.get(model) is not None]
        y = [i - 0.4 + height * (place + 0.5) for i, _ in rows]
        axis.barh(y, [gap for _, gap in rows], height, color=COLORS[model % len(COLORS)], label=models[model])
    names = [
        f"{language} {first} - {second} {'>' if way == 'to_other' else '<'} {other}"
        for language, first, second, other, way in found
    ]
    axis.set_yticks(range(len(found)), [plain(name) for name in names], fontsize=6)
    axis.axvline(0, color="#888", linewidth=0.8)
    axis.invert_yaxis()
    axis.set(xlabel="gap in P@1", title=plain(benchmark.title))
    return _framed(axis)


def sentence_maps(figure: Any, benchmark: Benchmark, models: Sequence[str]) -> bool:
    """Sentences in the plane, coloured by script."""
    found = {m: points for m, r in benchmark.having("map").items() if (points := drawable(r["map"]))}
    if not found:
        return False
    scripts = sorted({point["script"] for points in found.values() for point in points})
    figure.set_size_inches(4.6 * len(found) + 1.2, 4.6)
    for axis, (model, points) in zip(figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True):
        for i, script in enumerate(scripts):
            x, y = ([point[name] for point in points if point["script"] == script] for name in "xy")
            marker, color = MARKERS[i // len(CATEGORIES) % len(MARKERS)], CATEGORIES[i % len(CATEGORIES)]
            axis.scatter(x, y, s=9, marker=marker, color=color, alpha=0.7, linewidths=0, label=plain(script))
        axis.set(title=models[model], xticks=[], yticks=[], aspect="equal")
    handles, names = figure.axes[0].get_legend_handles_labels()  # every script, in every panel
    figure.legend(handles, names, loc="outside right upper", fontsize=6, frameon=False)
    return True


def _framed(axis: Any) -> bool:
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="both", linewidth=0.4, color="#ddd")
    axis.set_axisbelow(True)
    axis.legend(frameon=False, fontsize=7)
    return True


FIGURES: Mapping[str, Callable[[Any, Benchmark, Sequence[str]], bool]] = {
    "heat": heat_map, "layers": layer_curves, "gaps": gap_bars, "map": sentence_maps,
}  # fmt: skip
"""By the beginning of the file's name: what draws on a figure, and whether there was anything to draw."""

"""Scores by language pair: a heat map of languages by direction and model, or a square of languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from align.reporting.collection import Benchmark, Collection
from align.reporting.markup import Html, element, join
from align.reporting.names import coded
from align.reporting.table import (
    Section,
    block,
    counted,
    difference_cell,
    heat_cell,
    interval_text,
    model_name,
    scale,
    table,
)  # fmt: skip

KINDS = (("to_pivot", "from_pivot"), ("direct",), ("",))
"""Directions that share a table."""
HEADINGS = {
    "to_pivot": "language → {}", "from_pivot": "{} → language", "direct": "language → {}", "": "",
}  # fmt: skip
Row = tuple[str, str, int]
"""Language, the other one, and which of several scores of the two."""
Cells = dict[tuple[str, int], Mapping[str, Any]]
"""Score by direction and model."""


def scores(collection: Collection) -> Section:
    """A table, or squares, for each benchmark and kind of direction."""
    parts = []
    for benchmark in collection.benchmarks:
        shown = [_kind(benchmark, collection.labels, kind) for kind in KINDS]
        if any(shown):
            legend = element("p", scale(benchmark.lowest), class_="legend")
            parts.append(block(benchmark.heading, legend, *shown))
    lead = "Each row is a language; a column sorts when its heading is pressed. Hover over a cell to read its interval."
    body = join(*parts)
    return Section("scores", "Scores by language pair", lead, body, "The results hold no scores of single languages.")


def _kind(benchmark: Benchmark, models: Sequence[str], kind: Sequence[str]) -> Html:
    rows: dict[Row, Cells] = {}
    for model, result in benchmark.results.items():
        seen: dict[tuple[str, str, str], int] = {}
        for score in result["scores"]:
            if score["direction"] in kind:
                place = (score["language"], score["other"], score["direction"])
                again = seen[place] = seen.get(place, -1) + 1
                rows.setdefault((*place[:2], again), {})[place[2], model] = score
    if not rows:
        return Html("")
    if kind == ("direct",) and _dense(rows):
        return _squares(benchmark, models, rows)
    return _rows(benchmark, models, rows)


def _rows(benchmark: Benchmark, models: Sequence[str], rows: Mapping[Row, Cells]) -> Html:
    others = sorted({other for _, other, _ in rows})
    used = {direction for cells in rows.values() for direction, _ in cells}
    directions = [direction for kind in KINDS for direction in kind if direction in used]
    change = max(benchmark.results) if len(benchmark.results) == 2 else None
    left_out = any(score.get("left_out") for cells in rows.values() for score in cells.values())
    named = any(again for *_, again in rows)
    head: list[object] = ["language", *(["other"] if len(others) > 1 else []), *(["set"] if named else [])]
    groups = [element("th", colspan=len(head))]
    for direction in directions:
        columns = [counted(model_name(models, model), class_="tight") for model in benchmark.results]
        columns += [] if change is None else [counted("change")]
        heading = HEADINGS[direction].format(others[0] if len(others) == 1 else "other")
        groups.append(element("th", heading, colspan=len(columns), scope="colgroup"))
        head += columns
    head += [counted("n"), *([counted("left out")] if left_out else [])]
    groups.append(element("th", colspan=1 + left_out))
    lines = []
    for (language, other, _), cells in rows.items():
        row = [element("th", coded(language), scope="row")]
        row += [element("td", coded(other) if other else None)] if len(others) > 1 else []
        row += [element("td", next(iter(cells.values()))["id"])] if named else []
        for direction in directions:
            row += [_cell(cells.get((direction, model)), benchmark) for model in benchmark.results]
            row += [] if change is None else [_change(cells.get((direction, change)), change, benchmark)]
        row += [element("td", _counts(cells, "n"), class_="number")]
        row += [element("td", _counts(cells, "left_out"), class_="number")] if left_out else []
        lines.append(element("tr", *row))
    group_row = element("tr", *groups) if directions != [""] else None
    return table(head, lines, label=benchmark.title, groups=group_row)


def _cell(score: Mapping[str, Any] | None, benchmark: Benchmark) -> Html:
    if score is None:
        return element("td", class_="heat none")
    note = f"{score['id']}, 95 % {interval_text(score)}, n = {score['n']:,}"
    return heat_cell(score["metrics"].get(benchmark.first["metric"]), note=note, low=benchmark.lowest)


def _change(score: Mapping[str, Any] | None, model: int, benchmark: Benchmark) -> Html:
    return difference_cell(benchmark.differences.scores.get((model, score["id"])) if score else None)


def _counts(cells: Cells, key: str) -> str:
    return " / ".join(f"{n:,}" for n in sorted({score.get(key) or 0 for score in cells.values()}))


def _dense(rows: Mapping[Row, Cells]) -> bool:
    """Whether at least half of all pairs of languages are there."""
    languages = {code for language, other, _ in rows for code in (language, other)}
    return len(languages) > 2 and 2 * len(rows) >= len(languages) * (len(languages) - 1)


def _squares(benchmark: Benchmark, models: Sequence[str], rows: Mapping[Row, Cells]) -> Html:
    sources, targets = sorted({language for language, _, _ in rows}), sorted({other for _, other, _ in rows})
    squares = []
    for model in benchmark.results:
        lines = []
        for source in sources:
            found = [rows.get((source, target, 0), {}).get(("direct", model)) for target in targets]
            cells = [_cell(score, benchmark) for score in found]
            lines.append(element("tr", element("th", coded(source), scope="row"), *cells))
        drawn = table(["from / to", *targets], lines, label=f"{benchmark.title}, {models[model]}")
        squares.append(element("figure", element("figcaption", model_name(models, model)), drawn))
    return element("div", *squares, class_="flow")

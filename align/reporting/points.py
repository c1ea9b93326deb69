"""The map of sentence vectors: a mark for each sentence, coloured by language or by script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from align.reporting.collection import Collection
from align.reporting.markup import Html, element, embedded, finite, join, number
from align.reporting.names import language_name, web_language
from align.reporting.palette import CATEGORIES, SHAPES
from align.reporting.table import Section, block, model_name

SIDE, MARGIN = 520, 14
OUTLINES = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",  # disc
    "M-3.6 -3.6h7.2v7.2h-7.2z",  # square
    "M0 -4.8L4.6 3.4H-4.6z",  # triangle
    "M0 -5L5 0L0 5L-5 0z",  # diamond
    "M0 4.8L4.6 -3.4H-4.6z",  # triangle on its tip
    "M0 -5L1.4 -1.6L5 -1.5L2.2 0.7L3.1 4.2L0 2.2L-3.1 4.2L-2.2 0.7L-5 -1.5L-1.4 -1.6z",  # star
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",  # the same six hollow, then plus and cross
    "M-3.6 -3.6h7.2v7.2h-7.2z",
    "M0 -4.8L4.6 3.4H-4.6z",
    "M0 -5L5 0L0 5L-5 0z",
    "M0 -4.6V4.6M-4.6 0H4.6",
    "M-3.6 -3.6L3.6 3.6M-3.6 3.6L3.6 -3.6",
)
FILLED = 6
"""Outlines before this one are filled."""
assert len(OUTLINES) == SHAPES


def points(collection: Collection) -> Section:
    """A map for each benchmark that has one, the models side by side, with one legend for all."""
    found = collection.having("map")
    lead = (
        "Each mark is a sentence; near marks mean nearly the same to the model. Point at one, tap it, or step with the "
        "arrow keys to read it: its translations are ringed. Press a name in the legend to see it alone."
    )
    every = [point for b in found for result in b.having("map").values() for point in drawable(result["map"])]
    if not every:
        return Section("map", "Sentence map", lead, Html(""), "No result holds a map of sentence vectors.")
    languages, scripts = (sorted({point[key] for point in every}) for key in ("language", "script"))
    texts = {text: i for i, text in enumerate(dict.fromkeys(p[k] for p in every for k in ("text", "translation")))}
    parts: list[Html] = []
    data: list[list[tuple[int, int, int, int]]] = []
    for benchmark in found:
        panels = []
        for model, result in benchmark.having("map").items():
            if not (drawn := drawable(result["map"])):
                continue
            caption = element("figcaption", model_name(collection.labels, model), _about(result["map"]))
            label = f"{collection.labels[model]}: {len(drawn)} sentences"
            panels.append(element("figure", caption, _panel(drawn, languages, len(data), label)))
            places = [(languages.index(p["language"]), scripts.index(p["script"])) for p in drawn]
            data.append([(*at, texts[p["text"]], texts[p["translation"]]) for at, p in zip(places, drawn, strict=True)])
        if panels:
            parts.append(block(benchmark.title, element("div", *panels, class_="panels maps")))
    held = {
        "languages": [[code, language_name(code), web_language(code)] for code in languages],
        "scripts": [[code, "", None] for code in scripts],
        "texts": list(texts),
        "panels": data,
        "colors": len(CATEGORIES["light"]),
        "shapes": SHAPES,
    }
    body = join(_shapes(), _switch(), *parts, _reader(), _legend(languages, "language"), _legend(scripts, "script"),
                element("script", embedded(held), type="application/json", id="map-data"))  # fmt: skip
    return Section("map", "Sentence map", lead, body, "")


def mark(index: int) -> tuple[str, str]:
    """Shape and colour of the language or script of this number: colours first, then the next shape."""
    colors = len(CATEGORIES["light"])
    return f"#s{index // colors % SHAPES}", f"c{index % colors}"


def placed(found: Sequence[Mapping[str, Any]], side: float, margin: float) -> list[tuple[float, float]]:
    """Places of points in a square, from its top left; both axes have one scale, and the points fill the square."""
    xs, ys = ([float(point[axis]) for point in found] for axis in "xy")
    span = max(max(xs) - min(xs), max(ys) - min(ys)) or 1.0
    unit = (side - 2 * margin) / span
    left, top = ((max(v) + min(v)) / 2 for v in (xs, ys))
    across, down = [side / 2 + unit * (x - left) for x in xs], [side / 2 - unit * (y - top) for y in ys]
    return [(round(x, 1), round(y, 1)) for x, y in zip(across, down, strict=True)]


def drawable(held: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The points of a map that have a place."""
    return [p for p in held.get("points") or [] if finite(p["x"]) is not None and finite(p["y"]) is not None]


def _about(held: Mapping[str, Any]) -> Html:
    method = {"pca": "PCA", "umap": "UMAP"}.get(held.get("method") or "", held.get("method") or "")
    shares = [f"{number(100 * float(share), digits=0)} %" for share in held.get("explained") or []]
    sentence = f"{method}, {' + '.join(shares)} of the variance" if shares else method
    if held.get("missing"):
        sentence += f"; without {', '.join(held['missing'])}"
    return element("small", sentence)


def _panel(found: Sequence[Mapping[str, Any]], languages: Sequence[str], panel: int, label: str) -> Html:
    marks = []
    for (x, y), point in zip(placed(found, SIDE, MARGIN), found, strict=True):
        shape, color = mark(languages.index(point["language"]))
        marks.append(element("use", href=shape, x=f"{x:g}", y=f"{y:g}", class_=color))
    group = element("g", *marks, class_="marks")
    return element("svg", group, element("g", class_="rings"), class_="map", viewBox=f"0 0 {SIDE} {SIDE}", tabindex=0,
                   role="application", aria_label=f"Map of {label}; arrow keys step", data_panel=panel)  # fmt: skip


def _shapes() -> Html:
    held = [
        element("path", id=f"s{i}", d=outline, class_="filled" if i < FILLED else "hollow")
        for i, outline in enumerate(OUTLINES)
    ]
    return element("svg", element("defs", *held), width=0, height=0, class_="shapes", aria_hidden="true")


def _switch() -> Html:
    buttons = (
        element("button", f"by {by}", type="button", data_by=by, aria_pressed="true" if by == "language" else "false")
        for by in ("language", "script")
    )
    return element("p", "Colour ", *buttons, class_="switch")


def _reader() -> Html:
    empty = element("p", "Point at a mark to read its sentence.", class_="note")
    return element("div", empty, class_="reader", id="map-reader", aria_live="polite")


def _legend(codes: Sequence[str], by: str) -> Html:
    def entries() -> Iterable[Html]:
        for i, code in enumerate(codes):
            shape, color = mark(i)
            used = element("use", href=shape, x=7, y=7, class_=color)
            icon = element("svg", used, width=14, height=14, aria_hidden="true")
            name = language_name(code) if by == "language" else None
            yield element("button", icon, code, type="button", title=name or None, aria_pressed="false", data_index=i)

    return element(
        "div", *entries(), class_="map-legend", data_by=by, hidden=by == "script", aria_label=f"legend by {by}"
    )

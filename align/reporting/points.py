"""The map of sentence vectors: a mark for each sentence, coloured by language or by script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from align.reporting.collection import Collection
from align.reporting.numbers import finite, number
from align.reporting.palette import COLORS, SHAPES
from align.text.languages import language_name, web_language

SIDE, MARGIN = 520, 14
OUTLINES = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",  # disc
    "M-3.6 -3.6h7.2v7.2h-7.2z",  # square
    "M0 -4.8L4.6 3.4H-4.6z",  # triangle
    "M0 -5L5 0L0 5L-5 0z",  # diamond
    "M0 4.8L4.6 -3.4H-4.6z",  # triangle on its tip
    "M0 -5L1.4 -1.6L5 -1.5L2.2 0.7L3.1 4.2L0 2.2L-3.1 4.2L-2.2 0.7L-5 -1.5L-1.4 -1.6z",  # star
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",  # four of them hollow, then plus and cross
    "M-3.6 -3.6h7.2v7.2h-7.2z",
    "M0 -4.8L4.6 3.4H-4.6z",
    "M0 -5L5 0L0 5L-5 0z",
    "M0 -4.6V4.6M-4.6 0H4.6",
    "M-3.6 -3.6L3.6 3.6M-3.6 3.6L3.6 -3.6",
)
FILLED = 6
"""Outlines before this one are filled."""
assert len(OUTLINES) == SHAPES
Point = Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """The map of one model."""

    model: int
    about: str
    number: int
    """Among all panels of the page."""
    marks: Sequence[tuple[float, float, int]]
    """Place, and number of the language."""


def points(collection: Collection) -> dict[str, Any]:
    """Panels of each benchmark that has maps, and what the script of the page reads to tell of their sentences."""
    maps = [
        (benchmark, {m: (r["map"], at) for m, r in benchmark.having("map").items() if (at := drawable(r["map"]))})
        for benchmark in collection.having("map")
    ]
    every = [point for _, held in maps for _, drawn in held.values() for point in drawn]
    languages, scripts = (sorted({point[key] for point in every}) for key in ("language", "script"))
    texts = {text: i for i, text in enumerate(dict.fromkeys(p[k] for p in every for k in ("text", "translation")))}
    data: list[list[tuple[int, int, int, int]]] = []
    found = []
    for benchmark, held in maps:
        panels = []
        for model, (whole, drawn) in held.items():
            spoken = [languages.index(p["language"]) for p in drawn]
            places = placed(drawn, SIDE, MARGIN)
            marks = [(x, y, language) for (x, y), language in zip(places, spoken, strict=True)]
            panels.append(Panel(model, about(whole), len(data), marks))
            data.append(
                [
                    (language, scripts.index(p["script"]), texts[p["text"]], texts[p["translation"]])
                    for language, p in zip(spoken, drawn, strict=True)
                ]
            )
        if panels:
            found.append((benchmark.title, panels))
    read = {
        "languages": [[code, language_name(code), web_language(code)] for code in languages],
        "scripts": [[code, "", None] for code in scripts],
        "texts": list(texts),
        "panels": data,
        "colors": COLORS,
        "shapes": SHAPES,
    }
    shapes = [(outline, "filled" if i < FILLED else "hollow") for i, outline in enumerate(OUTLINES)]
    legends = {"language": languages, "script": scripts}
    return {"found": found, "read": read, "shapes": shapes, "legends": legends, "side": SIDE}


def placed(found: Sequence[Point], side: float, margin: float) -> list[tuple[float, float]]:
    """Places of points in a square, from its top left; both axes have one scale, and the points fill the square."""
    xs, ys = ([float(point[axis]) for point in found] for axis in "xy")
    span = max(max(xs) - min(xs), max(ys) - min(ys)) or 1.0
    unit = (side - 2 * margin) / span
    left, top = ((max(v) + min(v)) / 2 for v in (xs, ys))
    across, down = [side / 2 + unit * (x - left) for x in xs], [side / 2 - unit * (y - top) for y in ys]
    return [(round(x, 1), round(y, 1)) for x, y in zip(across, down, strict=True)]


def drawable(held: Mapping[str, Any]) -> list[Point]:
    """The points of a map that have a place."""
    return [p for p in held.get("points") or [] if finite(p["x"]) is not None and finite(p["y"]) is not None]


def about(held: Mapping[str, Any]) -> str:
    """How a map was made."""
    method = {"pca": "PCA", "umap": "UMAP"}.get(held.get("method") or "", held.get("method") or "")
    shares = [f"{number(100 * float(share), 0)} %" for share in held.get("explained") or []]
    sentence = f"{method}, {' + '.join(shares)} of the variance" if shares else method
    return sentence + (f"; without {', '.join(held['missing'])}" if held.get("missing") else "")

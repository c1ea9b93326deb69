"""Parts that the sections share: tables that sort and scroll, cells of a heat map, strips of dots and bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from align.reporting.difference import Difference, interval_ends
from align.reporting.markup import Html, element, finite, join, number
from align.reporting.palette import CATEGORIES, level

ROW = 15
"""Height of one model in a strip, in px."""


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    id: str
    title: str
    lead: str
    """What is seen and how to read it."""
    body: Html
    """Empty if there is nothing to show."""
    absent: str
    """Why there is nothing to show, in one line."""


def table(head: Sequence[object], rows: Sequence[Html], *, label: str, groups: Html | None = None) -> Html:
    """A table in a box that scrolls; every column can be sorted by its heading.

    Args:
        head: a heading for each column; a ``th`` stays as it is and does not sort.
        rows: ``tr`` elements.
        label: what the table shows, for screen readers.
        groups: a ``tr`` above the headings.
    """
    cells = [
        name if isinstance(name, Html) and name.startswith("<th") else element("th", sorter(name), scope="col")
        for name in head
    ]
    inner = element("table", element("thead", groups, element("tr", *cells)), element("tbody", *rows))
    many = element("p", f"{len(rows)} rows, in a box that scrolls.", class_="note") if len(rows) > 15 else None
    return join(boxed(inner, label=label), many)


def boxed(inner: Html, *, label: str, class_: str = "box") -> Html:
    """A table in a box that scrolls, by keys too."""
    return element("div", inner, class_=class_, tabindex=0, role="region", aria_label=label)


def counted(name: object, *, class_: str = "number") -> Html:
    """The heading of a column of numbers."""
    return element("th", sorter(name), scope="col", class_=class_)


def sorter(name: object) -> Html:
    """A heading that sorts its column."""
    return element("button", name, type="button", class_="sort")


def lowest(values: Iterable[object]) -> float:
    """Lower end of the axis of scores up to 1: 0, or -1 where one is below 0, as a correlation may be."""
    return -1.0 if any((finite(value) or 0.0) < 0 for value in values) else 0.0


def heat_cell(value: object, *, digits: int = 3, note: str | None = None, edge: bool = False, low: float = 0.0) -> Html:
    """A table cell whose ground shows its value, from ``low`` to 1."""
    step = level(value, low)
    text = number(value, digits=digits)
    if digits < 3:
        text = text.replace("0.", ".", 1) if text.startswith(("0.", "−0.")) else text
    kind = "none" if step is None else f"h{step}"
    return element("td", text, class_=f"heat {kind}{' edge' if edge else ''}", title=note)


def scale(low: float = 0.0) -> Html:
    """Legend of the heat scale, from ``low`` to 1."""
    steps = [element("i", class_=f"h{step}") for step in range(0, 21, 2)]
    return element("span", end(low), element("span", *steps, class_="steps", aria_hidden="true"), "1", class_="scale")


def interval_text(holder: Mapping[str, Any]) -> str:
    """``[0.840, 0.860]`` of what has an ``interval``, or a dash."""
    ends = interval_ends(holder)
    return f"[{number(ends[0])}, {number(ends[1])}]" if ends else "–"


def difference_cell(difference: Difference | None) -> Html:
    """A difference, marked when it is not distinguishable from 0."""
    if difference is None:
        return element("td", class_="number")
    text, note = number(difference.value, sign=True), difference.note or None
    if difference.real is False:
        mark = element("span", "≈", aria_label="not distinguishable")
        return element("td", text, " ", mark, class_="number unsure", title=note)
    return element("td", text, class_="number real" if difference.real else "number", title=note)


def model_class(model: int) -> str:
    """CSS class of a model's colour: the first is grey, the others follow the categories."""
    return "first" if model == 0 else f"c{(model - 1) % len(CATEGORIES['light'])}"


def model_name(models: Sequence[str], model: int) -> Html:
    """A model's name behind its colour."""
    return element("span", element("i", class_=f"chip {model_class(model)}"), models[model], class_="model")


def model_legend(models: Sequence[str]) -> Html:
    """Every model behind its colour."""
    return element("p", *(model_name(models, model) for model in range(len(models))), class_="legend")


def dots(values: Mapping[int, Mapping[str, Any]], names: Sequence[str], *, low: float = 0.0) -> Html:
    """A dot with its interval for each model, one below the other, between ``low`` and 1.

    Args:
        values: what has a ``value`` and perhaps an ``interval``, by the number of the model.
        names: of the models.
        low: left end of the axis.
    """
    marks: list[Html] = [
        element("line", x1=x, x2=x, y1=0, y2="100%", class_="grid") for x in ("0%", "25%", "50%", "75%", "100%")
    ]
    for row, (model, holder) in enumerate(values.items()):
        known, y = finite(holder.get("value")), ROW * row + ROW / 2
        if known is None:
            continue
        ends = interval_ends(holder)
        note = element("title", f"{names[model]}: {number(known)} {interval_text(holder) if ends else ''}".strip())
        parts = [note]
        if ends:
            x1, x2 = (percent(place, low, 1) for place in ends)
            parts.append(element("line", x1=x1, x2=x2, y1=y, y2=y, class_="interval"))
        parts.append(element("circle", cx=percent(known, low, 1), cy=y, r=4, class_="dot"))
        marks.append(element("g", *parts, class_=model_class(model)))
    return strip(marks, len(values))


def bars(values: Mapping[int, object], names: Sequence[str], *, reach: float) -> Html:
    """A bar from the middle for each model, one below the other, between ``-reach`` and ``reach``."""
    marks = [element("line", x1="50%", x2="50%", y1=0, y2="100%", class_="axis")]
    for row, (model, value) in enumerate(values.items()):
        known = finite(value)
        if known is None:
            continue
        start, end = sorted((0.0, known))
        width = f"{max(100 * (end - start) / (2 * reach), 0.3):.2f}%"
        note = element("title", f"{names[model]}: {number(known, sign=True)}")
        box = {"x": percent(start, -reach, reach), "y": ROW * row + 2, "width": width, "height": ROW - 4}
        marks.append(element("rect", note, class_=f"bar {model_class(model)}", **box))
    return strip(marks, len(values))


def strip(marks: Sequence[Html], rows: int) -> Html:
    """A drawing as wide as its cell; places along it are percentages, so that it stretches and its dots do not."""
    return element("svg", *marks, class_="strip", height=ROW * max(rows, 1), role="img", aria_label="drawing")


def percent(value: float, low: float, high: float) -> str:
    """Place of a value between two ends, which it does not leave."""
    share = (value - low) / (high - low) if high > low else 0.5
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"


def numbers_of(holders: Iterable[Mapping[str, Any]]) -> list[object]:
    """All that ``dots`` draws of what has a ``value`` and perhaps an ``interval``."""
    return [number for one in holders for number in (one.get("value"), *(interval_ends(one) or ()))]


def end(value: float) -> str:
    """Label of an end of an axis, with a real minus."""
    return f"{value:g}".replace("-", "−")


def ends(*names: str) -> Html:
    """Labels of an axis, over a strip: at its ends, and in the middle."""
    return element("span", *(element("span", name) for name in names), class_="ends")


def stack(parts: Sequence[object]) -> Html:
    """Short texts one below the other, level with the rows of a strip."""
    return element("div", *(element("div", part) for part in parts), class_="stack")


def block(title: object, *parts: object) -> Html:
    """A part of a section with a heading of its own."""
    return join(element("h3", title), *parts)

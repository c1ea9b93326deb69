"""A small line chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from align.reporting.markup import Html, element, finite

WIDTH, HEIGHT = 380, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 36
DASHES = (None, "6 3", "2 3")
MARKED = 40
"""Lines of at most so many points show each as a dot."""


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    name: str
    color: str
    """CSS class."""
    points: Sequence[tuple[float, object]]
    """(x, y); a y that is no number is a gap."""
    dash: str | None = None
    chosen: float | None = None
    """x of a point to ring."""


def chart(lines: Sequence[Line], *, x: str, y: str, label: str, zero: bool = False) -> Html:
    """Lines over common axes, or empty markup when there is no number to draw.

    Args:
        lines: what to draw.
        x: what runs to the right.
        y: what runs upwards.
        label: what the chart shows, for screen readers.
        zero: whether the upward axis runs from 0 to 1 at least.
    """
    known = [(px, value) for line in lines for px, py in line.points if (value := finite(py)) is not None]
    if not known:
        return Html("")
    first, last = min(px for px, _ in known), max(px for px, _ in known)
    if first == last:
        first, last = first - 1, last + 1
    across = [tick for tick in ticks(first, last, whole=True) if first <= tick <= last]
    values = [py for _, py in known] + ([0.0, 1.0] if zero else [])
    up = ticks(min(values), max(values))
    place = Axes(first, last, up[0], up[-1])
    marks = [*_axes(across, up, place, x, y), *(_line(line, place) for line in lines)]
    drawn = element("svg", *marks, class_="chart", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label)
    keys = (element("span", _key(line), line.name, class_="model") for line in lines)
    return element("figure", drawn, element("figcaption", *keys, class_="legend"))


@dataclass(frozen=True)
class Axes:
    """Ends of both axes, in the data's numbers."""

    left: float
    right: float
    bottom: float
    top: float

    def x(self, value: float) -> float:
        """Place to the right, in px."""
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - self.left) / (self.right - self.left), 2)

    def y(self, value: float) -> float:
        """Place from the top, in px."""
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (self.top - value) / (self.top - self.bottom), 2)


def ticks(low: float, high: float, *, count: int = 5, whole: bool = False) -> list[float]:
    """Round numbers, about ``count`` of them, from below ``low`` to above ``high``; at least two.

    >>> ticks(0, 0.93), ticks(3, 3, whole=True)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [2.0, 3.0, 4.0])
    """
    if high <= low:
        pad = 1.0 if whole else abs(low) / 2 or 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    step = max(step, 1.0) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def _axes(across: Sequence[float], up: Sequence[float], place: Axes, x: str, y: str) -> list[Html]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    marks = []
    for value in up:
        marks.append(element("line", x1=LEFT, x2=right, y1=place.y(value), y2=place.y(value), class_="grid"))
        marks.append(element("text", f"{value:g}".replace("-", "−"), x=LEFT - 6, y=place.y(value) + 4, class_="end"))
    for value in across:
        text = f"{value:,.0f}" if value == round(value) else f"{value:g}"
        marks.append(element("text", text, x=place.x(value), y=bottom + 15, class_="middle"))
    marks.append(element("line", x1=LEFT, x2=right, y1=bottom, y2=bottom, class_="axis"))
    marks.append(element("text", x, x=(LEFT + right) / 2, y=HEIGHT - 4, class_="middle"))
    middle = (TOP + bottom) / 2
    marks.append(element("text", y, x=11, y=middle, class_="middle", transform=f"rotate(-90 11 {middle:g})"))
    return marks


def _line(line: Line, place: Axes) -> Html:
    runs: list[list[tuple[float, float, float, float]]] = [[]]
    for x, y in line.points:
        value = finite(y)
        if value is None:
            runs.append([])
        else:
            runs[-1].append((place.x(x), place.y(value), x, value))
    marks = []
    for run in runs:
        if len(run) > 1:
            path = " ".join(f"{px:g},{py:g}" for px, py, _, _ in run)
            marks.append(element("polyline", points=path, stroke_dasharray=line.dash))
        for px, py, x, value in run if len(line.points) <= MARKED or len(run) == 1 else ():
            note = element("title", f"{line.name}, {x:g}: {value:.4g}")
            marks.append(element("circle", note, cx=px, cy=py, r=2.5, class_="dot"))
            if x == line.chosen:
                marks.append(element("circle", cx=px, cy=py, r=6, class_="ring"))
    return element("g", *marks, class_=line.color)


def _key(line: Line) -> Html:
    drawn = element("line", x1=0, x2=22, y1=5, y2=5, stroke_dasharray=line.dash)
    return element("svg", drawn, class_=f"key {line.color}", width=22, height=10, aria_hidden="true")

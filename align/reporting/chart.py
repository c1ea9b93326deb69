"""A small line chart: where everything stands, which ``chart.html`` draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from align.reporting.numbers import axis, finite

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


@dataclass(frozen=True)
class Chart:
    """Lines over common axes, which end at round numbers."""

    lines: Sequence[Line]
    x: str
    """What runs to the right."""
    y: str
    """What runs upwards."""
    label: str
    """What the chart shows, for screen readers."""
    across: Sequence[float]
    """Numbers along the x axis."""
    up: Sequence[float]
    """Numbers along the y axis, which they span."""
    ends: tuple[float, float]
    """Of the x axis."""
    size: ClassVar = (380, 230)
    """Width and height, in px."""
    left: ClassVar = 46
    """Where the axes end, in px."""
    right: ClassVar = 368
    top: ClassVar = 10
    bottom: ClassVar = 194

    def x_of(self, value: float) -> float:
        """Place to the right, in px."""
        first, last = self.ends
        return round(self.left + (self.right - self.left) * (value - first) / (last - first), 2)

    def y_of(self, value: float) -> float:
        """Place from the top, in px."""
        first, last = self.up[0], self.up[-1]
        return round(self.top + (self.bottom - self.top) * (last - value) / (last - first), 2)

    def runs(self, line: Line) -> list[list[tuple[float, float]]]:
        """The points of a line between its gaps."""
        found: list[list[tuple[float, float]]] = [[]]
        for x, y in line.points:
            value = finite(y)
            if value is None:
                found.append([])
            else:
                found[-1].append((x, value))
        return found

    def dotted(self, line: Line, run: Sequence[object]) -> bool:
        """Whether each point of a run is shown."""
        return len(line.points) <= MARKED or len(run) == 1


def chart(lines: Sequence[Line], *, x: str, y: str, label: str, zero: bool = False) -> Chart | None:
    """A chart of lines, or ``None`` when there is no number to draw; ``zero``: the y axis is that of scores."""
    known = [(px, value) for line in lines for px, py in line.points if (value := finite(py)) is not None]
    if not known:
        return None
    first, last = min(px for px, _ in known), max(px for px, _ in known)
    if first == last:
        first, last = first - 1, last + 1
    across = [tick for tick in ticks(first, last, whole=True) if first <= tick <= last]
    values = [py for _, py in known]
    values += [0.0, *axis(values)] if zero else []
    return Chart(lines, x, y, label, across, ticks(min(values), max(values)), (first, last))


def ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Round numbers, about five of them, from below ``low`` to above ``high``; at least two.

    >>> ticks(0, 0.93), ticks(3, 3, whole=True)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [2.0, 3.0, 4.0])
    """
    if high <= low:
        pad = 1.0 if whole else abs(low) / 2 or 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    step = max(step, 1.0) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]

"""Numbers for people, and their places on an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any


def finite(value: Any) -> float | None:
    """The number, or ``None`` for what is none, NaN or infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def number(value: Any, digits: int = 3, *, sign: bool = False) -> str:
    """A number for people: ``0.853``, with a real minus; a dash for none.

    >>> number(0.8534), number(-0.2, 1, sign=True), number(None)
    ('0.853', '−0.2', '–')
    """
    known = finite(value)
    if known is None:
        return "–"
    text = f"{known:{'+' if sign else ''}.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def short(value: Any) -> str:
    """Two digits without the zero before them: ``.85``; 1.00 stays."""
    text = number(value, 2)
    return text.replace("0.", ".", 1) if text.startswith(("0.", "−0.")) else text


def end(value: float) -> str:
    """Label of an end of an axis, with a real minus."""
    return f"{value:g}".replace("-", "−")


def interval_ends(holder: Mapping[str, Any]) -> tuple[float, float] | None:
    """The two ends of what has an ``interval``."""
    ends = holder.get("interval")
    return (float(ends[0]), float(ends[1])) if ends else None


def interval(holder: Mapping[str, Any]) -> str:
    """``[0.840, 0.860]`` of what has an ``interval``, or a dash."""
    ends = interval_ends(holder)
    return f"[{number(ends[0])}, {number(ends[1])}]" if ends else "–"


def lowest(values: Iterable[object]) -> float:
    """Lower end of the axis of scores up to 1: 0, or -1 where one is below 0, as a correlation may be."""
    return -1.0 if any((finite(value) or 0.0) < 0 for value in values) else 0.0


def lowest_of(holders: Iterable[Mapping[str, Any]]) -> float:
    """``lowest`` of all that is drawn of what has a ``value`` and perhaps an ``interval``."""
    return lowest(number for one in holders for number in (one.get("value"), *(interval_ends(one) or ())))


def percent(value: float, low: float, high: float) -> str:
    """Place of a value between two ends, which it does not leave.

    >>> percent(0.25, -1, 1), percent(7, 0, 1)
    ('62.50%', '100.00%')
    """
    share = (value - low) / (high - low) if high > low else 0.5
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"

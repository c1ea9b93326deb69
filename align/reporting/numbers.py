"""Numbers for people, and their places on an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

Axis = tuple[float, float]
REACHES = (0.02, 0.05, 0.1, 0.2)
"""Where the axis of weak scores may end."""


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


def axis(values: Iterable[object]) -> Axis:
    """Both ends of the axis of scores: up to 1, or less where all are weak; from 0, or as far below it.

    >>> axis([0.4]), axis([0.012, 0.07]), axis([-0.3, 0.5]), axis([])
    ((0.0, 1.0), (0.0, 0.1), (-1.0, 1.0), (0.0, 1.0))
    """
    known = [number for value in values if (number := finite(value)) is not None]
    widest = max(map(abs, known), default=1.0)
    high = next((reach for reach in REACHES if widest <= reach), 1.0)
    return (-high if min(known, default=0.0) < 0 else 0.0, high)


def axis_of(holders: Iterable[Mapping[str, Any]]) -> Axis:
    """``axis`` of all that is drawn of what has a ``value`` and perhaps an ``interval``."""
    return axis(number for one in holders for number in (one.get("value"), *(interval_ends(one) or ())))


def covered(scored: int, left_out: int) -> str:
    """How many items were scored, and of how many.

    >>> covered(12, 1988), covered(2000, 0)
    ('12 of 2,000', '2,000')
    """
    return f"{scored:,} of {scored + left_out:,}" if left_out else f"{scored:,}"


def percent(value: float, low: float, high: float) -> str:
    """Place of a value between two ends, which it does not leave.

    >>> percent(0.25, -1, 1), percent(7, 0, 1)
    ('62.50%', '100.00%')
    """
    share = (value - low) / (high - low) if high > low else 0.5
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"

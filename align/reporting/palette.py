"""Which colour is whose; the colours themselves stand in ``templates/palette.css``."""

from __future__ import annotations

import math

from align.reporting.numbers import Axis, finite

LEVELS = 21
"""Steps of the heat scale: 0, 0.05, ..., 1."""
COLORS = 8
"""Categories told apart by colour."""
SHAPES = 12
"""Marks on the map: after the eight colours with one shape come eight with the next."""


def ground(value: object, ends: Axis = (0.0, 1.0)) -> str:
    """CSS class of a cell of a heat map from one end to the other; ``none`` for no number.

    >>> ground(0.0), ground(0.5), ground(2.0), ground(None)
    ('h0', 'h10', 'h20', 'none')
    """
    known = finite(value)
    if known is None:
        return "none"
    low, high = ends
    share = (known - low) / (high - low)
    return f"h{math.floor(min(max(share, 0.0), 1.0) * (LEVELS - 1) + 0.5)}"


def model_class(model: int) -> str:
    """CSS class of a model's colour: the first is grey, the others follow the categories."""
    return "first" if model == 0 else f"c{(model - 1) % COLORS}"


def mark(index: int) -> tuple[str, str]:
    """Shape and colour of the language or script of this number: colours first, then the next shape."""
    return f"#s{index // COLORS % SHAPES}", f"c{index % COLORS}"

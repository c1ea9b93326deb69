"""Colours: one ordered scale for heat maps, one set for categories, in a light and a dark theme."""

from __future__ import annotations

import numpy as np

from align.reporting.numbers import finite

LEVELS = 21
"""Steps of the heat scale: 0, 0.05, ..., 1."""
# Lightness falls (light theme) or rises (dark theme) all the way, so that the order shows without hue.
HEAT = {
    "light": ("#f4f1e8", "#d3e5d3", "#8cc7c0", "#4199b3", "#23659a", "#122f62"),
    "dark": ("#1f252d", "#1d4259", "#206c7c", "#3f9b8b", "#90c988", "#f0f2ad"),
}
# Okabe and Ito's eight, told apart with any colour vision; yellow, blue and black moved to stand out in each theme.
CATEGORIES = {
    "light": ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8f7d00", "#4d4d4d"),
    "dark": ("#3b95d8", "#ee7733", "#1fbf92", "#d994bb", "#8fd0f5", "#f0b429", "#f0e442", "#c4c8ce"),
}
COLORS = len(CATEGORIES["light"])
SHAPES = 12
"""Marks on the map: after the eight colours with one shape come eight with the next."""


def ground(value: object, low: float = 0.0) -> str:
    """CSS class of a cell of a heat map from ``low`` to 1, ends included; ``none`` for no number.

    >>> ground(0.0), ground(0.5), ground(2.0), ground(None)
    ('h0', 'h10', 'h20', 'none')
    """
    known = finite(value)
    if known is None:
        return "none"
    share = (known - low) / (1 - low)
    return f"h{int(np.floor(min(max(share, 0.0), 1.0) * (LEVELS - 1) + 0.5))}"


def model_class(model: int) -> str:
    """CSS class of a model's colour: the first is grey, the others follow the categories."""
    return "first" if model == 0 else f"c{(model - 1) % COLORS}"


def mark(index: int) -> tuple[str, str]:
    """Shape and colour of the language or script of this number: colours first, then the next shape."""
    return f"#s{index // COLORS % SHAPES}", f"c{index % COLORS}"


def heat_color(step: int, theme: str) -> str:
    """Colour of a step, as #rrggbb, straight between the anchors of ``HEAT``."""
    anchors = np.array([channels(color) for color in HEAT[theme]])  # (anchors, 3)
    place = step / (LEVELS - 1) * (len(anchors) - 1)
    rgb = [np.interp(place, range(len(anchors)), anchors[:, k]) for k in range(3)]
    return "#" + "".join(f"{round(float(value)):02x}" for value in rgb)


def ink(background: str) -> str:
    """Black or white, whichever can be read better on ``background``: always at least 4.5 : 1."""
    return max(("#000000", "#ffffff"), key=lambda color: contrast(color, background))


def contrast(first: str, second: str) -> float:
    """Contrast ratio of WCAG 2: (L1 + 0.05) / (L2 + 0.05), L the relative luminance of the lighter and the darker."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    """Relative luminance of WCAG 2, 0 (black) to 1 (white)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in channels(color))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def channels(color: str) -> tuple[int, int, int]:
    """Red, green, blue of #rrggbb."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def css() -> str:
    """Classes h0..h20 (ground and text of a heat cell) and variables --c0..--c7."""
    names = [f"--c{i}: light-dark({a}, {b})" for i, (a, b) in enumerate(zip(*CATEGORIES.values(), strict=True))]
    lines = [f":root {{ {'; '.join(names)} }}"]
    for step in range(LEVELS):
        light, dark = heat_color(step, "light"), heat_color(step, "dark")
        inks = f"light-dark({ink(light)}, {ink(dark)})"
        lines.append(f".h{step} {{ background: light-dark({light}, {dark}); color: {inks} }}")
    lines += [f".c{i} {{ color: var(--c{i}) }}" for i in range(COLORS)]
    return "\n".join(lines)

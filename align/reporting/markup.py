"""HTML from values: what is not ``Html`` yet is escaped, always."""

from __future__ import annotations

import html
import json
import math
import re
from typing import Any

VOID = {"meta", "br", "input"}
# What HTML or UTF-8 cannot hold: controls other than tab and newlines, lone surrogates, non-characters.
UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class Html(str):
    """Markup: text that needs no escaping any more."""


def escape(text: object) -> Html:
    """Any value as text of a page."""
    return text if isinstance(text, Html) else Html(html.escape(fit(str(text)), quote=True))


def fit(text: str) -> str:
    """``text`` with U+FFFD for what a page cannot hold."""
    return UNFIT.sub("\ufffd", text)


def join(*parts: object) -> Html:
    """Parts one after the other; ``None`` is left out."""
    return Html("".join(escape(part) for part in parts if part is not None))


def element(name: str, *children: object, **attributes: Any) -> Html:
    """An element of HTML or SVG.

    Args:
        name: of the element.
        children: ``Html``, or values to be escaped; ``None`` is left out.
        attributes: ``class_`` is class, ``data_x`` is data-x; ``None`` and ``False`` are left out, ``True`` is bare.
    """
    words = [name]
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if value is True:
            words.append(attribute)
        elif value is not None and value is not False:
            words.append(f'{attribute}="{escape(value)}"')
    opening = f"<{' '.join(words)}>"
    return Html(opening if name in VOID else f"{opening}{join(*children)}</{name}>")


def embedded(value: Any) -> Html:
    """JSON for the inside of a script element: no text in it can end the element or break a line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(fit(text))


def finite(value: Any) -> float | None:
    """The number, or ``None`` for what is none, NaN or infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def number(value: Any, *, digits: int = 3, sign: bool = False) -> str:
    """A number for people: ``0.853``, with a real minus; a dash for none.

    >>> number(0.8534), number(-0.2, digits=1, sign=True), number(None)
    ('0.853', '−0.2', '–')
    """
    known = finite(value)
    if known is None:
        return "–"
    text = f"{known:{'+' if sign else ''}.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")

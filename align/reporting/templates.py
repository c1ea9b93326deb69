"""The HTML of the report: templates, in which every value is escaped."""

from __future__ import annotations

import functools
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from align.reporting import numbers, palette
from align.text.languages import language_name, web_language

if TYPE_CHECKING:
    from jinja2 import Environment

# What HTML or UTF-8 cannot hold: controls other than tab and newlines, lone surrogates, non-characters.
UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def render(name: str, **values: Any) -> str:
    """A template with values, as safe markup; what a page cannot hold is U+FFFD."""
    from markupsafe import Markup

    return Markup(UNFIT.sub("\ufffd", environment().get_template(f"{name}.html").render(values)))


@functools.cache
def environment() -> Environment:
    """Templates, and the functions that they call."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(loader=FunctionLoader(_template), autoescape=True, undefined=StrictUndefined)
    known = (numbers.finite, numbers.number, numbers.short, numbers.end, numbers.interval, numbers.interval_ends,
             numbers.percent, palette.model_class, palette.ground, palette.mark, embedded, shipped,
             language_name, web_language)  # fmt: skip
    made.globals |= {function.__name__: function for function in known}
    return made


def _template(name: str) -> str:
    """Text of a template; line ends and indents in it are for its readers alone."""
    text = files("align.reporting").joinpath("templates", name).read_text(encoding="utf-8")
    return "".join(map(str.strip, text.splitlines()))


def shipped(name: str) -> Any:
    """Text of a style sheet or script, as it is."""
    from markupsafe import Markup

    return Markup(files("align.reporting").joinpath("templates", name).read_text(encoding="utf-8"))


def embedded(value: Any) -> Any:
    """JSON for the inside of a script element: no text in it can end the element or break a line."""
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)

"""Docstrings for the site: ``:func:`align.x``` becomes `` `align.x` ``, since pages are Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Roles(griffe.Extension):
    """Called for every function, class and module that is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite its docstring."""
        if obj.docstring:
            text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", obj.docstring.value).replace("::\n", ":\n")
            obj.docstring.value = text.replace(": > ", r": \> ")  # "temperature: > 0" is no quotation

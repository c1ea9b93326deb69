"""Lone surrogates, which no UTF-8 file can hold and on which tokenizers raise."""

from __future__ import annotations

import re

SURROGATES = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """The text with lone surrogates replaced by U+FFFD."""
    return SURROGATES.sub("\ufffd", text)

"""An engine's address as it may be shown: a password never appears in a message, a log or a result."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from align.errors import InputError

SECRET = r"(?:ssl)?pass(?:word|wd)?|pwd|token|api_?key|secret"
"""Names of settings whose values are secrets."""

# up to the last @ before a query: a password may hold an @ or a / that should have been escaped
_IN_URL = re.compile(r"(?P<before>://[^:@/?#\s]*:)(?P<secret>[^?\s]*)(?=@)")
_IN_DSN = re.compile(rf"(?P<before>\b(?:{SECRET})\s*=\s*)(?P<secret>'(?:[^'\\]|\\.)*'|[^\s&;]+)", re.IGNORECASE)


def shown(to: str) -> str:
    """``to`` with ``***`` for what is secret: ``postgresql://me:***@host/base``, ``host=h password=***``."""
    for pattern in (_IN_URL, _IN_DSN):
        to = pattern.sub(r"\g<before>***", to)
    return to


def secrets(to: str, options: Mapping[str, Any]) -> list[str]:
    """What is secret in an address and in options, as it is written and without percent signs; longest first."""
    found = [match["secret"].strip("'") for pattern in (_IN_URL, _IN_DSN) for match in pattern.finditer(to)]
    found += [str(value) for key, value in options.items() if value and re.fullmatch(SECRET, key, re.IGNORECASE)]
    return sorted({form for secret in found for form in (secret, unquote(secret)) if form}, key=len, reverse=True)


@contextmanager
def hidden(words: list[str]) -> Iterator[None]:
    """Whatever is raised inside shows ``***`` for these; an error of a library that shows one becomes an InputError."""
    try:
        yield
    except Exception as error:
        message = str(error)
        for word in words:
            message = message.replace(word, "***")
        if message == str(error):
            raise
    else:
        return
    raise InputError(message) from None  # a traceback would show the first

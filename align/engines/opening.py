"""Opening an engine by its name, with options that may be words of the command line.

A password in its address or among its options never appears in a message, a log or a result.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import unquote

from align.engines.registry import engine as engine_of
from align.engines.target import Target
from align.errors import InputError, there_are

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


@contextmanager
def opened(engine: str, to: str, name: str, options: Mapping[str, Any]) -> Iterator[Target]:
    """An engine's target, closed at the end; a password that any error would show is hidden.

    Raises:
        InputError: no such engine or option, or an option's value is of another type.
    """
    with hidden(secrets(to, options)):
        open_target = engine_of(engine).open_target
        with closing(open_target(to, name=name, **_typed(engine, open_target, options))) as target:
            yield target


def _typed(engine: str, open_target: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options by name, each as the type that ``open_target`` declares: the command line gives words."""
    known = dict(inspect.signature(open_target).parameters)
    known = {key: value for key, value in known.items() if key not in ("to", "name")}
    for key in options:
        if key not in known:
            raise InputError(f"{engine} has no option {key!r}: expected one of {there_are(key, known)}")
    return {key: _value(engine, key, value, known[key].annotation) for key, value in options.items()}


def _value(engine: str, key: str, value: Any, annotation: Any) -> Any:
    """A word as the first type of an annotation such as ``int | None``; of most modules that is text."""
    kinds = (annotation.__name__ if isinstance(annotation, type) else str(annotation)).split(" | ")
    if not isinstance(value, str) or "str" in kinds or kinds[0] not in _READ:
        return value
    read, what = _READ[kinds[0]]
    try:
        return read(value)
    except (ValueError, KeyError) as error:
        raise InputError(f"option {key} of {engine} must be {what}, got {value!r}") from error


_READ: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "bool": (lambda text: {"true": True, "false": False}[text.lower()], "true or false"),
    "int": (int, "a whole number"),
    "float": (float, "a number"),
}

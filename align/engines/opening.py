"""Opening an engine by its name, with options that may be words of the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from align.engines.address import hidden, secrets
from align.engines.registry import engine as engine_of
from align.engines.target import Target
from align.errors import InputError


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
            raise InputError(f"{engine} has no option {key!r}: expected one of {', '.join(known) or 'none'}")
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

"""The engines that are known, and opening one by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from align.engines.address import hidden, secrets
from align.engines.target import Target
from align.errors import InputError


@dataclass(frozen=True)
class Engine:
    """An engine that is known.

    Attributes:
        module: of ``align.engines``; imported when the engine is used.
        to: what TO is, for the help.
    """

    module: str
    to: str


ENGINES: Mapping[str, Engine] = {
    "milvus": Engine("milvus", "http://HOST:19530, or a file that ends in .db (milvus-lite)"),
    "qdrant": Engine("qdrant", "http://HOST:6333, or a folder (the client's local mode)"),
    "qdrant-edge": Engine("qdrant_edge", "a folder"),
    "pgvector": Engine("pgvector", "postgresql://USER@HOST/DATABASE, or a DSN"),
    "lance": Engine("lance", "a folder, or a URI that LanceDB knows"),
    "parquet": Engine("parquet", "a folder"),
    "npy": Engine("npy", "a folder"),
    "opensearch": Engine("opensearch", "a folder"),
    "elasticsearch": Engine("elasticsearch", "a folder"),
    "vespa": Engine("vespa", "a folder"),
}


@contextmanager
def opened(engine: str, to: str, name: str, options: Mapping[str, Any]) -> Iterator[Target]:
    """An engine's target, closed at the end; a password that any error would show is hidden.

    Raises:
        InputError: no such engine or option, or an option's value is of another type.
    """
    with hidden(secrets(to, options)):
        open_target = _module(engine).open_target
        with closing(open_target(to, name=name, **_typed(engine, open_target, options))) as target:
            yield target


def _module(engine: str) -> Any:
    if engine not in ENGINES:
        raise InputError(f"no engine {engine!r}: expected one of {', '.join(ENGINES)}")
    return import_module(f"align.engines.{ENGINES[engine].module}")


def _typed(engine: str, open_target: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options by name, each as the type that ``open_target`` declares: the command line gives words."""
    known = dict(inspect.signature(open_target).parameters)
    known = {key: value for key, value in known.items() if key not in ("to", "name")}
    for key in options:
        if key not in known:
            raise InputError(f"{engine} has no option {key!r}: expected one of {', '.join(known) or 'none'}")
    return {key: _value(engine, key, value, str(known[key].annotation)) for key, value in options.items()}


def _value(engine: str, key: str, value: Any, annotation: str) -> Any:
    """A word as the first type of an annotation such as ``int | None``, which is text: modules postpone evaluation."""
    kinds = annotation.split(" | ")
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

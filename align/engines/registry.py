"""Which engines there are: those of this package's modules, and those that installed packages offer.

An engine is a file (or a folder) of ``align.engines`` that has :class:`align.engines.target.Engine` as ``ENGINE``, or
several as ``ENGINES``; it imports its client where it is opened, not before. Another package names its own in the entry
points ``align.engines``::

    [project.entry-points."align.engines"]
    weaviate = "their_package.weaviate:ENGINE"
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from align.engines.target import Engine
from align.errors import InputError

GROUP = "align.engines"
"""Of entry points; and the package whose modules are looked through."""


@cache
def engines() -> dict[str, Engine]:
    """All engines by name, in the order of the alphabet.

    Raises:
        InputError: an installed package offers what does not load, is no engine, or has a name that is taken.
    """
    found: dict[str, tuple[Engine, str]] = {}
    for place, offered in (*_own(), *_of_packages()):
        for engine in offered:
            if not isinstance(engine, Engine):
                raise InputError(f"{place} must offer align.engines.target.Engine, got {engine!r}")
            if engine.name in found:
                raise InputError(f"two engines are called {engine.name!r}: of {found[engine.name][1]} and {place}")
            found[engine.name] = engine, place
    return {name: found[name][0] for name in sorted(found)}


def engine(name: str) -> Engine:
    """The engine of a name.

    Raises:
        InputError: there is none.
    """
    if name not in engines():
        raise InputError(f"no engine {name!r}: expected one of {', '.join(engines())}")
    return engines()[name]


def _own() -> Iterator[tuple[str, tuple[Any, ...]]]:
    for module in pkgutil.iter_modules([str(Path(__file__).parent)], f"{GROUP}."):
        yield module.name, _offered(import_module(module.name))


def _of_packages() -> Iterator[tuple[str, tuple[Any, ...]]]:
    for entry in entry_points(group=GROUP):
        place = f"the entry point {entry.name!r} of {GROUP} ({entry.value})"
        try:
            value = entry.load()
        except (ImportError, AttributeError) as error:
            raise InputError(f"{place} does not load: {error}") from error
        offered = _offered(value)
        if not offered:
            raise InputError(f"{place} offers no engine")
        yield place, offered


def _offered(value: Any) -> tuple[Any, ...]:
    """What a module has as ``ENGINE`` or ``ENGINES``; what is no module, as it is."""
    if not isinstance(value, ModuleType):
        return (value,)
    return (value.ENGINE,) if hasattr(value, "ENGINE") else tuple(getattr(value, "ENGINES", ()))

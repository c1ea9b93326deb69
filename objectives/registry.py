"""Which objectives there are: those of this package's modules, and those that installed packages offer."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from align.errors import InputError
from align.objectives.objective import NEEDS, Objective

GROUP = "align.objectives"  # of entry points


@cache
def objectives() -> dict[str, Objective]:
    """All objectives by name: first those that read vectors only, and of these first those that read least.

    Raises:
        InputError: an installed package offers what is no objective, or one whose name is taken.
    """
    found: dict[str, tuple[Objective, str]] = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)], f"{GROUP}."):
        for objective in offered(import_module(module.name), module.name):
            _add(found, objective, module.name)
    for entry in entry_points(group=GROUP):
        try:
            value = entry.load()
        except (ImportError, AttributeError) as error:
            place = f"the entry point {entry.name!r} of {GROUP}"
            raise InputError(f"{place} does not load {entry.value}: {error}") from None
        own = offered(value, entry.value)
        if not own:
            raise InputError(f"the entry point {entry.name!r} of {GROUP} offers no objective: {entry.value}")
        for objective in own:
            _add(found, objective, entry.value)
    return {objective.name: objective for objective, _ in sorted(found.values(), key=lambda each: _place(each[0]))}


def objective(name: str) -> Objective:
    """The objective of a name.

    Raises:
        InputError: there is none.
    """
    if name not in objectives():
        raise InputError(f"no objective {name!r}: expected one of {', '.join(objectives())}")
    return objectives()[name]


def offered(value: Any, place: str) -> list[Objective]:
    """The objectives of a module, or the one that the value is.

    Raises:
        InputError: there is something else where an objective should be, or an objective reads what nobody provides.
    """
    if isinstance(value, ModuleType):
        single = getattr(value, "OBJECTIVE", None)
        value = getattr(value, "OBJECTIVES", ()) if single is None else (single,)
    several = list(value) if isinstance(value, list | tuple) else [value]
    for one in several:
        if not isinstance(one, Objective):
            raise InputError(f"{place} must offer align.objectives.objective.Objective, got {one!r}")
        unknown = one.reads(one.options()) - NEEDS.keys()
        if unknown:
            raise InputError(f"{place}: {one.name} needs {min(unknown)!r}, expected of {', '.join(NEEDS)}")
    return several


def _add(found: dict[str, tuple[Objective, str]], one: Objective, place: str) -> None:
    if one.name in found:
        raise InputError(f"two objectives are called {one.name!r}: of {found[one.name][1]} and {place}")
    found[one.name] = one, place


def _place(one: Objective) -> tuple[bool, int]:
    reads = one.reads(one.options())
    order = list(NEEDS)
    return not reads.isdisjoint({"masked", "joint"}), max(map(order.index, reads), default=len(order))

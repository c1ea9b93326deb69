"""What modules of this package, and installed packages, offer of one kind: objectives, engines, tasks."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar

from align.errors import InputError, there_are


class Named(Protocol):
    """What a registry holds."""

    @property
    def name(self) -> str:
        """By which it is found."""


T = TypeVar("T", bound=Named)


def registered(
    kind: type[T],
    group: str,
    *,
    package: str = "",
    more: Sequence[str] = (),
    check: Callable[[T, str], None] = lambda one, place: None,
) -> dict[str, T]:
    """All of one kind by name, in the order of modules, then of entry points.

    A module (or a package) of ``group`` offers its own as ``OBJECTIVE``, or several as ``OBJECTIVES``, where the kind
    is ``Objective``. Another package names such a module, or the record itself, in its entry points of that group::

        [project.entry-points."align.engines"]
        weaviate = "their_package.weaviate:ENGINE"

    Args:
        kind: the class of the records.
        group: the package whose modules are looked through, and the group of entry points.
        package: whose modules are looked through, if its name is not that of the group.
        more: modules elsewhere that offer some, too.
        check: refuses a record, with an InputError that names the place.

    Raises:
        InputError: an installed package offers what does not load, is none, or has a name that is taken.
    """
    found: dict[str, tuple[T, str]] = {}
    for place, values in (*_own(kind, package or group, more), *_of_packages(kind, group)):
        for one in values:
            if not isinstance(one, kind):
                raise InputError(f"{place} must offer {kind.__module__}.{kind.__name__}, got {one!r}")
            check(one, place)
            if one.name in found:
                several = f"{kind.__name__.lower()}s"
                raise InputError(f"two {several} are called {one.name!r}: of {found[one.name][1]} and {place}")
            found[one.name] = one, place
    return {name: one for name, (one, _) in found.items()}


def find(name: str, known: Mapping[str, T], what: str) -> T:
    """The one of a name.

    Raises:
        InputError: there is none; the known ones are listed.
    """
    if name not in known:
        raise InputError(f"no {what} {name!r}: expected one of {there_are(name, known)}")
    return known[name]


def offered(value: Any, kind: type) -> tuple[Any, ...]:
    """What a module has as ``OBJECTIVE`` or ``OBJECTIVES`` (of that kind); what is no module, as it is."""
    if not isinstance(value, ModuleType):
        return (value,)
    name = kind.__name__.upper()
    return (getattr(value, name),) if hasattr(value, name) else tuple(getattr(value, f"{name}S", ()))


def _own(kind: type, package: str, more: Sequence[str]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    home = Path(str(import_module(package).__file__)).parent
    for name in (*(module.name for module in pkgutil.iter_modules([str(home)], f"{package}.")), *more):
        yield name, offered(import_module(name), kind)


def _of_packages(kind: type, group: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for entry in entry_points(group=group):
        place = f"the entry point {entry.name!r} of {group} ({entry.value})"
        try:
            values = offered(entry.load(), kind)
        except (ImportError, AttributeError) as error:
            raise InputError(f"{place} does not load: {error}") from error
        if not values:
            raise InputError(f"{place} offers no {kind.__name__.lower()}")
        yield place, values

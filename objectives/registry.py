"""Which objectives there are: those of this package's modules, and those that installed packages offer."""

from __future__ import annotations

from functools import cache

from align.errors import InputError
from align.objectives.objective import NEEDS, OF_HEAD, Objective
from align.registry import find, registered


@cache
def objectives() -> dict[str, Objective]:
    """All objectives by name: first those that read vectors only, and of these first those that read least.

    Raises:
        InputError: see :func:`align.registry.registered`; or an objective reads what nobody provides.
    """
    found = registered(Objective, "align.objectives", check=_check)
    return {one.name: one for one in sorted(found.values(), key=_place)}


def objective(name: str) -> Objective:
    """The objective of a name.

    Raises:
        InputError: there is none.
    """
    return find(name, objectives(), "objective")


def _check(one: Objective, place: str) -> None:
    unknown = one.reads(one.options()) - NEEDS.keys()
    if unknown:
        raise InputError(f"{place}: {one.name} needs {min(unknown)!r}, expected of {', '.join(NEEDS)}")


def _place(one: Objective) -> tuple[bool, int]:
    reads = one.reads(one.options())
    order = list(NEEDS)
    return not reads.isdisjoint(OF_HEAD), max(map(order.index, reads), default=len(order))

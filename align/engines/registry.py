"""Which engines there are: those of this package's modules, and those that installed packages offer.

An engine is a file (or a folder) of ``align.engines`` that has :class:`align.engines.target.Engine` as ``ENGINE``, or
several as ``ENGINES``; it imports its client where it is opened, not before. Another package names its own in the entry
points ``align.engines``, see :mod:`align.registry`.
"""

from __future__ import annotations

from functools import cache

from align.engines.target import Engine
from align.registry import find, registered


@cache
def engines() -> dict[str, Engine]:
    """All engines by name, in the order of the alphabet.

    Raises:
        InputError: see :func:`align.registry.registered`.
    """
    return dict(sorted(registered(Engine, "align.engines").items()))


def engine(name: str) -> Engine:
    """The engine of a name.

    Raises:
        InputError: there is none.
    """
    return find(name, engines(), "engine")

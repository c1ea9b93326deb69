"""Which romanisers there are: those of this package's modules, and those that installed packages offer.

Another package names its own in the entry points ``align.romanizers``::

    [project.entry-points."align.romanizers"]
    iso15919 = "their_package.iso15919:ROMANIZER"
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from align.errors import InputError, unknown
from align.registry import registered

GROUP, DEFAULT = "align.romanizers", "uroman"


@dataclass(frozen=True)
class Romanizer:
    """One way to Latin letters. A file that has it as ``ROMANIZER`` is all that a new one takes."""

    name: str
    """The ``backend`` of all that romanises."""
    help: str
    """What it writes, in a few words."""
    version: Callable[[], str]
    """Its name and version, for manifests and model cards; an InputError that says what to install, if need be."""
    of_language: Callable[[str | None], Callable[[str], str]]
    """``of_language(code)``: what romanises one text by the rules of an ISO 639-3 code; None: by those of all."""
    units: Callable[[str], list[str]] = lambda line: [line]
    """Cuts a line into pieces whose romanisations, concatenated, are its own: a piece is romanised once."""
    plain: Callable[[str], bool] = lambda unit: False
    """Whether it leaves a piece as it is."""
    start: Callable[[], object] = lambda: None
    """Loads what a process needs, before its first text."""


@cache
def romanizers() -> dict[str, Romanizer]:
    """All romanisers by name, the usual one first.

    Raises:
        InputError: an installed package offers what does not load, is no romaniser, or has a name that is taken.
    """
    found = registered(Romanizer, GROUP, package="align.text.romanize")
    return dict(sorted(found.items(), key=lambda item: (item[0] != DEFAULT, item[0])))


def find_romanizer(name: str) -> Romanizer:
    """The romaniser of a name."""
    if name not in romanizers():
        raise InputError(unknown("romaniser", name, romanizers()))
    return romanizers()[name]


def romanizers_help() -> str:
    """What the command line says of ``--backend``."""
    return f"Romaniser: {'; '.join(f'{name}: {one.help}' for name, one in romanizers().items())}."


def romanize_units(units: Iterable[str], *, lcode: str | None, backend: str) -> list[str]:
    """Romanise each unit on its own."""
    romanize = romanizers()[backend].of_language(lcode)
    return [romanize(unit) for unit in units]


def start_worker(backend: str) -> None:
    """Load what a romanising process needs, and keep the garbage collector from walking it again and again."""
    romanizers()[backend].start()
    gc.freeze()

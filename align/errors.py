"""The one exception for bad input."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Bad input from the user: one sentence with what was expected, what came, and where.

    The command line prints it without a traceback and exits with code 2.
    """


SHOWN = 30
"""Known names that an error lists."""


def unknown(what: str, given: str, known: Iterable[str]) -> str:
    """The sentence about a name that is not known: the nearest, and those that are.

    >>> unknown("task", "stss", ["sts", "bli"])
    "unknown task 'stss': did you mean sts? There are sts, bli"
    """
    names = list(known)
    near = get_close_matches(given, names, 1, 0.5)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    listed = f"{', '.join(names[:SHOWN])}{more}" if names else "none"
    asked = f"did you mean {near[0]}? There are" if near else "there are"
    return f"unknown {what} {given!r}: {asked} {listed}"

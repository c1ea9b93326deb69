"""The one exception for bad input."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Bad input from the user: one sentence with what was expected, what came, and where.

    The command line prints it without a traceback and exits with code 2.
    """


def one_line(error: BaseException) -> str:
    r"""What an exception of another library says, for a sentence.

    >>> one_line(OSError("Invalid data\nPage header failed.\n"))
    'Invalid data Page header failed.'
    """
    return " ".join(str(error).split())


CODE = r"[a-z]{2,3}_[A-Z][a-z]{3}"
"""Of a language and its script."""
SHOWN = 30
"""Known names that an error lists."""


def unknown(what: str, given: str, known: Iterable[str]) -> str:
    """The sentence about a name that is not known: those that are, and the nearest.

    >>> unknown("task", "stss", ["sts", "bli"])
    "unknown task 'stss': expected one of sts, bli; did you mean sts?"
    """
    return f"unknown {what} {given!r}: expected one of {there_are(given, known)}"


def there_are(given: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that was not found: those that there are, and the nearest.

    >>> "no column 'text': there are " + there_are("text", ["texts", "id"])
    "no column 'text': there are texts, id; did you mean texts?"
    """
    names = list(dict.fromkeys(known))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (f"{', '.join(names[:SHOWN])}{more}" if names else "none") + nearest(given, names)


def nearest(given: str, known: Iterable[str]) -> str:
    """The question that names the nearest of the known names, in any case; ``""`` if none is near.

    >>> nearest("Stss", ["sts", "bli"]), nearest("qa", ["sts", "bli"])
    ('; did you mean sts?', '')
    """
    language, code = given.partition("_")[0], re.fullmatch(CODE, given)
    others = [name for name in known if name != given]
    if code:  # another language in the same script is not near
        others = [name for name in others if not re.fullmatch(CODE, name) or name.startswith(f"{language}_")]
    folded = {name.casefold(): name for name in others}
    near = get_close_matches(given.casefold(), folded, 1, 0.7)
    return f"; did you mean {folded[near[0]]}?" if near else ""

"""Which formats of word lists there are: those of this package's modules, and those that installed packages offer.

Another package names its own in the entry points ``align.lexicons``::

    [project.entry-points."align.lexicons"]
    apertium = "their_package.apertium:FORMAT"
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from align.errors import InputError
from align.files.lines import encoding_of
from align.files.packed import open_bytes
from align.pairs.lexicons.format import Format
from align.pairs.reading.sources import NAMED
from align.registry import registered

GROUP = "align.lexicons"
DICTIONARY = "dictionary"
"""What a file is that no other format recognises."""
HEAD = 1 << 12


@cache
def formats() -> dict[str, Format]:
    """All formats by name: first those whose lines have two sides, then by turn, then by name.

    Raises:
        InputError: an installed package offers what does not load, is no format, or has a name that is taken.
    """
    found = registered(Format, GROUP, package="align.pairs.lexicons")
    return dict(sorted(found.items(), key=lambda item: (not item[1].two_sides, item[1].turn, item[0])))


def format_of(source: Path | str, sides: Sequence[str] = ()) -> str:
    """The name of a source's format, by its own name and first bytes; ``DICTIONARY`` if no format recognises it.

    Args:
        source: a file, or a name.
        sides: the codes of its two sides, if they are given; the name of the file may begin with them instead.
    """
    two_sides, head = bool(sides) or bool(NAMED.match(Path(source).name)), _head(Path(source))
    told = (one.name for one in formats().values() if one.two_sides == two_sides and one.recognises(str(source), head))
    return next(told, DICTIONARY)


def _head(path: Path) -> bytes:
    """The first bytes of a file, decompressed and as UTF-8 without a byte-order mark; of anything else none."""
    try:
        with open_bytes(path) as file:
            head = file.read(HEAD)
        encoding, mark = encoding_of(head)
        head = head[mark:]
        return head if encoding == "utf-8" else head.decode(encoding, "ignore").encode("utf-8", "ignore")
    except (OSError, InputError):
        return b""

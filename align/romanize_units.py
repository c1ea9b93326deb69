"""What uroman romanises independently: a line cut into units, and one unit romanised exactly as uroman would.

uroman looks at the neighbours of a character, never across ASCII punctuation or a space, apart from a few characters
whose romanisation begins or ends with a space ("、" is ", ", but "," before a space). A line cut at ASCII punctuation
between other characters is therefore the concatenation of its units, and a unit romanised once need never be again.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import logging
import re
from collections.abc import Sequence

log = logging.getLogger(__name__)

CHECKED_UROMAN = "1.3.1.1"  # the cuts below were verified against this release; others get whole lines

# ASCII that no rule of uroman mentions. A full stop is part of numbers (1.5) and of "St.", but not before a space.
_INERT = r"(?:[\x00-\x2d\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]|\.(?= |\Z))+"
# Characters that uroman may romanise with a space at either end, which it drops beside a space; and the Ethiopic "፡ ".
SPACED = "\xa0\u1361\u1680\u16eb\u2000-\u200a\u202f\u205f\u2800-\u28ff\u3000-\u303f\u30fb\ue000-\uf8ff\ufe30-\ufe4f\uff00-\uff65"
_CUT = re.compile(f"(?<![{SPACED}])({_INERT})(?![{SPACED}])")
_BRAILLE = re.compile("[\u2800-\u28ff]")  # a capitals mark reaches over spaces


@functools.cache
def uroman_version() -> str:
    """Version of the installed ``uroman``, the reference."""
    return importlib.metadata.version("uroman")


def split_units(line: str) -> list[str]:
    """Pieces of ``line`` whose romanisations, concatenated, are the romanisation of ``line``.

    ASCII pieces romanise to themselves.
    """
    if uroman_version() != CHECKED_UROMAN or (not line.isascii() and _BRAILLE.search(line)):
        return [line]
    return [line] if line.isascii() else _CUT.split(line)


def romanize_units(units: Sequence[str], *, lcode: str | None, backend: str) -> list[str]:
    """Romanise each unit on its own; ``backend`` is "uroman" or "fast"."""
    fast = _fast(lcode) if backend == "fast" else None
    return [fast(unit) if fast and served_by_fast(unit) else _romanize_unit(unit, lcode) for unit in units]

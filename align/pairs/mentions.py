"""The column ``mention`` of a table: which characters of its source a vector is made of."""

from __future__ import annotations

import re

from align.errors import InputError

MENTION = "mention"
PLACE = re.compile(r"([0-9]+)-([0-9]+)")


def mention_place(cell: str | None, text: str, where: str) -> tuple[int, int] | None:
    """Characters (code points) of a text from 0, the end behind the last; None: the cell is empty, the text is whole.

    >>> mention_place("0-4", "Oslo is in Norway.", "line 1")
    (0, 4)

    Raises:
        InputError: no such place, or none in the text; ``where`` it stands is named.
    """
    if not cell:
        return None
    found = PLACE.fullmatch(cell)
    start, end = map(int, found.groups()) if found else (0, 0)
    if not start < end <= len(text):
        raise InputError(
            f"{where}: expected in the column {MENTION} characters of the source, of which there are {len(text)}, such "
            f"as 0-4, got {cell:.40}"
        )
    return start, end

"""Links between words as Pharaoh writes them: ``0-0 1-2``, one line for each pair of sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from align.errors import InputError

_LINK = re.compile(r"(\d+)([-p])(\d+)([SP]?)(?::([-+.\deE]+))?")


class Link(NamedTuple):
    """A link of word ``source`` of one sentence with word ``target`` of the other, as the file counts them."""

    source: int
    target: int
    sure: bool = True
    score: float | None = None


def read_links(line: str, where: str) -> list[Link]:
    """The links of a line: ``i-j`` and ``i-jS`` are sure, ``ipj`` and ``i-jP`` possible; a score may follow a colon.

    >>> read_links("0-1 2p3 4-5P 6-7:0.5", "line 1")[1:]
    [Link(source=2, target=3, sure=False, score=None), Link(source=4, target=5, sure=False, score=None), \
Link(source=6, target=7, sure=True, score=0.5)]

    Raises:
        InputError: something else; ``where`` is file and line.
    """
    found = []
    for text in line.split():
        parts = _LINK.fullmatch(text)
        try:
            score = float(parts[5]) if parts and parts[5] else None
        except ValueError:
            parts = None
        if parts is None:
            raise InputError(f"{where}: expected links such as 0-1, 0p1, 0-1S or 0-1P, got {text[:40]!r}")
        found.append(Link(int(parts[1]), int(parts[3]), parts[2] == "-" and parts[4] != "P", score))
    return found


def written(links: Iterable[tuple[int, int]], *, base: int = 0, scores: Iterable[float] | None = None) -> str:
    """A line of Pharaoh's: links counted from ``base``, with a score behind a colon if there are ``scores``.

    >>> written([(0, 1), (2, 0)], base=1, scores=[0.5, 1])
    '1-2:0.5000 3-1:1.0000'
    """
    pairs = [f"{i + base}-{j + base}" for i, j in links]
    if scores is not None:
        pairs = [f"{pair}:{score:.4f}" for pair, score in zip(pairs, scores, strict=True)]
    return " ".join(pairs)

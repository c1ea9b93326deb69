"""A share of a job that several machines do, each its own: ``2/8``."""

from __future__ import annotations

import re
from typing import NamedTuple

from align.errors import InputError


class Shard(NamedTuple):
    """One of so many shares."""

    number: int
    """From 1."""
    of: int

    def __str__(self) -> str:
        """As it is given."""
        return f"{self.number}/{self.of}"

    def bounds(self, n: int, step: int = 1) -> slice:
        """Its share of ``n`` rows, in whole steps: the shares of all shards follow each other and differ by a step.

        >>> [Shard(i, 3).bounds(10, step=2) for i in (1, 2, 3)]
        [slice(0, 2, None), slice(2, 6, None), slice(6, 10, None)]
        """
        steps = -(-n // step)
        first, last = ((number * steps // self.of) * step for number in (self.number - 1, self.number))
        return slice(min(first, n), min(last, n))


def shard(text: str) -> Shard:
    """A shard as it is written.

    >>> shard("2/8")
    Shard(number=2, of=8)

    Raises:
        InputError: it is not ``i/n`` with i from 1 to n.
    """
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"shard {text!r}: expected i/n with i from 1 to n, such as 1/8")
    return Shard(int(found[1]), int(found[2]))

"""Whether two line-aligned texts are what they claim to be: as many lines, and not moved by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.similarity.csls import csls_top_k

LEAST_MOVED = 10
"""A run is misaligned if this many more of its lines are nearest to the neighbour's line than to their own, ..."""
MOVED_SHARE = 0.2
"""... if at least this share of its lines are, ..."""
OWN_TO_MOVED = 0.25
"""... and if at most this many are nearest to their own for each that is nearest to the neighbour's."""


def check_aligned(texts: Mapping[str, Sequence[str]]) -> int:
    """Number of lines, the same for every language.

    Raises:
        InputError: no language, no line, or two languages of unequal length.
    """
    if not texts:
        raise InputError("no language was given: expected line-aligned texts")
    first, *others = texts
    n = len(texts[first])
    for code in others:
        if len(texts[code]) != n:
            raise InputError(f"{first} has {n} lines, {code} has {len(texts[code])}: line-aligned texts were expected")
    if not n:
        raise InputError(f"{first} has no lines")
    return n


def misaligned_run(
    first: NDArray[np.float32], second: NDArray[np.float32], lines: NDArray[np.int64], *, block: int = 2048
) -> tuple[int, int, int] | None:
    """The run of lines whose translation stands one line higher or lower, if there is one.

    For each line i of ``first``, o_i is the line number of its nearest neighbour in ``second`` minus its own. For the
    shift s = +1 and s = -1 the run is the one with the largest sum of [o_i = s] - [o_i = 0]; it counts when that sum,
    the share of o = s and the ratio of the two pass ``LEAST_MOVED``, ``MOVED_SHARE`` and ``OWN_TO_MOVED``.
    An encoder that finds few translations cannot show a misalignment.

    Args:
        first: (n, d) embeddings.
        second: (n, d) embeddings of the lines that should be their translations.
        lines: (n,) line numbers, ascending, the same for both.
        block: rows of either side in one product.

    Returns:
        (first line, last line, shift), in the numbers of ``lines``; ``None``: nothing found.
    """
    offsets = lines[csls_top_k(first, second, 1, block=block)[1][:, 0]] - lines
    for shift in (1, -1):
        moved, unmoved = offsets == shift, offsets == 0
        total = np.concatenate([[0], np.cumsum(moved.astype(int) - unmoved)])  # (n + 1,)
        stop = int(np.argmax(total - np.minimum.accumulate(total)))
        start = stop - int(np.argmin(total[stop::-1]))  # the last minimum, so that the run starts with a hit
        hits, misses = int(moved[start:stop].sum()), int(unmoved[start:stop].sum())
        enough = hits - misses >= LEAST_MOVED and hits >= MOVED_SHARE * (stop - start)
        if enough and misses <= OWN_TO_MOVED * hits:
            return int(lines[start]), int(lines[stop - 1]), shift
    return None


def check_shift(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    lines: NDArray[np.int64],
    names: tuple[str, str],
    *,
    block: int = 2048,
) -> None:
    """Refuse two texts that are misaligned by one line, as their embeddings show (see ``misaligned_run``).

    Raises:
        InputError: they are; the lines (from 1) and the direction are named.
    """
    found = misaligned_run(first, second, lines, block=block)
    if found:
        start, stop, shift = found
        raise InputError(
            f"{names[0]} and {names[1]} are misaligned by one line: the nearest neighbours of lines {start + 1} to "
            f"{stop + 1} of {names[0]} are the lines {'after' if shift > 0 else 'before'} theirs in {names[1]}, "
            f"not their own; line-aligned texts were expected"
        )

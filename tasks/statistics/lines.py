"""Which items come from one line: what scores share, and so what is drawn and flipped as one.

In parallel text line i is in every language and is asked in both directions. An item is one of them; items of one line
are easy or hard together, so that a line, and not an item, is what was sampled.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError

Array = NDArray[np.float64]
Lines = NDArray[np.int64]
"""(n,) the number of each item's line among those of all scores."""


def numbered_lines(names: Sequence[Iterable[Hashable] | None], counts: Sequence[int]) -> list[Lines]:
    """The line of each item as a number from 0, the same wherever the name is the same.

    >>> [lines.tolist() for lines in numbered_lines([["a", "b"], ["b", "c", "b"], None], [2, 3, 2])]
    [[0, 1], [1, 2, 1], [3, 4]]

    Args:
        names: for each score, the name of each item's line; ``None``: each item is a line of its own, in no other
            score.
        counts: items of each score.

    Raises:
        InputError: a score has not as many names as items.
    """
    known: dict[Hashable, int] = {}
    found = []
    for score, (of, n) in enumerate(zip(names, counts, strict=True)):
        ids: Iterable[Hashable] = ((score, item) for item in range(n)) if of is None else ((name,) for name in of)
        lines = np.array([known.setdefault(one, len(known)) for one in ids], dtype=np.int64)
        if len(lines) != n:
            raise InputError(f"expected a line for each of {n} items, got {len(lines)}")
        found.append(lines)
    return found


def line_sums(scores: Sequence[Array], lines: Sequence[Lines]) -> Array:
    """(C,) what each line adds to the mean over scores of the mean of their items: they sum to it.

    s_c = sum over scores l and items i of line c of x_li / (n_l L).

    Args:
        scores: for each of L scores, (n_l,) values.
        lines: the line of each.
    """
    weighted = np.concatenate([values / (len(values) * len(scores)) for values in scores])
    _, places = np.unique(np.concatenate(lines), return_inverse=True)
    return np.bincount(places, weights=weighted).astype(np.float64)


def linked(lines: Sequence[Lines]) -> list[list[int]]:
    """Scores that share lines, directly or through others, together; the groups in the order of their first score."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    scores = np.repeat(np.arange(len(lines)), [len(of) for of in lines])
    _, places = np.unique(np.concatenate(lines), return_inverse=True)
    size = len(lines) + int(places.max()) + 1
    edges = coo_array((np.ones(len(scores)), (scores, len(lines) + places)), shape=(size, size))
    groups: dict[int, list[int]] = {}
    for score, label in enumerate(connected_components(edges, directed=False)[1][: len(lines)].tolist()):
        groups.setdefault(label, []).append(score)
    return list(groups.values())

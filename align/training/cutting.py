"""Cutting rows into batches of so many pairs, or so many tokens, in which no group occurs twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Limit:
    """What a batch holds: a number of rows, the same in all, or as many rows as have a number of tokens.

    Processes must get equally many rows. So a batch is turns of one row for each process, process r taking
    ``rows[r::processes]``.
    """

    rows: int
    """Of one process's share: in every batch, or with tokens at most."""
    processes: int = 1
    """That share out each batch."""
    tokens: int = 0
    """Of one process's share, at most; 0: not counted."""
    costs: Ints | None = None
    """Tokens of every row there is, if they are counted."""

    def bounds(self, rows: Ints) -> Ints:
        """Bounds of full batches of (n,) rows: batch i is ``rows[bounds[i]:bounds[i + 1]]``, what follows fills none.

        Tokens of every process's share are added up by themselves: a batch is full when one share is, or would be too
        full with the next turn. A turn that is too much by itself goes alone.

        >>> Limit(3).bounds(np.arange(8)).tolist()
        [0, 3, 6]
        >>> Limit(3, tokens=4, costs=np.array([1, 2, 2, 9, 1, 1, 1, 1])).bounds(np.arange(8)).tolist()
        [0, 2, 3, 4, 7]
        """
        if self.costs is None:
            return np.arange(0, len(rows) + 1, self.rows * self.processes)
        turns = len(rows) // self.processes
        shares = np.zeros((turns + 1, self.processes), dtype=np.int64)
        turn_costs = self.costs[rows[: turns * self.processes]].reshape(turns, self.processes)
        np.cumsum(turn_costs, axis=0, out=shares[1:])
        fits = np.min([np.searchsorted(share, share + self.tokens, side="right") - 1 for share in shares.T], axis=0)
        starts = np.arange(turns + 1)
        ends = np.clip(fits, starts + 1, starts + self.rows).tolist()  # of a batch that starts there
        bounds = [0]
        while (start := bounds[-1]) < turns:
            if ends[start] >= turns and self.filled(turns - start, (shares[turns] - shares[start]).max()) < 1:
                break
            bounds.append(ends[start])
        return np.array(bounds) * self.processes

    def filled(self, rows: Any, tokens: Any) -> Any:
        """How many shares of a batch so many rows with so many tokens can fill."""
        return np.maximum(rows / self.rows, tokens / self.tokens) if self.tokens else rows / self.rows


def apart(rows: Ints, groups: Ints, limit: Limit) -> tuple[list[Ints], Ints]:
    """Full batches of consecutive rows, from which every row goes whose group is there already.

    What goes moves the bounds, so that others meet, and the next round looks again. Only rows whose group occurs twice
    among all are ever looked at. Of (n, k) groups rows that share any of k are kept apart.

    Returns:
        The batches, and the rows that are in none.
    """
    repeated, group = _repeated(groups)
    stays = np.ones(len(rows), dtype=bool)
    while True:
        kept = rows[stays]
        bounds = limit.bounds(kept)
        batch = np.searchsorted(bounds, np.cumsum(stays)[repeated] - 1, side="right")  # 1, 2, ...
        twice = (group[1:] == group[:-1]) & (batch[1:] == batch[:-1]) & (batch[1:] < len(bounds))
        if not twice.any():
            break
        stays[repeated[1:][twice]] = False
        still = stays[repeated]
        repeated, group = repeated[still], group[still]
    batches = np.split(kept, bounds[1:])
    return batches[:-1], np.concatenate([rows[~stays], batches[-1]])


def _repeated(groups: Ints) -> tuple[NDArray[np.intp], Ints]:
    """Places and groups of what occurs more than once among (n,) or (n, k) groups, by group, then by place."""
    flat, width = groups.ravel(), groups.shape[1] if groups.ndim > 1 else 1
    order = np.argsort(flat)
    ordered = flat[order]
    same = np.zeros(len(flat) + 1, dtype=bool)
    same[1:-1] = ordered[1:] == ordered[:-1]  # as the one before
    repeated = order[same[1:] | same[:-1]]
    repeated = repeated[np.lexsort((repeated, flat[repeated]))]  # not every machine sorts equal groups alike
    places, group = repeated // width, flat[repeated]
    same_text = np.zeros(len(places), dtype=bool)  # source and target are one text
    same_text[1:] = (places[1:] == places[:-1]) & (group[1:] == group[:-1])
    return places[~same_text], group[~same_text]


def deal(rows: Ints, groups: Ints, limit: Limit, *, least: int = 0) -> tuple[list[Ints], Ints]:
    """As many batches as rows can fill without a group twice in one.

    m batches can be filled if and only if the first m rows of every group are at least m times a batch (with tokens:
    about). Sorted by group and dealt to m batches in turn, none of them meets another of its group. So each group has
    its batches; they are spread evenly over all m, and earlier rows of the group go to earlier ones. Rows without
    another of their group take the places left, in their order: of sorted rows, those of a batch are as similar as can
    be. With tokens, what is then too much for a batch is left over.

    Returns:
        The batches, ``least`` of them even if they are far from full, and the rows that are in none.
    """
    if not len(rows):
        return [], rows
    turn = occurrence(groups)
    cost = np.zeros(len(rows)) if limit.costs is None else limit.costs[rows].astype(np.float64)
    held, tokens = np.cumsum(np.bincount(turn)), np.cumsum(np.bincount(turn, cost))  # by the first m rows of each group
    enough = limit.filled(held, tokens) / limit.processes  # for so many batches
    if limit.costs is not None:
        enough = enough + 0.5  # these need not be full, and half a batch is better made than lost
    full = np.flatnonzero(enough >= np.arange(1, len(held) + 1))
    count = int(full[-1]) + 1 if len(full) else least
    if count == len(held):  # all rows are used, and the groups would allow more batches
        count = max(count, int(enough[-1]))
    if not count:
        return [], rows
    chosen = np.flatnonzero(turn < count)
    used = limit.filled(np.arange(1, len(chosen) + 1), np.cumsum(cost[chosen]))
    chosen = chosen[: max(1, np.searchsorted(used, limit.processes * count, side="right"))]
    _, group, times = np.unique(groups[chosen], return_inverse=True, return_counts=True)
    group[times[group] == 1] = -1
    order = np.argsort(group, kind="stable")
    golden = np.arange(count) * (5**0.5 - 1) / 2 % 1  # any run of these is spread evenly over 0..1
    places = np.argsort(np.argsort(golden))[np.arange(len(chosen)) % count]
    places = places[np.lexsort((places, group[order]))]  # ascending in each group
    dealt = chosen[order[np.argsort(places, kind="stable")]]
    batches = []
    for batch in np.split(dealt, np.cumsum(np.bincount(places, minlength=count))[:-1]):
        bounds, turns = limit.bounds(rows[batch]), len(batch) // limit.processes
        end = bounds[1] if len(bounds) > 1 else turns * limit.processes if turns > 1 else 0  # one row has no negatives
        batches.append(batch[:end])
    return [rows[batch] for batch in batches if len(batch)], np.delete(rows, np.concatenate(batches))


def occurrence(groups: Ints) -> Ints:
    """How many earlier rows have the same group.

    >>> occurrence(np.array([7, 5, 7, 7, 5])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ranks = np.arange(len(groups)) - np.repeat(first, np.diff(np.append(first, len(groups))))
    result = np.empty(len(groups), dtype=np.int64)
    result[order] = ranks
    return result

"""Batches: which rows go together, as a pure function of seed, epoch and rank."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError

POOL = 32  # batches whose rows are sorted by length together


def budget_batches(lengths: NDArray[np.int64], budget: int) -> list[NDArray[np.int64]]:
    """Rows sorted by length and cut so that (rows) x (longest row) <= budget; a longer row goes alone.

    Args:
        lengths: (n,) tokens per row.
        budget: padded tokens of a batch.

    Returns:
        Index arrays that together hold every row once, longest batch first (so that memory peaks at the start).

    >>> [batch.tolist() for batch in budget_batches(np.array([5, 1, 2, 2]), 6)]
    [[0], [2, 3, 1]]
    """
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        rows = max(1, budget // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + rows])
        start += rows
    return batches


def epoch_batches(
    lengths: NDArray[np.int64],
    languages: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    temperature: float = 1.0,
    by_language: bool = False,
    tables: NDArray[np.int64] | None = None,
    uniform: bool = False,
    repeat_groups: bool = False,
) -> list[NDArray[np.int64]]:
    """One epoch of batches in which no group occurs twice (unless ``repeat_groups``), rows of similar length together.

    Rows are drawn in a random order (see :func:`draw`), cut into pools of 32 batches, and sorted by length inside each
    pool. Within a pool the k-th row of every group belongs to layer k; a batch is cut from one layer, so its groups
    differ. What does not fill a batch goes on to the next pool; what is left at the end is filled in row by row, and
    fewer rows than a batch, or more rows of one group than batches, stay out of this epoch.

    Args:
        lengths: (n,) tokens per row.
        languages: (n,) integer language, or pair of languages, of each row.
        groups: (n,) integer meaning of each row.
        batch_size: rows per batch, of all processes together.
        seed: with ``epoch``, decides everything.
        epoch: 0, 1, ...
        temperature: of the languages; 1 natural, 0 uniform.
        by_language: sort each pool by language first, so that a batch holds one language, or a few small ones:
            negatives in the anchor's own language are harder.
        tables: (n,) integer table of each row; None: one table.
        uniform: draw equally often from every table, instead of in proportion to its rows.
        repeat_groups: take groups as they come; it is then each row that occurs at most once in a batch.

    Returns:
        Arrays of ``batch_size`` row numbers.

    Raises:
        InputError: there are fewer rows, or fewer different groups, than a batch needs, or too few are drawn.
    """
    if repeat_groups:
        groups = np.arange(len(groups))  # each row is a group of its own
        if len(groups) < batch_size:
            raise InputError(
                f"a batch needs {batch_size} pairs, but the data has {len(groups)}: lower train.batch_size"
            )
    distinct = len(np.unique(groups))
    if distinct < batch_size:
        raise InputError(
            f"a batch of {batch_size} pairs needs as many different groups, but the data has {len(groups)} pairs in "
            f"{distinct} groups: lower train.batch_size"
        )
    rng = np.random.default_rng([seed, epoch])
    order = draw(languages, rng, temperature, tables=tables, uniform=uniform)
    batches: list[NDArray[np.int64]] = []
    pending = order[:0]
    for start in range(0, len(order), POOL * batch_size):
        pool = np.concatenate([pending, order[start : start + POOL * batch_size]])
        pool = pool[np.lexsort((lengths[pool], languages[pool] * by_language))]
        layer = occurrence(groups[pool])
        made, rest = [], []
        for k in range(int(layer.max()) + 1):
            rows = pool[layer == k]
            full = len(rows) // batch_size * batch_size
            made += list(rows[:full].reshape(-1, batch_size))
            rest.append(rows[full:])
        pending = np.concatenate(rest)
        batches += [made[i] for i in rng.permutation(len(made))]
    batches += fill(pending, groups, batch_size)
    if not batches:
        raise InputError(
            f"no batch of {batch_size} pairs can be filled from {len(groups)} pairs drawn at language temperature "
            f"{temperature:g}, which draws some again and leaves others out: lower train.batch_size"
        )
    return batches


def fill(rows: NDArray[np.int64], groups: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Full batches of rows whose groups differ: each row goes to the first open batch that lacks its group."""
    open_batches: list[dict[int, int]] = []
    full = []
    for row in rows.tolist():
        group = int(groups[row])
        home = next((batch for batch in open_batches if group not in batch), None)
        if home is None:
            home = {}
            open_batches.append(home)
        home[group] = row
        if len(home) == size:
            full.append(np.array(list(home.values()), dtype=np.int64))
            open_batches.remove(home)
    return full


def draw(
    languages: NDArray[np.int64],
    rng: np.random.Generator,
    temperature: float,
    *,
    tables: NDArray[np.int64] | None = None,
    uniform: bool = False,
) -> NDArray[np.int64]:
    """Row numbers in random order, n in all but for rounding.

    A table gets n_t rows, or n / (number of tables) if ``uniform``; within it, language l is drawn in proportion to
    n_tl ** temperature. What is drawn more often than it has rows goes through all of them before any comes again, so
    a small table never ends an epoch.

    >>> languages = np.array([0] * 90 + [1] * 10)
    >>> np.bincount(languages[draw(languages, np.random.default_rng(0), 0.5)]).tolist()  # 90 ** .5 : 10 ** .5 = 3 : 1
    [75, 25]
    """
    total = len(languages)
    if temperature == 1.0 and not uniform:
        return rng.permutation(total)
    tables = np.zeros(total, dtype=np.int64) if tables is None else tables
    strata, rows_of = np.unique(tables * (languages.max() + 1) + languages, return_inverse=True)
    counts = np.bincount(rows_of)
    owner = strata // (languages.max() + 1)  # the table of each stratum
    weights = counts.astype(np.float64) ** temperature
    weights /= np.bincount(owner, weights)[owner]
    sizes = np.bincount(tables)
    shares = np.full(len(sizes), 1 / np.count_nonzero(sizes)) if uniform else sizes / total
    wanted = np.round(total * weights * shares[owner]).astype(np.int64)
    parts = []
    for stratum, wish in enumerate(wanted.tolist()):
        rows = np.flatnonzero(rows_of == stratum)
        passes = [rng.permutation(rows) for _ in range(-(-wish // len(rows)))]
        parts.append(np.concatenate(passes or [rows])[:wish])
    drawn: NDArray[np.int64] = rng.permutation(np.concatenate(parts))
    return drawn


def occurrence(groups: NDArray[np.int64]) -> NDArray[np.int64]:
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


class BatchStream:
    """The first ``total`` batches of all epochs: a torch batch sampler of ``(number, rows)``.

    Every process makes the same list and takes its share of each batch, so ranks never overlap, and the batch at any
    number is known without the ones before it having been used: resuming is exact.
    """

    def __init__(
        self,
        lengths: NDArray[np.int64],
        languages: NDArray[np.int64],
        groups: NDArray[np.int64],
        *,
        batch_size: int,
        total: int,
        seed: int,
        temperature: float = 1.0,
        by_language: bool = False,
        tables: NDArray[np.int64] | None = None,
        uniform: bool = False,
        repeat_groups: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.epoch = partial(
            epoch_batches, lengths, languages, groups, batch_size=batch_size * world, seed=seed,
            temperature=temperature, by_language=by_language, tables=tables, uniform=uniform,
            repeat_groups=repeat_groups,
        )  # fmt: skip
        self.total = total
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        """Batches in the stream."""
        return self.total

    def whole(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Numbers and rows of the batches of all processes together."""
        number, epoch = 0, 0
        while number < self.total:
            batches = self.epoch(epoch=epoch)
            for rows in batches[: self.total - number]:
                yield number, rows
                number += 1
            epoch += 1

    def __iter__(self) -> Iterator[list[tuple[int, NDArray[np.int64]]]]:
        """One-element lists, as a torch DataLoader wants keys: the number and this process's rows."""
        for number, rows in self.whole():
            yield [(number, rows[self.rank :: self.world])]

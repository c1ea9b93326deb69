"""Batches: which rows go together, as a pure function of seed, epoch and rank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import chain, count, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.pairs.meanings import linked
from align.training.cutting import Ints, Limit, apart, deal

POOL = 32  # batches whose rows are sorted by length together


@dataclass(frozen=True, eq=False)
class BatchStream:
    """The first ``total`` batches of all epochs: a torch batch sampler of ``(number, rows)``.

    Every process makes the same batches, of which process r takes ``rows[r::world]``, so ranks never overlap, and the
    batch at any number is known without the ones before it having been used: resuming is exact.
    """

    lengths: Ints
    """(n,) tokens per row."""
    languages: Ints
    """(n,) integer language, or pair of languages, of each row; small, as they are counted."""
    groups: Ints
    """(n,) integer meaning of each row, of any size, or (n, k): rows that share any of k mean the same."""
    _: KW_ONLY
    batch_size: int
    """Rows per batch and process."""
    seed: int
    """With the number of the epoch, decides everything."""
    total: int = 0
    temperature: float = 1.0
    """Of the languages; 1 natural, 0 uniform."""
    by_language: bool = False
    """Sort each pool by language first, so that a batch holds one language, or a few small ones."""
    tables: Ints | None = None
    """(n,) integer table of each row; None: one table."""
    uniform: bool = False
    """Draw equally often from every table, instead of in proportion to its rows."""
    repeat_groups: bool = False
    """Take groups as they come; it is then each row that occurs at most once in a batch."""
    batch_tokens: int = 0
    """Instead of ``batch_size``, which is then not read: each process gets as many rows as cost at most this many
    tokens, one row at least; 0: ``batch_size`` rows."""
    costs: Ints | None = None
    """(n,) tokens that each row costs, of all its texts together; None: its length."""
    world: int = 1
    """Processes that share out each batch."""

    def epoch(self, epoch: int) -> Iterator[Ints]:
        """Rows of the batches of one epoch, ``batch_size * world`` or a multiple of ``world`` of them in each.

        No group occurs twice in a batch (unless ``repeat_groups``), and rows of similar length are together. Rows are
        drawn in a random order (see :func:`draw`) and cut into pools of 32 batches. A pool is sorted by length, from
        the shortest or from the longest by chance, and cut into batches (see :func:`align.training.cutting.apart`),
        which come in random order. What does not fill a batch, or would bring a group into it twice, goes on to the
        next pool; what is left at the end is dealt out to as many batches as it can fill (see
        :func:`align.training.cutting.deal`), and only the rest stays out of this epoch. A pool is made when its first
        batch is asked for.

        Raises:
            InputError: there are fewer rows, or fewer different groups, than a batch needs (two for each process, if
                tokens are counted); or, at the first batch, too few are drawn.
        """
        size = (2 if self.batch_tokens else self.batch_size) * self.world
        setting = "train with fewer processes" if self.batch_tokens else "lower train.batch_size"
        groups = self.groups
        if self.repeat_groups:
            groups = np.arange(len(groups))  # each row is a group of its own
            if len(groups) < size:
                raise InputError(f"a batch needs {size} pairs, but the data has {len(groups)}: {setting}")
        costs = self.lengths if self.costs is None else self.costs
        most = size  # rows of a batch
        if self.batch_tokens and len(costs):
            most = self.batch_tokens * self.world // max(1, int(costs.min()))
        columns = groups[:, None].T if groups.ndim == 1 else groups.T
        distinct = min(count_distinct(column, enough=max(size, most)) for column in columns)
        if distinct < size:
            raise InputError(
                f"a batch of {size} pairs needs as many different groups, but the data has {len(groups)} pairs in "
                f"{distinct} groups: {setting}"
            )
        limit, usual = Limit(self.batch_size, self.world), size
        if self.batch_tokens:
            limit = Limit(distinct // self.world, self.world, self.batch_tokens, costs)
            usual = max(size, min(distinct, int(self.batch_tokens * self.world / max(1, costs.mean()))))
        keys = [narrow(self.lengths)] + [narrow(self.languages)] * self.by_language
        if self.batch_tokens:
            keys.insert(0, narrow(costs))  # so that processes, dealt in turn, get about as much

        def batches() -> Iterator[Ints]:
            rng = np.random.default_rng([self.seed, epoch])
            order = draw(self.languages, rng, self.temperature, tables=self.tables, uniform=self.uniform)
            empty = True
            for batch in pooled(order, groups, rng, keys=keys, limit=limit, step=POOL * usual):
                empty = False
                yield batch
            if empty:
                raise InputError(
                    f"no batch of {size} pairs can be filled from {len(groups)} pairs drawn at language temperature "
                    f"{self.temperature:g}, which draws some again and leaves others out: {setting}"
                )

        return batches()

    def __len__(self) -> int:
        """Batches in the stream."""
        return self.total

    def whole(self) -> Iterator[tuple[int, Ints]]:
        """Numbers and rows of the batches of all processes together."""
        return enumerate(islice(chain.from_iterable(map(self.epoch, count())), self.total))

    def drawn(self) -> Ints:
        """(n,) how often the stream draws each row; it lays out all batches for it, but holds one pool at a time."""
        times = np.zeros(len(self.lengths), dtype=np.int64)
        for _, rows in self.whole():
            times[rows] += 1  # no row is twice in a batch
        return times

    def __iter__(self) -> Iterator[list[tuple[int, Ints]]]:
        """One-element lists, as a torch DataLoader wants keys: the number and the rows of all processes."""
        return ([key] for key in self.whole())


def pooled(
    order: Ints,
    groups: Ints,
    rng: np.random.Generator,
    *,
    keys: Sequence[NDArray[Any]],
    limit: Limit,
    step: int,
) -> Iterator[Ints]:
    """Batches from one pool after the other: ``step`` rows of ``order`` and what the last pool left over.

    In the end comes a pool of what is left over alone. The last of ``keys``, by row, is what pools are sorted by first.
    """
    pending, aside, made = order[:0], [order[:0]], 0
    for start in range(0, len(order) + step, step):
        last = start >= len(order)
        pool = np.concatenate([pending, order[start : start + step], *(aside if last else ())])
        pool = pool[np.lexsort([key[pool] for key in keys])]
        if rng.random() < 0.5:
            pool = pool[::-1]  # else it would always be the longest that wait
        batches, pending = apart(pool, groups[pool], limit)
        made += len(batches)
        if last or 2 * len(pending) > len(pool):  # so few groups that rows next to each other repeat them
            if limit.costs is not None:
                pending = rng.permutation(pending)  # sorted, the batches of the long would be too full
            least = int(last and not made and limit.costs is not None)
            dealt, pending = deal(pending, linked(groups[pending]), limit, least=least)
            batches, made = batches + dealt, made + len(dealt)
        for i in rng.permutation(len(batches)).tolist():
            yield batches[i]
        if len(pending) > step:  # most rows are of few groups: pools must not grow without end
            aside.append(pending[:-step])
            pending = pending[-step:]


def count_distinct(groups: Ints, *, enough: int) -> int:
    """Number of different groups, or of those in the first rows if they are enough.

    >>> count_distinct(np.array([3, 3, 8, 3]), enough=5)
    2
    """
    rows = enough
    while True:
        ordered = np.sort(groups[:rows])
        found = min(len(ordered), 1) + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
        if found >= enough or rows >= len(groups):
            return found
        rows *= 2


def narrow(values: Ints) -> NDArray[Any]:
    """The same integers, none negative, in the smallest type: numpy sorts 16 bits seven times as fast as 64."""
    return values.astype(np.min_scalar_type(int(values.max())))


def draw(
    languages: Ints,
    rng: np.random.Generator,
    temperature: float,
    *,
    tables: Ints | None = None,
    uniform: bool = False,
) -> Ints:
    """Row numbers in random order, n in all.

    A table gets n_t rows, or n / (number of tables) if ``uniform``; within it, language l is drawn in proportion to
    n_tl ** temperature. These numbers are rarely whole: of a language that is to get 0.3 rows an epoch, one comes in
    three epochs of ten (see :func:`whole_numbers`). What is drawn more often than it has rows goes through all of them
    before any comes again, so a small table never ends an epoch.

    >>> languages = np.array([0] * 90 + [1] * 10)
    >>> np.bincount(languages[draw(languages, np.random.default_rng(0), 0.5)]).tolist()  # 90 ** .5 : 10 ** .5 = 3 : 1
    [75, 25]
    """
    total = len(languages)
    if temperature == 1.0 and not uniform:
        return rng.permutation(total)
    keys = languages if tables is None else tables * (languages.max() + 1) + languages
    rows = np.argsort(narrow(keys), kind="stable")
    firsts = np.flatnonzero(np.diff(keys[rows], prepend=-1))
    strata, counts = keys[rows[firsts]], np.diff(firsts, append=total)
    owner = strata // (languages.max() + 1)  # the table of each stratum
    weights = counts.astype(np.float64) ** temperature
    weights /= np.bincount(owner, weights)[owner]
    sizes = np.bincount(owner, counts)
    shares = np.full(len(sizes), 1 / np.count_nonzero(sizes)) if uniform else sizes / total
    wanted = whole_numbers(total * weights * shares[owner], rng)
    parts = []
    for available, wish in zip(np.split(rows, firsts[1:]), wanted.tolist(), strict=True):
        passes = rng.permuted(np.tile(available, (-(-wish // len(available)), 1)), axis=1)  # a row: all of them
        parts.append(passes.ravel()[:wish])
    drawn: Ints = rng.permutation(np.concatenate(parts))
    return drawn


def whole_numbers(expected: NDArray[np.float64], rng: np.random.Generator) -> Ints:
    """Whole numbers, each on average what is expected, next to it, and with the same sum.

    k_i = floor(c_i + u) - floor(c_{i - 1} + u), with c_i = e_1 + ... + e_i and one u, uniform in 0..1 (systematic
    sampling): any run of them, too, sums to one of the two whole numbers around what it is expected to.
    """
    bounds = np.cumsum(expected)
    bounds[-1] = np.rint(bounds[-1])
    return np.diff(np.floor(bounds + rng.random()), prepend=0).astype(np.int64)

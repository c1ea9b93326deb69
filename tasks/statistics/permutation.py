"""Paired permutation tests: would a difference as large come up if the two models' answers were swapped at random?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.streams import stream
from align.tasks.statistics.correlation import centred_ranks
from align.tasks.statistics.lines import Lines, line_sums, numbered_lines

_EXACT = 2**16  # sums of sign flips that are all looked at
_GRID = 2**15  # different sums, where all are multiples of the smallest size
_EXACT_RANKS = 12  # lines whose 2^12 swaps are all looked at
_CELLS = 2**16  # flips in one block
SLACK = 1e-9  # sums that are equal but for rounding are as large as each other

Swap = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""(n,) what one model gives, (n,) what the other gives, (n,) the gold scores."""


def sign_flip_p(
    differences: Sequence[NDArray[np.float64]],
    *,
    lines: Sequence[Lines] | None = None,
    permutations: int = 9999,
    seed: int = 0,
) -> float:
    """Two-sided p of a difference of means, or of means averaged over scores.

    T = mean over scores l of the mean over items i of d_li = sum over lines c of s_c, what the line adds to it. If the
    models are alike, every s_c could as well have the other sign (items of one line are flipped together: they are easy
    or hard together): p is the share of all 2^m sign flips of the m sums that are not 0 with |T| as large as observed.
    Sums of one size (all, for items that are right or wrong, each of a line of its own) are flipped together, by a
    binomial; where the values of T are then few, p is exact, else it is (count + 1) / (permutations + 1) of random
    flips.

    >>> round(sign_flip_p([np.array([1.0, 1.0, 0.0, 1.0])]), 6)
    0.25

    Args:
        differences: for each score, (n,) first model minus second, item by item; n >= 1.
        lines: for each score, (n,) the line of each item, see ``numbered_lines``; ``None``: no two are of one line.
        permutations: random flips, where there are too many to try all; at least 1.
        seed: of them.

    Returns:
        Above 0, at most 1.

    Raises:
        InputError: fewer than 1 permutation.

    References:
        Fisher 1935, "The design of experiments"; the + 1: Phipson and Smyth 2010, arXiv:1603.05766.
    """
    _check(permutations)
    each = line_sums(differences, own_lines(differences) if lines is None else lines)
    grain = float(np.abs(each).max()) * 2.0**-40  # sums that are equal but for rounding are one size
    sizes, times = np.unique(np.rint(np.abs(each) / grain) * grain if grain else each[:0], return_counts=True)
    sizes, times = sizes[sizes > 0], times[sizes > 0]
    reach = abs(each.sum()) - SLACK * (sizes @ times)
    sums, chances = _all_sums(sizes, times)
    if not len(sums):
        sums = _random_sums(sizes, times, permutations, stream(seed, "permutation"))
        return float((np.count_nonzero(np.abs(sums) >= reach) + 1) / (permutations + 1))
    return float(np.clip(chances[np.abs(sums) >= reach].sum(), np.finfo(np.float64).tiny, 1))


def swap_p(
    scores: Sequence[Swap], *, lines: Sequence[Lines] | None = None, permutations: int = 9999, seed: int = 0
) -> float:
    """Two-sided p of a difference of Spearman's rhos, or of rhos averaged over scores.

    T = mean over scores of rho(a, gold) - rho(b, gold). Each model's values are ranked first, so that both are on one
    scale; then the two ranks of all pairs of a line are swapped or not, with even chances, and T is computed anew. All
    swaps are tried where at most 12 lines have two different ranks; else p is (count + 1) / (permutations + 1) of
    random swaps. A side whose ranks all became equal counts as rho = 0.

    Args:
        scores: what the models give and the gold scores, each with a correlation.
        lines: for each score, (n,) the line of each pair, see ``numbered_lines``; ``None``: no two are of one line.
        permutations: random swaps, where there are too many to try all; at least 1.
        seed: of them.

    Returns:
        Above 0, at most 1.

    Raises:
        InputError: fewer than 1 permutation.
    """
    _check(permutations)
    ranked = [tuple(centred_ranks(values, np.ones((1, len(values))))[0][0] for values in score) for score in scores]
    moving = [np.flatnonzero(a != b) for a, b, _ in ranked]
    lines = own_lines([a for a, *_ in ranked]) if lines is None else lines
    moved = [line[rows] for line, rows in zip(lines, moving, strict=True)]
    every = np.unique(np.concatenate([*moved, np.zeros(0, dtype=np.int64)]))
    places = [np.searchsorted(every, one) for one in moved]

    def total(signs: NDArray[np.float64]) -> NDArray[np.float64]:
        each = zip(ranked, moving, places, strict=True)
        terms = (_difference(a, b, gold, rows, signs[:, at]) for (a, b, gold), rows, at in each)
        return sum(terms, np.zeros(len(signs)))

    exact = len(every) <= _EXACT_RANKS
    generator = stream(seed, "permutation")
    blocks = _all_signs(len(every)) if exact else random_signs(permutations, len(every), generator)
    totals = np.concatenate([total(signs) for signs in blocks])
    observed = float(total(np.ones((1, len(every))))[0])
    count = np.count_nonzero(np.abs(totals) >= abs(observed) - SLACK)
    return float(count / len(totals) if exact else (count + 1) / (permutations + 1))


def own_lines(scores: Sequence[NDArray[np.float64]]) -> list[Lines]:
    """Lines where no two items are of one."""
    return numbered_lines([None] * len(scores), [len(one) for one in scores])


def _difference(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    gold: NDArray[np.float64],
    rows: NDArray[np.int64],
    signs: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(r,) rho(a', gold) - rho(b', gold) of centred ranks, those of ``rows`` swapped where ``signs`` (r, m) is -1.

    a' = middle + sign * half, b' = middle - sign * half: all that depends on the signs is linear in them.
    """
    middle, half = (a + b) / 2, (a - b)[rows] / 2
    shift, along, cross = signs @ half, signs @ (half * gold[rows]), 2 * signs @ (half * middle[rows])
    fixed, squares = middle @ gold, middle @ middle + half @ half - shift**2 / len(a)
    rhos = []
    for covariance, square in ((fixed + along, squares + cross), (fixed - along, squares - cross)):
        known = square > SLACK * len(a)
        scale = np.sqrt(np.where(known, square, 1) * (gold @ gold))
        rhos.append(np.where(known, covariance / scale, 0))
    return np.asarray(rhos[0] - rhos[1])


def _all_sums(sizes: NDArray[np.float64], times: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All sums of flips and their chances; none where they are too many."""
    sums: NDArray[np.float64] = np.zeros(1)
    chances: NDArray[np.float64] = np.ones(1)
    steps = np.rint(sizes / sizes[0]).astype(np.int64) if len(sizes) else times
    reach = int(steps @ times)
    if reach < _GRID // 2 and np.allclose(sizes, steps * sizes[:1], rtol=1e-9, atol=0):
        places = np.zeros(1, dtype=np.int64)  # a sum in steps of the smallest size
        for step, m in zip(steps.tolist(), times.tolist(), strict=True):
            moved = np.add.outer(places, step * (2 * np.arange(m + 1) - m)).ravel() + reach
            every = np.bincount(moved, weights=np.multiply.outer(chances, _binomial(m)).ravel()).astype(np.float64)
            places = np.flatnonzero(every) - reach
            chances = every[every > 0]
        return places * sizes[:1].sum(), chances
    if np.prod(times + 1.0) > _EXACT:
        return sizes[:0], chances[:0]
    for size, m in zip(sizes, times.tolist(), strict=True):
        sums = np.add.outer(sums, size * (2 * np.arange(m + 1) - m)).ravel()
        chances = np.multiply.outer(chances, _binomial(m)).ravel()
    return sums, chances


def _random_sums(
    sizes: NDArray[np.float64], times: NDArray[np.int64], permutations: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    single = times == 1
    sums = np.concatenate([signs @ sizes[single] for signs in random_signs(permutations, int(single.sum()), generator)])
    for size, m in zip(sizes[~single], times[~single].tolist(), strict=True):
        sums += size * (2 * generator.binomial(m, 0.5, permutations) - m)
    return sums


def random_signs(permutations: int, m: int, generator: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Blocks of (rows, m) signs, ``permutations`` rows in all."""
    rows = max(32, _CELLS // max(1, m))
    for start in range(0, permutations, rows):
        drawn = generator.integers(0, 2, (min(rows, permutations - start), m), dtype=np.int8)
        yield (2 * drawn - 1).astype(np.float64)


def _all_signs(m: int) -> Iterator[NDArray[np.float64]]:
    bits = (np.arange(2**m)[:, None] >> np.arange(m)) & 1
    yield (2 * bits - 1).astype(np.float64)


def _binomial(m: int) -> NDArray[np.float64]:
    """(m + 1,) chances of 0..m heads in m throws of a fair coin."""
    k = np.arange(1, m + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log((m - k + 1) / k))])
    return np.asarray(np.exp(logs - m * np.log(2)))


def _check(permutations: int) -> None:
    if permutations < 1:
        raise InputError(f"expected at least 1 permutation, got {permutations}")

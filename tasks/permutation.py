"""Paired permutation tests: would a difference as large come up if the two models' answers were swapped at random?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.tasks.correlation import centred_ranks

_EXACT = 2**20  # sums of sign flips that are all looked at
_EXACT_RANKS = 12  # pairs whose 2^12 swaps are all looked at
_CELLS = 2**16  # flips in one block
_SLACK = 1e-9  # sums that are equal but for rounding are as large as each other

Swap = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""(n,) what one model gives, (n,) what the other gives, (n,) the gold scores."""


def sign_flip_p(differences: Sequence[NDArray[np.float64]], *, permutations: int = 9999, seed: int = 0) -> float:
    """Two-sided p of a difference of means, or of means averaged over scores.

    T = mean over scores l of the mean over items i of d_li. If the models are alike, every d_li could as well have the
    other sign: p is the share of all 2^m sign flips of the m differences that are not 0 with |T| as large as observed.
    Differences of one size (all, for items that are right or wrong) are flipped together, by a binomial; where the
    sums are then few, p is exact, else it is (count + 1) / (permutations + 1) of random flips.

    >>> round(sign_flip_p([np.array([1.0, 1.0, 0.0, 1.0])]), 6)
    0.25

    Args:
        differences: for each score, (n,) first model minus second, item by item; n >= 1.
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
    each = np.concatenate([d / (len(d) * len(differences)) for d in differences])
    sizes, times = np.unique(np.abs(each[each != 0]), return_counts=True)
    reach = abs(each.sum()) - _SLACK * (sizes @ times)
    if np.prod(times + 1.0) > _EXACT:
        sums = _random_sums(sizes, times, permutations, np.random.default_rng([seed, 1]))
        return float((np.count_nonzero(np.abs(sums) >= reach) + 1) / (permutations + 1))
    sums, chances = np.zeros(1), np.ones(1)
    for size, m in zip(sizes, times.tolist(), strict=True):
        sums = np.add.outer(sums, size * (2 * np.arange(m + 1) - m)).ravel()
        chances = np.multiply.outer(chances, _binomial(m)).ravel()
    p = chances[np.abs(sums) >= reach].sum()
    return float(np.clip(p, np.finfo(np.float64).tiny, 1))


def swap_p(scores: Sequence[Swap], *, permutations: int = 9999, seed: int = 0) -> float:
    """Two-sided p of a difference of Spearman's rhos, or of rhos averaged over scores.

    T = mean over scores of rho(a, gold) - rho(b, gold). Each model's values are ranked first, so that both are on one
    scale; then the two ranks of each pair are swapped or not, with even chances, and T is computed anew. All swaps are
    tried where at most 12 pairs have two different ranks; else p is (count + 1) / (permutations + 1) of random swaps.
    A side whose ranks all became equal counts as rho = 0.

    Args:
        scores: what the models give and the gold scores, each with a correlation.
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
    exact = sum(map(len, moving)) <= _EXACT_RANKS
    total = np.zeros(2 ** sum(map(len, moving)) if exact else permutations)
    observed, first, generator = 0.0, 0, np.random.default_rng([seed, 1])
    for (a, b, gold), rows in zip(ranked, moving, strict=True):
        observed += _difference(a, b, gold, rows, np.ones((1, len(rows))))[0]
        blocks = _all_signs(len(total), first, len(rows)) if exact else _signs(permutations, len(rows), generator)
        total += np.concatenate([_difference(a, b, gold, rows, signs) for signs in blocks])
        first += len(rows)
    count = np.count_nonzero(np.abs(total) >= abs(observed) - _SLACK)
    return float(count / len(total) if exact else (count + 1) / (permutations + 1))


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
        known = square > _SLACK * len(a)
        scale = np.sqrt(np.where(known, square, 1) * (gold @ gold))
        rhos.append(np.where(known, covariance / scale, 0))
    return np.asarray(rhos[0] - rhos[1])


def _random_sums(
    sizes: NDArray[np.float64], times: NDArray[np.int64], permutations: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    single = times == 1
    sums = np.concatenate([signs @ sizes[single] for signs in _signs(permutations, int(single.sum()), generator)])
    for size, m in zip(sizes[~single], times[~single].tolist(), strict=True):
        sums += size * (2 * generator.binomial(m, 0.5, permutations) - m)
    return sums


def _signs(permutations: int, m: int, generator: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    rows = max(1, _CELLS // max(1, m))
    for start in range(0, permutations, rows):
        drawn = generator.integers(0, 2, (min(rows, permutations - start), m), dtype=np.int8)
        yield (2 * drawn - 1).astype(np.float64)


def _all_signs(rows: int, first: int, m: int) -> Iterator[NDArray[np.float64]]:
    """Bits ``first`` to ``first + m`` of 0, 1, 2 ... as signs."""
    bits = (np.arange(rows)[:, None] >> (first + np.arange(m))) & 1
    yield (2 * bits - 1).astype(np.float64)


def _binomial(m: int) -> NDArray[np.float64]:
    """(m + 1,) chances of 0..m heads in m throws of a fair coin."""
    k = np.arange(1, m + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log((m - k + 1) / k))])
    return np.asarray(np.exp(logs - m * np.log(2)))


def _check(permutations: int) -> None:
    if permutations < 1:
        raise InputError(f"expected at least 1 permutation, got {permutations}")

"""Which of several models are not told apart from the best: all pairs tested together, the worst set aside in turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.streams import stream
from align.tasks.statistics.correlation import centred_ranks
from align.tasks.statistics.lines import line_sums
from align.tasks.statistics.permutation import SLACK, random_signs, sign_flip_p, swap_p
from align.tasks.statistics.samples import Sample

Array = NDArray[np.float64]


def difference_p(a: Sequence[Sample], b: Sequence[Sample], *, permutations: int = 9999, seed: int = 0) -> float:
    """Two-sided p of the mean over scores of one model minus that of another: ``swap_p`` of rhos, else ``sign_flip_p``.

    Args:
        a: samples of one model, one for each score, at least 1.
        b: those of the other, from the same call of ``joint_samples``.
        permutations: of the test, where there are too many to try all.
        seed: of them.

    Raises:
        InputError: fewer than 1 permutation.
    """
    both, lines = list(zip(a, b, strict=True)), [sample.lines for sample in a]
    swaps = [(x.items, y.items, x.gold) for x, y in both if x.gold is not None]
    if swaps:
        return swap_p(swaps, lines=lines, permutations=permutations, seed=seed)
    return sign_flip_p([x.items - y.items for x, y in both], lines=lines, permutations=permutations, seed=seed)


def as_good_as_best(
    models: Sequence[Sequence[Sample]], *, permutations: int = 9999, seed: int = 0, level: float = 0.95
) -> tuple[bool, ...]:
    """Whether each model is the best or not told apart from it, the best being the one that came out so.

    The largest of several means is too large by chance; to test the others against it as if it had been named before
    errs too often. Here the largest difference of all pairs is tested (max-T): with s_c what line c adds to the mean of
    one model minus that of another, t = sum_c s_c / sqrt(sum_c s_c^2); random signs of the lines, the same for all
    pairs, give the largest t that comes up between models that are alike. If that of the models is larger but in
    1 - level of the flips, the model that is furthest behind another is set aside, and the rest is tested anew; two
    that are left are tested by ``difference_p``. Of models that are equally good, and best, one is set aside with
    chance 1 - level at most. Of rhos, s_c is that of their linear form, rho + mean_i (g_i r_i - rho (g_i^2 + r_i^2) /
    2) with standardised ranks.

    Args:
        models: for each the samples of its scores, from one call of ``joint_samples``.
        permutations: random flips, at least 1.
        seed: of them.
        level: chance to keep all that are equal to the best.

    Raises:
        InputError: no model, not the same scores of all, or fewer than 1 permutation.

    References:
        Westfall and Young 1993, "Resampling-based multiple testing", for max-T; Hansen, Lunde and Nason 2011, "The
        model confidence set", for setting aside in turn.
    """
    if not models or len({len(of) for of in models}) != 1 or not models[0]:
        raise InputError(f"expected the same scores of all models, at least one, got {[len(of) for of in models]}")
    if permutations < 1:
        raise InputError(f"expected at least 1 permutation, got {permutations}")
    left = list(range(len(models)))
    means = [float(np.mean([sample.value for sample in of])) for of in models]
    lines = [sample.lines for sample in models[0]]
    sums = np.stack([line_sums([_linear(sample) for sample in of], lines) for of in models])  # (K, C)
    first, second = np.triu_indices(len(models), 1)
    behind, flipped = _pairs(sums[first] - sums[second], permutations, seed) if len(models) > 2 else (None, None)
    while len(left) > 1:
        if len(left) == 2 or behind is None or flipped is None:
            p = difference_p(*(models[i] for i in left[:2]), permutations=permutations, seed=seed)
            worst = min(left, key=lambda i: means[i])
        else:
            inside = np.isin(first, left) & np.isin(second, left)
            place = int(np.argmax(np.where(inside, np.abs(behind), -1)))
            reach = abs(behind[place]) - SLACK
            p = float((np.count_nonzero(flipped[:, inside].max(axis=1) >= reach) + 1) / (permutations + 1))
            worst = int(second[place] if behind[place] > 0 else first[place])
        if p > 1 - level:
            break
        left.remove(worst)
    return tuple(i in left for i in range(len(models)))


def _pairs(differences: Array, permutations: int, seed: int) -> tuple[Array, Array]:
    """(P,) t of each pair and (permutations, P) its size in each flip of the lines; 0 where no line differs."""
    scale = np.sqrt((differences**2).sum(axis=1))
    scaled = np.divide(differences, scale[:, None], out=np.zeros_like(differences), where=scale[:, None] > 0)
    flips = random_signs(permutations, differences.shape[1], stream(seed, "best"))
    return scaled.sum(axis=1), np.concatenate([np.abs(signs @ scaled.T) for signs in flips])


def _linear(sample: Sample) -> Array:
    """(n,) values whose mean is the score."""
    if sample.gold is None:
        return sample.items
    once = np.ones((1, len(sample.gold)))
    ranks, gold = (values[0] / np.sqrt(squares[0] / len(values[0])) for values, squares in
                   (centred_ranks(side, once) for side in (sample.items, sample.gold)))  # fmt: skip
    return np.asarray(sample.value + gold * ranks - sample.value * (gold**2 + ranks**2) / 2)

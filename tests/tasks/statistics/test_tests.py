"""Intervals against loops and by simulation; permutation tests against all permutations written out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from align.errors import InputError
from align.tasks.statistics import permutation
from align.tasks.statistics.correlation import bootstrap_interval, spearman
from align.tasks.statistics.intervals import bootstrap_mean, macro_interval
from align.tasks.statistics.permutation import sign_flip_p, swap_p
from align.tasks.statistics.resampling import percentile_interval, resampled_rows
from align.tasks.statistics.samples import joint_samples, paired_samples
from align.tasks.statistics.tests import holm, macro_difference, paired_difference

RIGHT = np.array([1, 0, 1, 1, 0, 1, 1, 1, 0, 1.0])
WRONG = np.array([0, 0, 1, 0, 0, 1, 1, 0, 0, 1.0])


def reciprocal_ranks(n: int, seed: int) -> np.ndarray:
    return 1 / np.random.default_rng(seed).geometric(0.6, n)


# draws


def test_draws_depend_on_n_seed_and_position_alone() -> None:
    """The blocks are those of one generator that draws item after item."""
    n, resamples = 300, 500  # blocks of 218 rows, the last of 64
    generator = np.random.default_rng(7)
    expected = np.stack([generator.integers(0, n, n) for _ in range(resamples)])
    blocks = list(resampled_rows(n, resamples=resamples, seed=7))
    assert len(blocks) > 2
    assert np.array_equal(np.concatenate(blocks), expected)
    (other,) = resampled_rows(n, resamples=5, seed=7, position=1)
    assert not np.array_equal(other, expected[:5])
    assert abs(np.corrcoef(other.ravel(), expected[:5].ravel())[0, 1]) < 0.1


def test_resampled_means_are_those_of_a_loop() -> None:
    a, b = reciprocal_ranks(9, 1), reciprocal_ranks(9, 2)
    _, _, (first, second) = joint_samples([[a], [a], [a, b]], resamples=40, seed=3)
    _, _, (alone,) = joint_samples([[a], [a], [b]], resamples=40, seed=3)
    rows = np.concatenate(list(resampled_rows(9, resamples=40, seed=3, position=2)))
    for r, row in enumerate(rows):
        assert first.resampled[r] == pytest.approx(sum(a[i] for i in row) / 9, abs=1e-12)
        assert second.resampled[r] == pytest.approx(sum(b[i] for i in row) / 9, abs=1e-12)
    assert np.array_equal(alone.resampled, second.resampled)  # whoever else is judged


def test_resampled_rhos_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 5, 12)
    models = [gold + rng.standard_normal(12), rng.standard_normal(12)]
    _, samples = joint_samples([[gold], models], golds=[gold, gold], resamples=30, seed=1)
    rows = np.concatenate(list(resampled_rows(12, resamples=30, seed=1, position=1)))
    for sample, model in zip(samples, models, strict=True):
        assert sample.value == spearman(model, gold)
        for r, row in enumerate(rows):
            assert sample.resampled[r] == pytest.approx(scipy.stats.spearmanr(model[row], gold[row])[0], abs=1e-9)
    (first,) = paired_samples(models[:1], gold=gold, resamples=200, seed=5)
    assert percentile_interval(first.resampled) == bootstrap_interval(models[0], gold, resamples=200, seed=5)


def test_percentiles() -> None:
    values = np.append(np.arange(101.0), np.nan)  # a resample without a rho is left out
    assert percentile_interval(values) == pytest.approx((2.5, 97.5))
    assert percentile_interval(values, level=0.5) == pytest.approx((25, 75))
    assert percentile_interval(np.array([np.nan])) is None


# intervals


def test_an_interval_of_a_mean_by_hand() -> None:
    """Wilson's for 9 of 10: centre (.9 + 1.92 / 10) / (1 + 3.84 / 10), by hand to three decimals."""
    low, high = bootstrap_mean([1] * 9 + [0])
    assert (low, high) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    exact = scipy.stats.binomtest(9, 10).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-9)
    ninety = scipy.stats.binomtest(7, 10).proportion_ci(0.9, method="wilson")
    assert bootstrap_mean(RIGHT, level=0.9) == pytest.approx((ninety.low, ninety.high), abs=1e-9)


def test_degenerate_means() -> None:
    z = 1.959964**2
    assert bootstrap_mean([1]) == pytest.approx((1 / (1 + z), 1), abs=1e-6)  # one right answer says little
    assert bootstrap_mean([0]) == pytest.approx((0, z / (1 + z)), abs=1e-6)
    assert bootstrap_mean(np.ones(200)) == pytest.approx((200 / (200 + z), 1), abs=1e-6)
    assert bootstrap_mean([0.5]) == bootstrap_mean([0.5] * 7) == (0.5, 0.5)
    assert bootstrap_mean([True, False]) == bootstrap_mean([1, 0])


def test_means_that_are_not_of_right_and_wrong_are_resampled() -> None:
    items = reciprocal_ranks(40, 3)
    (drawn,) = paired_samples([items], resamples=300, seed=2)
    expected = percentile_interval(drawn.resampled, level=0.9)
    assert bootstrap_mean(items, resamples=300, seed=2, level=0.9) == expected
    assert expected[0] < items.mean() < expected[1]


def test_a_macro_interval_counts_every_score_alike() -> None:
    scores = [reciprocal_ranks(n, n) for n in (5, 50, 8)]
    drawn = [
        [
            score[row].mean()
            for row in np.concatenate(list(resampled_rows(len(score), resamples=99, seed=1, position=i)))
        ]
        for i, score in enumerate(scores)
    ]
    means = [sum(column) / 3 for column in zip(*drawn, strict=True)]
    expected = tuple(np.quantile(means, [0.025, 0.975]))
    assert macro_interval(scores, resamples=99, seed=1) == pytest.approx(expected, abs=1e-12)


def test_a_macro_interval_of_right_and_wrong() -> None:
    """n' by hand: .7 and .4 of 10 each: variance (.21 + .24) / 10 / 4 = .01125, mean .55, n' = .2475 / .01125 = 22."""
    assert macro_interval([RIGHT]) == bootstrap_mean(RIGHT)
    low, high = macro_interval([RIGHT, WRONG])
    z = 1.959964
    for end in (low, high):  # Wilson's ends are where |m - end| = z sqrt(end (1 - end) / n')
        assert abs(0.55 - end) == pytest.approx(z * math.sqrt(end * (1 - end) / 22), abs=1e-6)
    assert low < 0.55 < high
    assert macro_interval([np.ones(10), np.ones(30)]) == pytest.approx(
        (30 / (30 + z**2), 1), abs=1e-6
    )  # 4 / (1/10 + 1/30)
    assert macro_interval([np.ones(10), np.zeros(10)])[0] > 0.2


def coverage(truth: float, simulate) -> float:
    inside = 0
    for seed in range(400):
        low, high = simulate(np.random.default_rng([seed, 99]), seed)
        inside += low <= truth <= high
    return inside / 400


def test_coverage_of_a_mean() -> None:
    def right(p: float, n: int):
        return lambda rng, seed: bootstrap_mean(rng.random(n) < p, seed=seed)

    assert 0.92 <= coverage(0.8, right(0.8, 200)) <= 0.98
    assert 0.92 <= coverage(0.97, right(0.97, 100)) <= 0.98  # the percentiles of the bootstrap hold it 81 times in 100
    truth = sum(0.6 * 0.4 ** (k - 1) / k for k in range(1, 200))  # of the mean reciprocal rank
    rank = lambda rng, seed: bootstrap_mean(1 / rng.geometric(0.6, 100), seed=seed, resamples=500)  # noqa: E731
    assert 0.92 <= coverage(truth, rank) <= 0.98


def test_coverage_of_a_paired_difference() -> None:
    def simulate(rng, seed):
        hard = rng.random(200)  # what is hard for one is hard for the other
        a, b = hard < 0.8, (hard + 0.2 * rng.standard_normal(200)) < 0.7
        return paired_difference(a, b, resamples=500, permutations=1, seed=seed).interval

    rng = np.random.default_rng(0)
    truth = 0.8 - np.mean(rng.random(10**6) + 0.2 * rng.standard_normal(10**6) < 0.7)
    assert 0.92 <= coverage(truth, simulate) <= 0.98


def test_coverage_of_a_macro_average() -> None:
    shares, counts = np.array([0.3, 0.6, 0.95, 0.99]), [200, 50, 100, 40]

    def right(rng, seed):
        return macro_interval([rng.random(n) < p for p, n in zip(shares, counts, strict=True)])

    def ranks(rng, seed):
        return macro_interval(
            [rng.exponential(p, n) for p, n in zip(shares, counts, strict=True)], resamples=500, seed=seed
        )

    def difference(rng, seed):
        drawn = [(rng.random(n) < p, rng.random(n) < p / 2) for p, n in zip(shares, counts, strict=True)]
        both = joint_samples(drawn, resamples=500, seed=seed)
        a, b = zip(*both, strict=True)
        return macro_difference(a, b, permutations=1).interval

    assert 0.92 <= coverage(shares.mean(), right) <= 0.98
    assert 0.92 <= coverage(shares.mean(), ranks) <= 0.98
    assert 0.92 <= coverage(shares.mean() / 2, difference) <= 0.98


# differences


def flips_by_definition(scores: list[np.ndarray]) -> float:
    """Every sign of every item, zeros too."""
    observed = abs(np.mean([d.mean() for d in scores]))
    counts = [len(d) for d in scores]
    extreme = total = 0
    for signs in itertools.product([-1, 1], repeat=sum(counts)):
        parts = np.split(np.array(signs), np.cumsum(counts)[:-1])
        value = abs(np.mean([(s * d).mean() for s, d in zip(parts, scores, strict=True)]))
        extreme += value >= observed - 1e-12
        total += 1
    return extreme / total


@pytest.mark.parametrize(
    "scores",
    [
        [[1, 1, 0, -1, 1, 0, 1]],
        [[0.5, 0.25, -0.25, 0.1, 0, 0.75]],
        [[1, 0, 1, -1], [0, 1, 1, 0, 1]],  # the weights differ: 1/8 and 1/10
        [[1, 0], [-1, -1, 1, 1, 1, 1, 0]],
        [[0.5, -0.5, 0.5], [1, 1, 0.5, 0]],
        [[0, 0, 0]],
        [[1]],
    ],
    ids=str,
)
def test_p_is_the_share_of_sign_flips(scores) -> None:
    differences = [np.array(d, dtype=float) for d in scores]
    assert sign_flip_p(differences) == pytest.approx(flips_by_definition(differences), abs=1e-12)


def test_p_of_right_and_wrong_is_the_sign_test() -> None:
    d = np.repeat([1.0, -1.0, 0.0], [260, 210, 530])
    assert sign_flip_p([d]) == pytest.approx(scipy.stats.binomtest(260, 470).pvalue, rel=1e-9)
    assert sign_flip_p([d, d[::-1]]) == pytest.approx(scipy.stats.binomtest(520, 940).pvalue, rel=1e-9)
    assert sign_flip_p([np.ones(5000)]) > 0  # below what a float can hold, and yet not impossible


def test_random_flips_come_near_the_exact_share() -> None:
    rng = np.random.default_rng(2)
    d = np.round(rng.normal(0.1, 0.5, 16), 9)  # 2^16 sums of 16 sizes are all looked at
    exact = sign_flip_p([d])
    thrice = np.tile(d, 3)  # 4^16 are not
    sums = np.array([d @ (2 * (i >> np.arange(16) & 1) - 1) for i in range(2**16)])
    assert exact == pytest.approx((np.abs(sums) >= abs(d.sum()) - 1e-12).mean(), abs=1e-9)
    many = sign_flip_p([thrice], permutations=4000)
    heads = 2 * np.random.default_rng(5).binomial(3, 0.5, (20000, 16)) - 3
    assert many == pytest.approx((np.abs(heads @ d) >= 3 * abs(d.sum())).mean(), abs=0.02)
    long = rng.normal(0.05, 1, 400)
    p = sign_flip_p([long], permutations=999, seed=4)
    assert p == pytest.approx(2 * scipy.stats.norm.sf(abs(long.sum()) / math.sqrt(long @ long)), abs=0.05)
    assert p == sign_flip_p([long], permutations=999, seed=4) != sign_flip_p([long], permutations=999, seed=5)
    assert (p * 1000) == pytest.approx(round(p * 1000))
    assert sign_flip_p([long + 5], permutations=99) == 1 / 100  # (count + 1) / (permutations + 1)


def test_sums_on_a_grid_are_all_looked_at() -> None:
    """Many sizes, all multiples of one: exact, by a loop over the distribution of the sum."""
    d = np.repeat(np.arange(-6.0, 9.0), 12)
    known = {0.0: 1.0}
    for size in np.abs(d):
        halves: dict[float, float] = {}
        for total, chance in known.items():
            for sign in (-1, 1):
                halves[total + sign * size] = halves.get(total + sign * size, 0) + chance / 2
        known = halves
    expected = sum(chance for total, chance in known.items() if abs(total) >= abs(d.sum()))
    assert sign_flip_p([d], permutations=9) == pytest.approx(expected, rel=1e-9)


def swaps_by_definition(scores) -> float:
    def rho(x, y):
        return 0.0 if len(set(x)) == 1 else scipy.stats.pearsonr(x, y)[0]

    ranked = [tuple(scipy.stats.rankdata(side) for side in score) for score in scores]
    counts = [len(score[0]) for score in scores]
    found = []
    for swaps in itertools.product([False, True], repeat=sum(counts)):
        parts, values = np.split(np.array(swaps), np.cumsum(counts)[:-1]), []
        for swap, (a, b, gold) in zip(parts, ranked, strict=True):
            values.append(rho(np.where(swap, b, a), gold) - rho(np.where(swap, a, b), gold))
        found.append(np.mean(values))
    return float(np.mean(np.abs(found) >= abs(found[0]) - 1e-9))


def test_p_of_rhos_is_the_share_of_swaps() -> None:
    rng = np.random.default_rng(3)
    for counts in ([6], [4, 5], [2], [3, 2]):
        scores = [(rng.permutation(n) * 1.0, rng.permutation(n) * 10.0, rng.permutation(n) * 1.0) for n in counts]
        assert swap_p(scores) == pytest.approx(swaps_by_definition(scores), abs=1e-12)
    tied = [(np.array([1.0, 1, 2, 3, 3]), np.array([5.0, 1, 2, 2, 9]), np.array([0.0, 1, 1, 2, 5]))]
    assert swap_p(tied) == pytest.approx(swaps_by_definition(tied), abs=1e-12)


def test_random_swaps_come_near_the_share_of_all(monkeypatch) -> None:
    rng = np.random.default_rng(4)
    scores = []
    for n in (4, 5):
        gold = rng.standard_normal(n)
        scores.append((gold + rng.standard_normal(n), gold + 2 * rng.standard_normal(n), gold))
    exact = swaps_by_definition(scores)
    assert 0.02 < exact < 0.9
    monkeypatch.setattr(permutation, "_EXACT_RANKS", 0)
    assert swap_p(scores, permutations=4000) == pytest.approx(exact, abs=0.03)
    gold = np.arange(300.0)
    good, bad = gold + rng.normal(0, 30, 300), rng.standard_normal(300)
    assert swap_p([(good, bad, gold)], permutations=199) == 1 / 200


def test_p_is_uniform_where_the_models_are_alike() -> None:
    rng = np.random.default_rng(6)
    flips, swaps = [], []
    for seed in range(300):
        level, gold = rng.random(60), rng.random(40)
        a, b = (level + rng.standard_normal(60) for _ in range(2))
        flips.append(paired_difference(a, b, resamples=1, permutations=199, seed=seed).p)
        x, y = (gold + rng.standard_normal(40) for _ in range(2))
        swaps.append(paired_difference(x, y, gold=gold, resamples=1, permutations=199, seed=seed).p)
    for found in (flips, swaps):
        assert scipy.stats.kstest(found, "uniform").pvalue > 0.01
        assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.08


def test_a_paired_difference_by_hand() -> None:
    """Items 1, 4, 8 differ, all for the first: difference .3, and 2 of the 8 flips are as large."""
    found = paired_difference(RIGHT, WRONG, resamples=400, seed=1)
    assert found.value == pytest.approx(0.3)
    assert found.p == pytest.approx(0.25)
    rows = np.concatenate(list(resampled_rows(10, resamples=400, seed=1)))
    means = [np.mean([RIGHT[i] - WRONG[i] for i in row]) for row in rows]
    assert found.interval == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=1e-12)
    other = paired_difference(WRONG, RIGHT, resamples=400, seed=1)
    assert (other.value, other.p) == (-found.value, found.p)
    assert other.interval == pytest.approx((-found.interval[1], -found.interval[0]))
    narrow = paired_difference(RIGHT, WRONG, resamples=400, seed=1, level=0.5).interval
    assert found.interval[0] < narrow[0] < narrow[1] < found.interval[1]


def test_models_that_are_equal() -> None:
    found = paired_difference(RIGHT, RIGHT)
    assert (found.value, found.interval, found.p) == (0.0, (0.0, 0.0), 1.0)
    one = paired_difference([1], [0])
    assert (one.value, one.interval, one.p) == (1.0, (1.0, 1.0), 1.0)
    gold = [1, 2, 3, 5, 4]
    same = paired_difference([1, 2, 3, 4, 5], [1, 4, 9, 16, 25], gold=gold)  # ranks are all that counts
    assert (same.value, same.interval, same.p) == (0.0, (0.0, 0.0), 1.0)


def test_a_difference_of_rhos() -> None:
    rng = np.random.default_rng(8)
    gold = rng.integers(0, 6, 80)
    a, b = gold + rng.normal(0, 1, 80), gold + rng.normal(0, 8, 80)
    found = paired_difference(a, b, gold=gold, resamples=200, permutations=499, seed=2)
    assert found.value == pytest.approx(spearman(a, gold) - spearman(b, gold))
    rows = np.concatenate(list(resampled_rows(80, resamples=200, seed=2)))
    rhos = [spearman(a[row], gold[row]) - spearman(b[row], gold[row]) for row in rows]
    assert found.interval == pytest.approx(tuple(np.quantile(rhos, [0.025, 0.975])), abs=1e-9)
    assert found.p == 1 / 500


def test_a_macro_difference() -> None:
    counts = (4, 30)
    models = [(reciprocal_ranks(n, n), reciprocal_ranks(n, n + 1)) for n in counts]
    samples = joint_samples(models, resamples=50, seed=3)
    a, b = zip(*samples, strict=True)
    found = macro_difference(a, b, permutations=99)
    assert found.value == pytest.approx(np.mean([x.mean() - y.mean() for x, y in models]))
    means = np.mean([x.resampled - y.resampled for x, y in samples], axis=0)
    assert found.interval == percentile_interval(means)
    assert found.p == sign_flip_p([x - y for x, y in models], permutations=99)
    gold = np.arange(4.0)
    ranked = joint_samples([[gold[::-1] + 1, [1, 0, 3, 2]]] * 2, golds=[gold, gold], resamples=9)
    a, b = zip(*ranked, strict=True)
    assert macro_difference(a, b).p == swap_p([(x.items, y.items, gold) for x, y in ranked])
    assert macro_difference(a, b).value == pytest.approx(-1 - 0.6)


# several tests at once


def test_holm_by_hand() -> None:
    """Sorted .005, .01, .03, .04: 4 x .005, 3 x .01, 2 x .03, then 1 x .04 is raised to .06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]).tolist() == [1.0, 1.0]
    assert holm([0.2]).tolist() == [0.2]
    assert holm([]).tolist() == []
    assert holm([0.04, 0.04]).tolist() == [0.08, 0.08]


# what is refused


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: bootstrap_mean([]), r"items: expected a list of at least 1 number, got shape \(0,\)"),
        (lambda: bootstrap_mean([[1, 0]]), r"items: expected a list of at least 1 number, got shape \(1, 2\)"),
        (lambda: bootstrap_mean([1, 0, math.nan]), "items: number 3 is nan; expected finite numbers"),
        (lambda: bootstrap_mean([math.inf, 0]), "items: number 1 is inf; expected finite numbers"),
        (lambda: bootstrap_mean([1, 0], level=1), "expected a level between 0 and 1, got 1"),
        (lambda: bootstrap_mean([0.5, 0], level=math.nan), "expected a level between 0 and 1, got nan"),
        (lambda: bootstrap_mean([0.5, 0], resamples=0), "at least 1 resample and a seed of at least 0, got 0 and 0"),
        (lambda: bootstrap_mean([0.5, 0], seed=-1), "at least 1 resample and a seed of at least 0, got 1000 and -1"),
        (lambda: macro_interval([]), "expected at least one score to average, got none"),
        (lambda: macro_interval([[1], []]), r"items: expected a list of at least 1 number, got shape \(0,\)"),
        (lambda: paired_difference([1, 0], [1]), "expected the same items for all, got 2 and 1 of them"),
        (lambda: paired_difference([1, 0], [math.nan, 1]), "items: number 1 is nan; expected finite numbers"),
        (lambda: paired_difference([1, 0], [0, 1], gold=[1, 2, 3]), "same items for all, got 2 and 2 and 3"),
        (lambda: paired_difference([1, 1], [0, 1], gold=[1, 2]), "items: all 2 values are 1"),
        (lambda: paired_difference([1, 0], [0, 1], gold=[1, 1]), "gold: all 2 values are 1"),
        (lambda: paired_difference([1], [0], gold=[1]), "items: a correlation needs a list of at least 2 values"),
        (lambda: paired_difference([1, 0], [0, 1], permutations=0), "expected at least 1 permutation, got 0"),
        (lambda: swap_p([], permutations=0), "expected at least 1 permutation, got 0"),
        (lambda: macro_difference([], []), "expected the same scores of both models, at least one, got 0 and 0"),
        (lambda: macro_difference([], [0]), "expected the same scores of both models, at least one, got 0 and 1"),
        (lambda: holm([0.1, math.nan]), r"expected a list of p-values from 0 to 1, got \[0.1, nan\]"),
        (lambda: holm([1.1]), r"expected a list of p-values from 0 to 1, got \[1.1\]"),
        (lambda: holm([[0.1]]), r"expected a list of p-values from 0 to 1, got \[\[0.1\]\]"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(call, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        call()

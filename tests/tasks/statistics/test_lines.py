"""Lines that scores share: numbers, sums, links, and intervals and tests by line, against loops over lines."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from align.errors import InputError
from align.tasks.statistics.best import as_good_as_best
from align.tasks.statistics.correlation import spearman
from align.tasks.statistics.intervals import bootstrap_mean, macro_interval
from align.tasks.statistics.lines import line_sums, linked, numbered_lines
from align.tasks.statistics.permutation import sign_flip_p, swap_p
from align.tasks.statistics.resampling import resampled_rows
from align.tasks.statistics.samples import joint_samples
from align.tasks.statistics.tests import macro_difference, paired_difference

NAMES = [["a", "b", "c"], ["b", "c", "d", "d"], ["x", "y"]]
VALUES = [np.array([0.5, 0.0, 1.0]), np.array([0.25, 1.0, 0.0, 0.5]), np.array([1.0, 0.25])]


def test_numbers_of_lines() -> None:
    first, second, third = numbered_lines(NAMES, [3, 4, 2])
    assert (first.tolist(), second.tolist(), third.tolist()) == ([0, 1, 2], [1, 2, 3, 3], [4, 5])
    apart = numbered_lines([None, None, [0, 0]], [2, 2, 2])
    assert [one.tolist() for one in apart] == [[0, 1], [2, 3], [4, 4]]
    with pytest.raises(InputError, match="expected a line for each of 3 items, got 2"):
        numbered_lines([["a", "b"]], [3])


def test_sums_and_links() -> None:
    lines = numbered_lines(NAMES, [3, 4, 2])
    sums = line_sums(VALUES, lines)
    assert sums[1] == pytest.approx(0.0 / 9 + 0.25 / 12)  # line b: of 3 and of 4 items, 3 scores
    assert sums[3] == pytest.approx(0.5 / 12)
    assert sums.sum() == pytest.approx(np.mean([values.mean() for values in VALUES]))
    assert linked(lines) == [[0, 1], [2]]
    assert linked(numbered_lines([["a"], ["b"], ["b", "a"]], [1, 1, 2])) == [[0, 1, 2]]


def test_resampled_means_are_those_of_a_loop_over_lines() -> None:
    """a, b, c, d are drawn together, x and y apart; a score without a drawn line has no value."""
    drawn = joint_samples([[values, values + 1] for values in VALUES], lines=NAMES, resamples=60, seed=2)
    for group, letters, position in (((0, 1), "abcd", 0), ((2,), "xy", 2)):
        rows = np.concatenate(list(resampled_rows(len(letters), resamples=60, seed=2, position=position)))
        for score, (r, row) in itertools.product(group, enumerate(rows)):
            chosen = [
                v for place in row for v, n in zip(VALUES[score], NAMES[score], strict=True) if n == letters[place]
            ]
            first, second = drawn[score]
            if chosen:
                assert first.resampled[r] == pytest.approx(np.mean(chosen), abs=1e-12)
                assert second.resampled[r] == pytest.approx(np.mean(chosen) + 1, abs=1e-12)
            else:
                assert np.isnan(first.resampled[r]) and np.isnan(second.resampled[r])


def test_resampled_rhos_are_those_of_a_loop_over_lines() -> None:
    rng = np.random.default_rng(1)
    values, golds = [rng.random(6) for _ in range(2)], [rng.random(6) for _ in range(2)]
    names = [list("abcdef"), list("cdefgg")]
    drawn = joint_samples([[v] for v in values], golds=golds, lines=names, resamples=30, seed=4)
    rows = np.concatenate(list(resampled_rows(7, resamples=30, seed=4)))
    for score, (r, row) in itertools.product(range(2), enumerate(rows)):
        chosen = [i for place in row for i, n in enumerate(names[score]) if n == "abcdefg"[place]]
        found = drawn[score][0].resampled[r]
        if len(set(golds[score][chosen])) > 1:
            assert found == pytest.approx(spearman(values[score][chosen], golds[score][chosen]), abs=1e-9)
        else:
            assert np.isnan(found)


def test_the_same_lines_twice_say_no_more() -> None:
    right = [1, 1, 0, 1, 0, 1, 1, 1, 1, 1]
    names = list(range(10))
    assert macro_interval([right] * 4, lines=[names] * 4) == pytest.approx(bootstrap_mean(right))
    assert macro_interval([right] * 4) != pytest.approx(bootstrap_mean(right))
    every = [1] * 10
    assert macro_interval([every] * 4, lines=[names] * 4) == pytest.approx(bootstrap_mean(every))
    ranks = [1, 0.5, 0.25, 1, 0.2]
    twice = macro_interval([ranks] * 2, lines=[range(5)] * 2, resamples=300, seed=1)
    assert twice == pytest.approx(bootstrap_mean(ranks, resamples=300, seed=1))
    wrong = [0, 1, 0, 0, 0, 1, 1, 0, 0, 1]
    both = joint_samples([[right, wrong]] * 3, lines=[names] * 3, seed=5)
    found, once = macro_difference(*zip(*both, strict=True)), paired_difference(right, wrong, seed=5)
    assert (found.value, found.p) == pytest.approx((once.value, once.p))
    assert found.interval == pytest.approx(once.interval)


def test_wilson_by_line_by_hand() -> None:
    """Two scores, m = 5/8; line sums of x - p, over n L = 8 and 4: (.25 / 8 + .5 / 4, .25 / 8 - .5 / 4, ...)."""
    low, high = macro_interval([[1, 1, 1, 0], [1, 0]], lines=[["a", "b", "c", "d"], ["a", "b"]])
    variance = (0.25 / 8 + 0.5 / 4) ** 2 + (0.25 / 8 - 0.5 / 4) ** 2 + (0.25 / 8) ** 2 + (0.75 / 8) ** 2
    items, z = 0.625 * 0.375 / variance, 1.959964
    for end in (low, high):
        assert abs(0.625 - end) == pytest.approx(z * np.sqrt(end * (1 - end) / items), abs=1e-6)


def test_p_is_the_share_of_flips_of_lines() -> None:
    """Every sign of each line, for items of unequal weight."""
    rng = np.random.default_rng(3)
    names = [["a", "b", "c", "d"], ["b", "d", "e"]]
    lines = numbered_lines(names, [4, 3])
    differences = [rng.integers(-1, 2, 4).astype(float), np.array([1.0, 1.0, -1.0])]
    observed, values = abs(np.mean([d.mean() for d in differences])), []
    for signs in itertools.product([1, -1], repeat=5):
        values.append(np.mean([(np.array(signs)[of] * d).mean() for of, d in zip(lines, differences, strict=True)]))
    expected = np.mean(np.abs(values) >= observed - 1e-12)
    assert sign_flip_p(differences, lines=lines) == pytest.approx(expected)
    assert sign_flip_p(differences) != pytest.approx(expected)


@pytest.mark.parametrize("seed", range(6))
def test_p_of_rhos_is_the_share_of_swaps_of_lines(seed) -> None:
    rng = np.random.default_rng(seed)
    lines = numbered_lines([["a", "b", "c", "d"], ["b", "d", "e"]], [4, 3])
    scores = [tuple(rng.permutation(n).astype(float) for _ in range(3)) for n in (4, 3)]
    found = []
    for swapped in itertools.product([False, True], repeat=5):
        rhos = []
        for (a, b, gold), of in zip(scores, lines, strict=True):
            swap = np.array(swapped)[of]
            sides = np.where(swap, b, a), np.where(swap, a, b)
            rhos.append(np.subtract(*(0 if np.ptp(s) == 0 else np.corrcoef(s, gold)[0, 1] for s in sides)))
        found.append(np.mean(rhos))
    expected = np.mean(np.abs(found) >= abs(found[0]) - 1e-9)
    assert swap_p(scores, lines=lines) == pytest.approx(expected)


def test_the_best_of_two_is_that_of_the_paired_test() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        a, b = rng.random(40) < 0.8, rng.random(40) < 0.6
        samples = joint_samples([[a, b]], resamples=1)
        kept = as_good_as_best([list(of) for of in zip(*samples, strict=True)], seed=seed)
        assert all(kept) == (paired_difference(a, b).p > 0.05)
        assert kept[int(np.argmax([a.mean(), b.mean()]))]


def test_the_worse_are_set_aside_in_turn() -> None:
    """Of four, one far behind, one behind by few lines that only the first two are ahead on, two alike."""
    n = 400
    base = np.arange(n) % 2 == 0
    close = base.copy()
    close[0:24:2] = False  # 12 lines worse, none better
    alike = base.copy()
    alike[[0, 1]] = [False, True]
    noise = np.random.default_rng(1).random(n) < 0.1
    samples = joint_samples([[noise, close, base, alike]], resamples=1)
    models = [list(of) for of in zip(*samples, strict=True)]
    assert as_good_as_best(models, permutations=999) == (False, False, True, True)
    assert as_good_as_best(models[2:3]) == (True,)
    assert as_good_as_best([models[2]] * 3, permutations=99) == (True, True, True)
    gold = np.arange(60.0)
    ranks = [gold + 5 * np.random.default_rng(s).standard_normal(60) for s in (1, 2, 3)] + [-gold]
    ranked = [list(of) for of in zip(*joint_samples([ranks], golds=[gold], resamples=1), strict=True)]
    assert as_good_as_best(ranked, permutations=499) == (True, True, True, False)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: as_good_as_best([]), r"expected the same scores of all models, at least one, got \[\]"),
        (lambda: as_good_as_best([[], []]), r"expected the same scores of all models, at least one, got \[0, 0\]"),
        (lambda: macro_interval([[1, 0]], lines=[["a"]]), "expected a line for each of 2 items, got 1"),
        (lambda: joint_samples([[[1]], [[1, 0], [1]]], names=["x", "y"]), "score y: expected the same items for all"),
        (
            lambda: as_good_as_best([[joint_samples([[[1.0]]])[0][0]]], permutations=0),
            "expected at least 1 permutation, got 0",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        call()

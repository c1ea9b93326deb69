from __future__ import annotations

import doctest
import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from align.errors import InputError
from align.tasks.statistics import correlation, resampling
from align.tasks.statistics.correlation import bootstrap_interval, pearson, sample, spearman


def mean_ranks(values: Sequence[float]) -> list[float]:
    """1 + how many are smaller + half of how many others are equal."""
    return [
        1 + sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2
        for value in values
    ]


def pearson_by_loop(x: Sequence[float], y: Sequence[float]) -> float:
    mx, my = sum(x) / len(x), sum(y) / len(y)
    xy = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return xy / math.sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))


def test_by_hand() -> None:
    # ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: products 2.25 + 0 + 0 + 2.25, squares 4.5 and 5
    assert spearman([0, 5, 5, 9], [1, 2, 3, 4]) == pytest.approx(4.5 / math.sqrt(4.5 * 5), rel=1e-12)
    assert pearson([1, 2, 3], [1, 2, 4]) == pytest.approx(3 / math.sqrt(2 * 14 / 3), rel=1e-12)
    assert spearman([1, 2], [5, 4]) == -1.0
    assert spearman([1, 10, 100], [-3, -2, 7]) == 1.0


@pytest.mark.parametrize(("n", "values"), [(2, 2), (3, 2), (9, 4), (60, 5), (60, 1000)])
def test_definition(n: int, values: int) -> None:
    rng = np.random.default_rng(n + values)
    x, y = rng.permutation(np.arange(n) % values).astype(float), rng.integers(0, values, n) + np.arange(n) % 2 / 2
    assert len(set(x)) < n or values >= n  # else no tie was tested
    assert spearman(x, y) == pytest.approx(pearson_by_loop(mean_ranks(x), mean_ranks(y)), abs=1e-12)
    assert pearson(x, y) == pytest.approx(pearson_by_loop(x, y), abs=1e-12)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y)[0], abs=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_squares_neither_vanish_nor_overflow(scale: float) -> None:
    assert pearson(np.array([1, 2, 3]) * scale, [1, 2, 4]) == pytest.approx(pearson([1, 2, 3], [1, 2, 4]))


def test_rounding_never_leaves_minus_one_to_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        x = rng.standard_normal(5)
        for metric in (pearson, spearman):
            assert abs(metric(x, 0.1 * x + 3)) <= 1 and abs(metric(x, -0.7 * x)) <= 1


@pytest.mark.parametrize("blocks", [1, 7])
def test_interval_matches_a_loop(monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 6, 40).astype(float)
    y = x + rng.standard_normal(40) * 2
    if blocks > 1:
        monkeypatch.setattr(resampling, "_CELLS", 40 * 7)
    draws = np.random.default_rng(5)
    rhos = []
    for _ in range(50):
        rows = draws.integers(0, 40, 40)
        rhos.append(pearson_by_loop(mean_ranks(x[rows]), mean_ranks(y[rows])))
    for level in (0.95, 0.5):
        low, high = bootstrap_interval(x, y, resamples=50, seed=5, level=level)
        assert low == pytest.approx(np.quantile(rhos, (1 - level) / 2), abs=1e-12)
        assert high == pytest.approx(np.quantile(rhos, (1 + level) / 2), abs=1e-12)
    assert low < spearman(x, y) < high
    assert bootstrap_interval(x, y, resamples=50, seed=6) != bootstrap_interval(x, y, resamples=50, seed=5)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    truth = 6 / math.pi * math.asin(0.5 / 2)  # rho of a normal pair with r = 0.5
    inside = 0
    for _ in range(100):
        x = rng.standard_normal(100)
        low, high = bootstrap_interval(x, 0.5 * x + math.sqrt(0.75) * rng.standard_normal(100), resamples=200)
        inside += low < truth < high
    assert 85 <= inside <= 100


def test_draws_without_a_rho_are_left_out() -> None:
    assert bootstrap_interval([1, 2], [1, 2], resamples=100) == (1.0, 1.0)  # half of the draws are one pair twice
    seed = next(s for s in range(20) if len(set(np.random.default_rng(s).integers(0, 2, 2))) == 1)
    assert bootstrap_interval([1, 2], [1, 2], resamples=1, seed=seed) is None


def test_examples_in_the_docstrings() -> None:
    results = doctest.testmod(correlation)
    assert results.failed == 0 and results.attempted >= 2


@pytest.mark.parametrize("metric", [pearson, spearman, bootstrap_interval])
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1], [1], r"^x: a correlation needs a list of at least 2 values, got shape \(1,\)$"),
        ([], [], r"got shape \(0,\)"),
        ([[1, 2]], [1, 2], r"got shape \(1, 2\)"),
        ([1, 2, 3], [1, 2], "as many values on both sides, got 3 and 2"),
        ([1, 2], [1, math.nan], "^y: value 2 is nan; expected finite numbers$"),
        ([math.inf, 2], [1, 2], "^x: value 1 is inf"),
        ([1, 2], [2.5, 2.5], "^y: all 2 values are 2.5; a correlation needs two different ones$"),
    ],
)
def test_errors(metric, x: list, y: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        metric(x, y)


def test_options() -> None:
    for options in ({"level": 1.0}, {"level": 0.0}, {"level": math.nan}):
        with pytest.raises(InputError, match="a level between 0 and 1"):
            bootstrap_interval([1, 2], [1, 2], **options)
    with pytest.raises(InputError, match="at least 1 resample"):
        bootstrap_interval([1, 2], [1, 2], resamples=0)
    with pytest.raises(InputError, match="^scores of x: value 1 is nan"):
        sample([math.nan, 1], "scores of x")

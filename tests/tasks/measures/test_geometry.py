from __future__ import annotations

import math

import numpy as np
import pytest

from align.errors import InputError
from align.similarity.nearest import top_k
from align.tasks import anisotropy, hubness, k_occurrence


def rows(n: int, d: int = 6, common: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)) + common


def skewness(values: list[int]) -> float:
    mean = sum(values) / len(values)
    second = sum((v - mean) ** 2 for v in values) / len(values)
    return sum((v - mean) ** 3 for v in values) / len(values) / second**1.5


@pytest.mark.parametrize(("n", "m", "k"), [(40, 40, 10), (25, 60, 3), (7, 12, 1)])
def test_hubness_matches_the_definition(n: int, m: int, k: int) -> None:
    nearest = top_k(rows(n, common=0.5), rows(m, common=0.5, seed=1), k)[1]
    counts = [sum(j in near for near in nearest.tolist()) for j in range(m)]
    assert k_occurrence(nearest, m).tolist() == counts
    assert hubness(nearest, m) == pytest.approx(skewness(counts))
    assert sum(counts) == n * k


def test_hubness_agrees_with_scipy() -> None:
    skew = pytest.importorskip("scipy.stats").skew
    nearest = top_k(rows(200, 32, common=1), rows(200, 32, common=1, seed=1), 10)[1]
    assert hubness(nearest, 200) == pytest.approx(skew(k_occurrence(nearest, 200)))
    assert hubness(nearest, 200) > 1  # what all rows share makes hubs of those that have most of it


def test_hubness_by_hand() -> None:
    # counts 3, 0, 0: mean 1, deviations 2, -1, -1: third moment (8 - 1 - 1) / 3 = 2, variance 2
    assert hubness([[0], [0], [0]], 3) == pytest.approx(2 / 2**1.5)
    # counts 0, 2, 2, the other way about
    assert hubness([[1], [2], [1], [2]], 3) < 0


def test_no_hubs_where_all_occur_as_often() -> None:
    assert hubness([[0], [1], [2]], 3) == 0.0
    assert hubness([[0]], 1) == 0.0
    assert hubness(np.empty((0, 10), dtype=int), 4) == 0.0
    assert hubness(top_k(rows(5), rows(8), 100)[1], 8) == 0.0  # fewer candidates than neighbours


@pytest.mark.parametrize("block", [1, 3, 8192])
@pytest.mark.parametrize(("n", "common"), [(2, 0.0), (9, 0.0), (30, 2.0)])
def test_anisotropy_is_the_mean_over_all_pairs(n: int, common: float, block: int) -> None:
    x = rows(n, common=common)
    x[1] *= 1e6
    cosines = [
        float(x[i] @ x[j]) / math.sqrt(float(x[i] @ x[i]) * float(x[j] @ x[j]))
        for i in range(n) for j in range(n) if i != j
    ]  # fmt: skip
    assert anisotropy(x, block=block) == pytest.approx(sum(cosines) / len(cosines), abs=1e-7)


def test_anisotropy_by_hand() -> None:
    assert anisotropy([[2, 0], [0, 1], [1, 0]]) == pytest.approx(1 / 3)  # cosines 0, 1, 0
    assert anisotropy([[1, 0], [-3, 0]]) == pytest.approx(-1)
    assert anisotropy(np.ones((50, 7))) == pytest.approx(1)
    assert anisotropy([[0, 0], [1, 0], [1, 0]]) == pytest.approx(1 / 3)  # a row of zeros has the cosine 0
    assert anisotropy(np.zeros((4, 2))) == 0.0


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="hubness needs at least one candidate, got 0"):
        hubness(np.empty((3, 0), dtype=int), 0)
    with pytest.raises(InputError, match="expected rows of 2 candidates, got int64 from 0 to 2"):
        hubness([[0, 2]], 2)
    with pytest.raises(InputError, match="expected rows of 2 candidates, got float64"):
        k_occurrence([[0.0, 1.0]], 2)
    for x in ([[1, 2]], np.empty((0, 3))):
        with pytest.raises(InputError, match="anisotropy needs at least two rows, got "):
            anisotropy(x)
    with pytest.raises(InputError, match="row 2 holds NaN"):
        anisotropy([[1, 2], [1, 2], [1, math.nan]], block=2)

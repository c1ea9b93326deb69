from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from align.errors import InputError
from align.similarity.cka import linear_cka, partners_and_strangers


def by_definition(k, m):
    """Song et al. 2012, eq. 4: sums over tuples of different indices."""
    n = len(k)
    pairs = sum(k[i, j] * m[i, j] for i, j in permutations(range(n), 2)) / (n * (n - 1))
    fours = sum(k[i, j] * m[q, r] for i, j, q, r in permutations(range(n), 4))
    threes = sum(k[i, j] * m[i, q] for i, j, q in permutations(range(n), 3))
    return pairs + fours / (n * (n - 1) * (n - 2) * (n - 3)) - 2 * threes / (n * (n - 1) * (n - 2))


def test_against_the_definition():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((7, 3)), rng.standard_normal((7, 4))
    y[:, 0] = x[:, 1]
    k, m = x @ x.T, y @ y.T
    expected = by_definition(k, m) / np.sqrt(by_definition(k, k) * by_definition(m, m))
    assert linear_cka(x, y) == pytest.approx(expected) == linear_cka(y, x)


def test_what_it_does_not_see_and_what_it_does():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((60, 8))
    turned = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    assert linear_cka(x, 3 * x @ turned + 5) == pytest.approx(1)
    far = np.mean([linear_cka(x, rng.standard_normal((60, 200))) for _ in range(20)])
    assert abs(far) < 0.05  # the usual estimate gives about .4 here
    assert np.isnan(linear_cka(np.ones((5, 2)), x[:5]))


def test_partners_and_strangers():
    own, other = partners_and_strangers([[2, 0], [0, 1]], [[1, 0], [1, 1]])
    assert own == pytest.approx((1 + 0.5**0.5) / 2) and other == pytest.approx((0.5**0.5 + 0) / 2)


def test_what_is_refused():
    for function, n in ((linear_cka, 3), (partners_and_strangers, 1)):
        with pytest.raises(
            InputError, match=rf"expected two matrices of as many rows, {n + 1} at least, got \({n}, 2\)"
        ):
            function(np.ones((n, 2)), np.ones((n, 2)))
        with pytest.raises(InputError, match="as many rows"):
            function(np.ones((5, 2)), np.ones((6, 2)))

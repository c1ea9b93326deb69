"""Items of a ratio: their mean is it, their bootstrap is near that of the ratio itself."""

from __future__ import annotations

import numpy as np
import pytest

from align.errors import InputError
from align.tasks.measures.ratio import ratio_items
from align.tasks.statistics.intervals import macro_interval


def test_by_hand():
    # R = 3 / 6; x = .5 + 3 (a - .5 b) / 6
    assert ratio_items([2, 1, 0], [2, 2, 2]).tolist() == pytest.approx([1.0, 0.5, 0.0])
    assert ratio_items([0, 3], [0, 4]).tolist() == pytest.approx([0.75, 0.75])  # a line of nothing moves nothing
    assert ratio_items([0, 0], [0, 0]).tolist() == [0, 0]


def test_bootstrap_of_the_ratio_itself():
    rng = np.random.default_rng(0)
    b = rng.integers(0, 8, 400)
    a = rng.binomial(b, 0.7)
    items = ratio_items(a, b)
    assert items.mean() == pytest.approx(a.sum() / b.sum(), abs=1e-12)
    drawn = rng.integers(0, 400, (4000, 400))
    low, high = np.quantile(a[drawn].sum(1) / b[drawn].sum(1), [0.025, 0.975])
    found = macro_interval([items], resamples=4000)
    assert found == pytest.approx((low, high), abs=0.003)
    assert high - low > 0.03


@pytest.mark.parametrize("given", [([], []), ([1], [1, 2]), ([1], [-1]), ([np.nan], [1]), ([[1]], [[1]])])
def test_what_is_no_ratio(given):
    with pytest.raises(InputError, match="a ratio needs"):
        ratio_items(*given)

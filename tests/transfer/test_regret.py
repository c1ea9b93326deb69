from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest

from align.transfer.regret import regret


def by_orders(predicted, scores, k):
    """The mean over all orders that the predictions allow."""
    orders = [
        order
        for order in permutations(range(len(scores)))
        if all(predicted[a] >= predicted[b] for a, b in pairwise(order))
    ]
    return np.mean([max(scores) - max(scores[i] for i in order[:k]) for order in orders])


def test_by_hand():
    assert regret([0.1, 0.9, 0.5], [10, 6, 7]) == 4
    assert regret([0.1, 0.9, 0.5], [10, 6, 7], k=2) == 3
    assert regret([0.1, 0.9, 0.5], [10, 6, 7], k=3) == regret([0.1, 0.9, 0.5], [10, 6, 7], k=9) == 0
    assert regret([0, 0], [1, 0]) == 0.5


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_ties_are_any_order(k):
    draw = np.random.default_rng(0)
    for _ in range(20):
        predicted, scores = draw.integers(0, 3, 5), draw.integers(0, 9, 5) / 4
        assert regret(predicted, scores, k=k) == pytest.approx(by_orders(predicted, scores, k))


def test_one_source():
    assert regret([3], [0.2]) == 0

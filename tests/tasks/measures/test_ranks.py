from __future__ import annotations

import doctest

import numpy as np
import pytest

from align.errors import InputError
from align.tasks import table
from align.tasks.measures import ranks as metrics
from align.tasks.measures.ranks import mean_reciprocal_rank, precision_at
from align.tasks.table import markdown


def test_by_hand() -> None:
    ranks = [1, 2, 4, 10, 11]
    assert precision_at(ranks, 1) == 0.2
    assert precision_at(ranks, 10) == 0.8
    assert precision_at(ranks, 4) == 0.6
    assert mean_reciprocal_rank(ranks) == pytest.approx((1 + 1 / 2 + 1 / 4 + 1 / 10 + 1 / 11) / 5, rel=1e-12)
    assert precision_at([1], 1) == mean_reciprocal_rank(np.array([1])) == 1.0


def test_definition_on_random_ranks() -> None:
    ranks = np.random.default_rng(0).integers(1, 50, 200)
    for k in (1, 5, 10, 49):
        assert precision_at(ranks, k) == pytest.approx(sum(r <= k for r in ranks) / 200)
    assert mean_reciprocal_rank(ranks) == pytest.approx(sum(1 / r for r in ranks) / 200)


def test_examples_in_the_docstrings() -> None:
    for module in (metrics, table):
        assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("metric", [lambda ranks: precision_at(ranks, 5), mean_reciprocal_rank])
@pytest.mark.parametrize(
    ("ranks", "message"),
    [([], "at least one rank"), ([0, 1], "got 0"), ([1.5], "whole ranks"), ([[1]], r"got shape \(1, 1\)")],
)
def test_errors(metric, ranks, message: str) -> None:
    with pytest.raises(InputError, match=message):
        metric(ranks)


def test_k_is_at_least_one() -> None:
    with pytest.raises(InputError, match="k must be at least 1, got 0"):
        precision_at([1], 0)


def test_columns_line_up() -> None:
    lines = markdown(["language", "n", "P@1"], [["hin_Deva", 5, 0.25], ["x", 1000, 1.0]]).split("\n")
    assert lines == [
        "| language |    n |   P@1 |",
        "|:---------|-----:|------:|",
        "| hin_Deva |    5 | 0.250 |",
        "| x        | 1000 | 1.000 |",
    ]
    assert markdown(["a"], []) == "| a |\n|:--|"

from __future__ import annotations

import numpy as np
import pytest
from transfer_rows import made_rows

from align.transfer.ridge import fit_ridge, within

NAN = float("nan")


def by_dummies(x, y, targets, penalty):
    """The same minimum with a constant for each target, which has no penalty, and features in units of how much they
    differ within targets."""
    marks = np.isnan(x)
    z = np.column_stack([np.where(marks, np.nanmean(x, axis=0), x), marks.astype(float)])
    names = sorted(set(targets))
    dummies = np.array([[target == name for name in names] for target in targets], dtype=float)
    left = z - dummies @ np.linalg.lstsq(dummies, z, rcond=None)[0]
    deviation = np.sqrt((left**2).mean(axis=0))
    kept = deviation > 1e-9
    a = np.column_stack([z[:, kept] / deviation[kept], dummies])
    square = a.T @ a / len(y)
    square[: kept.sum(), : kept.sum()] += penalty * np.eye(kept.sum())
    weights = np.zeros(z.shape[1])
    weights[kept] = np.linalg.solve(square, a.T @ y / len(y))[: kept.sum()] / deviation[kept]
    return weights


def test_by_hand():
    x = np.array([[0.0], [2], [5], [7]])
    (fit,) = fit_ridge(x, np.array([0.0, 4, 1, 1]), np.array(["a", "a", "b", "b"]), penalties=[1])
    assert fit.weights == pytest.approx([0.5, 0])  # dz = -1 1 -1 1, dy = -2 2 0 0; (1 + 1) w = 1
    assert fit.fill == pytest.approx([3.5])
    assert fit.predict(np.array([[4.0], [NAN]])) == pytest.approx([2, 1.75])


@pytest.mark.parametrize("penalty", [1e-3, 0.3, 10])
def test_the_minimum_is_that_of_a_constant_for_each_target(penalty):
    rows = made_rows(weights=(2, -1, 0.5), noise=0.3)
    x = rows.features.copy()
    x[::7, 0], x[1::5, 2] = NAN, NAN
    (fit,) = fit_ridge(x, rows.scores, rows.targets, penalties=[penalty])
    assert fit.weights == pytest.approx(by_dummies(x, rows.scores, rows.targets, penalty), abs=1e-10)


def test_known_weights_are_found():
    rows = made_rows(weights=(2, -1, 0), targets=50)
    (fit,) = fit_ridge(rows.features * [1, 100, 1], rows.scores, rows.targets, penalties=[1e-9])
    assert fit.weights[:3] == pytest.approx([2, -0.01, 0], abs=1e-5)


def test_what_never_differs_within_a_target_weighs_nothing():
    rows = made_rows()
    hard = np.array([len(target) + ord(target[0]) for target in rows.targets], dtype=float)
    x = np.column_stack([rows.features, hard, np.full(len(hard), 0.1), np.full(len(hard), NAN)])
    (fit,) = fit_ridge(x, rows.scores, rows.targets, penalties=[1e-6])
    assert fit.weights[2:5].tolist() == fit.weights[7:].tolist() == [0, 0, 0]
    assert np.isfinite(fit.predict(x)).all()


def test_several_penalties_are_several_fits():
    rows = made_rows(noise=1)
    penalties = (10, 0.1)
    for penalty, fit in zip(
        penalties, fit_ridge(rows.features, rows.scores, rows.targets, penalties=penalties), strict=True
    ):
        assert fit.weights == pytest.approx(by_dummies(rows.features, rows.scores, rows.targets, penalty), abs=1e-10)


def test_no_row():
    (fit,) = fit_ridge(np.zeros((0, 2)), np.zeros(0), np.zeros(0, dtype=str), penalties=[1])
    assert fit.predict(np.ones((3, 2))).tolist() == [0, 0, 0]


def test_less_the_mean_of_the_group():
    values = np.array([[1.0, 0], [3, 0], [5, 6]])
    assert within(values, np.array(["a", "a", "b"])).tolist() == [[-1, 0], [1, 0], [0, 0]]

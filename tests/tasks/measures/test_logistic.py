from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import check_grad

from align.similarity import logistic
from align.similarity.logistic import GRADIENT, loss_and_gradient
from align.tasks.measures.logistic import fit_logistic


def loss_by_loop(weights: np.ndarray, bias: np.ndarray, z: np.ndarray, classes: np.ndarray, penalty: float) -> float:
    total = 0.0
    for row, label in zip(z, classes, strict=True):
        scores = [sum(row[i] * weights[i, c] for i in range(len(row))) + bias[c] for c in range(len(bias))]
        total -= scores[label] - math.log(sum(math.exp(score) for score in scores))
    return total / len(z) + penalty / 2 * sum(w * w for w in weights.ravel())


@pytest.mark.parametrize("penalty", [0.0, 0.5])
def test_loss_and_gradient(penalty: float) -> None:
    rng = np.random.default_rng(0)
    z, classes, parameters = rng.standard_normal((7, 3)), rng.integers(0, 4, 7), rng.standard_normal(16)
    onehot = np.eye(4)[classes]
    table = parameters.reshape(4, 4)
    loss, gradient = loss_and_gradient(parameters, z, onehot, penalty)
    assert loss == pytest.approx(loss_by_loop(table[:-1], table[-1], z, classes, penalty), rel=1e-12)
    assert np.abs(gradient).min() > 1e-4  # else the comparison is empty
    error = check_grad(
        lambda p: loss_and_gradient(p, z, onehot, penalty)[0],
        lambda p: loss_and_gradient(p, z, onehot, penalty)[1],
        parameters,
    )
    assert error < 1e-6
    assert loss_and_gradient(np.zeros(16), z, onehot, penalty)[0] == pytest.approx(math.log(4))
    assert loss_and_gradient(1e4 * parameters, z, onehot, 0.0)[0] < math.inf


def test_by_hand() -> None:
    # Two rows, z = -1 and +1, classes 0 and 1. By symmetry W = (-w, w), b = 0 and L = log(1 + exp(-2w)) + penalty w^2,
    # so that penalty = 1 / (1 + exp(2w)) / w: for w = 1 this is 0.1192029...
    penalty = 1 / (1 + math.exp(2))
    probe = fit_logistic(np.array([[10.0], [14.0]]), np.array([0, 1]), count=2, penalty=penalty)
    assert (probe.mean, probe.deviation) == (12.0, 2.0)
    assert probe.weights == pytest.approx(np.array([[-1.0, 1.0]]), abs=1e-5)
    assert probe.bias == pytest.approx(np.zeros(2), abs=1e-6)
    assert probe.predict(np.array([[11.9], [12.1], [-50.0]])).tolist() == [0, 1, 0]


def blobs(n: int = 90, d: int = 5, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    classes = rng.integers(0, count, n)
    rows = rng.standard_normal((n, d)) * np.array([1, 20, 0.1, 1, 1]) + 5
    rows[:, 0] += classes
    rows[:, 1] -= 30 * (classes == 1)
    return rows, classes


@pytest.mark.parametrize("penalty", [1.0, 0.05])
def test_optimum_of_plain_gradient_descent(penalty: float) -> None:
    rows, classes = blobs()
    z = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    weights, bias = np.zeros((5, 3)), np.zeros(3)
    for _ in range(4000):
        scores = np.exp(z @ weights + bias)
        error = (scores / scores.sum(axis=1, keepdims=True) - np.eye(3)[classes]) / len(z)
        weights -= 0.5 * (z.T @ error + penalty * weights)
        bias -= 0.5 * error.sum(axis=0)
    probe = fit_logistic(rows, classes, count=3, penalty=penalty)
    assert probe.weights == pytest.approx(weights, abs=1e-5)
    assert probe.bias - probe.bias.mean() == pytest.approx(bias - bias.mean(), abs=1e-5)
    assert np.abs(weights).max() > 0.05  # else nothing was learnt
    assert (probe.predict(rows) == np.argmax(z @ weights + bias, axis=1)).all()
    assert (probe.predict(rows) == classes).mean() > 0.6


def test_another_start_has_the_same_optimum() -> None:
    rows, classes = blobs()
    strong = fit_logistic(rows, classes, count=3, penalty=1.0)
    cold = fit_logistic(rows, classes, count=3, penalty=0.01)
    warm = fit_logistic(rows, classes, count=3, penalty=0.01, start=strong)
    assert warm.weights == pytest.approx(cold.weights, abs=1e-4)
    assert np.abs(cold.weights).sum() > 2 * np.abs(strong.weights).sum()


def test_scale_and_shift_of_a_dimension_do_not_matter() -> None:
    rows, classes = blobs()
    plain = fit_logistic(rows, classes, count=3, penalty=0.1)
    scale = np.array([1e-6, 1e6, 3, 1, 1])
    moved = fit_logistic(rows * scale - 7, classes, count=3, penalty=0.1)
    assert moved.weights == pytest.approx(plain.weights, abs=1e-5)


def test_a_constant_dimension_says_nothing() -> None:
    rows, classes = blobs()
    rows[:, 3] = np.float32(0.1)  # its standard deviation is not 0 but a rounding error
    probe = fit_logistic(rows.astype(np.float32), classes, count=3, penalty=0.1)
    assert probe.deviation[3] == 1
    assert np.abs(probe.weights[3]).max() < 1e-6
    far = rows.copy()
    far[:, 3] = 0.2
    assert (probe.predict(far) == probe.predict(rows)).all()


def test_a_class_without_a_row_is_not_predicted() -> None:
    rows, classes = blobs()
    probe = fit_logistic(rows, classes, count=4, penalty=0.01)
    assert set(probe.predict(rows).tolist()) == {0, 1, 2}
    gradient = np.abs(loss_and_gradient(
        np.vstack([probe.weights, probe.bias]).ravel(), (rows - probe.mean) / probe.deviation, np.eye(4)[classes], 0.01
    )[1])  # fmt: skip
    assert gradient.max() < 100 * GRADIENT


def test_a_fit_that_was_cut_short_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    rows, classes = blobs()
    fit_logistic(rows, classes, count=3, penalty=0.01)
    assert caplog.text == ""
    monkeypatch.setattr(logistic, "ITERATIONS", 2)
    fit_logistic(rows, classes, count=3, penalty=0.01)
    assert "logistic regression (penalty 0.01) stopped early" in caplog.text

"""Multinomial logistic regression with an L2 penalty, on float64."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

ITERATIONS = 2000
GRADIENT = 1e-6
"""The fit stops where no entry of the gradient is larger."""


@dataclass(frozen=True)
class Logistic:
    """A fitted probe: scores of a vector x are z(x) W + b, z(x) = (x - mean) / deviation."""

    mean: NDArray[np.float64]
    """(d,) of the vectors it was fitted on."""
    deviation: NDArray[np.float64]
    """(d,) their standard deviation; 1 where that is 0."""
    weights: NDArray[np.float64]
    """(d, c)."""
    bias: NDArray[np.float64]
    """(c,)."""

    def predict(self, x: NDArray[np.floating]) -> NDArray[np.int64]:
        """(n,) class of each row of ``x`` (n, d): the one of the largest score, of equal ones the first."""
        scores = (x.astype(np.float64) - self.mean) / self.deviation @ self.weights + self.bias
        classes: NDArray[np.int64] = np.argmax(scores, axis=1).astype(np.int64)
        return classes


def fit_logistic(
    x: NDArray[np.floating], classes: NDArray[np.int64], *, count: int, penalty: float, start: Logistic | None = None
) -> Logistic:
    """Minimise the penalised cross-entropy of standardised vectors by L-BFGS, from zero or from ``start``.

    L(W, b) = 1/n sum_i -log softmax(z_i W + b)[class_i] + penalty / 2 * sum W^2. The bias has no penalty. A class
    without a row is never predicted before one that has some: its bias sinks.

    Args:
        x: (n, d) vectors; each dimension is standardised by its mean and standard deviation over the n rows.
        classes: (n,) from 0 to ``count`` - 1.
        count: number of classes c.
        penalty: > 0; in the terms of scikit-learn C = 1 / (n * penalty).
        start: a fit of the same rows with another penalty, to begin from.

    Returns:
        The optimum, to ``GRADIENT``; where ``ITERATIONS`` do not suffice, what was reached, with a warning in the log.

    References:
        Alain and Bengio 2016, arXiv:1610.01644 (linear probes); Liu and Nocedal 1989 (L-BFGS).
    """
    from scipy.optimize import minimize  # 0.3 s to import

    rows = x.astype(np.float64)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    deviation[deviation <= 1e-12 * np.abs(mean)] = 0  # a constant dimension, but for rounding
    deviation[deviation == 0] = 1
    z = (rows - mean) / deviation
    d = z.shape[1]
    first = np.zeros((d + 1, count)) if start is None else np.vstack([start.weights, start.bias])
    found = minimize(
        loss_and_gradient, first.ravel(), (z, np.eye(count)[classes], penalty), "L-BFGS-B", jac=True,
        options={"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "gtol": GRADIENT, "ftol": 0},
    )  # fmt: skip
    if np.abs(found.jac).max() > 100 * GRADIENT:
        logger.warning("logistic regression (penalty %g) stopped early: %s", penalty, found.message)
    solution = found.x.reshape(d + 1, count)
    return Logistic(mean, deviation, solution[:-1], solution[-1])


def loss_and_gradient(
    parameters: NDArray[np.float64], z: NDArray[np.float64], onehot: NDArray[np.float64], penalty: float
) -> tuple[float, NDArray[np.float64]]:
    """L of ``fit_logistic`` and dL/dW = z^T (p - y) / n + penalty * W, dL/db = column sums of (p - y) / n.

    Args:
        parameters: ((d + 1) * c,) rows of W, then b.
        z: (n, d) standardised vectors.
        onehot: (n, c) rows y with a 1 at the class.
        penalty: as in ``fit_logistic``.

    Returns:
        L in nats, and its gradient in the layout of ``parameters``.
    """
    table = parameters.reshape(z.shape[1] + 1, onehot.shape[1])
    weights, bias = table[:-1], table[-1]
    scores = z @ weights + bias  # (n, c)
    scores -= scores.max(axis=1, keepdims=True)
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    loss = -float((onehot * log_p).sum()) / len(z) + penalty / 2 * float((weights**2).sum())
    residual = (np.exp(log_p) - onehot) / len(z)
    gradient = np.vstack([z.T @ residual + penalty * weights, residual.sum(axis=0)])
    return loss, gradient.ravel()

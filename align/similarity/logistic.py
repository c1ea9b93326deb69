"""Multinomial logistic regression with an L2 penalty, on dense or sparse features."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

ITERATIONS = 2000
GRADIENT = 1e-6
"""The fit stops where no entry of the gradient is larger."""


def minimise(
    x: Any, counts: NDArray[np.float64], *, penalty: float, start: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Minimise the penalised cross-entropy by L-BFGS, from zero or from ``start``.

    With n the sum of all counts, L(W, b) = 1/n sum_i sum_c -counts_ic log softmax(x_i W + b)_c + penalty / 2 * sum W^2.
    The bias has no penalty.

    Args:
        x: (m, d) array, dense or of scipy.sparse, a row for each different input.
        counts: (m, c) how often each row has each class.
        penalty: > 0; in the terms of scikit-learn C = 1 / (n * penalty).
        start: (d + 1, c) rows of W, then b, of a fit with another penalty.

    Returns:
        W (d, c) and b (c,) at the optimum; where ``ITERATIONS`` do not suffice, what was reached, with a warning in the
        log.

    References:
        Liu and Nocedal 1989 (L-BFGS).
    """
    from scipy.optimize import minimize  # 0.3 s to import

    (_, d), c = x.shape, counts.shape[1]
    first = np.zeros((d + 1, c)) if start is None else start
    found = minimize(
        loss_and_gradient, first.ravel(), (x, counts, penalty), "L-BFGS-B", jac=True,
        options={"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "gtol": GRADIENT, "ftol": 0},
    )  # fmt: skip
    if np.abs(found.jac).max() > 100 * GRADIENT:
        logger.warning("logistic regression (penalty %g) stopped early: %s", penalty, found.message)
    table = found.x.reshape(d + 1, c)
    return table[:-1], table[-1]


def loss_and_gradient(
    parameters: NDArray[np.float64], x: Any, counts: NDArray[np.float64], penalty: float
) -> tuple[float, NDArray[np.float64]]:
    """L of ``minimise``, dL/dW = x^T r + penalty * W, dL/db = column sums of r.

    r_ic = (n_i p_ic - counts_ic) / n, with n_i the sum of row i of the counts and p the softmax.

    Args:
        parameters: ((d + 1) * c,) rows of W, then b.
        x: (m, d) array, dense or of scipy.sparse.
        counts: (m, c).
        penalty: as in ``minimise``.

    Returns:
        L in nats, and its gradient in the layout of ``parameters``.
    """
    table = parameters.reshape(x.shape[1] + 1, counts.shape[1])
    weights, bias = table[:-1], table[-1]
    scores = x @ weights + bias  # (m, c)
    scores -= scores.max(axis=1, keepdims=True)
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    n = counts.sum()
    loss = -float((counts * log_p).sum()) / n + penalty / 2 * float((weights**2).sum())
    residual = (counts.sum(axis=1, keepdims=True) * np.exp(log_p) - counts) / n
    gradient = np.vstack([x.T @ residual + penalty * weights, residual.sum(axis=0)])
    return float(loss), gradient.ravel()

"""The logistic probe: multinomial logistic regression on standardised vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from align.similarity.logistic import minimise


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
        The optimum, as ``align.similarity.logistic.minimise`` finds it.

    References:
        Alain and Bengio 2016, arXiv:1610.01644 (linear probes).
    """
    rows = x.astype(np.float64)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    deviation[deviation <= 1e-12 * np.abs(mean)] = 0  # a constant dimension, but for rounding
    deviation[deviation == 0] = 1
    first = None if start is None else np.vstack([start.weights, start.bias])
    weights, bias = minimise((rows - mean) / deviation, np.eye(count)[classes], penalty=penalty, start=first)
    return Logistic(mean, deviation, weights, bias)

"""Ridge regression of what makes one source better than another for the same target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ridge:
    """A fit: the prediction of a row x is weights . [x, unknown], x filled, unknown 1 where it was not known.

    Predictions of one target may be compared; they say nothing of one target against another.
    """

    fill: Array
    """(f,) what an unknown feature is taken to be: its mean over the rows that know it."""
    weights: Array
    """(2 f,) of the features, then of their being unknown; in units of the score per unit of the feature."""

    def predict(self, x: Array) -> Array:
        """(n,) predictions of (n, f) features, NaN where one is not known."""
        return _filled(x, self.fill) @ self.weights


def fit_ridge(x: Array, y: Array, targets: NDArray[np.str_], *, penalties: Sequence[float]) -> list[Ridge]:
    """Minimise 1/n sum_i (dy_i - w . dz_i)^2 + penalty * |w|^2, for each of several penalties.

    z_i are the filled features of row i and the marks of those that are unknown; dz_i and dy_i are what is left of z_i
    and y_i when the mean over the rows of the same target is taken off, so that hard and easy targets weigh nothing;
    each dz is divided by its standard deviation. The minimum is w = (dz'dz / n + penalty I)^-1 dz'dy / n.

    Args:
        x: (n, f) features; NaN: not known.
        y: (n,) scores.
        targets: (n,) the target of each row.
        penalties: > 0.

    Returns:
        A fit for each penalty; of no row one that predicts 0, and a feature that never differs between the sources of a
        target has weight 0.

    References:
        Hoerl and Kennard 1970, "Ridge regression"; deviations from a group's mean: the fixed-effects ("within")
        estimator, Wooldridge 2010, section 10.5.
    """
    known = ~np.isnan(x)
    fill = np.where(known, x, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    left = within(np.column_stack([_filled(x, fill), y]), targets)
    z, dy = left[:, :-1], left[:, -1]
    n, columns = z.shape
    deviation = np.sqrt((z**2).sum(axis=0) / max(n, 1))
    deviation[deviation < 1e-9] = np.inf  # it never differs, but for rounding
    z = z / deviation
    square, product = z.T @ z / max(n, 1), z.T @ dy / max(n, 1)
    return [Ridge(fill, np.linalg.solve(square + p * np.eye(columns), product) / deviation) for p in penalties]


def within(values: Array, groups: NDArray[np.str_]) -> Array:
    """(n, c) values less the mean of their group."""
    names, place = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, place, values)
    return values - (sums / np.bincount(place, minlength=len(names))[:, None])[place]


def _filled(x: Array, fill: Array) -> Array:
    known = ~np.isnan(x)
    return np.hstack([np.where(known, x, fill), ~known])

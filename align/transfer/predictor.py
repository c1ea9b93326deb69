"""The predictor: a ridge regression on the features of pairs, its penalty chosen by leaving targets out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from align.transfer.ridge import Array, Ridge, fit_ridge
from align.transfer.rows import Rows, usual

PENALTIES = (10.0, 1.0, 0.1, 0.01, 0.001)
"""Tried on targets that are left out; of equally good ones the first, the strongest, is taken."""


@dataclass(frozen=True)
class Predictor:
    """A fit, and the rows that it was learnt from."""

    ridge: Ridge
    penalty: float
    known: Rows
    with_usual: bool

    def inputs(self, rows: Rows) -> Array:
        """(n, f) features of pairs, and behind them, if it is used, what their source is usually worth."""
        return _inputs(self.known, rows, self.with_usual)

    def predict(self, rows: Rows) -> Array:
        """(n,) predictions; those of one target may be compared."""
        return self.ridge.predict(self.inputs(rows))


def fit_predictor(known: Rows, *, with_usual: bool = True) -> Predictor:
    """Fit by ``fit_ridge``, with the one of ``PENALTIES`` that predicts best for languages that are left out.

    Best is the least sum, over languages t and the scores for target t, of (dy - dp)^2, where d takes off the mean of
    the target and p is predicted by a fit without any row of t.

    Args:
        known: scored pairs.
        with_usual: use :func:`align.transfer.rows.usual`, too.
    """
    errors = np.zeros(len(PENALTIES))
    for rest, held in apart(known):
        learnt, asked = _inputs(rest, rest, with_usual), _inputs(rest, held, with_usual)
        fits = fit_ridge(learnt, rest.scores, rest.targets, penalties=PENALTIES)
        wrong = np.column_stack([held.scores - fit.predict(asked) for fit in fits])
        errors += ((wrong - wrong.mean(axis=0)) ** 2).sum(axis=0)
    penalty = PENALTIES[int(np.argmin(errors))]
    (ridge,) = fit_ridge(_inputs(known, known, with_usual), known.scores, known.targets, penalties=[penalty])
    return Predictor(ridge, penalty, known, with_usual)


def apart(rows: Rows) -> Iterator[tuple[Rows, Rows]]:
    """For each target: the rows that it has no part in, and those that it is the target of."""
    for target in np.unique(rows.targets):
        yield rows.without(str(target)), rows.where(rows.targets == target)


def _inputs(known: Rows, asked: Rows, with_usual: bool) -> Array:
    return np.column_stack([asked.features, usual(known, asked)]) if with_usual else asked.features

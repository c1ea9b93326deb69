from __future__ import annotations

import numpy as np
import pytest
from transfer_rows import CODES, made_rows

from align.transfer.predictor import PENALTIES, apart, fit_predictor
from align.transfer.ridge import fit_ridge
from align.transfer.rows import Rows, usual

NAN = float("nan")


def usual_by_loops(known, asked):
    found = []
    for source, target in zip(asked.sources, asked.targets, strict=True):
        above = []
        for s, t, y in zip(known.sources, known.targets, known.scores, strict=True):
            if s == source and t != target:
                above.append(y - np.mean([z for u, z in zip(known.targets, known.scores, strict=True) if u == t]))
        found.append(np.mean(above) if above else NAN)
    return found


def test_usual_by_hand():
    known = Rows.of([("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")], [1, 3, 10, 20], np.zeros((4, 0)))
    asked = Rows.of([("a", "x"), ("a", "y"), ("b", "z"), ("c", "x")], [NAN] * 4, np.zeros((4, 0)))
    assert usual(known, asked) == pytest.approx([-5, -1, 3, NAN], nan_ok=True)


def test_usual_by_loops():
    rows = made_rows(sources=1)
    some = rows.where(np.arange(len(rows.scores)) % 3 > 0)
    assert usual(some, rows) == pytest.approx(usual_by_loops(some, rows), nan_ok=True)


def test_a_target_is_apart_as_a_source_too():
    rows = made_rows()
    parts = list(apart(rows))
    assert [held.targets.tolist() for _, held in parts] == [[code] * 7 for code in CODES]
    for rest, held in parts:
        assert held.targets[0] not in {*rest.sources, *rest.targets} and len(rest.scores) == 7 * 6


@pytest.mark.parametrize("with_usual", [True, False])
def test_the_penalty_is_the_one_that_predicts_best_for_others(with_usual):
    rows = made_rows(weights=(1, 0, 0), noise=2, sources=1, seed=3)
    errors = []
    for penalty in PENALTIES:
        total = 0.0
        for rest, held in apart(rows):
            x, asked = rest.features, held.features
            if with_usual:
                x = np.column_stack([x, usual_by_loops(rest, rest)])
                asked = np.column_stack([asked, usual_by_loops(rest, held)])
            (fit,) = fit_ridge(x, rest.scores, rest.targets, penalties=[penalty])
            total += np.var(held.scores - fit.predict(asked))
        errors.append(total)
    fit = fit_predictor(rows, with_usual=with_usual)
    assert fit.penalty == PENALTIES[int(np.argmin(errors))]
    assert fit.inputs(rows).shape == (56, 3 + with_usual)


def test_noise_is_shrunk_and_a_law_is_not():
    assert fit_predictor(made_rows(weights=(0, 0), noise=1), with_usual=False).penalty == PENALTIES[0]
    assert fit_predictor(made_rows(weights=(1, -2)), with_usual=False).penalty == PENALTIES[-1]


def test_what_a_source_is_worth_helps_for_other_targets():
    rows = made_rows(weights=(0.1,), sources=3)
    fit = fit_predictor(rows)
    hindi = rows.where(rows.targets == "hin_Deva")
    assert np.corrcoef(fit.predict(hindi), hindi.scores)[0, 1] > 0.99

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from transfer_rows import CODES, made_rows, pairs

from align.errors import InputError
from align.transfer.held_out import hold_out, importance, over_targets, rank_correlation, summary
from align.transfer.regret import regret
from align.transfer.rows import Rows


def test_a_law_of_features_holds_for_targets_that_were_held_out():
    found = summary(hold_out(made_rows(weights=(2, -1))))
    assert found["predicted"] == {"rho": [1, 1, 1], "regret@1": [0, 0, 0], "regret@3": [0, 0, 0]}
    assert abs(found["usual"]["rho"][0]) < 0.6 and found["chance"]["rho"] == [0, 0, 0]


def test_nothing_of_a_target_is_known_when_it_is_held_out():
    """Whatever is scored for it or by it, the predictions are the same."""
    rows = made_rows(weights=(1, 1), noise=1, sources=1)
    for code in CODES[:3]:
        part = (rows.sources == code) | (rows.targets == code)
        other = replace(rows, scores=np.where(part, 100 * np.sin(rows.scores), rows.scores))
        one, two = (next(h for h in hold_out(r) if h.target == code) for r in (rows, other))
        assert one.predicted.tolist() == two.predicted.tolist()
        assert not np.array_equal(one.rows.scores, two.rows.scores)


def test_usual_and_chance():
    rows = made_rows(weights=(0.01,), sources=2)
    held = hold_out(rows)
    found = summary(held)
    assert found["usual"]["rho"][0] > 0.9
    chance = [max(one.rows.scores) - np.mean(one.rows.scores) for one in held]
    assert found["chance"]["regret@1"][0] == pytest.approx(np.mean(chance))
    three = [regret(np.zeros(7), one.rows.scores, k=3) for one in held]
    assert found["chance"]["regret@3"][0] == pytest.approx(np.mean(three))


def test_a_source_that_is_not_known_stands_in_the_middle():
    rows = made_rows(weights=(1,), sources=2)
    once = rows.where((rows.sources != "deu_Latn") | (rows.targets == "hin_Deva"))
    assert all(np.isfinite(values).all() for values in summary(hold_out(once))["usual"].values())


def test_what_is_used_is_important_and_what_stands_in_for_it_is_not():
    rows = made_rows(weights=(2, 0))
    groups = {"used": [0], "idle": [1], "both": [0, 1]}
    found = importance(hold_out(rows, with_usual=False), groups, shuffles=20)
    assert found["used"][0] > 0.7 and found["both"][0] > 0.7
    assert found["idle"] == [0, 0, 0]
    twice = replace(rows, features=np.column_stack([rows.features, rows.features[:, 0]]))
    held = hold_out(twice, with_usual=False)
    found = importance(held, {"one": [0], "copy": [2], "together": [0, 2]}, shuffles=20)
    assert found["together"][0] > 0.7 > found["one"][0] == pytest.approx(found["copy"][0], abs=0.2)
    assert found == importance(held, {"one": [0], "copy": [2], "together": [0, 2]}, shuffles=20)  # seeded


def test_shuffles_are_among_the_sources_of_a_target():
    """A feature that only says which target it is, is no use, and so not important."""
    rows = made_rows(weights=(1,), noise=0.1)
    by_target = np.array([CODES.index(target) for target in rows.targets], dtype=float)
    held = hold_out(replace(rows, features=np.column_stack([rows.features, by_target])), with_usual=False)
    assert importance(held, {"target": [1]}, shuffles=5)["target"] == pytest.approx([0, 0, 0])


def test_predictions_that_are_all_equal_order_nothing():
    assert rank_correlation(np.array([0.1 + 0.2, 0.3, 0.3]), np.array([1.0, 2, 3])) == 0
    assert rank_correlation(np.array([3.0, 2, 1]), np.array([1.0, 2, 3])) == -1


def test_the_interval_is_over_targets():
    assert over_targets([2.0] * 5) == [2, 2, 2]
    mean, low, high = over_targets(np.arange(30.0))
    error = np.arange(30).std() / np.sqrt(30)
    assert mean == 14.5 and low == pytest.approx(mean - 1.96 * error, abs=0.4)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.4)


def test_too_few_targets():
    rows = made_rows()
    some = rows.where(np.isin(rows.targets, CODES[:3]))
    with pytest.raises(InputError, match="at least 4 targets by 3 sources or more that differ, got 3 such of 3 t"):
        hold_out(some)
    alike = replace(rows, scores=np.where(np.isin(rows.targets, CODES[:5]), 1, rows.scores))
    with pytest.raises(InputError, match="got 3 such of 8"):
        hold_out(alike)


def test_targets_with_few_sources_are_learnt_from_and_not_held_out():
    rows = made_rows(weights=(2,))
    few = rows.where((rows.targets != CODES[0]) | np.isin(rows.sources, CODES[1:3]))
    held = hold_out(few)
    assert [one.target for one in held] == list(CODES[1:])
    assert CODES[0] in held[0].predictor.known.targets


def test_the_least_that_can_be_held_out():
    four = CODES[:4]
    assert len(hold_out(Rows.of(pairs(four), np.arange(12.0), np.ones((12, 1))))) == 4

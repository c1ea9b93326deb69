"""Simulations of parallel text, where languages and directions share lines: intervals hold, null hypotheses stand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from result_dicts import ranked, result, score, sts_result

from align.evaluation.compare import compare

CODES = ("deu_Latn", "hin_Deva", "tam_Taml")
EASE = (0.9, 0.3, -0.6)  # of the languages


def lines_of(rng: np.random.Generator, n: int, place: int) -> np.ndarray:
    """The last two languages lack some lines, not the same ones."""
    return np.arange(n) if place == 0 else np.sort(rng.permutation(n)[: 2 * n // 3])


def simulated(rng: np.random.Generator, names: tuple[str, ...], n: int = 50) -> list[dict[str, Any]]:
    """Results of models that are equally good: a line is hard for all, or for one of them, in every language."""
    hard, own = rng.standard_normal(n), {name: rng.standard_normal(n) for name in names}
    kept = [lines_of(rng, n, place) for place in range(len(CODES))]
    found = []
    for name in names:
        scores = []
        for code, ease, lines in zip(CODES, EASE, kept, strict=True):
            for turned in (False, True):
                noise = rng.standard_normal(len(lines))
                right = (ease + hard[lines] + own[name][lines] + noise > 0).astype(int).tolist()
                made = score(code, right, lines=(lines + 1).tolist())
                scores.append(made | {"id": f"eng_Latn>{code}", "direction": "from_pivot"} if turned else made)
        found.append(result(name, scores))
    return found


def truth() -> float:
    """Share right of a model, over all lines: the sum of three normal variables is above minus the ease."""
    from scipy.stats import norm

    return float(np.mean([norm.cdf(ease / np.sqrt(3)) for ease in EASE]))


def test_the_interval_of_a_mean_over_languages_holds_it() -> None:
    inside = 0
    for seed in range(300):
        (model,) = compare(simulated(np.random.default_rng([seed, 7]), ("a",)), resamples=1).benchmarks[0].models
        inside += model.interval[0] <= truth() <= model.interval[1]
    assert inside / 300 == pytest.approx(0.95, abs=0.02)


def test_the_interval_of_a_difference_holds_0_and_its_p_is_below_5_percent_in_5() -> None:
    inside = rejected = 0
    for seed in range(300):
        both = simulated(np.random.default_rng([seed, 8]), ("a", "b"))
        tested = compare(both, resamples=199, permutations=99, seed=seed).benchmarks[0].models[1].difference
        inside += tested.interval[0] <= 0 <= tested.interval[1]
        rejected += tested.p <= 0.05
    assert inside / 300 == pytest.approx(0.95, abs=0.02)
    assert rejected / 300 == pytest.approx(0.05, abs=0.02)


def test_rhos_of_sets_that_are_translations() -> None:
    """Gold scores and a part of the error are of the pair, in every language."""
    inside = rejected = 0
    n, sets = 40, 2
    for seed in range(300):
        rng = np.random.default_rng([seed, 6])
        gold = rng.standard_normal(n)
        results = []
        for name in ("a", "b"):
            own = rng.standard_normal(n)
            cosines = [gold + own + 0.5 * rng.standard_normal(n) for _ in range(sets)]
            each = [
                ranked(f"set {i}", list(one), list(gold)) | {"lines": list(range(n))} for i, one in enumerate(cosines)
            ]
            results.append(sts_result(name, each))
        tested = compare(results, resamples=199, permutations=99, seed=seed).benchmarks[0].models[1].difference
        inside += tested.interval[0] <= 0 <= tested.interval[1]
        rejected += tested.p <= 0.05
    assert inside / 300 == pytest.approx(0.95, abs=0.02)
    assert rejected / 300 == pytest.approx(0.05, abs=0.02)


def test_of_equal_models_all_are_as_good_as_the_best() -> None:
    """In all but 5 runs of 100: eight models on one language in both directions."""
    lost = 0
    for seed in range(300):
        alike = simulated(np.random.default_rng([seed, 11]), tuple("abcdefgh"))
        alike = [one | {"scores": one["scores"][:2]} for one in alike]
        models = compare(alike, resamples=1, permutations=99, seed=seed).benchmarks[0].models
        lost += not all(model.as_good_as_best for model in models)
    assert lost / 300 == pytest.approx(0.05, abs=0.02)


def test_results_without_lines_say_so() -> None:
    both = simulated(np.random.default_rng(1), ("a", "b"))
    bare = [
        {**one, "scores": [{k: v for k, v in row.items() if k != "lines"} for row in one["scores"]]} for one in both
    ]
    known, unknown = compare(both), compare(bare)
    assert "do not say which items come from one line" in unknown.table() and unknown.benchmarks[0].without_lines
    assert "do not say which items come from one line" not in known.table()
    wide, narrow = (found.benchmarks[0].models[0].interval for found in (known, unknown))
    assert wide[1] - wide[0] > 1.3 * (narrow[1] - narrow[0])
    mixed = compare([both[0], bare[1]])  # the items are the same: one of the two says their lines
    assert mixed.benchmarks[0].models[1] == known.benchmarks[0].models[1]
    alone = [{**one, "scores": one["scores"][:1]} for one in bare]
    assert not compare(alone).benchmarks[0].without_lines  # a score is no mean over scores


def test_scores_of_other_lines_are_left_out() -> None:
    both = simulated(np.random.default_rng(1), ("a", "b"))
    both[1]["scores"][0]["lines"] = both[1]["scores"][0]["lines"][::-1]
    (section,) = compare(both).benchmarks
    assert [(one.id, one.reason) for one in section.left_out] == [("deu_Latn>eng_Latn", "the lines differ")]

"""Models on the scores that all of them have: values, samples, tested differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from align.errors import InputError
from align.evaluation.comparison import LeftOut, Slice, Tested
from align.tasks.statistics.samples import Sample, joint_samples
from align.tasks.statistics.tests import holm, macro_difference
from align.text.families import family

Score = Mapping[str, Any]
Results = Mapping[str, Mapping[str, Any]]
"""By name of the model."""

SLICES: Mapping[str, Callable[[Score], str]] = {
    "pair": lambda score: str(score["id"]),
    "language": lambda score: str(score["language"]),
    "script": lambda score: str(score["script"]),
    "family": lambda score: family(score["language"]) or "not known",
    "direction": lambda score: str(score["direction"]),
}


@dataclass(frozen=True)
class Rules:
    """How to compare; see ``align.evaluation.compare``."""

    resamples: int
    permutations: int
    seed: int
    level: float
    by: tuple[str, ...]


@dataclass(frozen=True)
class SharedScores:
    """What was compared, by name of the model: the scores, and the samples of those whose items all are there."""

    values: Mapping[str, Sequence[float]]
    samples: Mapping[str, Sequence[Sample]]


def differing_scores(results: Results) -> tuple[list[LeftOut], set[str]]:
    """What is not compared and why, and the ids among it: scores that a model lacks, or has of other items."""
    by_id: dict[str, dict[str, Score]] = {}
    for name, result in results.items():
        for score in result["scores"]:
            by_id.setdefault(score["id"], {})[name] = score
    found = []
    for key, scores in by_id.items():
        if absent := [name for name in results if name not in scores]:
            found.append(LeftOut(key, f"not in the result of {', '.join(absent)}"))
        elif len({score["n"] for score in scores.values()}) > 1:
            found.append(LeftOut(key, "n is " + ", ".join(f"{s['n']} for {name}" for name, s in scores.items())))
        elif len({tuple(score["gold"]) for score in scores.values() if score.get("gold")}) > 1:
            found.append(LeftOut(key, "the gold scores differ"))
        elif len({tuple(score["lines"]) for score in scores.values() if score.get("lines")}) > 1:
            found.append(LeftOut(key, "the lines differ"))
    gone = {one.id for one in found}
    for name, result in results.items():
        found += [LeftOut(one["name"], f"missing for {name}: {one['reason']}") for one in result["missing"]]
    return found, gone


def shared_scores(results: Results, ids: Sequence[str], rules: Rules) -> SharedScores:
    """The scores ``ids`` of each model, and its samples of them where all have items; drawn alike for all models."""
    metric = next(iter(results.values()))["metric"]
    scores = {name: {score["id"]: score for score in result["scores"]} for name, result in results.items()}
    values = {name: [float(scores[name][key]["metrics"][metric]) for key in ids] for name in results}
    names = [name for name in results if all(scores[name][key].get("items") is not None for key in ids)]
    if not names:
        return SharedScores(values, {})
    known, ranked = scores[names[0]], results[names[0]]["statistic"] == "spearman"
    try:
        samples = joint_samples(
            [[scores[name][key]["items"] for name in names] for key in ids],
            golds=[known[key]["gold"] for key in ids] if ranked else None,
            lines=[_lines(of[key] for of in scores.values()) for key in ids],
            names=ids,
            resamples=rules.resamples,
            seed=rules.seed,
        )
    except InputError as error:
        raise InputError(f"{results[names[0]]['benchmark']}, {error}") from error
    return SharedScores(values, {name: [drawn[place] for drawn in samples] for place, name in enumerate(names)})


def without_lines(results: Results, ids: Sequence[str]) -> bool:
    """Whether there are several scores, and of one no model says which lines its items are of."""
    scores = [{score["id"]: score for score in result["scores"]} for result in results.values()]
    return len(ids) > 1 and any(_lines(of[key] for of in scores) is None for key in ids)


def _lines(scores: Iterable[Score]) -> Sequence[int | str] | None:
    """The line of each item, as the first model that knows it says."""
    return next((score["lines"] for score in scores if score.get("lines") is not None), None)


def difference(name: str, base: str, places: Sequence[int], shared: SharedScores, rules: Rules) -> Tested | None:
    """The mean over the scores at ``places`` of one model minus another; no p where one has no samples."""
    if name == base:
        return None
    value = float(np.mean([shared.values[name][i] - shared.values[base][i] for i in places]))
    if name not in shared.samples or base not in shared.samples:
        return Tested(value)
    a, b = ([shared.samples[model][i] for i in places] for model in (name, base))
    found = macro_difference(a, b, permutations=rules.permutations, seed=rules.seed, level=rules.level)
    return Tested(value, found.interval, found.p)


def corrected(tests: Sequence[Tested | None], rules: Rules) -> list[Tested | None]:
    """The tests of one table with Holm's correction, and what it tells apart."""
    adjusted = iter(holm([test.p for test in tests if test is not None and test.p is not None]).tolist())
    done: list[Tested | None] = []
    for test in tests:
        if test is not None and test.p is not None:
            p = next(adjusted)
            test = replace(test, adjusted=p, distinguishable=p <= 1 - rules.level)
        done.append(test)
    return done


def slices(
    by: str, common: Sequence[Score], counted: Sequence[int], shared: SharedScores, rules: Rules
) -> tuple[Slice, ...]:
    """Means over the scores that share a name, each model against the first, corrected over the names.

    Scores that are not counted in the headline (see ``in_headline``) are in no mean by language, script or family.
    """
    places: dict[str, list[int]] = {}
    for place in range(len(common)) if by in ("pair", "direction") else counted:
        places.setdefault(SLICES[by](common[place]) or "none", []).append(place)
    names = list(shared.values)
    columns = [
        corrected([difference(name, names[0], inside, shared, rules) for inside in places.values()], rules)
        for name in names
    ]
    return tuple(
        Slice(key, len(inside), tuple(float(np.mean([shared.values[n][i] for i in inside])) for n in names), tests)
        for (key, inside), tests in zip(places.items(), zip(*columns, strict=True), strict=True)
    )

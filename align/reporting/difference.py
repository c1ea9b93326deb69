"""Whether results differ: the one place of the report that decides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from align.errors import InputError
from align.evaluation.compare import compare
from align.evaluation.comparison import Tested
from align.reporting.numbers import interval_ends

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """A score minus the first model's."""

    value: float
    real: bool | None
    """``False``: not distinguishable from 0; ``None``: not known."""
    note: str
    """Interval and p, if there was a test."""


@dataclass(frozen=True)
class Differences:
    """All models of a benchmark against the first."""

    means: Mapping[int, Difference]
    """Of the mean over scores, by the number of the model."""
    scores: Mapping[tuple[int, str], Difference]
    """By the number of the model and the id of the score."""
    best: frozenset[int] = frozenset()
    """The best model and those that are not told apart from it; none where there is no test, or one model."""


def differences(results: Mapping[int, Result]) -> Differences:
    """Compare every result of a benchmark with the first; what cannot be compared has no difference.

    Args:
        results: by the number of the model.
    """
    try:
        (found,) = compare(list(results.values())).benchmarks
    except InputError:  # other data, another protocol, or no score in common: the summary says which
        return Differences({}, {})
    numbers, held = list(results), list(results.values())
    first = held[0]
    means, scores, best = {}, {}, set()
    for place, (number, result) in enumerate(zip(numbers, held, strict=True)):
        if found.models[place].as_good_as_best and len(results) > 1:
            best.add(number)
        tested = found.models[place].difference
        if tested is not None:
            means[number] = _difference(tested, first["headline"], result["headline"])
        old, new = ({score["id"]: score for score in one["scores"]} for one in (first, result))
        for one in found.slices["pair"]:
            if (test := one.differences[place]) is not None:
                scores[number, one.name] = _difference(test, old[one.name], new[one.name])
    return Differences(means, scores, frozenset(best))


def unclustered(result: Result) -> bool:
    """Whether the mean over several scores has an interval that takes items of one line as independent."""
    scores = [score for score in result["scores"] if score.get("items") is not None]
    return len(scores) > 1 and any(score.get("lines") is None for score in scores)


def _difference(tested: Tested, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    if tested.distinguishable is None:
        one, two = interval_ends(old), interval_ends(new)
        apart = None if one is None or two is None else one[1] < two[0] or two[1] < one[0]
        return Difference(tested.value, apart, "")
    note = f"p {'< 0.001' if (tested.adjusted or 0) < 0.001 else f'= {tested.adjusted:.3f}'}"
    if tested.interval:
        note = f"95 % [{tested.interval[0]:+.3f}, {tested.interval[1]:+.3f}], {note}".replace("-", "−")
    return Difference(tested.value, tested.distinguishable, note)

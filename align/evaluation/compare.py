"""Which differences between models are real: result files of the same benchmarks, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from align.errors import InputError
from align.evaluation.comparison import BenchmarkComparison, Comparison, Interval, ModelScore
from align.evaluation.differences import (
    SLICES,
    Results,
    Rules,
    corrected,
    difference,
    differing_scores,
    shared_scores,
    slices,
    without_lines,
)  # fmt: skip
from align.evaluation.result_names import baseline_first, result_names
from align.evaluation.results import check_result, read_result, result_files
from align.tasks.retrieval.protocols import in_headline
from align.tasks.statistics.best import as_good_as_best
from align.tasks.statistics.intervals import samples_interval


def compare(
    results: Sequence[Path | str | Mapping[str, Any]],
    *,
    names: Sequence[str] | None = None,
    baseline: str | None = None,
    by: Sequence[str] = (),
    resamples: int = 1000,
    permutations: int = 9999,
    seed: int = 0,
    level: float = 0.95,
) -> Comparison:
    """Compare models on every benchmark that they share.

    On each benchmark: the mean over the scores that all models have (of retrieval, over those with the pivot; two
    scripts of a language with each other are a direction of their own), its interval, its difference to the baseline
    with a paired bootstrap interval and the p of a paired permutation test, the same for each score (language pair),
    and which models are not distinguishable from the best (``as_good_as_best``). What is drawn and swapped is a line,
    with its items in all scores. p-values are corrected by Holm's method: those of the models together, and, for each
    model, those of one table (all pairs, all scripts). Scores without ``items`` are compared without a test; of scores
    without ``lines`` each item counts as a line of its own.

    Args:
        results: result files, folders of them, or results.
        names: of the models, in the order in which they come; ``None``: what the files call them.
        baseline: name of the model that the others are compared with; ``None``: the first. On a benchmark that it has
            no result on, the first that has one.
        by: means to compare besides every ``pair``: language, script, family, direction.
        resamples: of the bootstrap.
        permutations: where there are too many to try all.
        seed: of both.
        level: of the intervals; a difference is real where its p is at most 1 - level.

    Raises:
        InputError: a file is no result of this version; two results of a benchmark differ in protocol, metric or data,
            or share no score; names or baseline do not fit.
    """
    if unknown := [one for one in by if one not in SLICES]:
        raise InputError(f"expected by to be of {', '.join(SLICES)}, got {unknown[0]!r}")
    loaded, wheres = _load(results)
    found = result_names(loaded, wheres, names)
    models = baseline_first(tuple(dict.fromkeys(found)), baseline)
    rules = Rules(resamples, permutations, seed, level, ("pair", *(one for one in by if one != "pair")))
    kinds = dict.fromkeys((one["benchmark"], one["task"]) for one in loaded)
    sections = []
    for kind in kinds:
        places = [i for i, one in enumerate(loaded) if (one["benchmark"], one["task"]) == kind]
        for place in places[1:]:
            _check_comparable(loaded[places[0]], loaded[place], wheres[places[0]], wheres[place])
        shared = {found[i]: loaded[i] for i in sorted(places, key=lambda i: models.index(found[i]))}
        sections.append(_section(shared, rules))
    return Comparison(models, tuple(sections), resamples, permutations, seed, level, tuple(wheres))


def _load(results: Sequence[Path | str | Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[str]]:
    loaded: list[Mapping[str, Any]] = []
    wheres: list[str] = []
    for number, one in enumerate(results, 1):
        if isinstance(one, Mapping):
            loaded.append(check_result(one, f"result {number}"))
            wheres.append(f"result {number}")
        else:
            files = result_files([one])
            loaded += map(read_result, files)
            wheres += map(str, files)
    if not loaded:
        raise InputError("expected at least one result to compare, got none")
    return loaded, wheres


def _check_comparable(a: Mapping[str, Any], b: Mapping[str, Any], first: str, second: str) -> None:
    pairs = [(key, a[key], b[key]) for key in ("metric", "statistic")]
    pairs += _text_hashes(a, b)
    keys = dict.fromkeys([*a["protocol"], *b["protocol"]])
    pairs += [(f"protocol {key}", a["protocol"].get(key), b["protocol"].get(key)) for key in keys]
    if differ := [f"{key} ({one!r} and {other!r})" for key, one, other in pairs if one != other]:
        raise InputError(
            f"{first} and {second} are not comparable on {a['benchmark']}, their numbers mean different things: they "
            f"differ in {', '.join(differ)}"
        )


def _text_hashes(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Hashes of the text: of each common score, or of all where these are not known."""
    known = [{score["id"]: score.get("sha256") for score in one["scores"]} for one in (a, b)]
    if all(all(hashes.values()) for hashes in known):
        common = [name for name in known[0] if name in known[1]]
        return [(f"text of {name}", known[0][name][:12], known[1][name][:12]) for name in common]
    return [("data sha256", a["data"]["sha256"][:12], b["data"]["sha256"][:12])]


def _section(results: Results, rules: Rules) -> BenchmarkComparison:
    names, first = list(results), next(iter(results.values()))
    left_out, gone = differing_scores(results)
    common = [score for score in first["scores"] if score["id"] not in gone]
    if not common:
        raise InputError(f"{first['benchmark']}: {' and '.join(names)} share no score, there is nothing to compare")
    shared = shared_scores(results, [score["id"] for score in common], rules)
    counted = in_headline([score["direction"] for score in common])
    means = {name: float(np.mean([values[i] for i in counted])) for name, values in shared.values.items()}
    samples = {name: [drawn[i] for i in counted] for name, drawn in shared.samples.items()}
    ahead = corrected([difference(name, names[0], counted, shared, rules) for name in names], rules)
    as_good: dict[str, bool] = {}
    sign = -1 if first.get("lower_is_better") else 1
    if max(names, key=lambda name: sign * means[name]) in samples:  # else the best cannot be tested
        good = [[one if sign > 0 else one.negated() for one in of] for of in samples.values()]
        kept = as_good_as_best(good, permutations=rules.permutations, seed=rules.seed, level=rules.level)
        as_good = dict(zip(samples, kept, strict=True))
    models = []
    for name, ours in zip(names, ahead, strict=True):
        interval = _ends(results[name]["headline"]) if len(results[name]["scores"]) == len(common) else None
        if name in shared.samples:
            interval = samples_interval(samples[name], level=rules.level)
        models.append(ModelScore(name, means[name], interval, ours, as_good.get(name)))
    return BenchmarkComparison(
        benchmark=first["benchmark"],
        task=first["task"],
        metric=first["metric"],
        protocol=first["protocol"],
        level=rules.level,
        lower_is_better=sign < 0,
        baseline=names[0],
        scores=len(counted),
        models=tuple(models),
        slices={by: slices(by, common, counted, shared, rules) for by in rules.by},
        groups=_groups(results),
        left_out=tuple(left_out),
        without_items=tuple(name for name in names if name not in shared.samples),
        without_lines=bool(shared.samples) and without_lines(results, [score["id"] for score in common]),
    )


def _groups(results: Results) -> tuple[dict[str, Any], ...]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name, result in results.items():
        for group in result.get("groups", []):
            found.setdefault((group["by"], group["group"]), {})[name] = group
    return tuple(
        {
            "by": by,
            "group": group,
            "values": [shared[name]["value"] if name in shared else None for name in results],
            "intervals": [_ends(shared.get(name, {})) for name in results],
        }
        for (by, group), shared in found.items()
    )


def _ends(holder: Mapping[str, Any]) -> Interval | None:
    ends = holder.get("interval")
    return None if ends is None else (ends[0], ends[1])

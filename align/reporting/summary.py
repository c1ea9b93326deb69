"""The summary: every headline with its interval, and what is not comparable."""

from __future__ import annotations

from typing import Any

from align.reporting.collection import Collection, Result
from align.reporting.difference import unclustered
from align.reporting.numbers import covered, interval_ends
from align.tasks.retrieval.protocols import in_headline


def summary(collection: Collection) -> dict[str, Any]:
    """What is said before the table of headlines, and how to count the scores, items and seeds of each."""
    every = [result for benchmark in collection.benchmarks for result in benchmark.results.values()]
    counted = {"averaged": averaged, "coverage": coverage, "seeds": seeds, "seeded": any(map(seeds, every))}
    return {"notices": notices(collection), **counted}


def averaged(result: Result) -> int:
    """How many scores the headline is the mean of."""
    return len(in_headline([score["direction"] for score in result["scores"]]))


def coverage(result: Result) -> str:
    """How many items its scores have together, and of how many."""
    scores = result["scores"]
    return covered(sum(one["n"] for one in scores), sum(one.get("left_out") or 0 for one in scores))


def seeds(result: Result) -> list[float]:
    """The mean of its scores with each seed of a tuned encoder, lowest first; none where nothing was tuned."""
    of_scores = [(score.get("facts") or {}).get("of_seeds") or [] for score in result["scores"]]
    if not of_scores or len({len(one) for one in of_scores}) > 1:
        return []
    return sorted(sum(one) / len(of_scores) for one in zip(*of_scores, strict=True))


def notices(collection: Collection) -> list[str]:
    """What keeps numbers from being compared, and what is missing; a sentence each."""
    found = []
    for benchmark in collection.benchmarks:
        results = list(benchmark.results.values())
        told = ["its metric is an error: lower is better."] if benchmark.first.get("lower_is_better") else []
        absent = [name for model, name in enumerate(collection.labels) if model not in benchmark.results]
        if absent:
            told.append(f"no result of {', '.join(absent)}.")
        if len({str(result["data"].get("sha256")) for result in results}) > 1:
            told.append("the models were measured on different data; do not compare them.")
        keys = sorted({key for result in results for key in result["protocol"]})
        differ = [key for key in keys if len({str(result["protocol"].get(key)) for result in results}) > 1]
        if differ:
            told.append(f"the protocols differ in {', '.join(differ)}; do not compare the models.")
        counts = [averaged(result) for result in results]
        if len(set(counts)) > 1:
            told.append(f"the averages are over different numbers of scores ({', '.join(map(str, counts))}).")
        scores = [score for result in results for score in result["scores"]]
        if thin := [one for one in scores if one["n"] < (one.get("left_out") or 0)]:
            least = min(thin, key=lambda one: one["n"] / (one["n"] + one["left_out"]))
            told.append(
                f"{len(thin)} of {len(scores)} scores cover less than half of their items, {least['id']} "
                f"{covered(least['n'], least['left_out'])}."
            )
        missing = {entry["name"] for result in results for entry in result["missing"]}
        if missing:
            told.append(f"{len(missing)} missing, listed with reasons under Groups.")
        if any(interval_ends(result["headline"]) is None for result in results):
            told.append("no interval was computed for every model.")
        if any(unclustered(result) for result in results):
            told.append(
                "a result does not say which items come from one line; where scores share lines, the intervals of "
                "means are too short."
            )
        found += [f"{benchmark.title}: {sentence}" for sentence in told]
    return found

"""A result as text: what was scored and under which rules, then averages, and by choice every score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from align.tasks.table import Cell, markdown


def result_table(result: Mapping[str, Any], *, scores: bool = False) -> str:
    """The protocol, the headline and the groups, all scores by choice, what is missing.

    Args:
        result: of :func:`align.evaluation.evaluate.evaluate`.
        scores: print every score.
    """
    data, metric = result["data"], result["metric"]
    protocol = result["protocol"].get("described", result["protocol"]["name"])
    parts = [
        f"{result['benchmark']} ({data['licence']}), {result['model']}: {protocol}; intervals: 95 % of "
        f"{result['bootstrap']['resamples']} bootstrap resamples"
    ]
    if scores:
        rows: list[list[Cell]] = [
            [row["id"], row["n"], row["left_out"], row["value"], *row["interval"]] for row in result["scores"]
        ]
        parts.append(markdown(["score", "n", "left out", metric, "low", "high"], rows))
    every = {"by": "headline", "group": "mean", **result["headline"]}
    means: list[list[Cell]] = [
        [one["by"], one["group"], one["scores"], one["value"], *one["interval"]] for one in (*result["groups"], every)
    ]
    parts.append(markdown(["mean by", "group", "scores", metric, "low", "high"], means))
    if result["script_gaps"]:
        gap = sum(abs(one["gap"]) for one in result["script_gaps"]) / len(result["script_gaps"])
        parts.append(f"Script gap in P@1, mean of {len(result['script_gaps'])}: {gap:.3f}")
    if result["geometry"]:
        parts.append(_geometry(result["geometry"]))
    if result["missing"]:
        parts.append("\n".join(f"Left out, {one['name']}: {one['reason']}" for one in result["missing"]))
    return "\n\n".join(parts)


def _geometry(of: Mapping[str, Mapping[str, float]]) -> str:
    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    names = list(next(iter(of.values())))
    return (
        ", ".join(f"{name} {mean([one[name] for one in of.values()]):.3f}" for name in names) + " (mean of languages)"
    )

"""A result as text: what was scored and under which rules, then averages, and by choice every score."""

from __future__ import annotations

import re
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
        others = sorted({name for row in result["scores"] for name in row["metrics"]} - {metric}, key=_natural)
        rows: list[list[Cell]] = [
            [row["id"], row["n"], row["left_out"], row["value"], *_ends(row),
             *(row["metrics"].get(name) if row["metrics"].get(name) is not None else "-" for name in others)]
            for row in result["scores"]
        ]  # fmt: skip
        parts.append(markdown(["score", "n", "left out", metric, "low", "high", *others], rows))
    every = {"by": "headline", "group": "mean", **result["headline"]}
    means: list[list[Cell]] = [
        [one["by"], one["group"], one["scores"], one["value"], *_ends(one)] for one in (*result["groups"], every)
    ]
    parts.append(markdown(["mean by", "group", "scores", metric, "low", "high"], means))
    if result["script_gaps"]:
        gap = sum(abs(one["gap"]) for one in result["script_gaps"]) / len(result["script_gaps"])
        parts.append(f"Script gap in P@1, mean of {len(result['script_gaps'])}: {gap:.3f}")
    if twins := result.get("twins"):
        cells: list[list[Cell]] = [
            [one["language"], one["native"], one["romanised"], one["gap"], *one["interval"]] for one in twins
        ]
        parts.append(markdown([f"{metric} of queries in", "native", "romanised", "gap", "low", "high"], cells))
    if result["geometry"]:
        parts.append(_geometry(result["geometry"]))
    if result.get("layers"):
        parts.append(_layers(result["layers"]))
    if result["missing"]:
        parts.append("\n".join(f"Left out, {one['name']}: {one['reason']}" for one in result["missing"]))
    return "\n\n".join(parts)


def _natural(name: str) -> str:
    """P@5 before P@10; kept scores, whose names are sorted, have the same order as new ones."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(4), name)


def _ends(one: Mapping[str, Any]) -> Sequence[Cell]:
    return one["interval"] or ("-", "-")


def _layers(of: Mapping[str, Any]) -> str:
    """How the layer was chosen, then the curves by layer, a star at the best."""
    best = (
        f"{of['metric']} by layer (hidden_states[k]); layer {of['best']} was chosen on {of['chosen_on']}; those at"
        " other layers are for information"
    )
    rows: list[list[Cell]] = [[name, *curve] for name, curve in of["curves"].items()]
    rows.append(["mean", *of["mean"]])
    if "dev" in of:
        rows.append(["mean (dev)", *of["dev"]["mean"]])
    names = [f"{k}*" if k == of["best"] else f"{k}" for k in of["layers"]]
    return "\n\n".join([best, markdown([f"{of['metric']} at layer", *names], rows)])


def _geometry(of: Mapping[str, Mapping[str, float]]) -> str:
    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    names = list(next(iter(of.values())))
    return (
        ", ".join(f"{name} {mean([one[name] for one in of.values()]):.3f}" for name in names) + " (mean of languages)"
    )

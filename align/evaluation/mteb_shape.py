"""A result in the shape in which MTEB keeps its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mteb_result(result: Mapping[str, Any], *, task_name: str | None = None, split: str = "test") -> dict[str, Any]:
    """What ``mteb.results.TaskResult`` reads.

    The task's name stays that of the benchmark here, and ``mteb_version`` null: the rules of a score are this
    project's (direction, ties, candidates), so it is not to be taken for one that mteb made.

    Args:
        result: of ``align.read_result``.
        task_name: another name.
        split: name of the part of the data that was scored.

    Returns:
        ``{task_name, dataset_revision, mteb_version, scores: {split: [{hf_subset, languages, main_score, ...}]},
        evaluation_time, kg_co2_emissions, date}``: a subset for each score, with all its metrics, 0 to 1 (rho: -1 to
        1); languages as ``hin-Deva``; the revision is the data's hash.
    """
    subsets = [
        {
            **score["metrics"],
            "hf_subset": score["id"],
            "languages": [
                code.replace("_", "-") for code in dict.fromkeys([score["language"], score["other"]]) if code
            ],
            "main_score": score["metrics"][result["metric"]],
        }
        for score in result["scores"]
    ]
    return {
        "task_name": task_name or result["benchmark"],
        "dataset_revision": result["data"]["sha256"],
        "mteb_version": None,
        "scores": {split: subsets},
        "evaluation_time": result.get("seconds"),
        "kg_co2_emissions": None,
        "date": result.get("created"),
    }

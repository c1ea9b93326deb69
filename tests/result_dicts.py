"""Small results, made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from align.tasks.statistics.correlation import spearman


def score(language: str, items: list[float], *, other: str = "eng_Latn", **keys: Any) -> dict[str, Any]:
    """A score of items that are right or wrong."""
    return {
        "id": f"{language}>{other}", "language": language, "other": other, "script": language[4:],
        "direction": "to_pivot", "n": len(items), "left_out": 0, "metrics": {"P@1": float(np.mean(items))},
        "interval": [0.0, 1.0], "items": list(items), **keys,
    }  # fmt: skip


def ranked(name: str, cosines: list[float], gold: list[float]) -> dict[str, Any]:
    """A score of cosines and what people say."""
    return {
        **score("deu_Latn", cosines), "id": name, "direction": "", "gold": list(gold),
        "metrics": {"spearman": spearman(cosines, gold)},
    }  # fmt: skip


def result(model: str, scores: list[dict[str, Any]], *, fingerprint: str = "", **keys: Any) -> dict[str, Any]:
    """A result of sentence retrieval."""
    value = float(np.mean([next(iter(one["metrics"].values())) for one in scores])) if scores else 0.0
    return {
        "format": "align-result", "version": 1, "benchmark": "tatoeba", "task": "retrieval", "model": model,
        "encoder": {"fingerprint": fingerprint or f"{model}-weights", "pooling": {"layer": 8, "kind": "mean"}},
        "protocol": {"name": "align", "ties": "worst"},
        "data": {"source": "here", "sha256": "5eed" * 16, "licence": "CC0"},
        "metric": "P@1", "statistic": "mean", "headline": {"value": value, "interval": [0.1, 0.9]}, "scores": scores,
        "missing": [], "groups": [], "script_gaps": [], "versions": {}, "seconds": 1.5,
        "created": "2026-01-02T03:04:05+00:00", **keys,
    }  # fmt: skip


def sts_result(model: str, scores: list[dict[str, Any]], **keys: Any) -> dict[str, Any]:
    """A result of semantic textual similarity."""
    return result(model, scores, benchmark="stsb", task="sts", metric="spearman", statistic="spearman", **keys)


def without_items(of: dict[str, Any]) -> dict[str, Any]:
    """The same without per-item scores."""
    bare = [{k: v for k, v in one.items() if k not in ("items", "gold")} for one in of["scores"]]
    return {**of, "scores": bare}


def save(path: Path, value: Any) -> Path:
    """As a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path

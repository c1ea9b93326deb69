"""Keep what docs/results.md shows of `align compare` and `align eval --layers all`.

    python -m scripts.document.keep_evaluation runs/eval --baseline seed --layers seed=runs/layers-seed.json ...

The result files themselves hold the outcome of every sentence, megabytes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from align.evaluation.compare import compare
from align.files.whole import read_json
from scripts.bench.harness import Row, command_line


def keep(results: list[Path], *, baseline: str | None = None, layers: Sequence[str] = ()) -> Row:
    comparison = compare(results, baseline=baseline, by=["script"]).to_json()
    curves = {name: read_json(Path(path))["layers"] for name, _, path in (one.partition("=") for one in layers)}
    return {"benchmarks": [kept(one) for one in comparison["benchmarks"]], "layers": curves}


def kept(benchmark: dict[str, Any]) -> dict[str, Any]:
    """Models, scripts, and how many pairs each model wins."""
    pairs = benchmark["slices"]["pair"]
    counts = []
    for place in range(len(benchmark["models"])):
        found = [pair["differences"][place] for pair in pairs]
        distinguished = [one for one in found if one and one["distinguishable"]]
        better = sum(one["value"] > 0 for one in distinguished)
        counts.append(
            {"better": better, "worse": len(distinguished) - better, "as good": len(pairs) - len(distinguished)}
        )
    about = {name: benchmark[name] for name in ("benchmark", "task", "metric", "scores", "baseline", "models")}
    return about | {"pairs": counts, "scripts": benchmark["slices"]["script"]}


if __name__ == "__main__":
    command_line(keep)

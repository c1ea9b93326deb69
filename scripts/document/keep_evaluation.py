"""Keep what docs/results.md shows of `align compare` and `align eval --layers all`: docs/results/evaluation.json.

    python scripts/keep_evaluation.py runs/eval --baseline seed --layers seed=runs/layers-seed.json ...

The result files themselves hold the outcome of every sentence, megabytes of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from align.evaluation.compare import compare
from align.evaluation.results import read_result, result_files
from align.files.whole import read_json, write_json

KEPT = Path(__file__).parent.parent / "docs" / "results" / "evaluation.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--baseline")
    parser.add_argument("--layers", action="append", default=[], metavar="MODEL=JSON")
    parser.add_argument("--out", type=Path, default=KEPT)
    args = parser.parse_args()
    comparison = compare(args.results, baseline=args.baseline, by=["script"]).to_json()
    curves = {name: read_json(Path(path))["layers"] for name, _, path in (one.partition("=") for one in args.layers)}
    facts = [read_result(path) for path in result_files(args.results)]
    write_json(
        args.out,
        {
            "models": comparison["models"],
            "benchmarks": [kept(one) for one in comparison["benchmarks"]],
            "layers": curves,
            "seconds": {f"{one['model']} {one['benchmark']}": one["seconds"] for one in facts},
            "geometry": {f"{one['model']} {one['benchmark']}": geometry(one) for one in facts if one.get("geometry")},
            "script_gaps": {
                f"{one['model']} {one['benchmark']}": sum(abs(gap["gap"]) for gap in one["script_gaps"])
                / len(one["script_gaps"])
                for one in facts
                if one["script_gaps"]
            },
        },
    )


def kept(benchmark: dict[str, Any]) -> dict[str, Any]:
    """Models, scripts, how many pairs each model wins, and the first pair in which two are not told apart."""
    pairs = benchmark["slices"]["pair"]
    counts = []
    for place in range(len(benchmark["models"])):
        found = [pair["differences"][place] for pair in pairs]
        distinguished = [one for one in found if one and one["distinguishable"]]
        better = sum(one["value"] > 0 for one in distinguished)
        counts.append(
            {"better": better, "worse": len(distinguished) - better, "as good": len(pairs) - len(distinguished)}
        )
    return {
        **{name: benchmark[name] for name in ("benchmark", "task", "metric", "scores", "baseline", "models")},
        "protocol": benchmark["protocol"].get("described", benchmark["protocol"].get("name")),
        "pairs": counts,
        "scripts": benchmark["slices"]["script"],
        "groups": [one for one in benchmark["groups"] if one["by"] in ("tail", "direction")],
    }


def geometry(result: dict[str, Any]) -> dict[str, float]:
    of = list(result["geometry"].values())
    return {name: sum(one[name] for one in of) / len(of) for name in of[0]}


if __name__ == "__main__":
    main()

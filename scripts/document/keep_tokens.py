"""Keep what docs/token_tasks.md shows of results of `token_classification` and `topic`.

    python -m scripts.document.keep_tokens runs/tokens --out docs/results/tokens.json

The result files themselves hold an item for every sentence, and where their data lies.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from align.evaluation.results import read_result, result_files
from scripts.bench.harness import Row, command_line


def keep(results: list[Path]) -> Row:
    """By model and protocol, the scores without their items, and the gaps to the romanised twins."""
    found = [read_result(path) for path in result_files(results)]
    return {
        "results": [
            {
                "model": one["model"], "protocol": one["protocol"]["name"], "metric": one["metric"],
                "described": one["protocol"]["described"], "bf16": one["bf16"], "seconds": one["seconds"],
                "headline": one["headline"], "twins": one.get("twins", []),
                "scores": [kept(row) for row in one["scores"]],
            }
            for one in found
        ]
    }  # fmt: skip


def kept(row: Row) -> dict[str, Any]:
    """A score without items."""
    names = ("id", "language", "direction", "n", "left_out", "value", "interval", "metrics", "facts")
    return {name: row.get(name) for name in names}


if __name__ == "__main__":
    command_line(keep)

"""Long runs, from docs/results/steady-*.json: a table for docs/performance.md, and their memory drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.document.tables import runs, table


def rows() -> list[dict[str, Any]]:
    return [row for run in runs("steady") for row in run["rows"]]


def shown() -> str:
    columns = {
        "run": "{what}", "texts, steps or calls": "{count:,}", "processor seconds": "{processor:.0f}",
        "MB at most": "{most_mb:.0f}", "MB grown": "{growth_mb:+.1f}",
        "files open, first to last": "{files_open[first]} to {files_open[last]}",
        "cache": lambda row: f"{row['cache']['bytes'] / 1e6:.1f} MB in {row['cache']['files']} files",
    }  # fmt: skip
    return table(columns, rows())


def plot(path: Path) -> None:
    """Memory of no file against the share of the run."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axis = figure.subplots()
    for row in rows():
        last = row["curve"][-1][0]
        axis.plot([at / last for at, _, _ in row["curve"]], [memory for _, memory, _ in row["curve"]],
                  label=f"{row['what']}, {row['count']:,}")  # fmt: skip
    axis.set(xlabel="share of the run", ylabel="MB of memory", ylim=(0, None))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.savefig(path, dpi=130, metadata={"Software": None})

"""The numbers of docs/bli.md, from docs/results/head*.json."""

from __future__ import annotations

from statistics import mean
from typing import Any

from scripts.document.tables import kept, ran, table

Row = dict[str, Any]


def words() -> str:
    """P@1 of each system; of heads the mean over seeds, and the least and greatest."""
    result = kept("head")["xling"]
    columns: dict[str, Any] = {"vectors": str}
    for what in ("NN", "CSLS", "NN without copies"):
        columns[what] = lambda name, what=what: cell(result, name, what)
    return table(columns, systems(result))


def systems(scores: Row) -> list[str]:
    """The names of rows: the seeds of a head are one."""
    return list(dict.fromkeys(name.partition(", seed")[0] for name in scores))


def cell(scores: Row, system: str, what: str) -> str:
    """A value with its interval, or the mean over seeds with their range."""
    found = [of["all"] for name, of in scores.items() if name.partition(", seed")[0] == system]
    if not found:
        return "-"
    values = [one[what] for one in found]
    if len(values) > 1:
        return f"{mean(values):.3f} ({min(values):.3f}-{max(values):.3f})"
    ends = found[0].get(f"{what} interval")
    return f"{values[0]:.3f}" + (f" ({ends[0]:.3f}-{ends[1]:.3f})" if ends else "")


def ratio(scores: Row) -> str:
    """P@1 by NN of the head over that of the untouched vectors."""
    heads = [of["all"]["NN"] for name, of in scores.items() if name.startswith("head, own")]
    return f"{mean(heads) / scores['untouched']['all']['NN']:.2f}"


def minutes() -> str:
    """CPU minutes of one head's training."""
    return f"{kept('head-dev')['train_seconds']['own 0'] / 60:.1f}"


PARTS = {
    "head": words, "head ratio": lambda: ratio(kept("head")["xling"]),
    "head dev ratio": lambda: ratio(kept("head-dev")["dev"]), "head minutes": minutes,
    "head ran": lambda: ran(kept("head")), "head dev ran": lambda: ran(kept("head-dev")),
}  # fmt: skip

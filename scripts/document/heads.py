"""The numbers of docs/bli.md, from docs/results/head*.json."""

from __future__ import annotations

from statistics import mean
from typing import Any

from scripts.document.tables import kept, ran, table

Row = dict[str, Any]
TESTS = {"XLING": "xling", "English-Sinhala": "sinhala"}


def words() -> str:
    """P@1 of each system; of heads the mean over seeds, and the least and greatest."""
    result = kept("head")
    columns: dict[str, Any] = {"vectors": str}
    for title, test in TESTS.items():
        for method in ("NN", "CSLS"):
            columns[f"{title}, {method}"] = lambda name, test=test, method=method: cell(result[test], name, method)
    columns["XLING, NN, no copies"] = lambda name: cell(result["xling"], name, "NN without copies")
    return table(columns, systems(result))


def systems(result: Row) -> list[str]:
    """The names of rows: the seeds of a head are one."""
    return list(dict.fromkeys(name.partition(", seed")[0] for name in result["xling"]))


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


def ratio() -> str:
    """P@1 by NN of the head over that of the untouched vectors, on XLING."""
    scores = kept("head")["xling"]
    heads = [of["all"]["NN"] for name, of in scores.items() if name.startswith("head")]
    return f"{mean(heads) / scores['untouched']['all']['NN']:.2f}"


def likeness() -> str:
    """Mean rho of Multi-SimLex, untouched and by the head."""
    found = kept("head")["likeness"]
    heads = [value for name, value in found.items() if name.startswith("head")]
    return f"{found['untouched']:.3f} -> {mean(heads):.3f}"


def minutes() -> str:
    """CPU minutes of one head's training."""
    return f"{mean(kept('head')['train_seconds'].values()) / 60:.1f}"


PARTS = {
    "head": words, "head ratio": ratio, "head likeness": likeness, "head minutes": minutes,
    "head ran": lambda: ran(kept("head")),
}  # fmt: skip

"""The numbers of docs/token_tasks.md, from docs/results/tokens.json and word-alignment-trained.json."""

from __future__ import annotations

from typing import Any

from scripts.document.tables import KEPT, kept, ran, table
from scripts.document.word_alignment import SETS, scored


def scores(kind: str) -> str:
    """A row a test set, a column a model and protocol: score with interval, and the transfer gap."""
    found = [one for one in kept("tokens")["results"] if one["protocol"].startswith(kind)]
    ids = dict.fromkeys(row["id"] for one in found for row in one["scores"])
    columns: dict[str, Any] = {"test set": str}
    for one in found:
        rows = {row["id"]: row for row in one["scores"]}
        title = f"{one['model']}, {'tuned' if 'tuned' in one['protocol'] else 'frozen'}"
        columns[f"{title}: {one['metric']}, gap"] = lambda name, rows=rows: with_gap(rows.get(name))
    return table(columns, ids)


def with_gap(row: Any) -> str:
    """A score with its interval, and how far it is below the source language's."""
    return cell(row) if row is None else f"{cell(row)}, {row['metrics']['gap']:.3f}"


def cell(row: Any) -> str:
    """A score with its interval."""
    return "-" if row is None else "{:.3f} ({:.3f}-{:.3f})".format(row["value"], *row["interval"])


def trained(part: str) -> str:
    """AER by set, or what sentences have, before and after training."""
    result = kept("word-alignment-trained")
    if part == "aer":
        states = ("before", "after")
        rows = [(SETS[name], method) for name, methods in result["before"]["sets"].items() for method in methods]
        names = {title: name for name, title in SETS.items()}
        columns: dict[str, Any] = {"text": lambda row: row[0], "method": lambda row: row[1]}
        for state in states:
            columns[state] = lambda row, of=result[state]["sets"]: scored(of[names[row[0]]][row[1]])
        return table(columns, rows)
    rows = [*result["before"]["p1"], "sts"]
    of = {state: result[state]["p1"] | {"sts": result[state]["sts"]} for state in ("before", "after")}
    columns = {"sentences": str} | {state: lambda name, state=state: f"{of[state][name]:.3f}" for state in of}
    return table(columns, rows)


PARTS = {
    "pos": lambda: scores("pos"),
    "ner": lambda: scores("ner"),
    "tokens ran": lambda: ran(kept("tokens")),
} | (
    {
        "aer": lambda: trained("aer"), "aer sentences": lambda: trained("sentences"),
        "aer ran": lambda: ran(kept("word-alignment-trained")),
    } if (KEPT / "word-alignment-trained.json").exists() else {}
)  # fmt: skip

"""The numbers of docs/scripts.md, from docs/results/unread.json and extended.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts.document.tables import kept, ran, table

KINDS = {
    "articles": "declaration, other articles", "verses": "Bible, other verses", "tifinagh": "SIB-200, Tifinagh",
}  # fmt: skip

ENCODERS = ("untouched", "romanised", "tower")


def readability() -> str:
    """Scripts with text: how they read."""
    found = kept("unread")["readability"]["scripts"]
    rows = [{"script": script, **row} for script, row in found.items() if row["lines"]]
    columns = {"script": "{script}", "lines": "{lines:,}", "pieces known": "{vocabulary:,}", "unknown": "{unknown:.3f}",
               "pieces/letter": "{pieces:.2f}", "read": "{read}"}  # fmt: skip
    return table(columns, sorted(rows, key=lambda row: (row["read"] == "yes", row["script"])))


def retrieval() -> str:
    """P@1 by language and encoder, with intervals; the mean of each kind last."""
    found = kept("unread")["found"]
    rows: list[dict[str, Any]] = []
    for kind, of in ((kind, found[kind]) for kind in KINDS):
        languages = [name for name in of if name not in ("texts", "mean")]
        more = ["mean"] if len(languages) > 1 else []
        rows += [{"text": KINDS[kind], "language": name, **of[name]} for name in (*languages, *more)]
    encoders = [name for name in ENCODERS if name in rows[0]]
    columns = {"text": "{text}", "language": "{language}"}
    return table(columns | {name: lambda row, name=name: with_interval(row[name]) for name in encoders}, rows)


def extended() -> str:
    """P@1 after each step, by the rows that new pieces began with."""
    columns = {"step": "{step}", "from English": lambda row: with_interval(row["from_english"]),
               "to English": lambda row: with_interval(row["to_english"])}  # fmt: skip
    return table(columns, kept("extended")["steps"])


def with_interval(cell: Sequence[float]) -> str:
    """Value and interval."""
    return "{:.3f} ({:.3f}-{:.3f})".format(*cell)


PARTS = {
    "readability": readability,
    "retrieval": retrieval,
    "unread ran": lambda: ran(kept("unread")),
    "extended": extended,
    "extended ran": lambda: ran(kept("extended")),
}

"""The numbers of docs/lexicons.md, from docs/results/lexicons.json."""

from __future__ import annotations

from scripts.document.tables import kept, table


def dictionaries() -> str:
    """Rows of whole dictionaries, and of those that are set aside why."""
    columns = {
        "dictionary": "`{name}`", "rows": "{rows:,}", "pairs": "{good:,}", "senses": "{concepts:,}",
        "set aside": lambda one: ", ".join(f"{count:,} {why}" for why, count in one["problems"].items()) or "none",
    }  # fmt: skip
    return table(columns, kept("lexicons")["lexicons"])


PARTS = {"dictionaries": dictionaries}

"""The numbers of docs/pairs.md, from docs/results/negatives.json."""

from __future__ import annotations

from scripts.document.tables import kept, table


def negatives() -> str:
    """What each way of finding them gives, and how much of it the guide takes for translations."""
    columns = {
        "found": "{way}", "pairs": "{pairs}", "without": "{without}", "negatives": "{negatives}",
        "as near as the translation": "{near}", "also found exactly": "{shared}",
    }  # fmt: skip
    return table(columns, kept("negatives")["ways"])


PARTS = {"negatives": negatives}

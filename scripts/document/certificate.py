"""The certificate on docs/evaluation.md, from docs/results/certificate.json."""

from __future__ import annotations

from typing import Any

from scripts.document.tables import kept, ran, table


def lines() -> str:
    """A row for each benchmark."""

    def difference(row: Any) -> str:
        return "{:+.3f} ({:+.3f} to {:+.3f})".format(row["difference"], *row["interval"])

    return table(
        {
            "benchmark": "{grain}, {benchmark}", "metric": "{metric}", "untouched": "{before:.3f}",
            "aligned": "{after:.3f}", "difference": difference, "": "{verdict}",
            "better / worse / of": "{better} / {worse} / {scores}",
        },
        kept("certificate")["lines"],
    )  # fmt: skip


PARTS = {"certificate": lines, "certificate ran": lambda: ran(kept("certificate"))}

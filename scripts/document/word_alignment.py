"""The numbers of docs/word_alignment.md, from docs/results/links-*.json and projected-seed.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scripts.document.tables import kept, ran, runs, table

SETS = {
    "enfr": "English-French", "jaen": "Japanese-English", "grc_eng": "Ancient Greek-English", "bible": "Greek-English",
}  # fmt: skip
CONVENTIONS = ("sure-possible", "all-sure", "null-links", "no-punctuation")


def conventions() -> str:
    """AER of the same links by each protocol."""
    rows = [(one["model"], name, of["conventions"]) for one, name, of in measured()]
    columns: dict[str, Callable[[Any], str]] = {"encoder, text": lambda row: f"{row[0]}, {SETS[row[1]]}"}
    for name in CONVENTIONS:
        columns[name] = lambda row, name=name: f"{row[2][name]['aer']:.3f}"
    return table(columns, rows)


def methods() -> str:
    """AER with its interval, precision and recall of each method, at the layer that the first lines choose."""
    rows = [
        (one["model"], name, method, of) for one, name, every in measured() for method, of in every["methods"].items()
    ]
    return table(
        {
            "encoder, text": lambda row: f"{row[0]}, {SETS[row[1]]}",
            "method": lambda row: row[2],
            "layer": lambda row: str(row[3]["layer"]),
            "AER": lambda row: scored(row[3]),
            "precision": lambda row: f"{row[3]['precision']:.3f}",
            "recall": lambda row: f"{row[3]['recall']:.3f}",
            "usual": lambda row: f"{row[3]['usual']['aer']:.3f}",
        },
        rows,
    )


def layers() -> str:
    """AER of itermax at each layer, its threshold chosen on the first lines."""
    rows = [(one["model"], name, of["methods"]["itermax"]["curve"]) for one, name, of in measured()]
    columns: dict[str, Callable[[Any], str]] = {"encoder, text": lambda row: f"{row[0]}, {SETS[row[1]]}"}
    for k in range(max(len(curve) for *_, curve in rows)):
        columns[str(k)] = lambda row, k=k: f"{row[2][k]:.2f}" if k < len(row[2]) else "-"
    return table(columns, rows)


def measured() -> list[tuple[Any, str, Any]]:
    """(result, set, its scores) of every encoder."""
    return [(one, name, one["sets"][name]) for one in runs("links") for name in SETS if name in one["sets"]]


def scored(of: Any) -> str:
    """AER and its interval."""
    return "{:.3f} ({:.3f}-{:.3f})".format(of["aer"], *of["interval"])


def all_ran(results: Sequence[Any] | None = None) -> str:
    """The commands, one a line."""
    return "\n\n".join(ran(one) for one in results or runs("links"))


def projected() -> str:
    """F1 of each way of projection, its interval, and the difference to bridged links."""
    rows = [
        (lang, of, name, way)
        for lang, of in kept("projected-seed")["targets"].items()
        for name, way in of["ways"].items()
    ]
    return table(
        {
            "English to": lambda row: {"de": "German", "ru": "Russian"}[row[0]],
            "method": lambda row: row[2],
            "F1": lambda row: "{:.3f} ({:.3f}-{:.3f})".format(row[3]["f1"], *row[3]["interval"]),
            "by label": lambda row: ", ".join(f"{label} {f1:.3f}" for label, f1 in row[3]["labels"].items()),
            "less bridged links": lambda row: "{:+.3f} ({:+.3f} to {:+.3f})".format(*row[3]["difference"]),
        },
        rows,
    )


PARTS = {"link conventions": conventions, "link methods": methods, "link layers": layers, "links ran": all_ran} | {
    "projected": projected,
    "projected ran": lambda: ran(kept("projected-seed")),
}

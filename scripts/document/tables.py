"""Tables of Markdown, and the results that are kept in docs/results."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from align.files.whole import read_json

Row = Mapping[str, Any]
Columns = Mapping[str, str | Callable[[Any], str]]

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "results"
GROUPS = ("all", "trained", "not trained")


class _Cells(string.Formatter):
    """What is unknown is a dash; three numbers, or a mean with its interval, are a value and its interval."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None:
            return "-"
        if isinstance(value, Mapping) and "interval" in value:
            value = [value["mean"], *value["interval"]]
        if isinstance(value, list):
            return "{:.3f} ({:.3f}-{:.3f})".format(*value)
        return str(super().format_field(value, format_spec))


def table(columns: Columns, rows: Iterable[Any]) -> str:
    """One line a row; the first column is text, the others are numbers.

    Args:
        columns: heading -> a cell, as a format of the row's fields (``{wall:.2f}``) or a function of the row.
        rows: mappings, or whatever the functions take.
    """
    lines = [[*columns], ["---"] + ["---:"] * (len(columns) - 1)]
    lines += [[form(row) if callable(form) else filled(form, row) for form in columns.values()] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def filled(form: str, fields: Row) -> str:
    """``{pairs[rows]:,}`` by the fields of a row or of a result."""
    return _Cells().vformat(form, (), fields)


def kept(name: str) -> Any:
    """A result of docs/results by its name."""
    return read_json(KEPT / f"{name}.json")


def runs(name: str) -> list[Any]:
    """The kept runs of one benchmark: NAME.json and NAME-....json."""
    return [read_json(path) for path in sorted({*KEPT.glob(f"{name}.json"), *KEPT.glob(f"{name}-*.json")})]


def change(old: float, new: float) -> str:
    """Before and after."""
    return f"{old:.3f} -> {new:.3f}"


def changes(columns: Mapping[str, Callable[[Any], float]], old: Any, new: Any) -> dict[str, Callable[[str], str]]:
    """Columns of ``change`` for rows that are keys of ``old`` and ``new``."""
    return {name: lambda key, of=of: change(of(old[key]), of(new[key])) for name, of in columns.items()}


def grouped(rows: Iterable[Row], *keys: str) -> list[list[Row]]:
    """Rows of equal keys together, in the order of their first."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return list(groups.values())


def bash(commands: Sequence[str]) -> str:
    """A block of commands."""
    lines = "\n".join(commands)
    return f"```bash\n{lines}\n```"


def ran(result: Row) -> str:
    """The command and the hardware, in a line."""
    about = result["hardware"]
    return f"`{result['command']}`; {about['processor'].strip()}, {about['threads']} thread(s)."

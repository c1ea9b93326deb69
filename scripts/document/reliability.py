"""The table of docs/reliability.md, from what the tests in tests/faults say of themselves, and its figures."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.document.tables import ROOT, kept, table

FAULTS = ROOT / "tests" / "faults"
ROOMS = {
    "T": "Training", "E": "Encoding a corpus", "I": "Indexes and engines", "V": "Evaluation", "S": "Security",
    "P": "Packaging",
}  # fmt: skip


class Fault(NamedTuple):
    """A row of the table."""

    id: str
    done: str
    happens: str
    test: str
    """Path and name; ``*`` in place of the name: all of the file."""
    where: str
    """``CI``, or ``make faults``."""


def faults() -> list[Fault]:
    """All of them, by their ids."""
    return sorted([*_here(), *_elsewhere()], key=lambda one: ("TEIVSP".index(one.id[0]), int(one.id[1:]), one.where))


def _here() -> Iterator[Fault]:
    for path in sorted(FAULTS.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not (isinstance(node, ast.FunctionDef) and node.name.startswith("test_")):
                continue
            done, _, happens = (ast.get_docstring(node) or "").partition("\n\n")
            marked = any("mark.faults" in ast.unparse(one) for one in node.decorator_list)
            place = f"{path.relative_to(ROOT).as_posix()}::{node.name}"
            for name in re.findall(r"(?<=_)[TEIVSP]\d+(?=_)", node.name):
                yield Fault(name, done, " ".join(happens.split()), place, "make faults" if marked else "CI")


def _elsewhere() -> Iterator[Fault]:
    for name, rows in tomllib.loads((FAULTS / "elsewhere.toml").read_text(encoding="utf-8")).items():
        yield from (Fault(name, row["done"], row["happens"], row["test"], "CI") for row in rows)


def rows(room: str) -> str:
    """The table of one room."""
    of = [one._asdict() for one in faults() if one.id[0] == room]
    made = table({
        "": "{id}", "what is done": "{done}", "what happens": "{happens}",
        "test": lambda row: f"`{Path(row['test'].partition('::')[0]).relative_to('tests')}`", "in": "{where}",
    }, of)  # fmt: skip
    return made.replace("---:", "---")  # it is all text


def mutations() -> str:
    """Damaged files by kind."""
    found = kept("faults")["bytes"]
    columns = {"kind": "{kind}", "refused": "{refused}", "equal values": "{equal}", "other values": "{other}"}
    total = {name: sum(row[name] for row in found) for name in ("refused", "equal", "other")}
    return table(columns, [*found, {"kind": "all", **total}])


PARTS = {f"faults {name}": lambda room=room: rows(room) for room, name in ROOMS.items()} | {"mutations": mutations}

"""The licences of docs/dependencies.md.

    python -m scripts.document.licences --out docs/results/licences.json

keeps them, from the metadata of what is installed: all that a plain installation brings, and of each extra the packages
that it names. One that is not installed has no licence in the table.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from packaging.requirements import Requirement

from scripts.bench.harness import Row, command_line
from scripts.document.tables import ROOT, kept, table

COPYLEFT = re.compile(r"\bA?GPL|\bLGPL|GNU ", re.IGNORECASE)
NAMES = {
    "apache": "Apache-2.0", "mit": "MIT", "bsd": "BSD", "mozilla": "MPL-2.0", "python software": "PSF-2.0",
    "isc": "ISC", "gnu lesser": "LGPL", "gnu general": "GPL",
}  # fmt: skip


def licences() -> Row:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, Row] = {}
    for name in _closure(project["dependencies"]):
        found[name] = _row(name, "")
    for extra, lines in project["optional-dependencies"].items():
        for name in sorted({_name(line) for line in lines} if extra != "dev" else ()):
            found.setdefault(name, _row(name, extra))
    return {"rows": sorted(found.values(), key=lambda row: (row["extra"] != "", row["extra"], row["name"]))}


def _closure(lines: list[str]) -> Iterator[str]:
    """Packages that lines ask for, and all that these need here."""
    waiting, seen = [_name(line) for line in lines], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted = (Requirement(line) for line in needs)
        waiting += [_name(str(one)) for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
        yield name


def _name(line: str) -> str:
    return re.sub(r"[-_.]+", "-", Requirement(line).name).lower()


def _row(name: str, extra: str) -> Row:
    try:
        about = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return {"name": name, "version": None, "extra": extra, "licence": "not installed here", "copyleft": False}
    classified = [
        one.rpartition(" :: ")[2] for one in about.get_all("Classifier") or [] if one.startswith("License ::")
    ]
    text = about.get("License-Expression") or ", ".join(classified) or (about.get("License") or "").strip()
    licence = text if len(text) < 60 and "\n" not in text else next(
        (short for word, short in NAMES.items() if word in text[:400].lower()), "see its files"
    )  # fmt: skip
    return {
        "name": name, "version": about["Version"], "extra": extra, "licence": licence or "see its files",
        "copyleft": bool(COPYLEFT.search(licence)),
    }  # fmt: skip


def shown() -> str:
    columns: dict[str, Any] = {
        "package": "{name}", "version seen": "{version}", "comes with": lambda row: row["extra"] or "always",
        "licence": lambda row: row["licence"] + (" **(copyleft)**" if row["copyleft"] else ""),
    }  # fmt: skip
    return table(columns, kept("licences")["rows"])


def flagged() -> str:
    names = [f"{row['name']} ({row['licence']})" for row in kept("licences")["rows"] if row["copyleft"]]
    return ", ".join(names) if names else "none"


PARTS = {"licences": shown, "copyleft": flagged}

if __name__ == "__main__":
    command_line(licences)

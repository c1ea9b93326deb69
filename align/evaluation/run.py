"""One run over the units of a task: each is scored once, kept by content, and reported if it fails."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from align.errors import InputError
from align.evaluation.reading import content_hash
from align.evaluation.rules import Rules, described
from align.files.whole import read_json, user_cache, write_json
from align.tasks.task import Row, Task, Unit
from align.text.hashing import json_hash

if TYPE_CHECKING:
    from align.tasks.embedding import Encode

log = logging.getLogger(__name__)

UNIT_FORMAT = 4
"""Raised when a unit comes to be scored in another way, so that nothing older is read from the cache."""


@dataclass
class Run:
    """What is scored how, and what came of it."""

    name: str
    """Of the benchmark, for the log."""
    task: Task
    rules: Rules
    kept: Kept | None
    made_by: Mapping[str, Any]
    """All that decides the vectors."""
    progress: bool
    missing: list[dict[str, str]] = field(default_factory=list)
    """Units that failed: name and reason."""
    hashes: list[str] = field(default_factory=list)
    """Of the contents that were read."""

    def load(self, unit: Unit) -> Any:
        """The content of a unit; ``None``: it cannot be read, which is said."""
        try:
            content = unit.load()
        except InputError as error:
            self.fails(unit, error)
            return None
        self.hashes.append(content_hash(content))
        return content

    def rows(self, unit: Unit, encode: Encode) -> list[Row]:
        """Those of a unit; none if it fails, which is said."""
        content = self.load(unit)
        if content is None:
            return []
        parts = [UNIT_FORMAT, self.made_by, self.task.name, described(self.rules), unit.name, unit.lines]
        key = json_hash([*parts, self.hashes[-1], *([unit.answers] if unit.answers else [])])
        try:
            rows = self.kept.read(key) if self.kept else None
            if rows is None:
                rows = self.score(unit, content, encode)
                if self.kept:
                    self.kept.write(key, rows)
        except InputError as error:
            self.fails(unit, error)
            return []
        if self.progress:
            log.info("%s %s: %s", self.name, unit.name, _brief(rows))
        return [row | {"sha256": self.hashes[-1]} for row in rows]

    def score(self, unit: Unit, content: Any, encode: Encode) -> list[Row]:
        """The rows of a content.

        Raises:
            InputError: what the task refuses, or no item was scored.
        """
        rows = self.task.score(encode, unit, content, self.rules.protocol)
        if not all(row["n"] for row in rows):
            raise InputError("no item of it could be scored")
        return rows

    def fails(self, unit: Unit, error: InputError) -> None:
        """Say that a unit is missing."""
        self.missing.append({"name": unit.name, "reason": str(error)})
        log.warning("%s %s is left out: %s", self.name, unit.name, error)


class Kept:
    """Rows of units on disk, each in a file named by its key."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or user_cache("results")

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def read(self, key: str) -> list[Row] | None:
        """What was kept; ``None``: nothing, or a damaged file (said in a warning)."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            kept = read_json(path)
        except InputError as error:
            log.warning("%s: scored anew", error)
            return None
        if not isinstance(kept, dict) or kept.get("key") != key or not isinstance(kept.get("rows"), list):
            log.warning("%s holds something else than its name says: scored anew", path)
            return None
        if kept.get("sha256") != json_hash(kept["rows"]):
            log.warning("%s is damaged: scored anew", path)
            return None
        rows: list[Row] = kept["rows"]
        return rows

    def write(self, key: str, rows: list[Row]) -> None:
        """Keep the rows; a full disk costs a warning, not the scores."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, {"key": key, "rows": rows, "sha256": json_hash(rows)})
        except (InputError, OSError) as error:
            log.warning("%s: a unit's scores were not kept: %s", path, error)


def _brief(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row['id']} {row['value']:.3f}" for row in rows)

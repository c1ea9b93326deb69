"""Romanised units on disk: one SQLite file that several processes may share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from align.errors import InputError

_TABLE = """CREATE TABLE IF NOT EXISTS romanized (
    romanizer TEXT, lcode TEXT, unit BLOB, latin BLOB, PRIMARY KEY (romanizer, lcode, unit)) WITHOUT ROWID"""
_AT_ONCE = 500  # parameters of one query; SQLite allows 999 in its oldest supported releases
_WAIT = 60.0  # seconds for another process to finish its transaction


@dataclass(frozen=True)
class UnitCache:
    """An open cache file, for one romaniser (name and versions) and one language code."""

    connection: sqlite3.Connection
    path: Path
    romanizer: str
    lcode: str

    def read(self, units: Sequence[str]) -> dict[str, str]:
        """The romanisations that the file has for ``units``."""
        found: dict[str, str] = {}
        for start in range(0, len(units), _AT_ONCE):
            some = [_bytes(unit) for unit in units[start : start + _AT_ONCE]]
            marks = ",".join("?" * len(some))
            query = f"SELECT unit, latin FROM romanized WHERE romanizer = ? AND lcode = ? AND unit IN ({marks})"
            with _explained(self.path):
                rows = self.connection.execute(query, (self.romanizer, self.lcode, *some)).fetchall()
                found.update((_text(unit), _text(latin)) for unit, latin in rows)
        return found

    def write(self, romanized: Mapping[str, str]) -> None:
        """Add ``romanized`` in one transaction; what is there already stays."""
        rows = ((self.romanizer, self.lcode, _bytes(unit), _bytes(latin)) for unit, latin in romanized.items())
        with _explained(self.path), self.connection:
            self.connection.executemany("INSERT OR IGNORE INTO romanized VALUES (?, ?, ?, ?)", rows)


@contextmanager
def unit_cache(path: Path, *, romanizer: str, lcode: str | None) -> Iterator[UnitCache]:
    """Open or create the cache file at ``path``.

    Raises:
        InputError: the file is not such a cache, is damaged, or cannot be written to.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_WAIT)
    try:
        with _explained(path), connection:
            connection.execute(_TABLE)
        yield UnitCache(connection, path, romanizer, lcode or "")
    finally:
        connection.close()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    # AttributeError: a table of this name whose columns hold other types
    except (sqlite3.Error, OSError, UnicodeDecodeError, AttributeError) as error:
        raise InputError(f"{path} cannot serve as a romanisation cache ({error}); delete it or name another") from error

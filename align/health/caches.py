"""What is kept on the disk to be used again: where, how much, and how to be rid of it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from align.errors import InputError, unknown
from align.files.whole import explained, user_cache

DAY = 86_400.0
"""Seconds."""


class Cache(NamedTuple):
    """A folder that may be deleted at will."""

    name: str
    folder: Path
    bytes: int
    files: int


def caches() -> list[Cache]:
    """Align's own, by what they hold, and those of Hugging Face."""
    home = user_cache("")
    own = sorted(path for path in home.iterdir() if path.is_dir()) if home.is_dir() else []
    return [_measured(f"align {path.name}", path) for path in own] + [
        _measured(name, path) for name, path in _of_hugging_face()
    ]


def cache(names: Sequence[str] = (), *, clear: bool = False, days: float = 0.0) -> list[Cache]:
    """What Align keeps in the user's cache: stores of tokenised pairs, scores, vocabularies, exported graphs.

    All of it is made again when it is wanted. What is cleared goes entry by entry, a store or a graph at a time; those
    of Hugging Face are never touched.

    Args:
        names: of caches, such as ``stores``; (): all that are there.
        clear: remove entries, rather than only look.
        days: of an entry that is to be cleared, since anything in it was last written.

    Returns:
        Each cache as it was; with ``clear``, what was removed of it.

    Raises:
        InputError: no such cache, or an entry that cannot be removed.
    """
    home = user_cache("")
    there = sorted(path.name for path in home.iterdir() if path.is_dir()) if home.is_dir() else []
    for name in names:
        if name not in there:
            raise InputError(unknown("cache", name, there))
    if days < 0:
        raise InputError(f"days must be at least 0, got {days:g}")
    chosen = [name for name in there if not names or name in names]
    return [_cleared(home / name, days) if clear else _measured(name, home / name) for name in chosen]


def _cleared(folder: Path, days: float) -> Cache:
    removed: list[Cache] = []
    for entry in sorted(folder.iterdir()):
        written = [entry, *(path for path in entry.rglob("*") if not entry.is_symlink())]
        if days and time.time() - max(path.lstat().st_mtime for path in written) < days * DAY:
            continue
        is_folder = entry.is_dir() and not entry.is_symlink()
        removed.append(_measured("", entry) if is_folder else Cache("", entry, entry.lstat().st_size, 1))
        with explained(entry):
            shutil.rmtree(entry) if is_folder else entry.unlink()
    return Cache(folder.name, folder, sum(one.bytes for one in removed), sum(one.files for one in removed))


def shown(size: int) -> str:
    """Bytes for people.

    >>> shown(1234), shown(12)
    ('1.2 kB', '12 B')
    """
    number, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def _of_hugging_face() -> Iterator[tuple[str, Path]]:
    from huggingface_hub.constants import HF_HOME, HF_HUB_CACHE

    yield "models of the Hub", Path(HF_HUB_CACHE)
    yield "datasets", Path(os.environ.get("HF_DATASETS_CACHE") or Path(HF_HOME) / "datasets")


def _measured(name: str, folder: Path) -> Cache:
    sizes = list(_sizes(folder))
    return Cache(name, folder, sum(sizes), len(sizes))


def _sizes(folder: Path) -> Iterator[int]:
    """Bytes of every file below a folder; a link is none, and what goes away meanwhile neither."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            try:
                if not path.is_symlink():
                    yield path.stat().st_size
            except OSError:
                continue

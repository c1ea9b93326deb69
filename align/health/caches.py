"""What is kept on the disk to be used again: where, and how much."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from align.files.whole import user_cache


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

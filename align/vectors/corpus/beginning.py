"""A folder of vectors begun, what was begun removed again, and whether the disk has room for the rest."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from align.errors import InputError
from align.files.whole import read_json
from align.vectors.folder import MANIFEST
from align.vectors.writing import begin, check_vectors

log = logging.getLogger(__name__)


def begun(out: Path, settings: Mapping[str, Any]) -> None:
    """Begin a folder; one that was begun with other settings, but of which no part is there, anew."""
    try:
        begin(out, settings)
    except InputError:
        if not cleared(out):
            raise
        begin(out, settings)


def cleared(out: Path) -> bool:
    """Remove what was begun, the manifest last, and keep the lock; False if there is a part, or of somebody else."""
    try:
        check_vectors(out)
        if read_json(out / MANIFEST)["complete"] is not False or any(out.glob("part-*")):
            return False
    except (InputError, KeyError, TypeError, NotADirectoryError):
        return False
    for path in sorted(out.iterdir(), key=lambda path: path.name == MANIFEST):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix != ".lock":
            path.unlink()
    return True


def warn_of_space(out: Path, rows: int, dimension: int, dtype: str) -> None:
    """Say so where there is too little."""
    needed, free = rows * dimension * np.dtype(dtype).itemsize, shutil.disk_usage(out).free
    if needed > free:
        log.warning("the vectors need %.1f GB and %s has %.1f GB free", needed / 1e9, out, free / 1e9)

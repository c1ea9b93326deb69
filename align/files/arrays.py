"""Arrays of .npy files, without pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError, one_line


def read_array(path: Path, *, mmap: bool = False) -> NDArray[Any]:
    """The array of an ``.npy`` file, memory-mapped by choice; no pickle is read.

    Raises:
        InputError: it is missing, damaged or cut short, or holds objects.
    """
    try:
        found: NDArray[Any] = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise InputError(f"{path} is damaged: {one_line(error)}") from error
    return found

"""Keys that come again among any number of them: found on disk, a part of them in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BUCKETS = 256
HELD = 1 << 18
KEY_BYTES = 16


class Repeats:
    """Keys of 16 evenly distributed bytes, such as of a hash, each at a position.

    They wait in files of ``folder``, 24 bytes a key; those of one bucket, a 256th of all, are in memory together.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: list[bytes] = []
        self._positions: list[int] = []
        self._last = 0

    def add(self, key: bytes, position: int) -> None:
        """A key; positions rise from call to call."""
        self._held.append(key)
        self._positions.append(position)
        self._last = position
        if len(self._held) == HELD:
            self._flush()

    def write(self, path: Path) -> int:
        """Write an ``.npy`` file (n, 2) of int64, and return n: a row for each key that was there before.

        It holds the key's position and that of the first one equal to it; the rows are in the order of positions.
        """
        self._flush()
        count = 0
        for keys in self._buckets("keys", columns=3):
            found = _again(keys)
            count += len(found)
            if len(found):
                self._spread("again", found, found[:, 0] * BUCKETS // (self._last + 1))
        with path.open("wb") as file:
            header = {"descr": "<i8", "fortran_order": False, "shape": (count, 2)}
            np.lib.format.write_array_header_1_0(file, header)
            for pairs in self._buckets("again", columns=2):
                file.write(pairs[np.argsort(pairs[:, 0])].tobytes())
        return count

    def _flush(self) -> None:
        keys = np.frombuffer(b"".join(self._held), dtype="<i8").reshape(-1, 2)
        made = np.column_stack([keys, np.array(self._positions, dtype="<i8")])
        self._spread("keys", made, made[:, 0] % BUCKETS)
        self._held.clear()
        self._positions.clear()

    def _spread(self, name: str, records: NDArray[np.int64], buckets: NDArray[np.int64]) -> None:
        """Add each record to the file of its bucket."""
        ends = np.cumsum(np.bincount(buckets, minlength=BUCKETS))
        for bucket, run in enumerate(np.split(records[np.argsort(buckets, kind="stable")], ends[:-1])):
            if len(run):
                with open(f"{self._folder}/{name}-{bucket:03d}", "ab") as file:  # a Path would intern its name
                    file.write(run.tobytes())

    def _buckets(self, name: str, *, columns: int) -> Iterator[NDArray[np.int64]]:
        for file in sorted(entry.path for entry in os.scandir(self._folder) if entry.name.startswith(f"{name}-")):
            yield np.fromfile(file, dtype="<i8").reshape(-1, columns)


def _again(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, 2) positions of the keys that stood before, and of the first ones equal to them."""
    keys = keys[np.lexsort((keys[:, 2], keys[:, 1], keys[:, 0]))]
    new = np.ones(len(keys), dtype=bool)
    new[1:] = (keys[1:, :2] != keys[:-1, :2]).any(axis=1)
    first = keys[new, 2][np.cumsum(new) - 1]
    return np.stack([keys[:, 2], first], axis=1)[~new]

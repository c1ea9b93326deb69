"""Keys that come again among any number of them: found on disk, a part of them in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUCKETS = 256
HELD = 1 << 18
KEY_BYTES = 16
KEY = np.dtype([("high", "<u8"), ("low", "<u8"), ("position", "<i8")])


class Repeats:
    """Keys of 16 evenly distributed bytes, such as of a hash, each at a position.

    They wait in a file, 24 bytes a key; those of one bucket, a 256th of all, are in memory together.

    Args:
        folder: for this file and another, made and removed by whoever calls.
    """

    def __init__(self, folder: Path) -> None:
        self._keys = _Buckets(folder / "keys", KEY)
        self._again = _Buckets(folder / "again", np.dtype("<i8"), columns=2)
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
        for keys in self._keys.each():
            found = _again(keys)
            count += len(found)
            if len(found):
                self._again.add(found, lambda pairs: pairs[:, 0] * BUCKETS // (self._last + 1))
        with path.open("wb") as file:
            header = {"descr": "<i8", "fortran_order": False, "shape": (count, 2)}
            np.lib.format.write_array_header_1_0(file, header)
            for pairs in self._again.each():
                file.write(pairs[np.argsort(pairs[:, 0])].tobytes())
        return count

    def _flush(self) -> None:
        made = np.empty(len(self._held), dtype=KEY)
        made["high"], made["low"] = np.frombuffer(b"".join(self._held), dtype="<u8").reshape(-1, 2).T
        made["position"] = self._positions
        self._keys.add(made, lambda keys: (keys["high"] % BUCKETS).astype(np.int64))
        self._held.clear()
        self._positions.clear()


def _again(keys: NDArray[Any]) -> NDArray[np.int64]:
    """(n, 2) positions of the keys that stood before, and of the first ones equal to them."""
    keys = keys[np.lexsort((keys["position"], keys["low"], keys["high"]))]
    new = np.ones(len(keys), dtype=bool)
    new[1:] = (keys["high"][1:] != keys["high"][:-1]) | (keys["low"][1:] != keys["low"][:-1])
    first = keys["position"][np.flatnonzero(new)][np.cumsum(new) - 1]
    pairs: NDArray[np.int64] = np.stack([keys["position"], first], axis=1)
    return pairs[~new]


class _Buckets:
    """Records on disk, in one file: each run that is added is sorted by bucket, and its ends are known."""

    def __init__(self, path: Path, dtype: np.dtype[Any], columns: int | None = None) -> None:
        self._path, self._dtype, self._shape = path, dtype, (-1, columns) if columns else (-1,)
        self._ends = [np.zeros(BUCKETS + 1, dtype=np.int64)]  # of each run, in bytes from the start of the file
        path.touch()

    def add(self, records: NDArray[Any], bucket_of: Callable[[NDArray[Any]], NDArray[np.int64]]) -> None:
        """Add a run."""
        buckets = bucket_of(records)
        made = records[np.argsort(buckets, kind="stable")]
        ends = np.cumsum(np.bincount(buckets, minlength=BUCKETS)) * (made.nbytes // max(1, len(made)))
        with self._path.open("ab") as file:
            file.write(made.tobytes())
        self._ends.append(self._ends[-1][-1] + np.concatenate([[0], ends]))

    def each(self) -> Iterator[NDArray[Any]]:
        """The records of each bucket, from the lowest to the highest."""
        with self._path.open("rb") as file:
            for bucket in range(BUCKETS):
                runs = []
                for ends in self._ends:
                    if ends[bucket] < ends[bucket + 1]:
                        file.seek(ends[bucket])
                        runs.append(file.read(ends[bucket + 1] - ends[bucket]))
                yield np.frombuffer(b"".join(runs), dtype=self._dtype).reshape(self._shape)

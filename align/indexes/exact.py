"""Exact search: every vector is compared, block by block, from a memory-mapped file or from a folder of vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from align.files.arrays import read_array
from align.indexes.faiss_gpu import MOST, Gpu, on_gpu_or_cpu
from align.similarity.cosine import matrix, normalize, slices
from align.similarity.nearest import NO_KEY, keep, keep_best, neighbours_of, no_keys, rank_keys
from align.vectors.folder import Vectors, vectors_of

BLOCK_ROWS = 8192
BLOCK_QUERIES = 512
GPU_ROWS = 65_536
"""Rows that are sent to a GPU at a time."""

Block = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Numbers of rows, and their unit vectors."""
Found = tuple[NDArray[np.float32], NDArray[np.int64]]
"""(n, k) scores, best first, and (n, k) rows; where there is no such hit, -Inf and -1."""


@dataclass(frozen=True)
class ExactIndex:
    """Vectors that are all compared."""

    vectors: NDArray[Any] | Vectors
    """(rows, dimensions) float32 or float16, in memory or memory-mapped; or a folder that was not indexed, which is
    read part by part for every search."""
    unit: bool = False
    """They have length 1 (or 0) already."""
    gpu: Gpu | None = None
    """Where FAISS compares them; ``None``: numpy does, on the CPU."""

    def search(self, units: NDArray[np.float32], k: int, *, chosen: NDArray[np.bool_] | None = None) -> Found:
        """The ``k`` nearest of the chosen rows."""
        return on_gpu_or_cpu(self.gpu, lambda gpu: nearest(units, self._blocks(chosen, gpu), k, gpu=gpu))

    def _blocks(self, chosen: NDArray[np.bool_] | None, gpu: Gpu | None) -> Iterator[Block]:
        for start, part in self._parts(GPU_ROWS if gpu else BLOCK_ROWS):
            rows = np.arange(start, start + len(part))
            if chosen is not None:
                here = np.flatnonzero(chosen[start : start + len(part)])
                rows, part = rows[here], part[here]
            yield rows, part.astype(np.float32, copy=False) if self.unit else normalize(part, first_row=start)

    def _parts(self, rows: int) -> Iterator[tuple[int, NDArray[Any]]]:
        if isinstance(self.vectors, Vectors):
            for start, table in numbered(self.vectors.tables(["vector"], rows=rows, verify=False)):
                yield start, vectors_of(table)
        else:
            for here in slices(len(self.vectors), rows):
                yield here.start, self.vectors[here]


def nearest(units: NDArray[np.float32], blocks: Iterable[Block], k: int, *, gpu: Gpu | None = None) -> Found:
    """The ``k`` rows nearest to each query by inner product; of equal ones the lower row comes first.

    Scores are rounded to the tie tolerance (six decimals), so that equal rows tie whichever block they fall in.

    Args:
        units: (n, d) unit vectors.
        blocks: of the rows, in rising order; each is read once and then let go.
        k: at least 1.
        gpu: where they are compared, if any; a ``k`` of :data:`align.indexes.faiss_gpu.MOST` or more stays on the CPU.

    Raises:
        align.indexes.faiss_gpu.Refused: the GPU cannot.
    """
    best = Nearest(units, k, gpu=gpu)
    for rows, part in blocks:
        best.add(rows, part)
    return best.found()


class Nearest:
    """The ``k`` rows nearest to each query so far: what :func:`nearest` keeps while it reads."""

    def __init__(self, units: NDArray[np.float32], k: int, *, gpu: Gpu | None = None) -> None:
        self._units, self._k = units, k
        self._best = no_keys(len(units), k)
        self._gpu = gpu if k < MOST else None

    def add(self, rows: NDArray[np.int64], part: NDArray[np.float32]) -> None:
        """Look at more rows: their numbers, higher than those before, and their unit vectors."""
        if self._gpu is not None and len(part) and len(self._units):
            left = self._add_by(self._gpu, rows, part)
        else:
            left = np.arange(len(self._units))
        for block in slices(len(left), BLOCK_QUERIES):
            here = left[block]
            best = self._best[here]
            keep_best(best, self._units[here] @ part.T, rows)
            self._best[here] = best

    def _add_by(self, gpu: Gpu, rows: NDArray[np.int64], part: NDArray[np.float32]) -> NDArray[np.int64]:
        """The queries for which the GPU left it open: those with too many rows of equal scores."""
        scores, places, open_ = gpu.nearest(self._units, part, self._k)
        settled = np.flatnonzero(~open_)
        keys = rank_keys(scores[settled], rows[places[settled]]).ravel()
        keep(self._best, np.repeat(settled, scores.shape[1]), keys, nothing=NO_KEY)
        return np.flatnonzero(open_)

    def found(self) -> Found:
        """Scores and rows, best first."""
        return neighbours_of(self._best)


def numbered(tables: Iterable[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    """Each table with the number of its first row."""
    start = 0
    for table in tables:
        yield start, table
        start += table.num_rows


def read_npy(path: Path, *, mmap: bool) -> NDArray[Any]:
    """A matrix of an ``.npy`` file, memory-mapped by choice; no pickle is read.

    Raises:
        InputError: it is damaged or cut short.
    """
    return matrix(read_array(path, mmap=mmap))


def write_npy(path: Path, blocks: Iterable[NDArray[Any]], *, shape: tuple[int, int], dtype: str) -> None:
    """An ``.npy`` file written block by block; not memory-mapped, where a full disk would be a signal, not an error."""
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(np.ascontiguousarray(block, dtype=dtype).data)

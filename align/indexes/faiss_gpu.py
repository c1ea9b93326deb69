"""FAISS on a GPU, where ``faiss-gpu`` is installed and a GPU is seen: exact search, and IVF.

On the CPU stay HNSW, NSG and factories that compare again (``RFlat``), searches of an IVF index among chosen rows, more
hits or lists than :data:`MOST`, and whatever the GPU refuses (:func:`on_gpu_or_cpu`), as when its memory is full.
"""

from __future__ import annotations

import ctypes
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.indexes.faiss_module import import_faiss, reason
from align.similarity.cosine import TIE_TOLERANCE

log = logging.getLogger(__name__)

MOST = 2048
"""Hits of a query, and lists that it looks at, on a GPU."""
SPARE = 16
"""Rows that :meth:`Gpu.nearest` finds beside those that are wanted, to see whether the last of them is a tie."""
HALF_CODES = 48
"""Bytes of a code above which the tables of a product quantizer fit into a GPU's shared memory as float16 alone."""

Made = TypeVar("Made")


class Refused(Exception):
    """The GPU did not do it; its text is the cause."""


@dataclass(frozen=True)
class Gpu:
    """A GPU that FAISS sees; find one with :func:`find_gpu`. Whatever it has no memory or kernel for is Refused."""

    faiss: Any
    number: int
    resources: Any
    """faiss.StandardGpuResources."""

    @property
    def device(self) -> str:
        """As PyTorch writes it: ``cuda:0``."""
        return f"cuda:{self.number}"

    def takes(self, index: Any) -> bool:
        """Whether this kind of index works on a GPU: flat or IVF, also after a transformation such as OPQ or PCA."""
        faiss = self.faiss
        index = faiss.downcast_index(index)
        if isinstance(index, faiss.IndexPreTransform):
            return self.takes(index.index)
        kinds = (
            faiss.IndexFlat,
            faiss.IndexFlatIP,
            faiss.IndexIVFFlat,
            faiss.IndexIVFPQ,
            faiss.IndexIVFScalarQuantizer,
        )
        return type(index) in kinds

    def copy(self, index: Any) -> Any:
        """A copy of an index on the GPU, trained or not."""
        options = self.faiss.GpuClonerOptions()
        inner = self.faiss.downcast_index(index)
        while isinstance(inner, self.faiss.IndexPreTransform):
            inner = self.faiss.downcast_index(inner.index)
        options.useFloat16 = isinstance(inner, self.faiss.IndexIVFPQ) and inner.pq.M > HALF_CODES
        with self._refusing():
            return self.faiss.index_cpu_to_gpu(self.resources, self.number, index, options)

    def back(self, copy: Any) -> Any:
        """The index of a copy in main memory."""
        with self._refusing():
            return self.faiss.index_gpu_to_cpu(copy)

    def train(self, copy: Any, sample: NDArray[np.float32], factory: str) -> None:
        """Train a copy; in the place of :func:`align.indexes.faiss_module.train`."""
        with self._refusing():
            copy.train(sample)

    def add(self, copy: Any, units: NDArray[np.float32], factory: str) -> None:
        """Add rows to a copy; in the place of :func:`align.indexes.faiss_module.add`."""
        with self._refusing():
            copy.add(units)

    def search(
        self, copy: Any, units: NDArray[np.float32], k: int, parameters: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores and rows of a copy's ``k`` nearest, without a filter."""
        with self._refusing():
            scores, rows = copy.search(units, k, params=parameters)
        return scores, rows

    def nearest(
        self, units: NDArray[np.float32], part: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
        """Rows among which the ``k`` nearest to each query are, by inner product.

        FAISS chooses freely among rows of equal scores. So some more than ``k`` are found: if the last of them is
        worse than the k-th by more than a rounding, no row that could be among the best is left out.

        Args:
            units: (n, d).
            part: (m, d) the rows to look at.
            k: less than :data:`MOST`.

        Returns:
            Scores (n, c) and rows (n, c) with c >= min(k, m), and of each query whether one may have been left out.
        """
        count = min(k + SPARE, MOST, len(part))
        with self._refusing():
            scores, rows = self.faiss.knn_gpu(
                self.resources, np.ascontiguousarray(units), np.ascontiguousarray(part), count,
                metric=self.faiss.METRIC_INNER_PRODUCT, device=self.number,
            )  # fmt: skip
        if count == len(part):
            return scores, rows, np.zeros(len(units), dtype=np.bool_)
        return scores, rows, scores[:, k - 1] - scores[:, -1] <= 2 * TIE_TOLERANCE

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            raise Refused(f"{self.device}: {reason(error)}") from error


def find_gpu(device: str | None = None) -> Gpu | None:
    """The GPU to use; ``None``: FAISS works on the CPU.

    Args:
        device: ``None``: the first GPU, if one is seen; ``cuda`` or ``cuda:1``: this one, if any is seen; anything
            else, such as ``cpu``: none.

    Raises:
        InputError: GPUs are seen, but not one of this number.
    """
    named = re.fullmatch(r"cuda(?::(\d+))?", device or "cuda")
    if not named or not has_driver() or find_spec("faiss") is None:
        return None
    try:
        faiss = import_faiss()
    except InputError as error:
        log.warning("%s", error)
        return None
    count = faiss.get_num_gpus() if hasattr(faiss, "StandardGpuResources") else 0
    number = int(named[1] or 0)
    if count and number >= count:
        raise InputError(f"device {device}: FAISS sees {count} GPU(s), the first of which is cuda:0")
    return Gpu(faiss, number, _resources(faiss)) if count else None


def named_gpu(device: str | None) -> Gpu | None:
    """The same where a device that is named must be there.

    Raises:
        InputError: it is not, or is none that FAISS knows.
    """
    gpu = find_gpu(device)
    if gpu is None and device not in (None, "cpu"):
        raise InputError(
            f"device {device!r}: expected cpu, or cuda where FAISS sees a GPU (pip install 'align-encoders[faiss-gpu]')"
        )
    return gpu


def on_gpu_or_cpu(gpu: Gpu | None, make: Callable[[Gpu | None], Made]) -> Made:
    """What ``make`` gives on the GPU; where that refuses, on the CPU, with a warning."""
    if gpu is not None:
        try:
            return make(gpu)
        except Refused as error:
            log.warning("FAISS works on the CPU: %s", error)
    return make(None)


def has_driver() -> bool:
    """Whether a driver of NVIDIA's is there and works; without one, FAISS's count of GPUs ends the process."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return int(driver.cuInit(0)) == 0


@cache
def _resources(faiss: Any) -> Any:
    """Of the process: they hold the GPUs' memory for intermediate results."""
    return faiss.StandardGpuResources()

"""FAISS, which is an extra: its indexes made by their factory, filled, written and read, its errors in a sentence."""

from __future__ import annotations

import logging
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError

log = logging.getLogger(__name__)

REFINED = 4
"""Candidates for each hit that a factory ending in ``RFlat`` or ``Refine(...)`` compares again."""
GPU_WHEELS = ("faiss-gpu", "faiss-gpu-cu11", "faiss-gpu-cu12", "faiss-gpu-cuvs")


def import_faiss() -> Any:
    """The module.

    Raises:
        InputError: it is not installed, or lacks the CUDA libraries that it is made for.
    """
    try:
        import faiss
    except ImportError as error:
        raise InputError("an index other than Flat needs faiss: pip install 'align-encoders[faiss]'") from error
    except RuntimeError as error:
        raise InputError(f"faiss is installed but does not load: {error}") from error
    _warn_of_two_wheels()
    return faiss


def reason(error: Exception) -> str:
    """What FAISS says, without the C++ function and file that say it."""
    return re.sub(r"^Error in .*? at \S+:\d+: (Error: )?", "", str(error).replace("\n", " ")).strip()


def new_index(factory: str, dimension: int) -> Any:
    """An empty FAISS index.

    Raises:
        InputError: FAISS is missing, or knows no such index for inner product.
    """
    faiss = import_faiss()
    try:
        index = faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"FAISS makes no index of {factory!r} for {dimension} dimensions: {reason(error)}") from error
    if isinstance(index, faiss.IndexIDMap):
        raise InputError(f"factory {factory!r} has IDMap: expected none, the ids of an index are row numbers")
    check_metric(index, factory)
    if isinstance(index, faiss.IndexRefine):
        index.k_factor = REFINED
    inner = inner_index(index)
    if hasattr(inner, "do_polysemous_training"):
        inner.do_polysemous_training = False  # a second and more for each byte of a code, for a search not done here
    return index


def check_metric(index: Any, factory: str) -> None:
    """Refuse an index some part of which compares by the distance: what FAISS calls scores then grows with it.

    Raises:
        InputError: it does, whatever metric it was made for (HNSW or NSG over PQ).
    """
    faiss = import_faiss()
    parts = [faiss.downcast_index(index)]
    for part in parts:
        inner = [getattr(part, name, None) for name in ("index", "base_index", "refine_index", "storage")]
        parts += [faiss.downcast_index(one) for one in inner if isinstance(one, faiss.Index)]
    if any(part.metric_type != faiss.METRIC_INNER_PRODUCT for part in parts):
        raise InputError(
            f"FAISS compares by distance in {factory!r}, not by inner product: its hits would come worst first; give "
            "IVF with PQ, or HNSW without"
        )


def train(index: Any, sample: NDArray[np.float32], factory: str) -> None:
    """Train an index on a sample.

    Raises:
        InputError: it has fewer rows than the index has clusters, or FAISS refuses for another reason.
    """
    try:
        index.train(sample)
    except RuntimeError as error:
        numbers = re.search(r"training points \((\d+)\).*clusters \((\d+)\)", str(error))
        if numbers:
            few, clusters = numbers.groups()
            raise InputError(f"{factory!r} needs at least {clusters} rows to train on, got {few}") from error
        raise InputError(f"FAISS cannot train {factory!r} on {len(sample)} rows: {reason(error)}") from error


def add(index: Any, units: NDArray[np.float32], factory: str) -> None:
    """Add rows.

    Raises:
        InputError: FAISS refuses them, as NSG does of fewer than a hundred.
    """
    try:
        index.add(units)
    except RuntimeError as error:
        raise InputError(f"FAISS cannot add {len(units)} rows to {factory!r}: {reason(error)}") from error


def read_index(path: Path, *, mmap: bool) -> Any:
    """A FAISS index of a file, memory-mapped by choice.

    Raises:
        InputError: FAISS is missing, cannot read the file, or compares by distance in it.
    """
    faiss = import_faiss()
    faiss.set_deserialization_vector_byte_limit(path.stat().st_size)  # none in it can be larger: no memory for lies
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC if mmap else 0)
    except RuntimeError as error:
        raise InputError(f"{path} is damaged, or of another FAISS: {reason(error)}") from error
    check_metric(index, str(path))
    return index


def write_index(index: Any, path: Path) -> None:
    """Write a FAISS index to a file.

    Raises:
        InputError: it cannot be written, as when the disk is full.
    """
    try:
        import_faiss().write_index(index, str(path))
    except RuntimeError as error:
        raise InputError(f"{path.name} was not written: {reason(error)}") from error


def inner_index(index: Any) -> Any:
    """What searches: without the transformation before it and the comparison after it."""
    faiss = import_faiss()
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexPreTransform):
        return inner_index(index.index)
    if isinstance(index, faiss.IndexRefine):
        return inner_index(index.base_index)
    return index


@cache
def _warn_of_two_wheels() -> None:
    """Both wheels write the folder ``faiss``: what is in it is then a matter of the order they came in."""
    both = [name for name in GPU_WHEELS if _installed(name)]
    if both and _installed("faiss-cpu"):
        log.warning(
            "faiss-cpu and %s are both installed and write the same folder: uninstall both, then install one", both[0]
        )


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False

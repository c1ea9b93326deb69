"""Approximate search with FAISS: an index by its factory string, with inner product on unit vectors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.indexes.exact import Found
from align.indexes.faiss_filter import few, search_all
from align.indexes.faiss_gpu import MOST, Gpu, on_gpu_or_cpu
from align.indexes.faiss_module import import_faiss, reason
from align.similarity.cosine import TIE_TOLERANCE

REFINED = 4
"""Candidates for each hit that a factory ending in ``RFlat`` or ``Refine(...)`` compares again."""
TRAINING_ROWS, TRAINING_ROWS_A_LIST = 50_000, 64
WIDER = 4
"""How much further a search looks each time that it found too few."""


@dataclass(frozen=True)
class FaissIndex:
    """A trained FAISS index whose ids are row numbers."""

    index: Any
    """faiss.Index."""
    factory: str
    effort: Mapping[str, int]
    """``nprobe`` (lists of an IVF index that are searched) or ``ef_search`` (candidates kept on the way through an
    HNSW graph), by default; empty for an index that has neither."""
    gpu: Gpu | None = None
    """Where searches without a filter take place, if it takes such an index."""

    def search(
        self,
        units: NDArray[np.float32],
        k: int,
        *,
        chosen: NDArray[np.bool_] | None = None,
        nprobe: int | None = None,
        ef_search: int | None = None,
    ) -> Found:
        """The ``k`` nearest of the chosen rows, as far as the index finds them.

        Where few rows are chosen (:func:`align.indexes.faiss_filter.few`), all of them are compared; of more, the
        effort is divided by their share, so that as many of them are looked at as of all rows without a filter. A query
        for which fewer were found than there are is searched again, further, until the whole index was searched; not so
        if ``nprobe`` or ``ef_search`` is given.

        Raises:
            InputError: an effort that this index does not have or below 1, or a filter that it cannot apply.
        """
        given = {name: value for name, value in (("nprobe", nprobe), ("ef_search", ef_search)) if value is not None}
        check_effort(given, self.effort, self.factory)
        effort = {**self.effort, **given}
        available = min(k, self.index.ntotal if chosen is None else int(chosen.sum()))
        whole = effort_of_all(self.index)
        if chosen is not None:
            if few(effort, whole, int(chosen.sum()), self.index.ntotal):
                found = search_all(self.index, units, k, chosen)
                if found is not None:
                    return in_order(*found)
            effort = {name: min(whole[name], math.ceil(value / chosen.mean())) for name, value in effort.items()}
        scores, rows = self._search(units, k, chosen, effort)
        while not given and any(value < whole[name] for name, value in effort.items()):
            short = np.flatnonzero((rows >= 0).sum(axis=1) < available)
            if not len(short):
                break
            effort = {name: min(value * WIDER, whole[name]) for name, value in effort.items()}
            scores[short], rows[short] = self._search(units[short], k, chosen, effort)
        return in_order(scores, rows)

    @cached_property
    def _copy(self) -> Any | None:
        """The index on the GPU; ``None``: it cannot be there."""
        return on_gpu_or_cpu(self.gpu, lambda gpu: gpu.copy(self.index) if gpu and gpu.takes(self.index) else None)

    def _search(
        self, units: NDArray[np.float32], k: int, chosen: NDArray[np.bool_] | None, effort: Mapping[str, int]
    ) -> Found:
        faiss = import_faiss()
        selector = None if chosen is None else faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))
        parameters = _parameters(faiss, self.index, selector, effort)

        def found(gpu: Gpu | None) -> Found:
            copy = self._copy if gpu and chosen is None and max([k, *effort.values()]) <= MOST else None
            if gpu and copy is not None:
                return gpu.search(copy, units, k, parameters)
            scores, rows = self.index.search(units, k, params=parameters)
            return scores, rows

        try:
            scores, rows = on_gpu_or_cpu(self.gpu, found)
        except RuntimeError as error:
            if chosen is None:
                raise
            raise InputError(f"a FAISS index of {self.factory!r} cannot filter ({reason(error)}): use IVF") from error
        return np.where(rows >= 0, scores, -np.inf).astype(np.float32), rows


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
    inner = _inner(index)
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


def training_rows(index: Any, rows: int, given: int | None) -> int:
    """How many of ``rows`` rows an index is trained on; 0 where it needs no training."""
    if index.is_trained:
        return 0
    lists = effort_of_all(index).get("nprobe", 0)
    return min(rows, given or max(TRAINING_ROWS, TRAINING_ROWS_A_LIST * lists))


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


def effort_of_all(index: Any) -> dict[str, int]:
    """The effort at which an index looks at all its rows: its number of lists (IVF), or of rows (HNSW)."""
    faiss, inner = import_faiss(), _inner(index)
    if isinstance(inner, faiss.IndexIVF):
        return {"nprobe": int(inner.nlist)}
    if isinstance(inner, faiss.IndexHNSW):
        return {"ef_search": max(1, int(inner.ntotal))}
    return {}


def default_effort(index: Any) -> dict[str, int]:
    """A 32nd of the lists and at least 8 (FAISS itself searches one), or 64 candidates in a graph."""
    whole = effort_of_all(index)
    return {name: max(min(8, all_), all_ // 32) if name == "nprobe" else 64 for name, all_ in whole.items()}


def check_effort(given: Mapping[str, int], known: Mapping[str, int], factory: str) -> None:
    """Refuse an effort that an index of ``factory`` does not have.

    Raises:
        InputError: it is less than 1, or belongs to another kind of index.
    """
    for name, value in given.items():
        if name not in known:
            kind = "IVF" if name == "nprobe" else "HNSW"
            raise InputError(f"{name} is for an {kind} index, this one is {factory!r}")
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")


def read_index(path: Path, *, mmap: bool) -> Any:
    """A FAISS index of a file, memory-mapped by choice.

    Raises:
        InputError: FAISS is missing, cannot read the file, or compares by distance in it.
    """
    faiss = import_faiss()
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


def in_order(scores: NDArray[np.float32], rows: NDArray[np.int64]) -> Found:
    """Scores rounded to the tie tolerance, best first, of equal ones the lower row; -Inf and -1 come last."""
    steps = np.rint(scores / TIE_TOLERANCE)
    order = np.lexsort((rows, -steps), axis=1)
    steps, rows = np.take_along_axis(steps, order, axis=1), np.take_along_axis(rows, order, axis=1)
    return (steps * np.float64(TIE_TOLERANCE)).astype(np.float32), rows


def _inner(index: Any) -> Any:
    """What searches: without the transformation before it and the comparison after it."""
    faiss = import_faiss()
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexPreTransform):
        return _inner(index.index)
    if isinstance(index, faiss.IndexRefine):
        return _inner(index.base_index)
    return index


def _parameters(faiss: Any, index: Any, selector: Any, effort: Mapping[str, int]) -> Any:
    """FAISS's parameters of one search; ``None`` where there is nothing to say, which some indexes insist on."""
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexPreTransform):
        inner = _parameters(faiss, index.index, selector, effort)
        return inner and faiss.SearchParametersPreTransform(index_params=inner)
    if isinstance(index, faiss.IndexRefine):
        inner = _parameters(faiss, index.base_index, selector, effort)
        return inner and faiss.IndexRefineSearchParameters(k_factor=index.k_factor, base_index_params=inner)
    if isinstance(index, faiss.IndexIVF):
        return faiss.SearchParametersIVF(nprobe=effort["nprobe"], sel=selector)
    if isinstance(index, faiss.IndexHNSW):
        return faiss.SearchParametersHNSW(efSearch=effort["ef_search"], sel=selector)
    return selector and faiss.SearchParameters(sel=selector)

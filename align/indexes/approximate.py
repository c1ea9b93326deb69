"""Approximate search with FAISS: an index by its factory string, with inner product on unit vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.indexes.exact import ExactIndex, Found
from align.indexes.faiss_gpu import MOST, Gpu, on_gpu_or_cpu
from align.indexes.faiss_module import import_faiss, inner_index, reason
from align.similarity.cosine import TIE_TOLERANCE

TRAINING_ROWS, TRAINING_ROWS_A_LIST = 50_000, 64
WIDER = 4
"""How much further a search looks each time that it found too few."""
FEW_ROWS = 10_000
"""So many rows are always compared one by one: it takes some milliseconds."""
LINKS = 64
"""Rows that a graph compares, about, for each candidate that it keeps."""
NO_EFFORT: Mapping[str, int] = MappingProxyType({})


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
        given: Mapping[str, int] = NO_EFFORT,
    ) -> Found:
        """The ``k`` nearest of the chosen rows, as far as the index finds them.

        Where few rows are chosen (:func:`few`), all of them are compared; of more, the
        effort is divided by their share, so that as many of them are looked at as of all rows without a filter. A query
        for which fewer were found than there are is searched again, further, until the whole index was searched; not so
        if an effort is given.

        Raises:
            InputError: a filter that this index cannot apply.
        """
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


def few(effort: Mapping[str, int], whole: Mapping[str, int], count: int, rows: int) -> bool:
    """Whether to compare ``count`` chosen rows costs no more than to look for them with the effort their share needs.

    With share s = count / rows, a graph compares about :data:`LINKS` ef / s rows, and IVF looks at nprobe / s of its
    lists. An index without effort compares all rows anyway. ``effort`` is that of a search without a filter, ``whole``
    that of one that looks at all rows.
    """
    if count <= FEW_ROWS or not effort:
        return True
    share = count / rows
    if "nprobe" in effort:
        return effort["nprobe"] >= share * whole["nprobe"]
    return LINKS * effort["ef_search"] >= share * count


def search_all(index: Any, units: NDArray[np.float32], k: int, chosen: NDArray[np.bool_]) -> Found | None:
    """The ``k`` best of the chosen rows, all of them compared; ``None``: this kind of index does not filter.

    Vectors that FAISS keeps whole, in a flat index, under a graph or for refinement, are compared as exact search
    does; codes are compared by FAISS.
    """
    faiss = import_faiss()
    inner, units = _searched(index, units)
    if isinstance(inner, (faiss.IndexHNSW, faiss.IndexNSG)):
        inner = faiss.downcast_index(inner.storage)
    if isinstance(inner, faiss.IndexFlat):
        vectors = faiss.rev_swig_ptr(inner.get_xb(), inner.ntotal * inner.d).reshape(inner.ntotal, inner.d)
        return ExactIndex(vectors, unit=True).search(units, k, chosen=chosen)
    selector = faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))
    if isinstance(inner, faiss.IndexIVF):
        parameters = faiss.SearchParametersIVF(nprobe=inner.nlist, sel=selector)
    else:
        parameters = faiss.SearchParameters(sel=selector)
    try:
        scores, rows = inner.search(units, k, params=parameters)
    except RuntimeError:
        return None
    return np.where(rows >= 0, scores, -np.inf).astype(np.float32), rows


def _searched(index: Any, units: NDArray[np.float32]) -> tuple[Any, NDArray[np.float32]]:
    """The part of an index that decides its scores, and the queries as that knows them."""
    faiss = import_faiss()
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexRefine):
        return _searched(index.refine_index, units)
    if isinstance(index, faiss.IndexPreTransform):
        for place in range(index.chain.size()):
            units = faiss.downcast_VectorTransform(index.chain.at(place)).apply(units)
        return _searched(index.index, units)
    return index, units


def training_rows(index: Any, rows: int, given: int | None) -> int:
    """How many of ``rows`` rows an index is trained on; 0 where it needs no training."""
    if index.is_trained:
        return 0
    lists = effort_of_all(index).get("nprobe", 0)
    return min(rows, given or max(TRAINING_ROWS, TRAINING_ROWS_A_LIST * lists))


def effort_of_all(index: Any) -> dict[str, int]:
    """The effort at which an index looks at all its rows: its number of lists (IVF), or of rows (HNSW)."""
    faiss, inner = import_faiss(), inner_index(index)
    if isinstance(inner, faiss.IndexIVF):
        return {"nprobe": int(inner.nlist)}
    if isinstance(inner, faiss.IndexHNSW):
        return {"ef_search": max(1, int(inner.ntotal))}
    return {}


def default_effort(index: Any) -> dict[str, int]:
    """A 32nd of the lists and at least 8 (FAISS itself searches one), or 64 candidates in a graph."""
    whole = effort_of_all(index)
    return {name: max(min(8, all_), all_ // 32) if name == "nprobe" else 64 for name, all_ in whole.items()}


def given_effort(nprobe: int | None, ef_search: int | None) -> dict[str, int]:
    """The effort that a user gives, if any."""
    return {name: value for name, value in (("nprobe", nprobe), ("ef_search", ef_search)) if value is not None}


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


def in_order(scores: NDArray[np.float32], rows: NDArray[np.int64]) -> Found:
    """Scores rounded to the tie tolerance, best first, of equal ones the lower row; -Inf and -1 come last."""
    steps = np.rint(scores / TIE_TOLERANCE)
    order = np.lexsort((rows, -steps), axis=1)
    steps, rows = np.take_along_axis(steps, order, axis=1), np.take_along_axis(rows, order, axis=1)
    return (steps * np.float64(TIE_TOLERANCE)).astype(np.float32), rows


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

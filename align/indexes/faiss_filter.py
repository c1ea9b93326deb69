"""A search among chosen rows of a FAISS index that compares all of them: exact, as far as FAISS keeps the vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.indexes.exact import ExactIndex, Found
from align.indexes.faiss_module import import_faiss

FEW_ROWS = 10_000
"""So many rows are always compared one by one: it takes some milliseconds."""


LINKS = 64
"""Rows that a graph compares, about, for each candidate that it keeps."""


def few(effort: Mapping[str, int], whole: Mapping[str, int], count: int, rows: int) -> bool:
    """Whether to compare ``count`` chosen rows costs no more than to look for them with the effort their share needs.

    With share s = count / rows, a graph compares about :data:`LINKS` ef / s rows, and IVF looks at nprobe / s of its
    lists. An index without effort compares all rows anyway.

    Args:
        effort: ``nprobe`` or ``ef_search`` of a search without a filter.
        whole: the same of a search that looks at all rows.
        count: chosen rows.
        rows: of the index.
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

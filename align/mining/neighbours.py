"""The nearest rows of either side of two sets of vectors, approximately, with FAISS."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from align.errors import InputError
from align.indexes.approximate import effort_of_all, training_rows
from align.indexes.faiss_module import new_index, train
from align.similarity.cosine import check_same_width, matrix, normalize, slices
from align.similarity.nearest import Neighbours, check_at_least_one, neighbours_of, no_keys, rank_keys

ENGINES = ("exact", "faiss")
FLAT_ROWS = 20_000
"""Up to so many rows an exact FAISS index answers at once, and clusters would save nothing."""


def faiss_neighbours(
    x: ArrayLike,
    y: ArrayLike,
    *,
    k: int = 4,
    factory: str | None = None,
    probes: int = 32,
    block: int = 2048,
    progress: bool = False,
) -> tuple[Neighbours, Neighbours]:
    """The same as :func:`exact_neighbours` by an approximate FAISS index of either side, one after the other.

    FAISS only finds the rows; their cosines are then computed from the vectors, so that a compressed index (PQ) does
    not blur the scores. Of candidates level at the k-th place FAISS chooses one. The index of one side at a time is in
    memory: rows * d * 4 bytes if its factory ends in ``Flat``.

    Args:
        x: (n, d).
        y: (m, d).
        k: at least 1.
        factory: of FAISS, such as ``IVF4096,Flat`` or ``OPQ64,IVF4096,PQ64``; ``None``: :func:`default_factory`.
        probes: clusters of an IVF index that a query visits.
        block: rows that are added or searched at a time.
        progress: show a bar.

    Raises:
        InputError: as ``exact_neighbours``; no FAISS, a factory that it does not know, or too few rows to train it.
    """
    check_at_least_one(k)
    x, y = matrix(x), matrix(y)
    check_same_width(x, y)
    options: dict[str, Any] = {"factory": factory, "probes": probes, "block": block, "progress": progress}
    there = faiss_search(y, **options)(x, k)  # one index at a time is in memory
    return there, faiss_search(x, **options)(y, k)


def faiss_search(
    candidates: ArrayLike,
    *,
    factory: str | None = None,
    probes: int = 32,
    block: int = 2048,
    progress: bool = False,
) -> Callable[[ArrayLike, int], Neighbours]:
    """A function (queries, k) that finds the nearest candidates of each query by an index that is built once.

    Arguments and errors as of :func:`faiss_neighbours`.
    """
    candidates = matrix(candidates)
    index = _built(candidates, factory or default_factory(len(candidates)), probes, block) if len(candidates) else None

    def found(queries: ArrayLike, k: int) -> Neighbours:
        queries = matrix(queries)
        check_same_width(queries, candidates)
        keys = no_keys(len(queries), min(k, len(candidates)))
        if index is None or not keys.size:
            return neighbours_of(keys)
        for here in tqdm(list(slices(len(queries), block)), unit="block", disable=not progress):
            units = normalize(queries[here], first_row=here.start)  # (block, d)
            _, rows = index.search(units, keys.shape[1])
            owners, places = np.nonzero(rows >= 0)
            for part in slices(len(owners), block):  # k times as many rows as queries: a block of them at a time
                query_rows, near = owners[part], rows[owners[part], places[part]]
                cosines = np.einsum("id,id->i", units[query_rows], normalize(candidates[near]))
                keys[here.start + query_rows, places[part]] = rank_keys(cosines, near)
        return neighbours_of(keys)

    return found


def default_factory(rows: int) -> str:
    """``Flat`` for few rows, else clusters: about 4 sqrt(rows), to a power of two."""
    return "Flat" if rows <= FLAT_ROWS else f"IVF{2 ** round(math.log2(4 * math.sqrt(rows)))},Flat"


def _built(candidates: NDArray[np.generic], factory: str, probes: int, block: int) -> Any:
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise InputError("the engine faiss needs FAISS: pip install 'align-encoders[faiss]'") from error
    index = new_index(factory, candidates.shape[1])
    if effort_of_all(index).get("nprobe"):
        faiss.extract_index_ivf(index).nprobe = probes
    size = training_rows(index, len(candidates), None)
    if size:
        sample = np.sort(np.random.default_rng(0).choice(len(candidates), size, replace=False))
        train(index, normalize(candidates[sample]), factory)
    for here in slices(len(candidates), block):
        index.add(normalize(candidates[here], first_row=here.start))
    return index

"""The nearest rows of either side of two sets of vectors: exact from one set of products, or approximate with FAISS."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from align.errors import InputError
from align.indexes.approximate import effort_of_all, new_index, train, training_rows
from align.similarity.cosine import LOW_BITS, TIE_TOLERANCE, check_same_width, matrix, normalize, rank_keys, slices
from align.similarity.csls import NO_KEY, check_at_least_one, least_scores
from align.similarity.tiles import keep, promising, tiles

ENGINES = ("exact", "faiss")
FLAT_ROWS = 20_000
"""Up to so many rows an exact FAISS index answers at once, and clusters would save nothing."""


@dataclass(frozen=True)
class Neighbours:
    """The nearest rows of the other side, nearest first; of equally near ones the lower row first."""

    cosines: NDArray[np.float32]
    """(n, k) to six decimals; -Inf where none was found."""
    rows: NDArray[np.int64]
    """(n, k) rows of the other side; -1 where an approximate search found fewer than k."""


def exact_neighbours(
    x: ArrayLike, y: ArrayLike, *, k: int = 4, block: int = 2048, progress: bool = False
) -> tuple[Neighbours, Neighbours]:
    """The ``k`` nearest of ``y`` for each row of ``x``, and of ``x`` for each row of ``y``: each cosine is made once.

    Memory: two tiles of ``block * block`` float32, ``block`` rows of either side, and O((n + m) k) for what is found;
    the sides themselves may be memory-mapped.

    Args:
        x: (n, d).
        y: (m, d).
        k: at least 1; of fewer rows all are found.
        block: rows of each side in one product.
        progress: show a bar.

    Returns:
        Of ``x`` (n, min(k, m)) and of ``y`` (m, min(k, n)).

    Raises:
        InputError: ``k`` < 1, the widths differ, or a row holds NaN or Inf.
    """
    check_at_least_one(k)
    x, y = matrix(x), matrix(y)
    of_x = np.full((len(x), min(k, len(y))), NO_KEY)
    of_y = np.full((len(y), min(k, len(x))), NO_KEY)
    count = math.ceil(len(x) / max(1, block)) * math.ceil(len(y) / max(1, block))
    for rows, columns, cosines in tqdm(tiles(x, y, block), total=count, unit="tile", disable=not progress):
        for best, tile, first in ((of_x[rows], cosines, columns.start), (of_y[columns], cosines.T, rows.start)):
            owners, places = promising(tile, least_scores(best), best.shape[1])
            keep(best, owners, rank_keys(tile[owners, places], first + places), nothing=NO_KEY)
    return _sorted(of_x), _sorted(of_y)


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
    given: dict[str, Any] = {"factory": factory, "probes": probes, "block": block, "progress": progress}
    return _found(x, y, min(k, len(y)), **given), _found(y, x, min(k, len(x)), **given)


def default_factory(rows: int) -> str:
    """``Flat`` for few rows, else clusters: about 4 sqrt(rows), to a power of two."""
    return "Flat" if rows <= FLAT_ROWS else f"IVF{2 ** round(math.log2(4 * math.sqrt(rows)))},Flat"


def _sorted(best: NDArray[np.int64]) -> Neighbours:
    best = np.sort(best, axis=1)[:, ::-1]
    cosines, rows = ((best >> 32) * TIE_TOLERANCE).astype(np.float32), LOW_BITS - (best & LOW_BITS)
    nothing = best == NO_KEY
    cosines[nothing], rows[nothing] = -np.inf, -1
    return Neighbours(cosines, rows)


def _found(
    queries: NDArray[np.generic],
    candidates: NDArray[np.generic],
    k: int,
    *,
    factory: str | None,
    probes: int,
    block: int,
    progress: bool,
) -> Neighbours:
    keys = np.full((len(queries), k), NO_KEY)
    if k and len(queries):
        index = _built(candidates, factory or default_factory(len(candidates)), probes, block)
        for here in tqdm(list(slices(len(queries), block)), unit="block", disable=not progress):
            units = normalize(queries[here], first_row=here.start)  # (block, d)
            _, rows = index.search(units, k)
            owners, places = np.nonzero(rows >= 0)
            for part in slices(len(owners), block):  # k times as many rows as queries: a block of them at a time
                own, near = owners[part], rows[owners[part], places[part]]
                cosines = np.einsum("id,id->i", units[own], normalize(candidates[near]))
                keys[here.start + own, places[part]] = rank_keys(cosines, near)
    return _sorted(keys)


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

"""Exact search of a folder's sparse vectors, alone or together with its dense ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.files.nested import differences
from align.indexes.exact import BLOCK_QUERIES, BLOCK_ROWS, Found, numbered
from align.indexes.index import Index
from align.indexes.rows import Where
from align.similarity.cosine import normalize, slices
from align.similarity.fusion import DEPTH, fuse
from align.similarity.nearest import keep_best, neighbours_of, no_keys
from align.vectors.folder import open_vectors, plain, vectors_of
from align.vectors.sparse import SPARSE, sparse_of, terms_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

WEIGHTS = tuple(number / 20 for number in range(21))
"""Of the sparse scores, tried on dev queries."""


class Lexical:
    """The sparse vectors of a folder, and its dense ones beside them.

    Args:
        index: a folder of vectors that ``align encode --sparse`` wrote, opened.
        made: what makes the queries' sparse vectors (:func:`align.encoders.lexical.head.lexical_identity`).

    Raises:
        InputError: there are none, or others made them (the fields that differ are named).
    """

    def __init__(self, index: Index, made: Mapping[str, Any]) -> None:
        about = index.manifest.get("sparse")
        if about is None:
            raise InputError(
                f"{index.folder} has no sparse vectors: expected a folder that align encode --sparse wrote (of what "
                "align index makes of one, search the folder itself)"
            )
        self.index, self.vectors = index, open_vectors(index.folder)
        terms = terms_of(self.vectors)
        assert terms is not None
        self.terms = terms
        stored = {name: value for name, value in about.items() if name not in ("terms", "sha256")}
        if differ := differences(stored, plain(made), "in the index", "in the queries"):
            raise InputError(f"the sparse queries come from another encoder than the index: {differ}")

    def search(
        self, sparse: csr_array, dense: NDArray[Any] | None, k: int, *, weight: float = 1.0, where: Where | None = None
    ) -> Found:
        """The ``k`` best rows of each query by weight x sparse + (1 - weight) x dense, both inner products of all rows.

        Args:
            sparse: (n, V).
            dense: (n, d); not read where the weight is 1.
            k: at least 1.
            weight: in 0..1; at 1 rows that share no term are no hits.
            where: see :meth:`align.indexes.index.Index.search`.

        Returns:
            (n, k) scores, rounded to six decimals, and rows; of equal scores the lower row comes first.
        """
        best = no_keys(sparse.shape[0], k)
        for some, rows, products, cosines in self._scores(sparse, dense if weight < 1 else None, where):
            block = best[some]
            keep_best(block, _mixed(products, cosines, weight), rows)
            best[some] = block
        return neighbours_of(best)

    def best_weight(
        self, sparse: csr_array, dense: NDArray[Any], gold: NDArray[np.int64], *, k: int = 10
    ) -> tuple[float, dict[str, float]]:
        """The weight of :meth:`search` by which most dev queries find their (n,) row ``gold`` among the first ``k``.

        Of equal ones that with the higher mean reciprocal rank, then the lower weight.

        Returns:
            The weight, and the recall of each that was tried.
        """
        best = {weight: no_keys(sparse.shape[0], k) for weight in WEIGHTS}
        for some, rows, products, cosines in self._scores(sparse, dense, None):
            for weight, kept in best.items():
                block = kept[some]
                keep_best(block, _mixed(products, cosines, weight), rows)
                kept[some] = block
        right = {weight: neighbours_of(kept)[1] == gold[:, None] for weight, kept in best.items()}
        recalls = {weight: float(hits.any(axis=1).mean()) for weight, hits in right.items()}
        reciprocal = {weight: float((hits / np.arange(1, k + 1)).sum(axis=1).mean()) for weight, hits in right.items()}
        chosen = max(WEIGHTS, key=lambda weight: (recalls[weight], reciprocal[weight], -weight))
        return chosen, {f"{weight:.2f}": recall for weight, recall in recalls.items()}

    def _scores(
        self, sparse: csr_array, dense: NDArray[Any] | None, where: Where | None
    ) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.float32], NDArray[np.float32] | None]]:
        """Some queries, some chosen rows, their sparse products, and their cosines if ``dense`` is given."""
        chosen = self.index.rows_file.chosen(where or {})
        units = None if dense is None else normalize(dense)
        columns = [*SPARSE, *([] if units is None else ["vector"])]
        for start, table in numbered(self.vectors.tables(columns, rows=BLOCK_ROWS, verify=False)):
            here = np.arange(len(table)) if chosen is None else np.flatnonzero(chosen[start : start + len(table)])
            rows = sparse_of(table, len(self.terms))[here]
            others = None if units is None else normalize(vectors_of(table)[here])
            for some in slices(sparse.shape[0], BLOCK_QUERIES):
                products = (sparse[some] @ rows.T).toarray().astype(np.float32)
                yield some, start + here, products, None if units is None or others is None else units[some] @ others.T

    def fused(self, sparse: csr_array, dense: NDArray[Any], k: int, *, where: Where | None = None) -> Found:
        """The ``k`` best rows by reciprocal rank fusion: sum over both lists of 1 / (60 + rank).

        Of each list the first max(k, 100) rows count; a row that is in one alone has that part alone.
        """
        deep = max(k, DEPTH)
        lists = [self.search(sparse, dense, deep, weight=weight, where=where) for weight in (1.0, 0.0)]
        return fuse([rows for _, rows in lists], k)

    def parts(self, sparse: csr_array, rows: NDArray[np.int64]) -> list[list[dict[str, float]]]:
        """For each query and each of its (n, k) rows the terms that both have, heaviest product first.

        The products of a row add up to its sparse score; of row -1 there are none.
        """
        wanted = np.unique(rows[rows >= 0])
        from scipy.sparse import csr_array, vstack

        found = [csr_array((0, len(self.terms)), dtype=np.float32)]
        for start, table in numbered(self.vectors.tables(list(SPARSE), rows=BLOCK_ROWS, verify=False)):
            here = wanted[(wanted >= start) & (wanted < start + len(table))] - start
            found.append(sparse_of(table, len(self.terms))[here])
        stored = vstack(found, format="csr")
        return [
            [
                self._products(sparse[[query]], stored[[np.searchsorted(wanted, row)]]) if row >= 0 else {}
                for row in of_query
            ]
            for query, of_query in enumerate(rows.tolist())
        ]

    def _products(self, query: csr_array, row: csr_array) -> dict[str, float]:
        both = query.multiply(row).tocoo()
        order = np.argsort(-both.data, kind="stable")
        return {self.terms[both.col[place]]: float(both.data[place]) for place in order}


def _mixed(products: NDArray[np.float32], cosines: NDArray[np.float32] | None, weight: float) -> NDArray[np.float32]:
    if weight == 1 or cosines is None:
        return np.where(products > 0, products, np.float32(-np.inf))  # what shares no term is no hit
    mixed: NDArray[np.float32] = np.float32(weight) * products + np.float32(1 - weight) * cosines
    return mixed

"""What Qdrant is asked: its ids and sparse vectors, and the requests of its client."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from align.engines.sparse import term_weights
from align.engines.target import Where
from align.similarity.fusion import DEPTH, RRF

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NAMESPACE = uuid.UUID("8f2c1b1e-5a0d-5c3b-9d57-0c0f4a7f6e21")
SPARSE_NAME = "sparse"
"""Of a point's sparse vector; its dense one has none."""
FUSION = RRF + 1
"""Qdrant counts ranks from 0."""


def point_id(row_id: str) -> str:
    """The UUID (version 5) of a row's id, the same on every machine."""
    return str(uuid.uuid5(NAMESPACE, row_id))


def sparse_vectors(rows: csr_array, kind: Callable[..., Any]) -> list[Any]:
    """Rows as the client's ``SparseVector``."""
    return [kind(indices=list(weights), values=list(weights.values())) for weights in term_weights(rows)]


def nearest(queries: NDArray[Any], k: int, where: Where | None, params: Any) -> list[Any]:
    """A request for each dense query."""
    from qdrant_client.models import QueryRequest

    common = {"limit": k, "filter": _chosen(where), "params": params, "with_payload": ["id"]}
    return [QueryRequest(query=query, **common) for query in queries.tolist()]


def lexical(queries: csr_array, k: int, where: Where | None) -> list[Any]:
    """A request for each sparse query, which Qdrant always answers exactly."""
    from qdrant_client.models import QueryRequest, SparseVector

    common = {"limit": k, "filter": _chosen(where), "using": SPARSE_NAME, "with_payload": ["id"]}
    return [QueryRequest(query=query, **common) for query in sparse_vectors(queries, SparseVector)]


def fused(queries: NDArray[Any], sparse: csr_array, k: int, params: Any) -> list[Any]:
    """A request for each pair of queries: the best of either, by reciprocal ranks."""
    from qdrant_client.models import Prefetch, QueryRequest, Rrf, RrfQuery, SparseVector

    return [
        QueryRequest(
            prefetch=[
                Prefetch(query=dense, limit=DEPTH, params=params),
                Prefetch(query=terms, limit=DEPTH, using=SPARSE_NAME),
            ],
            query=RrfQuery(rrf=Rrf(k=FUSION)),
            limit=k,
            with_payload=["id"],
        )
        for dense, terms in zip(queries.tolist(), sparse_vectors(sparse, SparseVector), strict=True)
    ]


def _chosen(where: Where | None) -> Any:
    from qdrant_client.models import FieldCondition, Filter, MatchAny

    if not where:
        return None
    return Filter(must=[FieldCondition(key=key, match=MatchAny(any=list(values))) for key, values in where.items()])

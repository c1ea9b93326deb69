"""Vectors in Qdrant Edge: a shard of Qdrant's own engine in a folder, opened by one process at a time.

    TO/NAME/align.json    what made the vectors
    TO/NAME/...           the shard: qdrant_edge.EdgeShard.load("TO/NAME") reads it

Points are as in :mod:`align.engines.qdrant`. A batch is flushed to the disk before it counts as written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from numpy.typing import NDArray

from align.engines.qdrant_requests import FUSION, SPARSE_NAME, point_id, sparse_vectors
from align.engines.target import Engine, Schema, Where, absent, agree, check_counts, client
from align.errors import InputError
from align.files.whole import read_json, write_json
from align.similarity.fusion import DEPTH
from align.vectors.folder import vectors_of
from align.vectors.sparse import sparse_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DESCRIPTION = "align.json"
BATCH = 256
"""Points of an operation, and queries of a request."""


class QdrantEdge:
    """A shard, which is not opened before it is used: a :class:`align.engines.target.Target`.

    Args:
        to: folder that holds, or will hold, the shard's folder.
        name: of the shard's folder.
        m: neighbours of a node of the index (HNSW).
        ef_construct: candidates when the index is built.
        ef_search: candidates when it is searched; at least k are used.
        exact: search without the index.

    Raises:
        InputError: qdrant-edge-py is not installed, or ``name`` or an option is none.
    """

    def __init__(
        self, to: str, *, name: str, m: int = 16, ef_construct: int = 100, ef_search: int = 128, exact: bool = False
    ) -> None:
        client("qdrant-edge", "qdrant-edge-py", "qdrant_edge")
        if name in ("", ".", "..") or any(letter in "/\\\0" for letter in name):
            raise InputError(f"the name of a shard is that of a folder, without a slash, got {name!r}")
        check_counts(m=m, ef_construct=ef_construct, ef_search=ef_search)
        self._folder, self._where = Path(to) / name, f"shard {Path(to) / name}"
        self.exact = exact
        self._m, self._ef_construct, self._ef_search = m, ef_construct, ef_search
        self._shard: Any = None

    def prepare(self, schema: Schema, *, make: bool = True) -> None:
        """Make the shard, or check what ``align.json`` says of it."""
        self._schema = schema
        if (self._folder / DESCRIPTION).is_file():
            agree(read_json(self._folder / DESCRIPTION), schema, self._where)
        elif self._folder.exists() and (not self._folder.is_dir() or any(self._folder.iterdir())):
            agree(None, schema, self._where)
        elif not make:
            raise absent(self._where)
        else:  # first: what is made without it would belong to nobody
            write_json(self._folder / DESCRIPTION, schema.described())
        with self._opened(make=make):
            pass

    def upsert(self, table: pa.Table) -> None:
        """Write points, and flush them to the disk."""
        import qdrant_edge

        columns = ["id", *self._schema.payload]
        with self._opened() as shard:
            for first in range(0, table.num_rows, BATCH):
                rows = table.slice(first, BATCH)
                vectors: list[Any] = vectors_of(rows).astype("float32").tolist()
                if self._schema.sparse:
                    sparse = sparse_vectors(sparse_of(rows, self._schema.sparse["terms"]), qdrant_edge.SparseVector)
                    vectors = [{"": vector, SPARSE_NAME: one} for vector, one in zip(vectors, sparse, strict=True)]
                points = [
                    qdrant_edge.Point(point_id(row["id"]), vector, row)
                    for row, vector in zip(rows.select(columns).to_pylist(), vectors, strict=True)
                ]
                shard.update(qdrant_edge.UpdateOperation.upsert_points(points))
            shard.flush()

    def finish(self) -> None:
        """Merge segments and build the index of those that are large enough for one."""
        with self._opened() as shard:
            shard.optimize()
            shard.flush()

    def count(self) -> int:
        """Points of the shard."""
        import qdrant_edge

        with self._opened() as shard:
            return int(shard.count(qdrant_edge.CountRequest(exact=True)))

    def search(self, queries: NDArray[Any], k: int, *, where: Where | None = None) -> list[list[str]]:
        """Ids, by requests of ``BATCH`` queries."""
        from qdrant_edge import Query

        return self._found(map(Query.Nearest, queries.tolist()), k, where, params=self._params(k))

    def search_sparse(self, queries: csr_array, k: int, *, where: Where | None = None) -> list[list[str]]:
        """Ids, which Qdrant finds exactly."""
        return self._found(self._lexical(queries), k, where)

    def search_hybrid(self, queries: NDArray[Any], sparse: csr_array, k: int) -> list[list[str]]:
        """Ids, of both searches as prefetches."""
        import qdrant_edge as edge

        dense = map(edge.Query.Nearest, queries.tolist())
        prefetches = [
            [edge.Prefetch(DEPTH, query=one, params=self._params(DEPTH)), edge.Prefetch(DEPTH, query=other)]
            for one, other in zip(dense, self._lexical(sparse), strict=True)
        ]
        fusion = edge.Fusion.Rrf(FUSION)
        return self._found([fusion] * len(prefetches), k, None, prefetches=prefetches)

    def _lexical(self, queries: csr_array) -> list[Any]:
        import qdrant_edge as edge

        return [edge.Query.Nearest(one, using=SPARSE_NAME) for one in sparse_vectors(queries, edge.SparseVector)]

    def _params(self, k: int) -> Any:
        import qdrant_edge

        return qdrant_edge.SearchParams(hnsw_ef=max(self._ef_search, k), exact=self.exact)

    def _found(
        self, queries: Iterable[Any], k: int, where: Where | None, *, prefetches: Sequence[Any] | None = None,
        **options: Any,
    ) -> list[list[str]]:  # fmt: skip
        import qdrant_edge as edge

        asked = list(queries)
        if not all((where or {}).values()):
            return [[] for _ in asked]
        must: list[Any] = [
            edge.FieldCondition(column, match=edge.MatchAny(list(values))) for column, values in (where or {}).items()
        ]
        chosen = edge.Filter(must=must) if must else None
        requests = [
            edge.QueryRequest(limit=k, query=query, filter=chosen, with_payload=["id"], prefetches=prefetch, **options)
            for query, prefetch in zip(asked, prefetches or [None] * len(asked), strict=True)
        ]
        found: list[list[str]] = []
        with self._opened() as shard:
            for first in range(0, len(requests), BATCH):
                answers = shard.query_batch(edge.QueryBatchRequest(requests[first : first + BATCH]))
                found += [[point.payload["id"] for point in answer] for answer in answers]
        return found

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """The payload of each, without the id."""
        with self._opened() as shard:
            points = shard.retrieve([point_id(row) for row in ids], with_payload=True, with_vector=False)
        payloads = [dict(point.payload) for point in points]
        return {payload.pop("id"): payload for payload in payloads}

    def close(self) -> None:
        """Close the shard, so that another process can open it."""
        if self._shard is not None:
            self._shard.close()
        self._shard = None

    @contextmanager
    def _opened(self, *, make: bool = False) -> Iterator[Any]:
        """The shard, opened when it is first used."""
        try:
            if self._shard is None:
                self._shard = self._open(make)
            yield self._shard
        except InputError:
            raise
        except Exception as error:  # the engine raises nothing more particular
            words = "it is open in another process" if "WouldBlock" in str(error) else str(error)
            raise InputError(f"{self._where}: {words}") from error

    def _open(self, make: bool) -> Any:
        import qdrant_edge as edge

        if any(path.name != DESCRIPTION for path in self._folder.iterdir()):
            return edge.EdgeShard.load(str(self._folder))
        if not make:
            raise absent(self._where)
        datatypes = edge.VectorStorageDatatype
        datatype = datatypes.Float16 if self._schema.dtype == "float16" else datatypes.Float32
        config = edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(
                size=self._schema.dimension, distance=edge.Distance.Dot, datatype=datatype
            ),
            hnsw_config=edge.HnswIndexConfig(
                m=self._m, ef_construct=self._ef_construct, full_scan_threshold=10_000
            ),
            sparse_vectors={SPARSE_NAME: edge.EdgeSparseVectorParams()} if self._schema.sparse else None,
        )  # fmt: skip
        shard = edge.EdgeShard.create(str(self._folder), config)
        for field in ("language", "script"):
            shard.update(edge.UpdateOperation.create_field_index(field, edge.PayloadSchemaType.Keyword))
        shard.flush()
        return shard


ENGINE = Engine("qdrant-edge", "a folder", QdrantEdge)

"""Vectors in Qdrant: one collection, searched by the dot product of unit vectors, which is their cosine.

A point's id is a UUID there, made of the row's id (:mod:`align.engines.qdrant_requests`); the row's own id and the
other columns are its payload. What made the vectors is the collection's metadata, under ``align``. A folder, or
``:memory:``, is the client's local mode: exact, for small collections, and kept as pickles, so open only a folder that
you trust.

A sparse vector is the point's vector of the name ``sparse``, its indices the numbers of the terms. From elsewhere:
``client.query_points("align", query=SparseVector(indices=[12], values=[0.5]), using="sparse")``.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa
from numpy.typing import NDArray

from align.engines.qdrant_requests import SPARSE_NAME, fused, lexical, nearest, point_id, sparse_vectors
from align.engines.retry import INDEX_WAIT, await_index
from align.engines.target import Engine, Schema, Unreachable, Where, absent, agree, check_counts, check_seconds, client
from align.errors import InputError
from align.files.whole import read_json
from align.vectors.folder import vectors_of
from align.vectors.sparse import sparse_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

log = logging.getLogger(__name__)

BATCH = 128
"""Points of a request."""
TIMEOUT = 30
"""Seconds of a request."""
LOCAL_POINTS = 20_000
"""Above which the client's local mode, which compares every vector in Python, is slow."""


class Qdrant:
    """A collection, which is not reached before it is used: a :class:`align.engines.target.Target`.

    Args:
        to: URL (``http://HOST:6333``), folder of the client's local mode, or ``:memory:``. A key for the server is
            read from the environment variable ``QDRANT_API_KEY``.
        name: of the collection.
        m: neighbours of a node of the index (HNSW) of a server.
        ef_construct: candidates when the index is built.
        ef_search: candidates when it is searched; at least k are used.
        exact: make a server search without its index; local mode always does.
        index_wait: seconds that an export waits for a server's index, at the most.

    Raises:
        InputError: qdrant-client is not installed, or ``name`` or an option is none.
    """

    def __init__(
        self, to: str, *, name: str, m: int = 16, ef_construct: int = 100, ef_search: int = 128, exact: bool = False,
        index_wait: float = INDEX_WAIT,
    ) -> None:  # fmt: skip
        client("qdrant", "qdrant-client", "qdrant_client")
        if not 1 <= len(name) <= 255 or any(letter in '<>:"/\\|?*\0' for letter in name) or name.strip(".") == "":
            raise InputError(f'the name of a collection has 1 to 255 letters, none of <>:"/\\|?*, got {name!r}')
        check_counts(m=m, ef_construct=ef_construct, ef_search=ef_search)
        check_seconds("Qdrant", index_wait=index_wait)
        self._server = to.startswith(("http://", "https://"))
        self._to, self._name, self._m, self._ef_construct, self._ef_search = to, name, m, ef_construct, ef_search
        self.exact = exact or not self._server
        self._index_wait = index_wait
        self._client: Any = None
        shown = to
        if self._server:  # without what may be a password
            address = urlsplit(to)
            shown = f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
        self._where = f"collection {name} of {shown}"

    def prepare(self, schema: Schema, *, make: bool = True) -> None:
        """Make the collection, or check what its metadata says."""
        from qdrant_client import models

        self._schema = schema
        local = not self._server and self._to != ":memory:"
        if local and not make and not Path(self._to).exists():
            raise absent(self._where)  # the client would make the folder
        with self._reached() as client:
            if client.collection_exists(self._name):
                metadata = client.get_collection(self._name).config.metadata or {}
                agree(metadata.get("align"), schema, self._where)
            elif not make:
                raise absent(self._where)
            else:
                dtype = models.Datatype.FLOAT16 if schema.dtype == "float16" else models.Datatype.FLOAT32
                client.create_collection(
                    self._name,
                    vectors_config=models.VectorParams(
                        size=schema.dimension, distance=models.Distance.DOT, datatype=dtype
                    ),
                    hnsw_config=models.HnswConfigDiff(m=self._m, ef_construct=self._ef_construct),
                    sparse_vectors_config={SPARSE_NAME: models.SparseVectorParams()} if schema.sparse else None,
                    metadata={"align": schema.described()},
                )
                if not client.get_collection(self._name).config.metadata:  # nor could it say later what is in it
                    client.delete_collection(self._name)
                    raise InputError(f"{self._where}: the server keeps no metadata; expected Qdrant 1.16 or later")
            if make and self._server:
                for field in schema.filtered:
                    client.create_payload_index(self._name, field, models.PayloadSchemaType.KEYWORD, wait=True)

    def upsert(self, table: pa.Table) -> None:
        """Write points, ``BATCH`` at a time; each request returns when it is applied."""
        from qdrant_client import models

        columns = ["id", *self._schema.payload]
        with self._reached() as client:
            for first in range(0, table.num_rows, BATCH):
                rows = table.slice(first, BATCH)
                payloads = rows.select(columns).to_pylist()
                vectors: Any = vectors_of(rows).astype("float32").tolist()
                if self._schema.sparse:
                    sparse = sparse_of(rows, self._schema.sparse["terms"])
                    vectors = {"": vectors, SPARSE_NAME: sparse_vectors(sparse, models.SparseVector)}
                points = models.Batch(
                    ids=[point_id(row["id"]) for row in payloads],
                    vectors=vectors,
                    payloads=payloads,
                )
                client.upsert(self._name, points=points, wait=True)

    def finish(self) -> None:
        """Wait until the server has built its index, for so long; the points are searchable before."""
        with self._reached() as client:
            await_index(lambda: self._indexing(client), seconds=self._index_wait, where=self._where)
        if not self._server and self.count() > LOCAL_POINTS:
            log.warning("%s: local mode is slow above %s points; run a server", self._where, f"{LOCAL_POINTS:,}")

    def count(self) -> int:
        """Points of the collection."""
        with self._reached() as client:
            return int(client.count(self._name, exact=True).count)

    def search(self, queries: NDArray[Any], k: int, *, where: Where | None = None) -> list[list[str]]:
        """Ids, by requests of ``BATCH`` queries."""
        if not all((where or {}).values()):
            return [[] for _ in queries]
        return self._found(nearest(queries, k, where, self._params(k)))

    def search_sparse(self, queries: csr_array, k: int, *, where: Where | None = None) -> list[list[str]]:
        """The same, by terms."""
        if not all((where or {}).values()):
            return [[] for _ in range(queries.shape[0])]
        return self._found(lexical(queries, k, where))

    def search_hybrid(self, queries: NDArray[Any], sparse: csr_array, k: int) -> list[list[str]]:
        """The same, by both."""
        return self._found(fused(queries, sparse, k, self._params(k)))

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """The payload of each, without the id."""
        with self._reached() as client:
            points = client.retrieve(self._name, ids=[point_id(row) for row in ids], with_payload=True)
        return {point.payload.pop("id"): point.payload for point in points}

    def close(self) -> None:
        """Close the client; what is only in memory is lost."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _params(self, k: int) -> Any:
        from qdrant_client.models import SearchParams

        return SearchParams(exact=self.exact, hnsw_ef=max(self._ef_search, k)) if self._server else None

    def _found(self, requests: Sequence[Any]) -> list[list[str]]:
        found: list[list[str]] = []
        with self._reached() as client:
            for first in range(0, len(requests), BATCH):
                answers = client.query_batch_points(self._name, requests=requests[first : first + BATCH])
                found += [[point.payload["id"] for point in answer.points] for answer in answers]
        return found

    def _indexing(self, client: Any) -> str:
        """What the server says while it builds the index; "" once it is done."""
        about = client.get_collection(self._name)
        status = str(about.status.value)
        if status == "red":  # it gave up, and will not go on by itself
            raise InputError(f"{self._where}: its index failed, status red: {about.optimizer_status}")
        return f"status yellow, {about.indexed_vectors_count or 0:,} vectors indexed" if status == "yellow" else ""

    def _connect(self) -> Any:
        from qdrant_client import QdrantClient

        if self._server:
            key = os.environ.get("QDRANT_API_KEY")
            return QdrantClient(url=self._to, api_key=key, timeout=TIMEOUT, check_compatibility=False)
        if self._to == ":memory:":
            return QdrantClient(location=":memory:")
        folder, meta = Path(self._to), Path(self._to) / "meta.json"
        if meta.is_file():
            read_json(meta)
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} is there, but is no folder of Qdrant: give another, or remove it")
        return QdrantClient(path=self._to)

    @contextmanager
    def _reached(self) -> Iterator[Any]:
        """The client, opened when it is first used; what it says becomes one of our two errors."""
        from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
        from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Local mode is not recommended")  # finish says it, once
                if self._client is None:
                    self._client = self._connect()
                yield self._client
        except ResourceExhaustedResponse as error:
            raise Unreachable(str(error)) from error
        except ResponseHandlingException as error:
            raise Unreachable(str(error.source) or type(error.source).__name__) from error
        except UnexpectedResponse as error:
            said = f"{error.status_code} {_reason(error)}"
            if error.status_code in (401, 403):
                raise InputError(f"{self._where}: {said}; the key is read from QDRANT_API_KEY") from error
            if error.status_code is None or error.status_code in (408, 429) or error.status_code >= 500:
                raise Unreachable(said) from error
            raise InputError(f"{self._where}: {said}") from error
        except (RuntimeError, OSError, sqlite3.Error) as error:  # local mode: open elsewhere, or not to be written to
            raise InputError(f"{self._where}: {error}") from error


def _reason(error: Any) -> str:
    """What a server said was wrong: the ``error`` of its JSON, or the words of the status."""
    try:
        return str(error.structured()["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason_phrase)


ENGINE = Engine("qdrant", "http://HOST:6333, or a folder (the client's local mode)", Qdrant)

"""A collection of vectors in Milvus: rows in, ids out; see :mod:`align.engines.milvus`."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pymilvus import AnnSearchRequest, DataType, MilvusClient, MilvusException, RRFRanker
from scipy.sparse import csr_array

from align.engines.milvus import PROPERTY, Options
from align.engines.milvus.failures import away, cause, refused
from align.engines.milvus.queries import lexical, quoted
from align.engines.opening import shown
from align.engines.retry import await_index
from align.engines.sparse import term_weights
from align.engines.target import Schema, Unreachable, Where, absent, agree
from align.errors import InputError
from align.similarity.fusion import DEPTH, RRF
from align.vectors.folder import vectors_of
from align.vectors.sparse import sparse_of

BYTES = 65_535
"""Of a VARCHAR."""
ADVICE = {"id": "give it a shorter one", "text": "encode without stored texts"}
TYPES = {"float32": DataType.FLOAT_VECTOR, "float16": DataType.FLOAT16_VECTOR}


class Collection:
    """The :class:`align.engines.target.Target` of Milvus."""

    exact = False

    def __init__(self, to: str, name: str, options: Options, token: str, database: str) -> None:
        self.to, self.name, self.options = to, name, options
        self.access = {"token": token, "db_name": database}
        self.where = f"collection {name} of {shown(to)}"
        self.index, self.dtype = "", "float32"
        self.payload: tuple[str, ...] = ()
        self.terms = 0
        self._client: MilvusClient | None = None
        # Its errors are raised here as one sentence; it logs each with a traceback too.
        for noisy in ("pymilvus", "grpc", "milvus_lite"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)

    def prepare(self, schema: Schema, *, make: bool = True) -> None:
        """Make the collection with its index and load it, or check the one there."""
        self.dtype = "float32" if self.options.float32 else schema.dtype
        self.payload, self.terms = schema.payload, int(schema.sparse.get("terms", 0))
        with self._asked() as client:
            if client.has_collection(self.name, timeout=self.options.timeout):
                there = client.describe_collection(self.name, timeout=self.options.timeout)
                agree(there.get("properties", {}).get(PROPERTY) or there.get("description"), schema, self.where)
                self._check_fields(there)
            elif make:
                self._make(client, schema)
            else:
                raise absent(self.where)
            self._check_index(client)
            client.load_collection(self.name, timeout=self.options.timeout)

    def upsert(self, table: pa.Table) -> None:
        """Write rows; Milvus acknowledges when they are in its log."""
        vectors = vectors_of(table).astype(self.dtype, copy=False)
        rows = table.select(["id", *self.payload]).to_pylist()
        for row, vector in zip(rows, vectors, strict=True):
            for column, text in row.items():
                if len(text) * 4 > BYTES and len(text.encode()) > BYTES:
                    raise InputError(
                        f"{column} of id {row['id'][:40]!r} has {len(text.encode()):,} bytes, but Milvus holds at most "
                        f"{BYTES:,}: {ADVICE.get(column, 'leave the column out')}"
                    )
            row["vector"] = vector
        if self.terms:
            for row, weights in zip(rows, term_weights(sparse_of(table, self.terms)), strict=True):
                row["sparse"] = weights or {self.terms: 1.0}  # Milvus has no empty ones: a term that no query asks for
        with self._asked() as client:
            client.upsert(self.name, rows, timeout=self.options.timeout)

    def finish(self) -> None:
        """Seal what was written and wait until its index is built, for so long."""
        with self._asked() as client:
            client.flush(self.name, timeout=self.options.timeout)
            for field in self._vectors():
                await_index(partial(self._pending, client, field), seconds=self.options.index_wait, where=self.where)

    def count(self) -> int:
        """Rows that are there now, of what was acknowledged."""
        with self._asked() as client:
            rows = client.query(
                self.name, filter="", output_fields=["count(*)"], consistency_level="Strong",
                timeout=self.options.timeout,
            )  # fmt: skip
        return int(rows[0]["count(*)"])

    def search(self, queries: NDArray[Any], k: int, *, where: Where | None = None) -> list[list[str]]:
        """The ids of the nearest rows."""
        return self._found(self._dense(queries, k), k, where)

    def search_sparse(self, queries: csr_array, k: int, *, where: Where | None = None) -> list[list[str]]:
        """The same, by terms."""
        return self._found(lexical(queries), k, where)

    def search_hybrid(self, queries: NDArray[Any], sparse: csr_array, k: int) -> list[list[str]]:
        """The same by both, fused, one query after the other."""
        found = []
        for row in range(len(queries)):
            asked = self._dense(queries[row : row + 1], DEPTH), lexical(sparse[row : row + 1])
            both = [AnnSearchRequest(**one, limit=DEPTH) for one in asked]
            with self._asked() as client:
                hits = client.hybrid_search(
                    self.name, reqs=both, ranker=RRFRanker(RRF), limit=k, output_fields=["id"],
                    consistency_level="Strong", timeout=self.options.timeout,
                )  # fmt: skip
            found.append([hit["id"] for hit in hits[0]])
        return found

    def _dense(self, queries: NDArray[Any], k: int) -> dict[str, Any]:
        param = {"metric_type": "COSINE", "params": self.options.search(self.index, k)}
        return {"data": list(np.asarray(queries).astype(self.dtype)), "anns_field": "vector", "param": param}

    def _found(self, asked: Mapping[str, Any], k: int, where: Where | None) -> list[list[str]]:
        data, field, params = asked["data"], asked["anns_field"], asked["param"]
        if not data or not all((where or {}).values()):
            return [[] for _ in data]
        chosen = " and ".join(f"{column} in {quoted(values)}" for column, values in (where or {}).items())
        with self._asked() as client:
            found = client.search(
                self.name, data=data, limit=k, filter=chosen, output_fields=["id"], anns_field=field,
                consistency_level="Strong", timeout=self.options.timeout, search_params=params,
            )  # fmt: skip
        return [[hit["id"] for hit in hits] for hits in found]

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """The payload of each of these ids that is there."""
        if not ids:
            return {}
        with self._asked() as client:
            rows = client.query(  # get() would not quote the ids
                self.name, filter=f"id in {quoted(ids)}", output_fields=["id", *self.payload],
                consistency_level="Strong", timeout=self.options.timeout,
            )  # fmt: skip
        return {row["id"]: {column: row[column] for column in self.payload} for row in rows}

    def close(self) -> None:
        """Hang up; a server in this process stops."""
        if self._client is not None:
            with suppress(MilvusException, grpc.RpcError):
                self._client.close()
            self._client = None
        if self.to.endswith(".db") and find_spec("milvus_lite"):
            from milvus_lite.server_manager import server_manager_instance

            server_manager_instance.release_server(self.to)

    def _vectors(self) -> list[str]:
        return ["vector", *(["sparse"] if self.terms else [])]

    def _pending(self, client: MilvusClient, field: str) -> str:
        """How many rows are not in the index of a field yet, in words; "": none."""
        there = client.describe_index(self.name, field, timeout=self.options.timeout) or {}
        pending = int(there.get("pending_index_rows") or 0)
        return f"{pending:,} rows to go" if pending else ""

    def _make(self, client: MilvusClient, schema: Schema) -> None:
        facts = json.dumps(schema.described(), sort_keys=True)
        fields = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False, description=facts)
        fields.add_field("id", DataType.VARCHAR, is_primary=True, max_length=BYTES)
        for column in self.payload:
            fields.add_field(column, DataType.VARCHAR, max_length=BYTES)
        fields.add_field("vector", TYPES[self.dtype], dim=schema.dimension)
        if self.terms:
            fields.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
        index = self.options.index or "HNSW"
        wanted = MilvusClient.prepare_index_params()
        # Nested: milvus-lite reads nothing of what pymilvus flattens, Milvus reads both.
        nested = {"params": self.options.build(index)}
        wanted.add_index("vector", index_type=index, metric_type="COSINE", params=nested)
        if self.terms:
            wanted.add_index("sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
        try:
            client.create_collection(
                self.name, schema=fields, index_params=wanted, properties={PROPERTY: facts},
                timeout=self.options.timeout,
            )  # fmt: skip
        except MilvusException as error:
            if "Float16Vector" in error.message:
                raise InputError(
                    f"{shown(self.to)} has no float16 vectors (milvus-lite): give --option float32=true"
                ) from error
            raise

    def _check_fields(self, there: dict[str, Any]) -> None:
        kinds = {field["name"]: field["type"] for field in there["fields"]}
        expected = {"id", *self.payload, *self._vectors()}
        if set(kinds) != expected or kinds["vector"] != TYPES[self.dtype]:
            wanted = f"{sorted(expected)}, vector {TYPES[self.dtype].name}"
            found = f"{sorted(kinds)}, vector {DataType(kinds.get('vector', 0)).name}"
            raise InputError(f"{self.where} has columns {found}; expected {wanted}; give another --name, or remove it")

    def _check_index(self, client: MilvusClient) -> None:
        there = client.describe_index(self.name, "vector", timeout=self.options.timeout) or {}
        self.index = str(there.get("index_type"))
        if self.options.index not in (None, self.index) or there.get("metric_type") != "COSINE":
            raise InputError(
                f"{self.where} has an index {self.index} of {there.get('metric_type')}, but "
                f"{self.options.index or self.index} of COSINE was asked for: remove the collection, or ask for its own"
            )
        self.exact = self.index == "FLAT"

    @contextmanager
    def _asked(self) -> Iterator[MilvusClient]:
        """A client that is connected; what fails for want of a server raises Unreachable, and the client is given up.

        gRPC waits ever longer after a refused connection, before a new client too: the port is tried first.
        """
        try:
            if self._client is None:
                self._client = self._connected()
            yield self._client
        except (MilvusException, grpc.RpcError, OSError, ValueError) as error:
            if isinstance(error, InputError) or not away(error):
                raise refused(error, self.where) from error
            if self._client is not None:
                with suppress(Exception):
                    self._client.close()
                self._client = None
            raise Unreachable(cause(error)) from error

    def _connected(self) -> MilvusClient:
        seconds = min(10.0, self.options.timeout)
        if self.to.endswith(".db"):
            if not find_spec("milvus_lite"):
                raise InputError(f"{self.to} needs milvus-lite: pip install milvus-lite; or give the URL of a server")
            Path(self.to).absolute().parent.mkdir(parents=True, exist_ok=True)
        else:
            url = urlsplit(self.to)
            socket.create_connection((url.hostname, url.port or 19530), timeout=seconds).close()
        access = {key: value for key, value in self.access.items() if value}
        return MilvusClient(uri=self.to, timeout=seconds, dedicated=True, **access)

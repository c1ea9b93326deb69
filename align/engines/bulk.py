"""Vectors as requests to the ``_bulk`` endpoint of OpenSearch or Elasticsearch, and the index to make first.

    index.json          body of ``PUT /NAME``: settings and mapping; ``_meta`` has what made the vectors
    bulk-00000.ndjson   bodies of ``POST /_bulk``: of each row an action with its id, then the row

``_id`` is the row's id, or the SHA-256 of one that is longer than the servers take, which the field ``id`` has whole: a
file that is sent twice changes nothing. To load them::

    curl -X PUT localhost:9200/align -H 'Content-Type: application/json' --data-binary @index.json
    for file in bulk-*.ndjson; do
      curl -X POST localhost:9200/_bulk -H 'Content-Type: application/x-ndjson' --data-binary @$file
    done

In that order: an index that is made by its first row has no vectors to search. The rows are the same for both; how
either declares a vector is its :class:`Dialect`.

A sparse vector is the field ``sparse``: ``{"12": 0.5}``, its terms by their numbers, which ``terms.json`` names: the
servers refuse dots in the names of features. They keep 9 bits of a weight, an error of 0.4 %. Queries, of OpenSearch
and of Elasticsearch, whose newer versions drop frequent terms of a query unless they are told not to::

    {"query": {"neural_sparse": {"sparse": {"query_tokens": {"12": 0.5}}}}}
    {"query": {"sparse_vector": {"field": "sparse", "query_vector": {"12": 0.5}, "prune": false}}}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from align.engines.folder import Add, Folder
from align.engines.json_rows import bounded_files, fields, table_of
from align.engines.sparse import check_weights
from align.engines.target import Engine, Schema
from align.errors import InputError
from align.files.whole import write_json
from align.vectors.folder import vectors_of

ID_BYTES = 512
"""Of an ``_id``."""
LONGEST = 8_191
"""Characters of a value of the user's own that is filtered by: its term has 32,766 bytes at the most."""
FORBIDDEN = ' "*+/\\|?#<>,:'


@dataclass(frozen=True)
class Dialect:
    """What differs between the two.

    Attributes:
        engine: its name.
        kind: of a field that holds a vector.
        dimensions: the most of one.
        vector: the rest of its declaration, from the dimensions, m and ef_construction.
        ef_construction: the engine's own default.
        settings: of the index.
        sparse: kind of a field that holds a sparse vector.
        zeros: a vector of zeros is taken.
    """

    engine: str
    kind: str
    dimensions: int
    vector: Callable[[int, int, int], Mapping[str, Any]]
    ef_construction: int
    sparse: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    zeros: bool = True

    def index(self, schema: Schema, m: int, ef_construction: int) -> dict[str, Any]:
        """The body that makes the index: keywords to filter by, the text, the vector.

        Raises:
            InputError: it has too many dimensions.
        """
        if schema.dimension > self.dimensions:
            raise InputError(f"a {self.kind} has at most {self.dimensions:,} dimensions, got {schema.dimension:,}")
        properties: dict[str, Any] = {column: {"type": "keyword"} for column in ("id", *schema.payload)}
        properties |= {column: {"type": "keyword", "ignore_above": LONGEST} for column in schema.columns}
        if schema.texts:
            properties["text"] = {"type": "text"}
        properties["vector"] = {"type": self.kind, **self.vector(schema.dimension, m, ef_construction)}
        if schema.sparse:
            properties["sparse"] = {"type": self.sparse}
        mappings = {"dynamic": "strict", "_meta": {"align.export": schema.described()}, "properties": properties}
        return {**self.settings, "mappings": mappings}


def opener(dialect: Dialect) -> Callable[..., Folder]:
    """The dialect's ``open_target``."""

    def open_target(
        to: str, *, name: str, megabytes: int = 16, m: int = 16, ef_construction: int = dialect.ef_construction
    ) -> Folder:
        """A folder of requests.

        Args:
            to: the folder.
            name: of the index.
            megabytes: the most of one file, in 2^20 bytes; servers refuse bodies of 100 MB.
            m: neighbours of a node of HNSW.
            ef_construction: candidates when HNSW is built.

        Raises:
            InputError: an index cannot have this name, or ``megabytes`` is less than 1.
        """
        wrong = not name or name != name.lower() or name[0] in "-_+." or set(name) & set(FORBIDDEN)
        if wrong or len(name.encode()) > 255:
            raise InputError(
                f"an index of {dialect.engine} has a name in lower case, without {FORBIDDEN.strip()} or spaces, that "
                f"does not begin with - _ or a dot, got {name!r}"
            )
        if megabytes < 1:
            raise InputError(f"megabytes must be at least 1, got {megabytes}")
        write = partial(_write, dialect=dialect, most=megabytes * 2**20, m=m, ef_construction=ef_construction)
        return Folder(dialect.engine, to, write, _read)

    return open_target


@contextmanager
def _write(folder: Path, schema: Schema, *, dialect: Dialect, most: int, m: int, ef_construction: int) -> Iterator[Add]:
    write_json(folder / "index.json", dialect.index(schema, m, ef_construction))
    with bounded_files(folder, "bulk", "ndjson", most) as write:

        def add(table: pa.Table) -> None:
            if not dialect.zeros and (empty := ~vectors_of(table).any(axis=1)).any():
                key = table["id"][int(empty.argmax())].as_py()
                raise InputError(f"the vector of id {key!r} is all zeros, which {dialect.engine} refuses: leave it out")
            if schema.sparse:
                check_weights(table, dialect.engine)
            for key, source in fields(table):
                if not key:
                    raise InputError(f"a row of {dialect.engine} needs an id, got one that is empty")
                name = key if len(key.encode()) <= ID_BYTES else f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
                action = json.dumps({"index": {"_index": schema.name, "_id": name}}, ensure_ascii=False)
                write(f"{action}\n{source}\n")

        yield add


def _read(folder: Path, schema: Schema) -> Iterator[pa.Table]:
    for path in sorted(folder.glob("bulk-*.ndjson")):
        with open(path, encoding="utf-8", newline="\n") as lines:
            sources = (json.loads(line) for line in islice(lines, 1, None, 2))
            while rows := list(islice(sources, 4096)):
                yield table_of(rows, [row.pop("vector") for row in rows], schema.dtype)


def _knn_vector(dimensions: int, m: int, ef_construction: int) -> dict[str, Any]:
    parameters = {"m": m, "ef_construction": ef_construction}
    method = {"name": "hnsw", "engine": "faiss", "space_type": "innerproduct", "parameters": parameters}
    return {"dimension": dimensions, "method": method}


def _dense_vector(dimensions: int, m: int, ef_construction: int) -> dict[str, Any]:
    options = {"type": "hnsw", "m": m, "ef_construction": ef_construction}  # by name: since 9.1 the default is one bit
    return {"dims": dimensions, "index": True, "similarity": "cosine", "index_options": options}


DIALECTS = (
    Dialect(
        "opensearch",
        "knn_vector",
        16_000,
        _knn_vector,
        128,
        "rank_features",
        settings={"settings": {"index": {"knn": True}}},
    ),
    Dialect("elasticsearch", "dense_vector", 4096, _dense_vector, 100, "sparse_vector", zeros=False),
)
ENGINES = tuple(Engine(one.engine, "a folder: index.json, bulk-*.ndjson", opener(one)) for one in DIALECTS)

"""Vectors as files for OpenSearch; see :mod:`align.engines.bulk`.

    curl -X PUT localhost:9200/align -H 'Content-Type: application/json' --data-binary @index.json
    for file in bulk-*.ndjson; do
      curl -X POST localhost:9200/_bulk -H 'Content-Type: application/x-ndjson' --data-binary @$file
    done

In that order: an index that is made by its first row has no vectors to search.
"""

from __future__ import annotations

from typing import Any

from align.engines.bulk import bulk_folder, keywords
from align.engines.folder import Folder
from align.engines.target import Schema
from align.errors import InputError

DIMENSIONS = 16_000


def open_target(to: str, *, name: str, megabytes: int = 16, m: int = 16, ef_construction: int = 128) -> Folder:
    """A folder of requests.

    Args:
        to: the folder.
        name: of the index.
        megabytes: the most of one file; servers refuse bodies of 100 MB.
        m: neighbours of a node of HNSW.
        ef_construction: candidates when HNSW is built.

    Raises:
        InputError: an index cannot have this name, or ``megabytes`` is less than 1.
    """

    def index(schema: Schema) -> dict[str, Any]:
        if schema.dimension > DIMENSIONS:
            raise InputError(f"a knn_vector has at most {DIMENSIONS:,} dimensions, got {schema.dimension:,}")
        method = {
            "name": "hnsw", "engine": "faiss", "space_type": "innerproduct",
            "parameters": {"m": m, "ef_construction": ef_construction},
        }  # fmt: skip
        vector = {"type": "knn_vector", "dimension": schema.dimension, "method": method}
        properties = {**keywords(schema, {"type": "text"}), "vector": vector}
        mappings = {"dynamic": "strict", "_meta": {"align.export": schema.described()}, "properties": properties}
        return {"settings": {"index": {"knn": True}}, "mappings": mappings}

    return bulk_folder(to, name, "opensearch", index, megabytes=megabytes)

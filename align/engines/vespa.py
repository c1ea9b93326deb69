r"""Vectors as a feed for Vespa, and the schema of its documents.

    NAME.sd      goes to schemas/ of the application package
    feed.jsonl   ``vespa feed feed.jsonl``: a put for each row, which replaces the document of its id

Vespa takes no control characters: an id, text or other value that holds one is written as ``json:`` and what JSON makes
of it (``json:"a\u0001"``), and so is one that begins with ``json:``; ``align verify-export`` reads both as they were.

To search: ``select id from NAME where {targetHits: 10}nearestNeighbor(vector, q)`` with ``ranking=cosine`` and
``input.query(q)=[...]``. A sparse vector is a tensor of one mapped dimension, its terms by their numbers, which
``terms.json`` names. Vespa has no index of those: ``select id from NAME where true`` with ``ranking=sparse`` and
``input.query(s)={12:0.5}`` compares every document. ``ranking=hybrid``, with both inputs, orders what the dense query
above finds by the reciprocal ranks of both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow as pa

from align.engines.folder import Add, Folder
from align.engines.json_rows import fields, table_of
from align.engines.target import Engine, Schema
from align.errors import InputError
from align.similarity.fusion import DEPTH
from align.vectors.sparse import SPARSE

MARK = "json:"
# what Vespa refuses in a string: control characters but tab and line ends, and code points that are none
_REFUSED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane + end) for plane in range(0, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF))
    + "]"
)


LEXICAL = ["        function lexical() {", "            expression: sum(query(s) * attribute(sparse))", "        }"]
INPUT = ["        inputs {", "            query(s) tensor<float>(term{})", "        }"]
SPARSE_FIELD = [
    "        field sparse type tensor<float>(term{}) {",
    "            indexing: summary | attribute",
    "            attribute: fast-rank",
    "        }",
]
SPARSE_PROFILES = [
    "    rank-profile sparse {",
    *INPUT,
    *LEXICAL,
    "        first-phase {",
    "            rank-score-drop-limit: 0.0",
    "            expression: lexical",
    "        }",
    "    }",
    "    rank-profile hybrid inherits cosine {",
    *INPUT,
    *LEXICAL,
    "        global-phase {",
    f"            rerank-count: {DEPTH}",
    "            expression: reciprocal_rank_fusion(closeness(field, vector), lexical)",
    "        }",
    "    }",
]


def open_target(to: str, *, name: str, namespace: str = "align", m: int = 16, ef_construction: int = 200) -> Folder:
    """A folder with the schema and the feed.

    Args:
        to: the folder.
        name: of the schema, and so of the document type.
        namespace: of the documents' ids.
        m: links of a node of HNSW.
        ef_construction: candidates when HNSW is built.

    Raises:
        InputError: a schema or a namespace cannot have this name.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise InputError(f"a schema of Vespa has a name of letters, digits and _, no digit first, got {name!r}")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", namespace):
        raise InputError(f"a namespace of Vespa is of letters, digits, _ and -, got {namespace!r}")
    return Folder("vespa", to, partial(_write, namespace=namespace, m=m, ef_construction=ef_construction), _read)


@contextmanager
def _write(folder: Path, schema: Schema, *, namespace: str, m: int, ef_construction: int) -> Iterator[Add]:
    (folder / f"{schema.name}.sd").write_text(schema_text(schema, m, ef_construction), encoding="utf-8")
    with open(folder / "feed.jsonl", "wb") as feed:

        def add(table: pa.Table) -> None:
            for place, column in enumerate(table.column_names):
                if column not in ("vector", *SPARSE):
                    table = table.set_column(
                        place, column, pa.array(map(_taken, table[column].to_pylist()), pa.string())
                    )
            for key, document in fields(table, '"vector": {"values":{}}', '"sparse": {"cells":{}}'):
                if not key:
                    raise InputError("a document of Vespa needs an id, got one that is empty")
                put = json.dumps(f"id:{namespace}:{schema.name}::{key}", ensure_ascii=False)
                feed.write(f'{{"put": {put}, "fields": {document}}}\n'.encode())

        yield add


def _read(folder: Path, schema: Schema) -> Iterator[pa.Table]:
    with open(folder / "feed.jsonl", encoding="utf-8", newline="\n") as lines:
        documents = (json.loads(line)["fields"] for line in lines)
        while rows := list(islice(documents, 4096)):
            vectors = [row.pop("vector")["values"] for row in rows]
            sparse = [{"sparse": row.pop("sparse")["cells"]} if schema.sparse else {} for row in rows]
            texts = [{name: _given(text) for name, text in row.items()} for row in rows]
            yield table_of([text | more for text, more in zip(texts, sparse, strict=True)], vectors, schema.dtype)


def _taken(text: str) -> str:
    """Text as Vespa takes it."""
    return MARK + json.dumps(text) if text.startswith(MARK) or _REFUSED.search(text) else text


def _given(text: str) -> str:
    """What :func:`_taken` was given."""
    return str(json.loads(text.removeprefix(MARK))) if text.startswith(MARK) else text


def schema_text(schema: Schema, m: int, ef_construction: int) -> str:
    """The schema definition: keywords as attributes, the text indexed, the vector with HNSW and the angle."""
    about = json.dumps(schema.described(), sort_keys=True)
    lines = [f"# align.export {about}", f"schema {schema.name} {{", f"    document {schema.name} {{"]
    for column in ("id", *schema.payload):
        kept = "index" if column == "text" else "attribute"
        lines += [f"        field {column} type string {{", f"            indexing: summary | {kept}"]
        if column in schema.filtered:
            lines += ["            attribute: fast-search", "            match: word", "            rank: filter"]
        lines += ["        }"]
    tensor = f"tensor<float>(x[{schema.dimension}])"
    lines += [
        f"        field vector type {tensor} {{",
        "            indexing: attribute | index",
        "            attribute {",
        "                distance-metric: angular",
        "            }",
        "            index {",
        "                hnsw {",
        f"                    max-links-per-node: {m}",
        f"                    neighbors-to-explore-at-insert: {ef_construction}",
        "                }",
        "            }",
        "        }",
        *(SPARSE_FIELD if schema.sparse else ()),
        "    }",
        "    rank-profile cosine {",
        "        inputs {",
        f"            query(q) {tensor}",
        "        }",
        "        first-phase {",
        "            expression: closeness(field, vector)",
        "        }",
        "    }",
        *(SPARSE_PROFILES if schema.sparse else ()),
        "}",
    ]
    return "\n".join(lines) + "\n"


ENGINE = Engine("vespa", "a folder: NAME.sd, feed.jsonl", open_target)

"""Vectors to an engine: read in batches, made unit, written by id."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from align.engines.opening import opened, shown
from align.engines.retry import again
from align.engines.target import Schema, Sparse, Target
from align.errors import InputError
from align.similarity.cosine import normalize
from align.vectors.folder import Vectors, open_vectors, vector_column, vectors_of
from align.vectors.sparse import SPARSE, terms_of

log = logging.getLogger(__name__)

BATCH_ROWS = 1024
"""Rows of one upsert; of 768 dimensions as float32, 3 MB: servers refuse messages of 64 MB or more."""
RETRIES = 7
"""Tries after the first: about 20 to 40 seconds in all."""


def export(
    vectors: Vectors | Path | str,
    engine: str,
    to: str,
    *,
    name: str = "align",
    batch_rows: int = BATCH_ROWS,
    retries: int = RETRIES,
    progress: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Write a folder of vectors to a search engine, each row in the place of the one of its id.

    Vectors become unit vectors, so that the inner product is the cosine. What the engine acknowledged stays, whatever
    stops the export; the same call again completes it. Files are written whole or not at all.

    Args:
        vectors: what ``align encode`` wrote.
        engine: one of :func:`align.engines.registry.engines`.
        to: where: a URL, a DSN, a file or a folder, as the engine has it.
        name: of the collection, table or index.
        batch_rows: rows of one upsert.
        retries: tries after the first of a call that a server does not answer; see :func:`align.engines.retry.again`.
        progress: show a bar on stderr.
        options: of the engine, see its module.

    Returns:
        ``engine, to`` (without a password)``, name, rows`` written, ``seconds, rows_per_second``, ``count`` of rows
        that the engine has now, and ``others``: how many of those were there before, under ids that are not in
        ``vectors``. Of a folder that has sparse vectors, ``sparse``: whether the engine holds them.

    Raises:
        InputError: no such engine or option; a collection of other vectors is there; a part of the folder is damaged
            (nothing of that part is sent); the server cannot be reached; the engine has fewer rows than were written.
    """
    source = vectors if isinstance(vectors, Vectors) else open_vectors(vectors)
    if batch_rows < 1 or retries < 0:
        raise InputError(f"expected batch_rows from 1 and retries from 0, got {batch_rows} and {retries}")
    schema, where = schema_of(source, name), f"{engine} at {shown(to)}"
    call = partial(again, retries=retries, where=where)
    with (
        opened(engine, to, name, options) as target,
        tqdm(total=source.rows, unit=" rows", unit_scale=True, disable=not progress) as bar,
    ):
        schema = held(schema, target, where)
        call(target.prepare, schema)
        started = time.perf_counter()
        for table in unit_tables(source, schema, rows=batch_rows):
            call(target.upsert, table)
            bar.update(table.num_rows)
        call(target.finish)
        seconds = time.perf_counter() - started
        count = call(target.count)
    if count < source.rows:
        raise InputError(f"{where} has {count} rows of {name} after {source.rows} were written: export again")
    return {
        "engine": engine, "to": shown(to), "name": name, "rows": source.rows, "seconds": round(seconds, 3),
        "rows_per_second": round(source.rows / seconds, 1), "count": count, "others": count - source.rows,
        **({"sparse": bool(schema.sparse)} if "sparse" in source.manifest else {}),
    }  # fmt: skip


def schema_of(source: Vectors, name: str) -> Schema:
    """What a collection of these vectors holds."""
    parts = source.manifest["parts"]
    texts = bool(parts) and "text" in pq.read_schema(source.folder / parts[0]["name"]).names
    sparse, terms = source.manifest.get("sparse", {}), terms_of(source) or ()
    dtype = str(source.manifest["dtype"])
    return Schema(name, source.dimension, dtype, source.encoder, texts, source.columns, sparse, terms)


def held(schema: Schema, target: Target, where: str) -> Schema:
    """What of a schema an engine holds: without the sparse vectors, where it has none, which is said."""
    if not schema.sparse or isinstance(target, Sparse):
        return schema
    log.warning("%s holds no sparse vectors: the dense ones alone are there", where)
    return replace(schema, sparse={}, terms=())


def unit_tables(
    source: Vectors, schema: Schema, *, rows: int, columns: Sequence[str] | None = None, verify: bool = True
) -> Iterator[pa.Table]:
    """Tables of the columns id, payload and vector: unit vectors, in the folder's dtype; sparse ones as they are."""
    wanted = list(columns or ("id", *schema.payload, "vector", *(SPARSE if schema.sparse else ())))
    for table in source.tables(wanted, rows=rows, verify=verify):
        unit = normalize(vectors_of(table)).astype(schema.dtype, copy=False)
        yield table.select(wanted).set_column(wanted.index("vector"), "vector", vector_column(unit))

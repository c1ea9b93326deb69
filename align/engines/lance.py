"""Vectors in LanceDB: one table with the columns of a vectors folder, searched by the inner product.

What made the vectors is the metadata of the table's schema, under ``align``. Without an index, which is the default,
a search compares every vector and is exact; that is for up to some 100,000 rows (0.2 s a query at 384 dimensions, one
thread). Above that choose ``ivf_hnsw_sq`` (fast, a byte a dimension) or ``ivf_pq`` (small).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import starmap
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from align.engines.target import Engine, Schema, Unreachable, Where, absent, agree, check_counts, client
from align.errors import InputError

INDEXES = ("none", "ivf_flat", "ivf_pq", "ivf_hnsw_sq")
INDEX_ROWS = 256
"""Fewer rows train no index: they are compared one by one."""
VALUES = 1_000
"""Values in one IN (...)."""


class Lance:
    """A table of a database, which is not reached before it is used: a :class:`align.engines.target.Target`.

    Args:
        to: folder, or a URI that LanceDB knows (``s3://bucket/path``, ``db://database``).
        name: of the table.
        index: ``none`` (exact), ``ivf_flat``, ``ivf_pq`` or ``ivf_hnsw_sq``.
        partitions: of the index; ``None``: LanceDB's choice for the rows.
        probes: partitions that are searched.
        refine: k times this many candidates of ``ivf_pq`` and ``ivf_hnsw_sq`` are compared again in full precision.

    Raises:
        InputError: lancedb is not installed, or ``name`` or an option is none.
    """

    def __init__(
        self, to: str, *, name: str, index: str = "none", partitions: int | None = None, probes: int = 20,
        refine: int = 10,
    ) -> None:  # fmt: skip
        client("lance", "lancedb", "lancedb")
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}", name):
            raise InputError(f"the name of a table has letters a to z, digits, _, - and ., got {name!r}")
        if index not in INDEXES:
            raise InputError(f"index is one of {', '.join(INDEXES)}, got {index!r}")
        check_counts(partitions=partitions or 1, probes=probes, refine=refine)
        self.exact = index == "none"
        self._to, self._name, self._index = to, name, index
        self._partitions, self._probes, self._refine = partitions, probes, refine
        self._remote = "://" in to
        self._where = f"table {name} of {to}"
        self._table: Any = None

    def prepare(self, schema: Schema, *, make: bool = True) -> None:
        """Make the table, or check the schema of the one there."""
        import lancedb

        self._schema, self._table = schema, None
        folder = Path(self._to)
        if not self._remote and folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; expected a folder")
        if not self._remote and not make and not folder.exists():
            raise absent(self._where)  # connecting would make the folder
        with self._explained():
            database = lancedb.connect(self._to)
            try:
                table = database.open_table(self._name)
            except ValueError as error:
                if "not found" not in str(error):
                    raise
                if not make:
                    raise absent(self._where) from None
                table = database.create_table(self._name, schema=_columns(schema))
            _agree(table.schema, schema, self._where)
            self._table = table

    def upsert(self, table: pa.Table) -> None:
        """Insert or update by id, as one version of the table."""
        ids = table.column("id")
        if pc.count_distinct(ids).as_py() != len(ids):  # Lance would insert both
            counted = pc.value_counts(ids).to_pylist()
            twice = next(entry["values"] for entry in counted if entry["counts"] > 1)
            raise InputError(f"{self._where}: id {twice!r} is twice in one batch; expected each id once")
        if not len(ids):
            return
        rows = table.select(["id", *self._schema.payload, "vector"]).cast(_columns(self._schema))
        with self._explained():
            self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def finish(self) -> None:
        """Merge small files, and build the index that is wanted, unless it is there or the rows are too few."""
        from lancedb import index as kinds

        with self._explained():
            self._table.optimize()
            there = {entry.index_type.lower() for entry in self._table.list_indices() if entry.columns == ["vector"]}
            same = self._index.replace("_", "") in there  # which optimize has extended by the new rows
            if self.exact or same or self._table.count_rows() < INDEX_ROWS:
                return
            kind = {"ivf_flat": kinds.IvfFlat, "ivf_pq": kinds.IvfPq, "ivf_hnsw_sq": kinds.HnswSq}[self._index]
            config = kind(distance_type="dot", num_partitions=self._partitions)
            self._table.create_index("vector", config=config, replace=True)

    def count(self) -> int:
        """Rows of the table."""
        with self._explained():
            return int(self._table.count_rows())

    def search(self, queries: NDArray[Any], k: int, *, where: Where | None = None) -> list[list[str]]:
        """Ids, query by query."""
        if not all((where or {}).values()):
            return [[] for _ in queries]
        with self._explained():
            return [self._nearest(query, k, where or {}) for query in queries]

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """The columns beside id and vector."""
        found = {}
        with self._explained():
            for first in range(0, len(ids), VALUES):
                chosen = self._table.search().where(_is_in("id", ids[first : first + VALUES]))
                rows = chosen.select(["id", *self._schema.payload]).limit(VALUES).to_list()
                found.update({row.pop("id"): row for row in rows})
        return found

    def close(self) -> None:
        """Let go of the table."""
        self._table = None

    def _nearest(self, query: NDArray[Any], k: int, where: Where) -> list[str]:
        search = self._table.search(query, vector_column_name="vector").distance_type("dot").limit(k)
        if where:
            search = search.where(" AND ".join(starmap(_is_in, where.items())), prefilter=True)
        if self.exact:
            search = search.bypass_vector_index()
        else:
            search = search.nprobes(self._probes)
            if self._index != "ivf_flat":
                search = search.refine_factor(self._refine)
        ids: list[str] = search.select(["id", "_distance"]).to_arrow().column("id").to_pylist()
        return ids

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What the engine says becomes one of our two errors."""
        try:
            yield
        except InputError:
            raise
        except (ValueError, RuntimeError, OSError) as error:
            message = " ".join(str(error).split())
            if self._remote or "commit conflict" in message.lower():
                raise Unreachable(message) from error
            raise InputError(f"{self._where}: {message}") from error


def _columns(schema: Schema) -> pa.Schema:
    """The table's schema, with what made the vectors in its metadata."""
    kind = pa.float16() if schema.dtype == "float16" else pa.float32()
    fields = [pa.field(name, pa.string(), nullable=False) for name in ("id", *schema.payload)]
    vector = pa.field("vector", pa.list_(kind, schema.dimension), nullable=False)
    return pa.schema([*fields, vector], metadata={"align": json.dumps(schema.described(), sort_keys=True)})


def _agree(there: pa.Schema, schema: Schema, where: str) -> None:
    agree((there.metadata or {}).get(b"align"), schema, where)
    wanted = _columns(schema)
    if not there.equals(wanted):
        shown = [", ".join(f"{field.name} {field.type}" for field in side) for side in (there, wanted)]
        raise InputError(
            f"{where} has other columns: {shown[0]}; expected {shown[1]}; give another --name, or remove it"
        )


def _is_in(column: str, values: Sequence[str]) -> str:
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"`{column}` IN ({quoted})"  # in quotes: else its capitals would be small letters


ENGINE = Engine("lance", "a folder, or a URI that LanceDB knows", Lance)

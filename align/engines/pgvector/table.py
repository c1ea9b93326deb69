"""A table of vectors in PostgreSQL: rows in, ids out; see :mod:`align.engines.pgvector`."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pgvector import HalfVector, SparseVector, Vector
from psycopg import sql
from scipy.sparse import csr_array

from align.engines.pgvector import Options
from align.engines.pgvector.connection import AWAY, at_most, connect, register
from align.engines.pgvector.schema import (
    TERMS,
    TYPES,
    identifiers,
    index,
    lists_for,
    make_table,
    present,
    refuse_dimension,
)
from align.engines.retry import index_late
from align.engines.sparse import check_weights, term_weights
from align.engines.target import Schema, Unreachable, Where, absent
from align.errors import InputError, one_line
from align.vectors.folder import vectors_of
from align.vectors.sparse import sparse_of


class Ask(NamedTuple):
    """What rows are ordered by: with + 0 at its end it is an expression that no index is of."""

    distance: str
    query: Any


class Table:
    """See :class:`align.engines.target.Target`; made by :func:`align.engines.pgvector.open_target`."""

    def __init__(self, to: str, name: str, options: Options, where: str) -> None:
        self.exact = options.index == "none"
        self._to, self._name, self._options, self._where = to, name, options, where
        self._connection: psycopg.Connection[Any] | None = None

    def prepare(self, schema: Schema, *, make: bool = True) -> None:
        """Make the extension and the table where they are missing, or check the table that is there."""
        refuse_dimension(schema, self._options.index)
        self._schema = schema
        with self._transaction() as connection:
            found = present(connection, self._name, schema, self._where)
            if found is None and not make:
                raise absent(self._where)
            namespace = found or make_table(connection, self._name, schema, self._where)
            self._table = sql.Identifier(namespace, self._name)
            register(connection)

    def upsert(self, table: pa.Table) -> None:
        """Copy the rows into a temporary table, and insert or update from there; one transaction."""
        texts = ["id", *self._schema.payload]
        columns = dict.fromkeys(texts, "text") | {"vector": TYPES[self._schema.dtype]}
        values: list[Any] = [*(self._texts(table, column) for column in texts), self._vectors(table)]
        if self._schema.sparse:
            columns["sparse"] = "sparsevec"
            values.append(self._sparse(table))
        names = identifiers(list(columns))
        updates = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in columns)
        with self._transaction() as connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = on")
            cursor.execute(sql.SQL("CREATE TEMPORARY TABLE align_batch (LIKE {}) ON COMMIT DROP").format(self._table))
            batch = sql.SQL("COPY pg_temp.align_batch ({}) FROM STDIN (FORMAT binary)").format(names)
            with cursor.copy(batch) as copy:
                copy.set_types(list(columns.values()))
                for row in zip(*values, strict=True):
                    copy.write_row(row)
            insert = "INSERT INTO {} ({}) SELECT {} FROM pg_temp.align_batch ON CONFLICT (id) DO UPDATE SET {}"
            cursor.execute(sql.SQL(insert).format(self._table, names, names, updates))

    def finish(self) -> None:
        """Index the languages and the vectors, unless the same index is there, and gather the planner's statistics."""
        count = self.count()
        with self._transaction(indexing=True) as connection:
            language = sql.Identifier(f"{self._name}_language")
            connection.execute(sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} (language)").format(language, self._table))
            index(connection, self._table, self._name, self._schema, self._options, count)
            connection.execute(sql.SQL("ANALYZE {}").format(self._table))

    def count(self) -> int:
        """Rows of the table."""
        with self._transaction() as connection:
            return int(connection.execute(sql.SQL("SELECT count(*) FROM {}").format(self._table)).fetchall()[0][0])

    def search(self, queries: NDArray[Any], k: int, *, where: Where | None = None) -> list[list[str]]:
        """Ids by the index, and by all rows for a query to which the index gives fewer than ``k``.

        All rows are compared in the precision of the query, also those of halfvec.
        """
        kind = HalfVector if self._schema.dtype == "float16" else Vector
        by = "vector <#> %(query)s", "(vector::vector <#> %(query)s) + 0"
        asked = [(Ask(by[0], kind(query)), Ask(by[1], Vector(query))) for query in queries]
        return self._found(asked, k, where or {})

    def search_sparse(self, queries: csr_array, k: int, *, where: Where | None = None) -> list[list[str]]:
        """The same, by terms."""
        given = [SparseVector(weights, queries.shape[1]) for weights in term_weights(queries)]
        by = "sparse <#> %(query)s"
        return self._found([(Ask(by, one), Ask(f"({by}) + 0", one)) for one in given], k, where or {}, below=0.0)

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """The columns beside id and vector."""
        columns = self._schema.payload
        query = sql.SQL("SELECT id, {} FROM {} WHERE id = ANY(%s)").format(identifiers(columns), self._table)
        with self._transaction() as connection:
            rows = connection.execute(query, (list(ids),)).fetchall()
        return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in rows}

    def close(self) -> None:
        """Close the connection; a transaction that is open is undone."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _texts(self, table: pa.Table, column: str) -> list[str]:
        """Values of a column; PostgreSQL knows no U+0000."""
        bad = pc.index(pc.match_substring(table.column(column), "\0"), True).as_py()
        if bad >= 0:
            named = table.column("id")[bad].as_py()
            raise InputError(f"{self._where} cannot hold U+0000, which is in {column} of id {named!r}")
        texts: list[str] = table.column(column).to_pylist()
        return texts

    def _vectors(self, table: pa.Table) -> Iterator[Any]:
        return map(HalfVector if self._schema.dtype == "float16" else Vector, vectors_of(table))

    def _sparse(self, table: pa.Table) -> Iterator[Any]:
        terms, index = self._schema.sparse["terms"], self._options.index
        check_weights(table, f"{self._where}, index {index},", most=TERMS[index])
        return (SparseVector(weights, terms) for weights in term_weights(sparse_of(table, terms)))

    def _settings(self, k: int) -> dict[str, str]:
        """Of a search; the iterative scans go on where a filter drops candidates."""
        options = self._options
        if options.index == "hnsw":
            ef_search = min(max(options.ef_search, k), 1_000)
            return {"hnsw.ef_search": str(ef_search), "hnsw.iterative_scan": "strict_order"}
        if options.index == "ivfflat":
            lists = options.lists or lists_for(self.count())
            probes = min(options.probes or max(1, round(lists**0.5)), lists)
            return {"ivfflat.probes": str(probes), "ivfflat.iterative_scan": "relaxed_order"}
        return {}

    def _found(
        self, asked: Sequence[tuple[Ask, Ask]], k: int, where: Where, *, below: float = math.inf
    ) -> list[list[str]]:
        """Ids at distances below a bound, of each query as an index knows it, and as all rows are compared."""
        found = []
        with self._transaction() as connection:
            for name, value in self._settings(k).items():
                connection.execute("SELECT set_config(%s, %s, true)", (name, value))
            for indexed, exact in asked:
                ids = [] if self.exact else self._nearest(connection, indexed, k, where, below)
                found.append(ids if len(ids) == k else self._nearest(connection, exact, k, where, below))
        return found

    def _nearest(self, connection: psycopg.Connection[Any], ask: Ask, k: int, where: Where, below: float) -> list[str]:
        parts = [
            sql.SQL("{} = ANY({})").format(sql.Identifier(column), sql.Placeholder(f"of_{column}")) for column in where
        ]
        chosen = sql.SQL("WHERE ") + sql.SQL(" AND ").join(parts) if parts else sql.SQL("")
        statement = sql.SQL(f"SELECT id, {ask.distance} AS distance FROM {{}} {{}} ORDER BY distance LIMIT %(k)s")
        values = {"query": ask.query, "k": k, **{f"of_{column}": list(of) for column, of in where.items()}}
        rows = connection.execute(statement.format(self._table, chosen), values).fetchall()
        nearest = sorted(rows, key=lambda row: float(row[1]))  # ivfflat gives them almost in order
        return [key for key, distance in nearest if distance < below]

    @contextmanager
    def _transaction(self, *, indexing: bool = False) -> Iterator[psycopg.Connection[Any]]:
        """On a new connection if the last was lost; what the database says becomes one of our two errors."""
        seconds = self._options.index_wait if indexing else self._options.timeout
        given_up = threading.Event()
        try:
            new = self._connection is None or self._connection.closed
            if self._connection is None or new:
                self._connection = connect(self._to, self._where)
            with at_most(seconds, self._connection, given_up):
                if new:
                    register(self._connection)
                with self._connection.transaction():
                    yield self._connection
        except psycopg.Error as error:
            if given_up.is_set():
                self.close()
                late = index_late(self._where, seconds, "CREATE INDEX was given up")
                raise (late if indexing else Unreachable(f"no answer within {seconds:g} s")) from error
            message = error.diag.message_primary or one_line(error)
            if self._connection is None or self._connection.closed or error.sqlstate in AWAY:
                self.close()
                raise Unreachable(message) from error
            raise InputError(f"{self._where}: {message}") from error

"""A table of vectors in PostgreSQL: rows in, ids out; see :mod:`align.engines.pgvector`."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pgvector import HalfVector, Vector
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types import TypeInfo

from align.engines.pgvector import Options
from align.engines.pgvector.schema import TYPES, identifiers, index, lists_for, make_table, present, refuse_dimension
from align.engines.retry import index_late
from align.engines.target import Schema, Unreachable, Where, absent
from align.errors import InputError
from align.vectors.folder import vectors_of

SETTINGS = {
    "connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
    "fallback_application_name": "align",
}  # fmt: skip
"""Of a connection, unless the address sets them: seconds to make it, and until a peer that is gone is noticed."""
AWAY = {"40001", "40P01", "53300", "55P03", "57014", "57P01", "57P02", "57P03"}
"""SQLSTATE of what another try may mend: deadlock, too many connections, a time limit, shutdown, start-up."""
CANCEL = 5.0
"""Seconds that cancelling a call may take."""
STARTING = ("the database system is", "too many", "remaining connection slots", "server closed the connection")


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
            _register(connection)

    def upsert(self, table: pa.Table) -> None:
        """Copy the rows into a temporary table, and insert or update from there; one transaction."""
        columns = ["id", *self._schema.payload]
        rows = zip(*(self._texts(table, column) for column in columns), self._vectors(table), strict=True)
        names = identifiers([*columns, "vector"])
        updates = sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in [*columns[1:], "vector"]
        )
        with self._transaction() as connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = on")
            cursor.execute(sql.SQL("CREATE TEMPORARY TABLE align_batch (LIKE {}) ON COMMIT DROP").format(self._table))
            batch = sql.SQL("COPY pg_temp.align_batch ({}) FROM STDIN (FORMAT binary)").format(names)
            with cursor.copy(batch) as copy:
                copy.set_types([*["text"] * len(columns), TYPES[self._schema.dtype]])
                for row in rows:
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
        """Ids by the index, and by all rows for a query to which the index gives fewer than ``k``."""
        settings = self._settings(k)
        found = []
        with self._transaction() as connection:
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, true)", (name, value))
            for query in queries:
                ids = [] if self.exact else self._nearest(connection, query, k, where or {}, exact=False)
                found.append(ids if len(ids) == k else self._nearest(connection, query, k, where or {}, exact=True))
        return found

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

    def _nearest(
        self, connection: psycopg.Connection[Any], query: NDArray[Any], k: int, where: Where, *,
        exact: bool,
    ) -> list[str]:  # fmt: skip
        """Ids by the index, or by all rows; those compare halfvec in the precision of the query."""
        given: HalfVector | Vector
        if exact:  # an expression that no index is of
            distance, given = "(vector::vector <#> %(query)s) + 0", Vector(query)
        else:
            distance = "vector <#> %(query)s"
            given = HalfVector(query) if self._schema.dtype == "float16" else Vector(query)
        parts = [
            sql.SQL("{} = ANY({})").format(sql.Identifier(column), sql.Placeholder(f"of_{column}")) for column in where
        ]
        chosen = sql.SQL("WHERE ") + sql.SQL(" AND ").join(parts) if parts else sql.SQL("")
        statement = sql.SQL(f"SELECT id, {distance} AS distance FROM {{}} {{}} ORDER BY distance LIMIT %(k)s")
        values = {"query": given, "k": k, **{f"of_{column}": list(of) for column, of in where.items()}}
        rows = connection.execute(statement.format(self._table, chosen), values).fetchall()
        return [row[0] for row in sorted(rows, key=lambda row: float(row[1]))]  # ivfflat gives them almost in order

    @contextmanager
    def _transaction(self, *, indexing: bool = False) -> Iterator[psycopg.Connection[Any]]:
        """On a new connection if the last was lost; what the database says becomes one of our two errors."""
        seconds = self._options.index_wait if indexing else self._options.timeout
        given_up = threading.Event()
        try:
            new = self._connection is None or self._connection.closed
            if self._connection is None or new:
                self._connection = _connect(self._to, self._where)
            with _at_most(seconds, self._connection, given_up):
                if new:
                    _register(self._connection)
                with self._connection.transaction():
                    yield self._connection
        except psycopg.Error as error:
            if given_up.is_set():
                self.close()
                late = index_late(self._where, seconds, "CREATE INDEX was given up")
                raise (late if indexing else Unreachable(f"no answer within {seconds:g} s")) from error
            message = _words(error.diag.message_primary or error)
            if self._connection is None or self._connection.closed or error.sqlstate in AWAY:
                self.close()
                raise Unreachable(message) from error
            raise InputError(f"{self._where}: {message}") from error


@contextmanager
def _at_most(seconds: float, connection: psycopg.Connection[Any], given_up: threading.Event) -> Iterator[None]:
    """Cancel what the connection does after so many seconds, and hang up: a server that hangs obeys no cancelling."""

    def give_up() -> None:
        given_up.set()
        with suppress(psycopg.Error, OSError):
            connection.cancel_safe(timeout=CANCEL)
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _connect(to: str, where: str) -> psycopg.Connection[Any]:
    try:
        # no prepared statements: a pooler in front of the database may not keep them
        settings: dict[str, Any] = {**SETTINGS, **conninfo_to_dict(to)}
        return psycopg.connect(make_conninfo(**settings), autocommit=True, prepare_threshold=None)
    except psycopg.OperationalError as error:
        message = _words(error)  # before there is a session libpq gives no SQLSTATE, only words
        if "FATAL" in message and not any(words in message for words in STARTING):
            raise InputError(f"{where}: {message}") from error
        raise Unreachable(message) from error


def _register(connection: psycopg.Connection[Any]) -> None:
    """Teach the connection vector and halfvec, if the database knows them."""
    if TypeInfo.fetch(connection, "vector") is not None:
        register_vector(connection)


def _words(error: object) -> str:
    return " ".join(str(error).split())

"""What a table of vectors is in PostgreSQL: its columns, its comment, its index; made, or compared with those there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection, errors, sql

from align.engines.pgvector import Options
from align.engines.target import Schema, agree
from align.errors import InputError

TYPES = {"float32": "vector", "float16": "halfvec"}
INDEXED = {"float32": 2_000, "float16": 4_000}
"""Dimensions of an index, by dtype."""
STORED = 16_000
"""Dimensions of a column."""
TERMS = {"hnsw": 1_000, "ivfflat": 16_000, "none": 16_000}
"""Of a row's sparse vector, by index: ivfflat has none of those."""
VERSION = (0, 8)
"""Of pgvector: the first with iterative scans, without which a filtered search gives fewer than k."""


def refuse_dimension(schema: Schema, index: str) -> None:
    """Raise for more dimensions than the index, or the column, takes."""
    limit = STORED if index == "none" else INDEXED[schema.dtype]
    if schema.dimension <= limit:
        return
    raise InputError(
        f"index {index} of pgvector takes at most {limit:,} dimensions of {schema.dtype}, got {schema.dimension:,}: "
        "encode with fewer, or with dtype float16 (4,000 indexed), or choose index none (16,000, exact)"
    )


def present(connection: Connection[Any], name: str, schema: Schema, where: str) -> str | None:
    """The PostgreSQL schema that the table is in; ``None`` if there is none.

    Raises:
        InputError: one is there that does not agree.
    """
    rows = connection.execute(
        "SELECT c.oid, n.nspname, obj_description(c.oid, 'pg_class') FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)",
        (identifiers([name]).as_string(connection),),
    ).fetchall()
    if not rows:
        return None
    oid, namespace, comment = rows[0]
    agree(comment, schema, where)
    found = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped",
        (oid,),
    ).fetchall()
    there = {column: kind.rpartition(".")[2] for column, kind in found}
    wanted = _columns(schema)
    if there != wanted:
        shown = [", ".join(f"{column} {kind}" for column, kind in sorted(side.items())) for side in (there, wanted)]
        raise InputError(
            f"{where} has other columns: {shown[0]}; expected {shown[1]}; give another --name, or remove it"
        )
    return str(namespace)


def make_table(connection: Connection[Any], name: str, schema: Schema, where: str) -> str:
    """Make the table, and the extension if it is missing; the PostgreSQL schema that the table is in."""
    _make_extension(connection, where)
    namespace = connection.execute("SELECT current_schema()").fetchall()[0][0]
    if namespace is None:
        raise InputError(f"{where}: no schema of the search_path is there to make the table in")
    table = sql.Identifier(namespace, name)
    columns = sql.SQL(", ").join(
        sql.SQL("{} {} NOT NULL").format(sql.Identifier(column), sql.SQL(kind))
        for column, kind in _columns(schema).items()
    )
    connection.execute(sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY (id))").format(table, columns))
    comment = json.dumps(schema.described(), sort_keys=True)
    connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(table, sql.Literal(comment)))
    return str(namespace)


def index(
    connection: Connection[Any], table: sql.Identifier, name: str, schema: Schema, options: Options, rows: int
) -> None:
    """Put the indexes that are wanted in the place of those there, unless they are the same."""
    wanted: dict[str, int] = {}
    if options.index == "hnsw":
        wanted = {"m": options.m, "ef_construction": options.ef_construction}
    elif options.index == "ivfflat":
        wanted = {"lists": options.lists or lists_for(rows)}
    _put_index(connection, table, name, ("vector", TYPES[schema.dtype]), options.index, wanted)
    if schema.sparse:
        method = "hnsw" if options.index == "hnsw" else "none"
        _put_index(connection, table, name, ("sparse", "sparsevec"), method, wanted)


def _put_index(
    connection: Connection[Any], table: sql.Identifier, name: str, column: tuple[str, str], method: str,
    wanted: Mapping[str, int],
) -> None:  # fmt: skip
    named = f"{name}_{column[0]}"
    there = connection.execute(
        "SELECT a.amname, i.reloptions, n.nspname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
        "JOIN pg_namespace n ON n.oid = i.relnamespace JOIN pg_am a ON a.oid = i.relam "
        "WHERE x.indrelid = %s::regclass AND i.relname = %s",
        (table.as_string(connection), named),
    ).fetchall()
    for found, settings, namespace in there:
        if found == method and set(settings) == {f"{option}={value}" for option, value in wanted.items()}:
            return
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(namespace, named)))
    if method == "none":
        return
    settings = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(option), sql.Literal(value)) for option, value in wanted.items()
    )
    connection.execute(
        sql.SQL(f"CREATE INDEX {{}} ON {{}} USING {method} ({column[0]} {column[1]}_ip_ops) WITH ({{}})")
        .format(sql.Identifier(named), table, settings)
    )  # fmt: skip


def lists_for(rows: int) -> int:
    """Lists of ivfflat for so many rows."""
    return min(max(1, round(rows / 1_000)), 32_768)


def identifiers(names: Sequence[str]) -> sql.Composed:
    """Quoted names, with commas between."""
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _columns(schema: Schema) -> dict[str, str]:
    vector = f"{TYPES[schema.dtype]}({schema.dimension})"
    sparse = {"sparse": f"sparsevec({schema.sparse['terms']})"} if schema.sparse else {}
    return {"id": "text", **dict.fromkeys(schema.payload, "text"), "vector": vector, **sparse}


def _make_extension(connection: Connection[Any], where: str) -> None:
    version = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    rows = connection.execute(version).fetchall()
    if not rows:
        try:
            connection.execute("CREATE EXTENSION vector")
        except errors.InsufficientPrivilege as error:
            raise InputError(
                f"{where}: the extension vector is not there and this user may not make it: ask the database's "
                "administrator for CREATE EXTENSION vector"
            ) from error
        except (errors.FeatureNotSupported, errors.UndefinedFile) as error:
            raise InputError(f"{where}: the server has no pgvector: install it there") from error
        rows = connection.execute(version).fetchall()
    if tuple(map(int, rows[0][0].split(".")[:2])) < VERSION:
        raise InputError(f"{where}: pgvector {rows[0][0]} is there, expected 0.8 or later")

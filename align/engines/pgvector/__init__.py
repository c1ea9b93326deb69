"""Vectors in PostgreSQL with the extension pgvector: one table, searched by inner product.

    id text primary key, text_sha256 text, language text, script text, [text text,] vector vector(d) or halfvec(d)
    [, sparse sparsevec(terms)]

What made the vectors is the comment of the table, as JSON. To search it from elsewhere, order by the operator that the
index is of: ``SELECT id FROM align ORDER BY vector <#> %s LIMIT 10``, and by terms ``sparse <#> '{13:0.5}/30000'``,
which pgvector numbers from 1: term 12 of ``terms.json`` is its 13. A row has at most 1,000 terms where the index is
hnsw, and 16,000 else; ivfflat is of the dense vectors alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from align.engines.retry import INDEX_WAIT
from align.engines.target import Engine, check_seconds, client
from align.errors import InputError

if TYPE_CHECKING:
    from align.engines.pgvector.table import Table

TIMEOUT = 300.0
"""Seconds that one call may take, by default."""
NAME_BYTES = 63 - len("_language")
"""Of a table's name: PostgreSQL cuts longer identifiers, those of the indexes too, without an error."""


@dataclass(frozen=True)
class Options:
    """How the vectors are indexed and searched: see :func:`open_target`."""

    index: str = "hnsw"
    m: int = 16
    ef_construction: int = 64
    ef_search: int = 100
    lists: int | None = None
    probes: int | None = None
    timeout: float = TIMEOUT
    index_wait: float = INDEX_WAIT

    def __post_init__(self) -> None:
        if self.index not in ("hnsw", "ivfflat", "none"):
            raise InputError(f"index is hnsw, ivfflat or none, got {self.index!r}")
        for option, least, most in (
            ("m", 2, 100), ("ef_construction", 4, 1_000), ("ef_search", 1, 1_000), ("lists", 1, 32_768),
            ("probes", 1, 32_768),
        ):  # fmt: skip
            value = getattr(self, option)
            if value is not None and not (isinstance(value, int) and least <= value <= most):
                raise InputError(f"{option} is a whole number from {least} to {most:,}, got {value!r}")
        check_seconds("pgvector", timeout=self.timeout, index_wait=self.index_wait)
        if self.index == "hnsw" and self.ef_construction < 2 * self.m:
            raise InputError(f"ef_construction is at least twice m ({self.m}), got {self.ef_construction}")


def open_target(
    to: str, *, name: str, index: str = "hnsw", m: int = 16, ef_construction: int = 64, ef_search: int = 100,
    lists: int | None = None, probes: int | None = None, timeout: float = TIMEOUT, index_wait: float = INDEX_WAIT,
) -> Table:  # fmt: skip
    """A table of a database, which is not reached before it is used.

    Args:
        to: URL (``postgresql://user@host/database``) or DSN (``host=... dbname=...``).
        name: of the table, as it is: it is quoted.
        index: ``hnsw``, ``ivfflat``, or ``none`` for exact search.
        m: neighbours of a node of hnsw.
        ef_construction: candidates when hnsw is built.
        ef_search: candidates when hnsw is searched; at least k are used.
        lists: of ivfflat; ``None``: a thousandth of the rows.
        probes: lists of ivfflat that are searched; ``None``: the square root of their number.
        timeout: seconds that one call may take, locks of others included.
        index_wait: seconds that making the indexes may take.

    Raises:
        InputError: psycopg or pgvector is not installed, or ``to``, ``name`` or an option is none.
    """
    for module in ("psycopg", "pgvector"):
        client("pgvector", "psycopg", module)
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    from align.engines.pgvector.table import Table

    options = Options(index, m, ef_construction, ef_search, lists, probes, timeout, index_wait)
    if not name or "\0" in name or len(name.encode()) > NAME_BYTES:
        raise InputError(f"the name of a table has 1 to {NAME_BYTES} bytes, got {name!r}")
    try:
        given = conninfo_to_dict(to)
    except ProgrammingError:  # its words may quote the password
        raise InputError("TO is no PostgreSQL URL or DSN: expected postgresql://USER@HOST/DATABASE") from None
    database = given.get("dbname") or given.get("user") or "its default database"
    address = f"{given.get('host') or 'localhost'}:{given.get('port') or 5432}/{database}"
    return Table(to, name, options, f"table {name} of {address}")


ENGINE = Engine("pgvector", "postgresql://USER@HOST/DATABASE, or a DSN", open_target)

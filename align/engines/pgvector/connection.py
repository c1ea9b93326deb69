"""A connection to PostgreSQL: made, taught pgvector's types, and never waited for without a bound."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types import TypeInfo

from align.engines.target import Unreachable
from align.errors import InputError, one_line

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


@contextmanager
def at_most(seconds: float, connection: psycopg.Connection[Any], given_up: threading.Event) -> Iterator[None]:
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


def connect(to: str, where: str) -> psycopg.Connection[Any]:
    """A new connection.

    Raises:
        Unreachable: nobody answers, or not yet.
        InputError: the server says no.
    """
    try:
        # no prepared statements: a pooler in front of the database may not keep them
        settings: dict[str, Any] = {**SETTINGS, **conninfo_to_dict(to)}
        return psycopg.connect(make_conninfo(**settings), autocommit=True, prepare_threshold=None)
    except psycopg.OperationalError as error:
        message = one_line(error)  # before there is a session libpq gives no SQLSTATE, only words
        if "FATAL" in message and not any(state in message for state in STARTING):
            raise InputError(f"{where}: {message}") from error
        raise Unreachable(message) from error


def register(connection: psycopg.Connection[Any]) -> None:
    """Teach the connection pgvector's types, if the database knows them."""
    if TypeInfo.fetch(connection, "vector") is not None:
        register_vector(connection)

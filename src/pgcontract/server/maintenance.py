"""The one connection that a process keeps to a server's maintenance database, to make and drop databases there."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import errors, sql

from pgcontract.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pgcontract.server.address import Address

# time that a backend gets to end by itself after its client has closed; it takes a few milliseconds
_BACKEND_PATIENCE = 0.5


class Maintenance:
    """A lazily opened connection in autocommit, shared by a process's threads and never with a forked child.

    ``on_connect`` is called with each new connection; ``explain`` makes the error for a server that has gone.
    """

    def __init__(
        self,
        address: Address,
        *,
        explain: Callable[[str], ServerError],
        on_connect: Callable[[psycopg.Connection[Any]], None] = lambda _connection: None,
    ) -> None:
        self.address = address
        self._explain = explain
        self._on_connect = on_connect
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[Any] | None = None
        self._owner = 0

    @contextlib.contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """Give the connection to one thread at a time; a lost server or a full disk becomes a ServerError."""
        with self._lock:
            try:
                yield self._open()
            except errors.DiskFull as error:
                raise ServerError(
                    "The server has no space left", where=str(self.address), remedy="free some, or set TMPDIR"
                ) from error
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if self._connection is not None and not self._connection.broken:
                    raise
                raise self._explain(str(error).strip().splitlines()[0]) from error

    def _open(self) -> psycopg.Connection[Any]:
        if self._owner != os.getpid():
            self._connection = None  # a forked child's copy of its parent's: psycopg leaves it alone when it is dropped
        if self._connection is None or self._connection.closed:
            connection = psycopg.connect(self.address.dsn(), autocommit=True)
            connection.prepare_threshold = None  # each statement names another database
            connection.execute(
                "SET idle_session_timeout = 0"
            )  # a test may take long, and a server have little patience
            self._on_connect(connection)
            self._connection, self._owner = connection, os.getpid()
        return self._connection

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        with self._lock:
            if self._connection is not None and self._owner == os.getpid():
                self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def advisory_lock(self, number: int) -> Iterator[None]:
        """Hold a session's lock that all processes on this server share, on a connection of its own.

        It is tried again and again rather than waited for: a statement that waits holds a snapshot, and
        CREATE INDEX CONCURRENTLY waits for snapshots.
        """
        try:
            connection = psycopg.connect(self.address.dsn(), autocommit=True)
        except psycopg.OperationalError as error:
            raise self._explain(str(error).strip().splitlines()[0]) from error
        with connection:
            pause = 0.005
            while not _value(connection, "SELECT pg_try_advisory_lock(%s)", number):
                time.sleep(pause)
                pause = min(0.1, pause * 1.5)
            yield  # closing the connection gives the lock back, also when the server has gone meanwhile


def _value(connection: psycopg.Connection[Any], query: LiteralString, *parameters: object) -> Any:
    row = connection.execute(query, parameters).fetchone()
    return None if row is None else row[0]


def exists(connection: psycopg.Connection[Any], name: str) -> bool:
    """Tell whether there is a database of this name."""
    return bool(_value(connection, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", name))


def wait_until_alone(connection: psycopg.Connection[Any], name: str) -> bool:
    """Wait a moment until nobody is connected to a database; tell whether that came true.

    DROP and RENAME look every 100 ms only, or fail at once; a backend whose client has closed needs 1 to 3.
    """
    give_up = time.monotonic() + _BACKEND_PATIENCE
    pause = 0.0005
    while _value(connection, "SELECT count(*) FROM pg_stat_activity WHERE datname = %s", name):
        if time.monotonic() > give_up:
            return False
        time.sleep(pause)
        pause = min(0.01, pause * 1.5)
    return True


def drop(connection: psycopg.Connection[Any], name: str) -> None:
    """Drop a database; who is still connected after a moment is thrown out."""
    force = sql.SQL("") if wait_until_alone(connection, name) else sql.SQL(" WITH (FORCE)")
    statement = sql.SQL("DROP DATABASE IF EXISTS {}{}")
    try:
        connection.execute(statement.format(sql.Identifier(name), force))
    except errors.ObjectInUse:  # somebody came in between
        connection.execute(statement.format(sql.Identifier(name), sql.SQL(" WITH (FORCE)")))

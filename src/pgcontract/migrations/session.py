"""The one session that migrates: direct, autocommitting, holding the lock."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import conninfo
from psycopg.pq import Conninfo, TransactionStatus

from pgcontract.errors import MigrationError, ServerError, UsageError
from pgcontract.names import Name
from pgcontract.signs import count

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

logger = logging.getLogger("pgcontract.migrations")
# where nobody has set logging up, Python would print warnings itself, and the command has told them already
logger.addHandler(logging.NullHandler())

APPLICATION_NAME: Final = "pgcontract migrate"
_POLL_SECONDS: Final = 0.05
_POLL_SECONDS_AT_MOST: Final = 0.5
# a server that looks for its client only now and then keeps a killed runner's locks for as long as its statement runs
_WATCH_CLIENT: Final = "SET client_connection_check_interval = '250ms'"
_RESET: Final = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"


def connect(dsn: str, settings: Mapping[str, str]) -> Connection:
    """A session with these settings as its own defaults, so that RESET ALL keeps them.

    Raises UsageError for a DSN that cannot be read, ServerError where nobody answers or lets us in.
    """
    try:
        given = conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # the message would repeat the DSN, and a password with it; so would the error's context
        raise UsageError(
            "The DSN cannot be read", remedy="write postgresql://user@host:port/database or key=value pairs"
        ) from None
    options = [str(given.get("options") or default_of("options"))]
    options += [f"-c {name}={_escaped(value)}" for name, value in settings.items()]
    try:
        connection = psycopg.connect(
            dsn,
            autocommit=True,
            options=" ".join(options).strip(),
            application_name=APPLICATION_NAME,
            prepare_threshold=None,
        )
    except psycopg.Error as error:
        # also the driver's own, of a part that it cannot read
        raise ServerError(
            "No connection to the database",
            where=_address(given),
            seen=str(error).strip(),
            remedy="check the DSN, and that the server runs and lets this user in",
        ) from error
    return connection


def default_of(keyword: str) -> str:
    """What libpq takes for a part of a connection that nobody names: PGOPTIONS, PGCONNECT_TIMEOUT and the like.

    It asks for them only where it is given none, and so they would be lost where a command has a part of its own.
    """
    found = next((one.val for one in Conninfo.get_defaults() if one.keyword == keyword.encode()), None)
    return (found or b"").decode()


def prepare_session(connection: Connection) -> None:
    """Settings that a server may not know; those do not matter enough to stop for."""
    try:
        connection.execute(_WATCH_CLIENT)
    except psycopg.errors.InvalidParameterValue:
        logger.info("this server cannot watch its clients: a killed runner's lock may outlive it")


def reset_session(connection: Connection) -> None:
    """Take back what a file has SET, so that migrations do not depend on those that ran before in this session."""
    try:
        connection.execute(f"{_RESET}; {_WATCH_CLIENT}")
    except psycopg.errors.InvalidParameterValue:
        connection.execute(_RESET)


@contextmanager
def locked(connection: Connection, table: Name, timeout: float) -> Iterator[None]:
    """Hold the advisory lock of a tracking table. Raises MigrationError after ``timeout`` seconds, with who has it.

    It asks again and again: waiting inside pg_advisory_lock would hold a snapshot, and CREATE INDEX CONCURRENTLY in
    the other session would wait for that, for ever.
    """
    key = _lock_key(table)
    deadline = time.monotonic() + timeout
    pause = _POLL_SECONDS
    while not _scalar(connection, "SELECT pg_try_advisory_lock(%s)", key):
        if time.monotonic() >= deadline:
            raise MigrationError(
                f"Somebody else has been migrating this database for {count(timeout, 'second')}",
                where=f"the lock of {table}",
                seen=_holders(connection, key),
                remedy="wait for them to finish, or end their session with pg_terminate_backend",
            )
        time.sleep(min(pause, max(deadline - time.monotonic(), 0)))
        pause = min(pause * 1.5, _POLL_SECONDS_AT_MOST)
    try:
        yield
    finally:
        # a session that is broken has lost its locks already
        if not broken(connection):
            _unlock(connection, key)


def broken(connection: Connection) -> bool:
    """Whether the session is of no use any more: its transaction is gone, and so are its locks."""
    return connection.closed or connection.info.transaction_status == TransactionStatus.UNKNOWN


def lost(path: Path, error: Exception) -> ServerError:
    """The error for a session that broke while a file ran."""
    return ServerError(
        "The connection was lost while a migration ran",
        where=str(path),
        seen=str(error).strip().splitlines()[0] if str(error).strip() else None,
        remedy="run again: a migration is there whole or not at all, or goes on at the statement that was running",
    )


def _lock_key(table: Name) -> int:
    digest = hashlib.sha256(f"pgcontract migrations {table}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _unlock(connection: Connection, key: int) -> None:
    if connection.info.transaction_status == TransactionStatus.ACTIVE:
        # interrupted: the end of the session is the end of the lock
        connection.close()
        return
    if connection.info.transaction_status != TransactionStatus.IDLE:
        connection.rollback()
    if not _scalar(connection, "SELECT pg_advisory_unlock(%s)", key):
        raise MigrationError(
            "The lock was gone before the migrations had ended",
            seen="pg_advisory_unlock returned false",
            remedy="take pg_advisory_unlock_all() out of the migrations, and check that nobody else migrated meanwhile",
        )


def _holders(connection: Connection, key: int) -> str | None:
    rows = connection.execute(
        """
        SELECT a.pid, a.application_name, a.usename, a.backend_start
        FROM pg_catalog.pg_locks AS l
        JOIN pg_catalog.pg_stat_activity AS a USING (pid)
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
          AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
          AND l.classid::BIGINT = %s AND l.objid::BIGINT = %s
        """,
        ((key >> 32) & 0xFFFFFFFF, key & 0xFFFFFFFF),
    ).fetchall()
    told = [
        f"process {pid} ({name or 'unnamed'}, user {user}, since {since:%Y-%m-%d %H:%M:%S %Z})"
        for pid, name, user, since in rows
    ]
    return "; ".join(told) or None


def _scalar(connection: Connection, query: str, *parameters: object) -> Any:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def _address(given: Mapping[str, Any]) -> str:
    words = [f"{key} {given[key]}" for key in ("host", "port", "dbname", "user") if given.get(key)]
    return ", ".join(words) or "the default server"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")

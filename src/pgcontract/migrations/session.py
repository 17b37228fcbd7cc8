"""The one session that migrates: direct, autocommitting, holding the lock; and how a file's text is sent over it."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import conninfo, generators
from psycopg.errors import Diagnostic, error_from_result
from psycopg.pq import ExecStatus, TransactionStatus

from pgcontract.errors import MigrationError, ServerError, UsageError
from pgcontract.model import Name
from pgcontract.sql import SqlError, line_of, split

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

logger = logging.getLogger("pgcontract.migrations")

APPLICATION_NAME: Final = "pgcontract migrate"
_POLL_SECONDS: Final = 0.05
_POLL_SECONDS_AT_MOST: Final = 0.5
# a server that looks for its client only now and then keeps a killed runner's locks for as long as its statement runs
_WATCH_CLIENT: Final = "SET client_connection_check_interval = '250ms'"
_STATEMENT_FAILED: Final = frozenset({ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE})
_SHUTTING_DOWN: Final = frozenset({"57P01", "57P02", "57P03", "57P05"})
_COPYING: Final = frozenset({ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH})


class MigrationFailed(MigrationError):
    """A statement of a file failed on the server. ``ordinal`` counts statements from 1, ``line`` those of the file.

    Both are 0 where the error belongs to none of them: one that came at COMMIT, from what had been deferred.
    """

    def __init__(self, path: Path, ordinal: int, line: int, statement: str, sqlstate: str, message: str) -> None:
        super().__init__(
            f"The file failed: {message} (SQLSTATE {sqlstate})",
            where=f"{path}:{line} (statement {ordinal})" if ordinal else f"{path} (at COMMIT)",
            seen=statement or None,
            remedy="correct the file and run again; nothing of it is left in the database",
        )
        self.path = path
        self.ordinal = ordinal
        self.line = line
        self.statement = statement
        self.sqlstate = sqlstate
        self.message = message


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
    options = [str(given["options"])] if given.get("options") else []
    options += [f"-c {name}={_escaped(value)}" for name, value in settings.items()]
    try:
        connection = psycopg.connect(
            dsn, autocommit=True, options=" ".join(options), application_name=APPLICATION_NAME, prepare_threshold=None
        )
    except psycopg.OperationalError as error:
        raise ServerError(
            "No connection to the database",
            where=_address(given),
            seen=str(error).strip(),
            remedy="check the DSN, and that the server runs and lets this user in",
        ) from error
    return connection


def prepare_session(connection: Connection) -> None:
    """Settings that a server may not know; those do not matter enough to stop for."""
    try:
        connection.execute(_WATCH_CLIENT)
    except psycopg.errors.InvalidParameterValue:
        logger.info("this server cannot watch its clients: a killed runner's lock may outlive it")


def reset_session(connection: Connection) -> None:
    """Take back what a file has SET, so that migrations do not depend on those that ran before in this session."""
    connection.execute("RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL")
    prepare_session(connection)


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
                f"Somebody else has been migrating this database for {timeout:g} seconds",
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


def run_whole(connection: Connection, sql: str, path: Path, *, first_line: int = 1) -> None:
    """Send a text whole, unsplit and without parameters, as its author wrote it.

    Raises MigrationFailed with the statement that failed, ServerError where the server went away.
    """
    connection.pgconn.send_query(sql.encode())
    try:
        results = connection.wait(generators.execute(connection.pgconn))
    except psycopg.OperationalError as error:
        raise lost(path, error) from error
    if not results:
        return
    last = results[-1]
    if last.status in _COPYING:
        # nothing is left to read from: the session cannot be used any more
        connection.close()
        raise MigrationError("COPY has no data to read here", where=str(path), remedy="use INSERT")
    if last.status in _STATEMENT_FAILED:
        failure = error_from_result(last)
        if broken(connection) or failure.sqlstate in _SHUTTING_DOWN:
            raise lost(path, failure) from failure
        raise _failure(path, sql, first_line, len(results), failure.diag) from failure


def broken(connection: Connection) -> bool:
    """Whether the session is of no use any more: its transaction is gone, and so are its locks."""
    return connection.closed or connection.info.transaction_status == TransactionStatus.UNKNOWN


def lost(path: Path, error: Exception) -> ServerError:
    """The error for a session that broke while a file ran."""
    return ServerError(
        "The connection was lost while a migration ran",
        where=str(path),
        seen=str(error).strip().splitlines()[0] if str(error).strip() else None,
        remedy="run again: a migration is there whole or not at all",
    )


def at_commit(path: Path, error: psycopg.Error) -> MigrationFailed:
    """The error for what failed only at COMMIT."""
    return MigrationFailed(path, 0, 0, "", error.sqlstate or "XX000", error.diag.message_primary or "unknown error")


def _failure(path: Path, sql: str, first_line: int, ordinal: int, diag: Diagnostic) -> MigrationFailed:
    line, text = 0, ""
    try:
        statements = split(sql)
    except SqlError:
        # a server newer than the parser took what the parser does not know
        statements = ()
    if ordinal <= len(statements):
        line, text = statements[ordinal - 1].line, statements[ordinal - 1].text.splitlines()[0][:120]
    if diag.statement_position:
        # counted in characters of everything that was sent
        line = line_of(sql, int(diag.statement_position) - 1)
    message = diag.message_primary or "unknown error"
    if diag.message_hint:
        message += f" ({diag.message_hint})"
    return MigrationFailed(path, ordinal, (line or 1) + first_line - 1, text, diag.sqlstate or "XX000", message)


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

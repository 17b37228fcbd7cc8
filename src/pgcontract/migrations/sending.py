"""How a file's text is sent over the session: whole, unsplit and without parameters; and what a failure tells.

While a statement waits for a lock, a second session looks who holds it: once the first has given up, nobody can tell.
"""

from __future__ import annotations

import contextlib
import re
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from psycopg import generators
from psycopg.errors import Diagnostic, error_from_result
from psycopg.pq import ExecStatus, TransactionStatus

from pgcontract.errors import MigrationError
from pgcontract.migrations.session import APPLICATION_NAME, Connection, broken, logger, lost
from pgcontract.sql import SqlError, line_of, scan, split, without_values

_STATEMENT_FAILED: Final = frozenset({ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE})
_SHUTTING_DOWN: Final = frozenset({"57P01", "57P02", "57P03", "57P05"})
_COPYING: Final = frozenset({ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH})
_LOCK_TIMEOUT, _CANCELLED, _NEEDS_NO_TRANSACTION = "55P03", "57014", "25001"
_ENDED: Final = frozenset({_LOCK_TIMEOUT, _CANCELLED})
_FIRST_LOOK: Final = 0.1
_LOOKS_AT_MOST_EVERY: Final = 2.0
_AGAIN: Final = "; nothing of it is left in the database"
_END_OR_WAIT: Final = "end their session (pg_terminate_backend), or run again when they have finished" + _AGAIN
_LATER: Final = "see in pg_locks who has locked what it names; end that session, or run again later" + _AGAIN
_MORE_TIME: Final = "run again; where a limit ended it, with a longer --statement-timeout, or let it do less" + _AGAIN
_BLOCKERS: Final = """
    SELECT a.pid, a.application_name, a.usename, a.state, a.xact_start, a.query
    FROM unnest(pg_catalog.pg_blocking_pids(%s)) AS blocking (pid)
    JOIN pg_catalog.pg_stat_activity AS a ON a.pid = blocking.pid
    ORDER BY a.xact_start ASC
"""
# of a wait that has ended nothing is left but what the statement names: tables, and indexes for theirs
_LOCKERS: Final = """
    SELECT DISTINCT a.pid, a.application_name, a.usename, a.state, a.xact_start, a.query
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
    JOIN pg_catalog.pg_locks AS l ON l.relation = coalesce(i.indrelid, c.oid)
    JOIN pg_catalog.pg_database AS d ON d.oid = l.database AND d.datname = current_database()
    JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
    WHERE c.relname = ANY(%s) AND n.nspname !~ '^pg_' AND l.granted AND a.pid <> ALL(ARRAY[%s, pg_backend_pid()])
    ORDER BY a.xact_start ASC
"""
_WORD: Final = re.compile(r'"(?:[^"]|"")+"|[^\W\d][\w$]*')
_WORDS_IN: Final = 100_000


class MigrationFailed(MigrationError):
    """A statement of a file failed on the server. ``ordinal`` counts statements from 1, ``line`` those of the file.

    Both are 0 where the error belongs to none of them: one that came at COMMIT, from what had been deferred.
    ``holders`` says who held the lock that the statement waited for; where it gave up before anybody could look, who
    has locked what it names.
    """

    def __init__(  # noqa: PLR0913 - all of it is told
        self,
        path: Path,
        ordinal: int,
        line: int,
        statement: str,
        sqlstate: str,
        message: str,
        *,
        holders: str = "",
        remedy: str = "correct the file and run again; nothing of it is left in the database",
    ) -> None:
        super().__init__(
            f"The file failed: {message} (SQLSTATE {sqlstate})" + (f"; locks are held by {holders}" if holders else ""),
            where=f"{path}:{line} (statement {ordinal})" if ordinal else f"{path} (at COMMIT)",
            seen=statement or None,
            remedy=remedy,
        )
        self.path = path
        self.ordinal = ordinal
        self.line = line
        self.statement = statement
        self.sqlstate = sqlstate
        self.message = message
        self.holders = holders

    @property
    def mended_by_waiting(self) -> bool:
        """Whether nothing is wrong with the file: somebody else held a lock."""
        return self.sqlstate == _LOCK_TIMEOUT or bool(self.holders)


@dataclass
class Lookout:
    """Looks, from a session of its own, who holds the lock that ``pid`` waits for; ``tell`` hears of it once.

    ``patience``: the longest that it lets pass between two looks, in seconds.
    """

    dsn: str = field(repr=False)
    pid: int
    patience: float = _LOOKS_AT_MOST_EVERY
    tell: Callable[[str], None] = lambda _: None
    seen: str = ""
    _session: Connection | None = field(default=None, repr=False)
    _useless: bool = False

    def look(self) -> None:
        """Ask once. Where that is impossible (no connection is free), nothing is known."""
        told = self._ask(_BLOCKERS, self.pid)
        if told is None:
            return
        if told and not self.seen:
            self.tell(told)
        self.seen = told

    def look_back(self, statement: str) -> str:
        """Who has locks on what a statement names that has given up before anybody looked."""
        words = {
            name
            for word in _WORD.findall(statement[:_WORDS_IN])
            for name in ([word[1:-1].replace('""', '"')] if word.startswith('"') else [word, word.lower()])
        }
        return self._ask(_LOCKERS, sorted(words), self.pid) or ""

    def _ask(self, query: LiteralString, *parameters: object) -> str | None:
        if self._useless:
            return None
        try:
            if self._session is None:
                self._session = psycopg.connect(
                    self.dsn, autocommit=True, application_name=f"{APPLICATION_NAME} (lookout)", connect_timeout=2
                )
            return "; ".join(_described(*row) for row in self._session.execute(query, parameters))
        except psycopg.Error as error:
            logger.debug("nobody can look who holds a lock: %s", type(error).__name__)
            self._useless = True
            return None

    def close(self) -> None:
        """End its session."""
        if self._session is not None:
            self._session.close()


def run_whole(
    connection: Connection, sql: str, path: Path, *, first_line: int = 1, lookout: Lookout | None = None
) -> None:
    """Send a text whole, unsplit and without parameters, as its author wrote it.

    Raises MigrationFailed with the statement that failed, ServerError where the server went away.
    """
    try:
        results = _sent(connection, sql, lookout)
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
        raise _failure(path, sql, first_line, len(results), failure.diag, lookout) from failure


def at_commit(path: Path, error: psycopg.Error, lookout: Lookout | None = None) -> MigrationFailed:
    """The error for what failed only at COMMIT."""
    sqlstate = error.sqlstate or "XX000"
    told = _waited(sqlstate, error.diag, "", lookout) if sqlstate in _ENDED else {}
    return MigrationFailed(path, 0, 0, "", sqlstate, error.diag.message_primary or "unknown error", **told)


def _sent(connection: Connection, sql: str, lookout: Lookout | None) -> list[Any]:
    connection.pgconn.send_query(sql.encode())
    if lookout is None:
        return connection.wait(generators.execute(connection.pgconn))
    work = generators.execute(connection.pgconn)
    lookout.seen = ""
    pause = min(_FIRST_LOOK, lookout.patience)
    due = time.monotonic() + pause
    poll = select.poll()
    try:
        wanted = next(work)
        while True:
            poll.register(connection.fileno(), _events(wanted))
            happened = poll.poll(max(due - time.monotonic(), 0) * 1000)
            if happened:
                wanted = work.send(_ready(happened[0][1]))
            else:
                lookout.look()
                pause = min(pause * 2, lookout.patience)
                due = time.monotonic() + pause
    except StopIteration as ended:
        return list(ended.value)
    except BaseException:
        # interrupted: whatever runs is not to run on
        with contextlib.suppress(psycopg.Error):
            if connection.info.transaction_status == TransactionStatus.ACTIVE:
                connection.cancel_safe(timeout=1)
        raise


def _events(wanted: int) -> int:
    # psycopg's own bits: 1 to read, 2 to write
    return (select.POLLIN if wanted & 1 else 0) | (select.POLLOUT if wanted & 2 else 0)


def _ready(happened: int) -> int:
    reading = happened & (select.POLLIN | select.POLLHUP | select.POLLERR)
    return (1 if reading else 0) | (2 if happened & select.POLLOUT else 0)


_DATA_EXCEPTION = "22"
_QUOTED = re.compile(r'"[^"]*"')
"""What the server says of data that it cannot take holds the data."""


def _without_texts(statement: str) -> str:
    """The statement with nothing in its quotes: they may hold a password, or somebody's data."""
    told, end = "", 0
    for token in scan(statement):
        if token.kind == "SCONST" and not token.text.startswith("$"):
            told += statement[end : token.start] + "'…'"
            end = token.end
    return told + statement[end:]


def _failure(
    path: Path, sql: str, first_line: int, ordinal: int, diag: Diagnostic, lookout: Lookout | None
) -> MigrationFailed:
    line, text, whole = 0, "", sql
    try:
        statements = split(sql)
    except SqlError:
        # a server newer than the parser took what the parser does not know
        statements = ()
    if ordinal <= len(statements):
        line, whole = statements[ordinal - 1].line, statements[ordinal - 1].text
        text = _without_texts(whole).splitlines()[0][:120]
    if diag.statement_position:
        # counted in characters of everything that was sent
        line = line_of(sql, int(diag.statement_position) - 1)
    message = diag.message_primary or "unknown error"
    if diag.message_hint:
        message += f" ({diag.message_hint})"
    sqlstate = diag.sqlstate or "XX000"
    if sqlstate.startswith(_DATA_EXCEPTION):
        message = _QUOTED.sub('"…"', message)
    told = {}
    if sqlstate in _ENDED:
        told = _waited(sqlstate, diag, whole, lookout)
    elif sqlstate == _NEEDS_NO_TRANSACTION:
        told = {"remedy": "begin the file with the line `-- no-transaction`; nothing of it is left in the database"}
    return MigrationFailed(path, ordinal, (line or 1) + first_line - 1, text, sqlstate, message, **told)


def _waited(sqlstate: str, diag: Diagnostic, statement: str, lookout: Lookout | None) -> dict[str, str]:
    """Who held the lock, and what to do, of a statement that was ended while it waited; or took too long."""
    holders = lookout.seen if lookout is not None else ""
    if lookout is not None and not holders and sqlstate == _LOCK_TIMEOUT:
        # the context names the table where another one's row was waited for
        holders = lookout.look_back(f"{diag.context or ''} {statement}")
    remedy = _END_OR_WAIT if holders else _LATER if sqlstate == _LOCK_TIMEOUT else _MORE_TIME
    return {"holders": holders, "remedy": remedy}


def _described(pid: int, name: str, user: str, state: str | None, since: datetime | None, query: str | None) -> str:
    """Who holds a lock. Of another user's session, only a member of pg_read_all_stats sees more than who it is."""
    who = f"process {pid} ({name or 'unnamed'}, user {user}"
    if state is None or not query:
        return f"{who})"
    shown = " ".join((without_values(query) or query.lstrip().partition(" ")[0]).split())[:120]
    word = "running" if state == "active" else f"{state}, last query"
    began = f"since {since:%Y-%m-%d %H:%M:%S %Z}" if since is not None else "in no transaction"
    return f"{who}, {began}, {word}: {shown})"

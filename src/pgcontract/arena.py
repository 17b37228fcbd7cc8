"""A clone in which transactions meet and commit: two sessions that act, and a third that looks on.

Nothing here sleeps: the one that acts has come to its end, or the server says whose transaction it waits for.
Afterwards all rows are as they were placed.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import pq, sql

from pgcontract.errors import ServerError
from pgcontract.model import Name, Table
from pgcontract.promises.meetings import Course, Meeting, Onlooker
from pgcontract.promises.scene import CLOCK
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import OVERRIDING, Statement, identifier
from pgcontract.session import FAILED, SETTINGS, refused_with

Rows = list[tuple[bytes | None, ...]]

GLANCE = 0.0005
"""Seconds that are given to a statement before the server is asked what it waits for; it mostly ends sooner."""
PATIENCE = 10.0
IMPATIENT = "SET statement_timeout = '2s'"
REPLICA = Statement("SET LOCAL session_replication_role = 'replica'")
BEGIN, COMMIT, ROLLBACK = Statement("BEGIN"), Statement("COMMIT"), Statement("ROLLBACK")
KEPT = ("pgcontract as it was", "pgcontract as placed")
"""Schemas with copies of all rows: of those that the template has, and of those on the stage."""
CHANGED = Statement(
    "SELECT schemaname, relname FROM pg_catalog.pg_stat_xact_user_tables"
    " WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 ORDER BY relid"
)
"""What this transaction has written to."""


@dataclass
class _Line:
    """A connection that can be sent statements without waiting for what they give."""

    connection: psycopg.Connection
    _refusal: Refusal | None = None
    _rows: Rows = field(default_factory=list)
    _position: int = 0
    _over: bool = True

    @classmethod
    def open(cls, dsn: str) -> _Line:
        connection = psycopg.connect(dsn, autocommit=True)
        for setting in (*SETTINGS, IMPATIENT):
            connection.pgconn.exec_(setting.encode())
        connection.pgconn.enter_pipeline_mode()
        return cls(connection)

    @property
    def backend(self) -> str:
        return str(self.connection.pgconn.backend_pid)

    def send(self, statements: Iterable[Statement]) -> None:
        pg = self.connection.pgconn
        self._refusal, self._rows, self._position, self._over = None, [], 0, False
        for statement in statements:
            values = [v.encode() if isinstance(v, str) else v for v in statement.values]
            pg.send_query_params(statement.text.encode(), values)
        pg.pipeline_sync()
        pg.flush()

    def ended(self) -> bool:
        """Whether all that was sent has been answered; what has been is read."""
        pg = self.connection.pgconn
        try:
            pg.consume_input()
        except psycopg.OperationalError as error:
            raise _gone(error) from error
        while not self._over and not pg.is_busy():
            result = pg.get_result()
            if result is None:
                continue
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                self._over = True
            elif result.status in FAILED:
                self._refusal = self._refusal or refused_with(result, self._position)
            elif result.status == pq.ExecStatus.TUPLES_OK:
                fields = range(result.nfields)
                self._rows = [tuple(result.get_value(n, f) for f in fields) for n in range(result.ntuples)]
            self._position += 1
        return self._over

    def glance(self, seconds: float) -> None:
        """Wait for an answer, no longer than this."""
        select.select([self.connection.pgconn.socket], [], [], seconds)

    def answer(self) -> Refusal | Rows:
        """Wait until all is answered: the first error, or the last rows."""
        end = time.monotonic() + PATIENCE
        while not self.ended():
            if time.monotonic() > end:
                raise ServerError("The PostgreSQL server does not answer.", remedy="Is it, or the machine, very busy?")
            self.glance(PATIENCE)
        return self._rows if self._refusal is None else self._refusal

    def ask(self, *statements: Statement) -> Refusal | Rows:
        """Send, and wait for what they give."""
        self.send(statements)
        return self.answer()


class Arena:
    """Has two sessions meet in a database of its own. See ``promises.meetings.Arena``."""

    def __init__(self, dsn: str) -> None:
        self._one, self._other, self._third = _Line.open(dsn), _Line.open(dsn), _Line.open(dsn)
        self._tables: tuple[Table, ...] = ()
        self._placed: tuple[Statement, ...] | None = None

    def place(self, tables: Sequence[Table], prepared: Sequence[Statement]) -> Refusal | None:
        """Commit the rows of a stage in place of whatever was placed before; returns what refused them."""
        if self._placed == tuple(prepared):
            return None
        # rows are put back past all triggers, which not everybody may do
        forbidden = self._third.ask(BEGIN, REPLICA, ROLLBACK)
        if isinstance(forbidden, Refusal):
            self._third.ask(ROLLBACK)
            return forbidden
        if self._tables != tuple(tables):
            self._tables = tuple(tables)
            refused = self._keep(KEPT[0])
        else:
            refused = self._restore(KEPT[0], (t.name for t in tables))
        self._placed = None
        told = Statement(f"SELECT pg_catalog.current_setting('{CLOCK}')")
        clock = refused or self._third.ask(BEGIN, *prepared, told)
        if isinstance(clock, Refusal):
            self._third.ask(ROLLBACK)
            return clock
        if isinstance(committed := self._third.ask(COMMIT), Refusal):
            return committed
        for line in (self._one, self._other):
            line.ask(Statement(f"SELECT pg_catalog.set_config('{CLOCK}', $1, false)", (clock[0][0],)))
        # put back once, so that rows have the places, and tables the statistics, that they will have ever after
        refused = self._keep(KEPT[1]) or self._restore(KEPT[1], (t.name for t in tables))
        self._placed = tuple(prepared) if refused is None else None
        return refused

    def install(self, ddl: Sequence[Statement]) -> Refusal | None:
        """Commit DDL."""
        found = self._third.ask(BEGIN, *ddl, COMMIT)
        if isinstance(found, Refusal):
            self._third.ask(ROLLBACK)
            return found
        return None

    def course(self, meeting: Meeting, onlooker: Onlooker) -> Course:
        """What becomes of a meeting."""
        written: Refusal | Rows = self._one.ask(BEGIN, *meeting.first, CHANGED) if meeting.first else []
        self._other.send((BEGIN, *meeting.act))
        waits = self._waits()
        seen = self._held(onlooker)
        if meeting.first:
            ended = self._one.ask(COMMIT if meeting.commits else ROLLBACK)
            written = ended if isinstance(ended, Refusal) else written
        shot = self._other.answer()
        if isinstance(shot, Refusal):
            self._other.ask(ROLLBACK)
        else:
            shot = self._other.ask(onlooker.shot, ROLLBACK)
        if isinstance(written, Refusal):
            return Course(waits, seen, f"the first session: {written}")
        if meeting.commits:
            names = (Name((t[0] or b"").decode(), (t[1] or b"").decode()) for t in written)
            if self._restore(KEPT[1], names) is not None:
                self._placed = None
        return Course(waits, seen, str(shot)) if isinstance(shot, Refusal) else Course(waits, seen, rows=tuple(shot))

    def close(self) -> None:
        """Close the connections."""
        for line in (self._one, self._other, self._third):
            line.connection.close()

    def _waits(self) -> bool:
        """Whether the other session waits for somebody, or has come to its end."""
        asked = Statement(f"SELECT pg_catalog.cardinality(pg_catalog.pg_blocking_pids({self._other.backend})) > 0")
        while not self._other.ended():
            self._other.glance(GLANCE)
            if self._other.ended():
                return False
            if self._third.ask(asked) == [(b"t",)]:
                return True
        return False

    def _held(self, onlooker: Onlooker) -> frozenset[str]:
        """What is locked now: rows, and whatever the other session holds besides; the third one waits for nothing."""
        found = self._third.ask(BEGIN, *onlooker.held(self._other.backend), ROLLBACK)
        if isinstance(found, Refusal):
            # a whole table is locked
            self._third.ask(ROLLBACK)
            found = self._third.ask(onlooker.tables(self._other.backend))
        return frozenset((row[0] or b"").decode() for row in ([] if isinstance(found, Refusal) else found))

    def _keep(self, schema: str) -> Refusal | None:
        """Copy all rows."""
        place = sql.Identifier(schema).as_string()
        copies = [
            Statement(f"CREATE TABLE {place}.{_numbered(n)} AS TABLE {identifier(t.name).as_string()}")
            for n, t in enumerate(self._tables)
        ]
        gone = Statement(f"DROP SCHEMA IF EXISTS {place} CASCADE")
        return self.install((gone, Statement(f"CREATE SCHEMA {place}"), *copies))

    def _restore(self, schema: str, names: Iterable[Name]) -> Refusal | None:
        """Put back the rows of these tables, as if no trigger were there."""
        place, wanted = sql.Identifier(schema).as_string(), set(names)
        numbered = [(n, t) for n, t in enumerate(self._tables) if t.name in wanted]
        gone = [Statement(f"DELETE FROM {identifier(t.name).as_string()}") for _, t in numbered]
        back = []
        for n, table in numbered:
            columns = ", ".join(sql.Identifier(c.name).as_string() for c in table.columns if c.generated is None)
            if not columns:
                continue
            into = f"{identifier(table.name).as_string()} ({columns}) {OVERRIDING}"
            back.append(Statement(f"INSERT INTO {into}SELECT {columns} FROM {place}.{_numbered(n)}"))
        if not numbered:
            return None
        refused = self.install((REPLICA, *gone))
        if refused is None:
            # in the places of those that went: a statement over several rows takes them in the order of their places
            self._third.ask(Statement(f"VACUUM {', '.join(identifier(t.name).as_string() for _, t in numbered)}"))
            refused = self.install((REPLICA, *back))
        return refused


def _numbered(number: int) -> str:
    return sql.Identifier(f"table {number}").as_string()


def _gone(error: Exception) -> ServerError:
    return ServerError(
        "The PostgreSQL server ended the connection in the middle of the run.",
        seen=str(error).splitlines()[0],
        remedy="See the server's log; run again.",
    )

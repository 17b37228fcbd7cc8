"""One connection for very many examples: a kept savepoint, libpq's pipeline, prepared statements.

An example is at most one round trip: roll back to the savepoint, run the statements, wait for what they gave; dozens of
examples share one where nothing hangs on the outcome of each. It is also the oracle of the rows room. Whatever is asked
or tried here is rolled back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import psycopg
from psycopg import pq, sql

from pgcontract.errors import ServerError
from pgcontract.model import Table
from pgcontract.promises.base import Rows, Seen
from pgcontract.rows.oracle import Evaluated, Refusal
from pgcontract.rows.statements import Row, Statement, Value

T = TypeVar("T")

FAILED = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.PIPELINE_ABORTED)
MOST_PREPARED = 2000
CASES_AT_ONCE = 50
"""Few enough that what the server answers fits its socket, while we still send."""
FEW = 4
"""How many are sent first, and again after these took longer than ``SLOW`` seconds."""
SLOW = 1.0
ROLLBACK = b"ROLLBACK TO SAVEPOINT example"
NO_SUCH_STATEMENT = "26000"
STATEMENT_TIMEOUT = "10s"
SETTINGS = (
    "SET TimeZone = 'UTC'",
    "SET DateStyle = 'ISO, MDY'",
    "SET IntervalStyle = 'postgres'",
    "SET client_min_messages = error",
    f"SET statement_timeout = '{STATEMENT_TIMEOUT}'",
)
"""What literals and printed values depend on. Names outside ``pg_catalog`` are always qualified; the search path is the
database's own, because functions name tables as their authors do."""

_FIELD = pq.DiagnosticField


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said to one statement: an error, or its rows and how many it returned or changed.

    ``columns`` is None for a statement that is no query.
    """

    refusal: Refusal | None = None
    rows: Rows = ()
    columns: tuple[str, ...] | None = None
    count: int = 0


class OutOfTime(BaseException):
    """The time that was set by ``Session.until`` is over.

    No Exception, so that whatever searches and shrinks on failures (Hypothesis does) lets it pass.
    """


class Session:
    """Runs statements on top of a world, and answers the rows room's questions. Not for use by two threads.

    Raises ServerError from any method when the connection is lost, OutOfTime before anything is sent too late.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        if not connection.autocommit:
            connection.autocommit = True
        # it does not see when we forget what is prepared
        connection.prepare_threshold = None
        self._connection = connection
        self._pg = connection.pgconn
        self._pg.nonblocking = 0
        self._prepared: dict[str, bytes] = {}
        self._met: set[str] = set()
        self._counter = 0
        self._mark: bytes | None = None
        self._altered: tuple[Statement, ...] = ()
        self._overlaid = False
        self._world: tuple[Statement, ...] | None = None
        self._end: float | None = None
        self.timeout = STATEMENT_TIMEOUT
        """How long a statement may take."""
        self.entered = 0
        """How often a world has been entered: as long as this stays, ``now()`` and all rows of the world do."""
        for setting in SETTINGS:
            self._send(setting)
        self._begin()

    @property
    def backend(self) -> int:
        """The process id of the server's process for this connection."""
        return self._pg.backend_pid

    def until(self, end: float | None) -> None:
        """Send nothing after this time of ``time.monotonic()``; None: as long as it takes.

        After OutOfTime nothing is known of the world: it must be left.
        """
        self._end = end

    def enter(self, setup: Sequence[Statement]) -> Refusal | None:
        """Insert a world, which stays until another is entered; returns what refused it."""
        key = tuple(setup)
        if self._world == key:
            return None
        self._leave_world()
        self._begin()
        seen = self._pipeline(key, savepoint=None)
        if seen.refusal is None:
            self._plain()
            self._send("SAVEPOINT example")
            self._world = key
            self.entered += 1
        return seen.refusal

    def overlay(self, ddl: Sequence[Statement]) -> Refusal | None:
        """Put these statements on top of the world, in place of those that were put there before; none: none.

        Returns what refused them: then the world is as it was. They go when it is left.
        """
        if self._world is None:
            return None
        if self._overlaid:
            self._send(f"{ROLLBACK.decode()}; RELEASE SAVEPOINT example")
            self._overlaid = False
        self._send(ROLLBACK.decode())
        if not ddl:
            return None
        refused = self._pipeline(ddl, None, prepare=False).refusal
        self._plain()
        if refused is None:
            self._overlaid = True
        self._send("SAVEPOINT example" if refused is None else ROLLBACK.decode())
        return refused

    def forget(self) -> None:
        """Have nothing prepared any more: where a type was made anew, statements know it by its old number."""
        self._send("DEALLOCATE ALL")
        self._prepared.clear()
        self._met.clear()

    def set(self, setting: str, value: str | None) -> None:
        """Change a setting for the rest of the session, as SET does; None takes the database's own value."""
        name = sql.Identifier(setting).as_string()
        self._leave_world()
        self._send(f"RESET {name}" if value is None else f"SET {name} = {sql.Literal(value).as_string()}")
        self._begin()

    def alter(self, ddl: Sequence[Statement]) -> Refusal | None:
        """Have every transaction from now on begin with these statements; none: as the database is.

        Returns what refused them: then the database is as it is, too.
        """
        self._leave_world()
        self.forget()
        self._altered = tuple(ddl)
        refused = self._begin()
        if refused is not None:
            self._send("ROLLBACK")
            self._altered = ()
            self._begin()
        return refused

    def within(self, read: Callable[[psycopg.Connection], T]) -> T:
        """Read something over the connection in a fresh transaction, as it is altered."""
        self._leave_world()
        self._begin()
        self._plain()
        return read(self._connection)

    def mark(self, savepoint: str | None) -> None:
        """Have what is asked from now on leave alone whatever was done up to this savepoint; None: up to the world."""
        self._mark = None if savepoint is None else f"ROLLBACK TO SAVEPOINT {savepoint}".encode()

    def answers(self, statements: Sequence[Statement]) -> list[Answer | None]:
        """Run statements where the last ones left off, in one round trip; None for those behind an error.

        A text that comes again is prepared.
        """
        try:
            return self._answers(self._queue(statements, None, prepare=None))
        except psycopg.OperationalError as error:
            raise self._gone(error) from error

    def leave(self) -> None:
        """Forget the world, so that the next one is entered in a fresh transaction."""
        self._world = None

    def run(self, statements: Sequence[Statement]) -> Seen:
        """Run statements on top of the world in one round trip. What they did is undone by the next call."""
        return self._pipeline(statements, savepoint=ROLLBACK)

    def run_all(self, cases: Sequence[Sequence[Statement]], layer: Sequence[Statement] = ()) -> Iterator[Seen]:
        """Run many cases, each on top of the world and the layer alone, some dozens a round trip.

        Where the layer is refused, so is every case, at position -1.
        """
        if not layer:
            yield from self._run_all(cases)
            return
        refused = self.run(layer).refusal
        if refused is not None:
            yield from (Seen(replace(refused, position=-1)) for _ in cases)
            return
        # the inner savepoint is in the place of the outer one, until it is released
        self._send("SAVEPOINT example")
        found = list(self._run_all(cases))
        self._send(ROLLBACK.decode())
        self._send("RELEASE SAVEPOINT example")
        # the layer goes as well, and with it its locks
        self._send(ROLLBACK.decode())
        yield from found

    def _run_all(self, cases: Sequence[Sequence[Statement]]) -> Iterator[Seen]:
        start, size = 0, FEW
        while start < len(cases):
            self._in_time()
            together = cases[start : start + size]
            begun = time.monotonic()
            try:
                sent = [self._queue(statements, ROLLBACK) for statements in together]
                found = [self._collect(results) for results in sent]
            except psycopg.OperationalError as error:
                raise self._gone(error) from error
            # slow ones must leave the time to be looked at in between
            start, quick = start + len(together), time.monotonic() - begun < SLOW
            size = min(2 * size, CASES_AT_ONCE) if quick else FEW
            for statements, seen in zip(together, found, strict=True):
                # a case before it was to prepare its statement, and met an error first
                unprepared = seen.refusal is not None and seen.refusal.sqlstate == NO_SUCH_STATEMENT
                yield self.run(statements) if unprepared else seen

    def ask(self, query: Statement) -> bool:
        """Whether a query on top of the world gives one row, all true."""
        seen = self.run([query])
        return seen.refusal is None and seen.true

    def refusal(self, statements: Sequence[Statement]) -> Refusal | None:
        """The first error that these statements meet in a transaction of their own."""
        return self.enter(()) or self.run(statements).refusal

    def tried(
        self, setup: Sequence[Statement], cases: Sequence[Sequence[Statement]], layer: Sequence[Statement] = ()
    ) -> Sequence[Refusal | Rows]:
        """What each case's last query returns on top of a world and a layer, or what refused it."""
        refused = self.enter(setup)
        if refused is not None:
            return [refused for _ in cases]
        return [seen.refusal or seen.rows or () for seen in self.run_all(cases, layer)]

    def truth(
        self, table: Table, expressions: Sequence[str], rows: Sequence[Row]
    ) -> Sequence[tuple[bool | None, ...] | None]:
        """Evaluate expressions over rows in one query; where that fails, row by row."""
        found = self._over(table, ", ".join(f"({e})::boolean" for e in expressions), rows)
        return [None if row is None else tuple(None if f is None else f == b"t" for f in row) for row in found]

    def values(
        self, table: Table, expressions: Sequence[str], rows: Sequence[Row]
    ) -> Sequence[tuple[Value, ...] | None]:
        """The same, as text."""
        found = self._over(table, ", ".join(f"({e})::text" for e in expressions), rows)
        return [None if row is None else tuple(None if f is None else f.decode() for f in row) for row in found]

    def _over(self, table: Table, asked: str, rows: Sequence[Row]) -> list[tuple[bytes | None, ...] | None]:
        """What a select list gives for each row; None for a row with which it fails."""
        if not rows:
            return []
        types = {c.name: c.type for c in table.columns}
        names = [c for c in rows[0] if c in types]
        inner = ", ".join(f"v{n}::{types[c]} AS {sql.Identifier(c).as_string()}" for n, c in enumerate(names))
        arrays = ", ".join(f"${n + 1}::text[]" for n in range(len(names)))
        given = ", ".join(f"v{n}" for n in range(len(names)))
        alias = sql.Identifier(table.name.name).as_string()
        text = (
            f'SELECT {asked} FROM (SELECT "the row\'s number", {inner} FROM unnest({arrays})'
            f' WITH ORDINALITY AS given ({given}, "the row\'s number")) AS {alias}'
            f' ORDER BY "the row\'s number"'
        )
        values = tuple(_array([row[c] for row in rows]) for c in names)
        seen = self._apart(Statement(text, values))
        if seen.refusal is None and seen.rows is not None:
            return list(seen.rows)
        if len(rows) == 1:
            return [None]
        middle = len(rows) // 2
        return [*self._over(table, asked, rows[:middle]), *self._over(table, asked, rows[middle:])]

    def evaluate(self, expressions: Sequence[tuple[str, str]]) -> Sequence[Evaluated]:
        """Evaluate each expression twice; one that raises an error is taken for volatile."""
        if not expressions:
            return []
        twice = ", ".join(f"(({e})::{t})::text, (({e})::{t})::text" for e, t in expressions)
        seen = self._apart(Statement(f"SELECT {twice}"))
        if seen.refusal is None and seen.rows:
            texts = [None if f is None else f.decode() for f in seen.rows[0]]
            pairs = zip(texts[::2], texts[1::2], strict=True)
            return [Evaluated(one, volatile=one != other) for one, other in pairs]
        if len(expressions) == 1:
            return [Evaluated(None, volatile=True)]
        return [found for expression in expressions for found in self.evaluate([expression])]

    def close(self) -> None:
        """Roll everything back and close the connection."""
        self._connection.close()

    def _in_time(self) -> None:
        if self._end is not None and time.monotonic() > self._end:
            raise OutOfTime

    def _leave_world(self) -> None:
        self._world = self._mark = None
        self._overlaid = False
        self._send("ROLLBACK")
        # what alters the database may make a type anew: a prepared statement would know it by its old number
        if self._altered or len(self._prepared) > MOST_PREPARED:
            self.forget()

    def _begin(self) -> Refusal | None:
        self._send("BEGIN")
        refused = self._pipeline(self._altered, None, prepare=False).refusal if self._altered else None
        if refused is None:
            self._plain()
            self._send("SAVEPOINT base")
        return refused

    def _apart(self, statement: Statement) -> Seen:
        """Run one statement, rolled back to whatever savepoint is the innermost."""
        world = ROLLBACK if self._world is not None else b"ROLLBACK TO SAVEPOINT base"
        return self._pipeline([statement], savepoint=self._mark or world, prepare=None)

    def _pipeline(
        self, statements: Iterable[Statement], savepoint: bytes | None, *, prepare: bool | None = True
    ) -> Seen:
        self._in_time()
        try:
            return self._collect(self._queue(statements, savepoint, prepare=prepare))
        except psycopg.OperationalError as error:
            raise self._gone(error) from error

    def _queue(
        self, statements: Iterable[Statement], savepoint: bytes | None, *, prepare: bool | None = True
    ) -> list[tuple[int, str | None]]:
        """Send statements up to a synchronisation point; returns what ``_collect`` has to know of them.

        ``prepare`` None: those that have been met before.
        """
        pg = self._pg
        if pg.pipeline_status == pq.PipelineStatus.OFF:
            pg.enter_pipeline_mode()
        sent: list[tuple[int, str | None]] = []
        if savepoint is not None:
            pg.send_query_params(savepoint, None)
            sent.append((-1, None))
        for position, statement in enumerate(statements):
            values = [v.encode() if isinstance(v, str) else v for v in statement.values]
            if not statement.afresh and (prepare or (prepare is None and self._again(statement.text))):
                pg.send_query_prepared(self._prepare(statement.text, sent, position), values)
            else:
                pg.send_query_params(statement.text.encode(), values)
            sent.append((position, None))
        pg.pipeline_sync()
        return sent

    def _again(self, text: str) -> bool:
        """Whether this text has been met before."""
        if text in self._prepared or text in self._met:
            return True
        if len(self._met) >= MOST_PREPARED:
            self._met.clear()
        self._met.add(text)
        return False

    def _prepare(self, text: str, sent: list[tuple[int, str | None]], position: int) -> bytes:
        """The statement's name; it is prepared on the way if it was not yet."""
        name = self._prepared.get(text)
        if name is None:
            self._counter += 1
            name = f"pgcontract_{self._counter}".encode()
            self._pg.send_prepare(name, text.encode())
            sent.append((position, text))
            self._prepared[text] = name
        return name

    def _collect(self, sent: Sequence[tuple[int, str | None]]) -> Seen:
        """Read every result up to the synchronisation point; keep the first error, or the last rows.

        ``sent`` says for each result to come which statement it belongs to, and its text where it prepares it:
        behind an error nothing is prepared, and the name must not be used again.
        """
        refusal: Refusal | None = None
        rows: list[tuple[bytes | None, ...]] | None = None
        arrived = iter(sent)
        while (result := self._next()).status != pq.ExecStatus.PIPELINE_SYNC:
            position, prepares = next(arrived)
            if result.status in FAILED:
                refusal = refusal or refused_with(result, position)
                if prepares is not None:
                    del self._prepared[prepares]
            elif result.status == pq.ExecStatus.TUPLES_OK:
                fields, count = range(result.nfields), range(result.ntuples)
                rows = [tuple(result.get_value(row, field) for field in fields) for row in count]
            elif prepares is None:
                rows = None
        return Seen(refusal, None if refusal else rows)

    def _answers(self, sent: Sequence[tuple[int, str | None]]) -> list[Answer | None]:
        """Read every result up to the synchronisation point, one answer a statement."""
        found: list[Answer | None] = []
        arrived = iter(sent)
        while (result := self._next()).status != pq.ExecStatus.PIPELINE_SYNC:
            position, prepares = next(arrived)
            if result.status not in FAILED:
                found += [_answer(result)] if prepares is None else []
                continue
            if prepares is not None:
                del self._prepared[prepares]
            if result.status == pq.ExecStatus.FATAL_ERROR:
                found.append(Answer(refused_with(result, position)))
            elif position >= len(found):
                found.append(None)
        return found

    def _next(self) -> pq.abc.PGresult:
        """The next result, past the ends of statements. Raises ServerError where there will be none."""
        while True:
            result = self._pg.get_result()
            if self._pg.status != pq.ConnStatus.OK:
                raise self._gone(None)
            if result is not None:
                return result

    def _plain(self) -> None:
        if self._pg.pipeline_status != pq.PipelineStatus.OFF:
            self._pg.exit_pipeline_mode()

    def _send(self, text: str) -> None:
        self._plain()
        try:
            result = self._pg.exec_(text.encode())
        except psycopg.OperationalError as error:
            raise self._gone(error) from error
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise self._gone(None, result.error_message.decode(errors="replace").strip())

    def _gone(self, error: Exception | None, message: str = "") -> ServerError:
        said = message or str(error or self._pg.error_message.decode(errors="replace")).strip()
        return ServerError(
            "The PostgreSQL server ended the connection in the middle of the run.",
            seen=said.splitlines()[0] if said else "no message",
            remedy="See the server's log; run again. Verdicts that were reached until then were reported.",
        )


def _answer(result: pq.abc.PGresult) -> Answer:
    if result.status != pq.ExecStatus.TUPLES_OK:
        return Answer(count=result.command_tuples or 0)
    fields, count = range(result.nfields), range(result.ntuples)
    names = tuple((result.fname(field) or b"").decode(errors="replace") for field in fields)
    return Answer(
        rows=[tuple(result.get_value(row, field) for field in fields) for row in count], columns=names, count=len(count)
    )


def refused_with(result: pq.abc.PGresult, position: int) -> Refusal:
    def diagnostic(which: pq.DiagnosticField) -> str | None:
        value = result.error_field(which)
        return value.decode(errors="replace") if value is not None else None

    return Refusal(
        position,
        diagnostic(_FIELD.SQLSTATE) or "",
        diagnostic(_FIELD.MESSAGE_PRIMARY) or "",
        constraint=diagnostic(_FIELD.CONSTRAINT_NAME),
        column=diagnostic(_FIELD.COLUMN_NAME),
        table=diagnostic(_FIELD.TABLE_NAME),
        datatype=diagnostic(_FIELD.DATATYPE_NAME),
        context=diagnostic(_FIELD.CONTEXT),
        place=int(place) if (place := diagnostic(_FIELD.STATEMENT_POSITION)) else None,
        schema=diagnostic(_FIELD.SCHEMA_NAME),
        detail=diagnostic(_FIELD.MESSAGE_DETAIL),
        hint=diagnostic(_FIELD.MESSAGE_HINT),
    )


def _array(values: Sequence[object]) -> str:
    """A text array's input form."""
    quoted = ("NULL" if v is None else '"' + str(v).replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values)
    return "{" + ",".join(quoted) + "}"

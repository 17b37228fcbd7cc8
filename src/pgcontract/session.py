"""One connection for very many examples: a kept savepoint, libpq's pipeline, prepared statements.

An example is at most one round trip: roll back to the savepoint, run the statements, wait for what they gave; dozens of
examples share one where nothing hangs on the outcome of each. It is also the oracle of the rows room. Whatever is asked
or tried here is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import psycopg
from psycopg import pq, sql

from pgcontract.errors import ServerError
from pgcontract.model import Table
from pgcontract.promises.base import Seen
from pgcontract.rows.oracle import Evaluated, Refusal
from pgcontract.rows.statements import Row, Statement

FAILED = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.PIPELINE_ABORTED)
MOST_PREPARED = 2000
CASES_AT_ONCE = 50
"""Few enough that what the server answers fits its socket, while we still send."""
ROLLBACK = b"ROLLBACK TO SAVEPOINT example"
NO_SUCH_STATEMENT = "26000"
SETTINGS = (
    "SET search_path = ''",
    "SET TimeZone = 'UTC'",
    "SET DateStyle = 'ISO, MDY'",
    "SET IntervalStyle = 'postgres'",
    "SET client_min_messages = error",
    "SET statement_timeout = '10s'",
)
"""What literals and printed values depend on. Names outside ``pg_catalog`` are always qualified."""

_FIELD = pq.DiagnosticField


class Session:
    """Runs statements on top of a world, and answers the rows room's questions. Not for use by two threads.

    Raises ServerError from any method when the connection is lost.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        if not connection.autocommit:
            connection.autocommit = True
        self._connection = connection
        self._pg = connection.pgconn
        self._pg.nonblocking = 0
        self._prepared: dict[str, bytes] = {}
        self._counter = 0
        for setting in SETTINGS:
            self._send(setting)
        self._send("BEGIN")
        self._send("SAVEPOINT base")
        self._world: tuple[Statement, ...] | None = None

    @property
    def backend(self) -> int:
        """The process id of the server's process for this connection."""
        return self._pg.backend_pid

    def enter(self, setup: Sequence[Statement]) -> Refusal | None:
        """Insert a world, which stays until another is entered; returns what refused it."""
        key = tuple(setup)
        if self._world == key:
            return None
        self._world = None
        self._send("ROLLBACK")
        if len(self._prepared) > MOST_PREPARED:
            self._send("DEALLOCATE ALL")
            self._prepared.clear()
        self._send("BEGIN")
        self._send("SAVEPOINT base")
        seen = self._pipeline(key, savepoint=None)
        if seen.refusal is None:
            self._plain()
            self._send("SAVEPOINT example")
            self._world = key
        return seen.refusal

    def leave(self) -> None:
        """Forget the world, so that the next one is entered in a fresh transaction."""
        self._world = None

    def run(self, statements: Sequence[Statement]) -> Seen:
        """Run statements on top of the world in one round trip. What they did is undone by the next call."""
        return self._pipeline(statements, savepoint=ROLLBACK)

    def run_all(self, cases: Sequence[Sequence[Statement]]) -> Iterator[Seen]:
        """Run many cases, each on top of the world alone, some dozens a round trip."""
        for start in range(0, len(cases), CASES_AT_ONCE):
            together = cases[start : start + CASES_AT_ONCE]
            try:
                sent = [self._queue(statements, ROLLBACK) for statements in together]
                found = [self._collect(results) for results in sent]
            except psycopg.OperationalError as error:
                raise self._gone(error) from error
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

    def truth(
        self, table: Table, expressions: Sequence[str], rows: Sequence[Row]
    ) -> Sequence[tuple[bool | None, ...] | None]:
        """Evaluate expressions over rows in one query; where that fails, row by row."""
        if not rows:
            return []
        types = {c.name: c.type for c in table.columns}
        names = [c for c in rows[0] if c in types]
        inner = ", ".join(f"v{n}::{types[c]} AS {sql.Identifier(c).as_string()}" for n, c in enumerate(names))
        arrays = ", ".join(f"${n + 1}::text[]" for n in range(len(names)))
        given = ", ".join(f"v{n}" for n in range(len(names)))
        alias = sql.Identifier(table.name.name).as_string()
        asked = ", ".join(f"({e})::boolean" for e in expressions)
        text = (
            f'SELECT {asked} FROM (SELECT "the row\'s number", {inner} FROM unnest({arrays})'
            f' WITH ORDINALITY AS given ({given}, "the row\'s number")) AS {alias}'
            f' ORDER BY "the row\'s number"'
        )
        values = tuple(_array([row[c] for row in rows]) for c in names)
        seen = self._apart(Statement(text, values))
        if seen.refusal is None and seen.rows is not None:
            return [tuple(None if field is None else field == b"t" for field in row) for row in seen.rows]
        if len(rows) == 1:
            return [None]
        middle = len(rows) // 2
        return [*self.truth(table, expressions, rows[:middle]), *self.truth(table, expressions, rows[middle:])]

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

    def _apart(self, statement: Statement) -> Seen:
        """Run one statement, rolled back to whatever savepoint is the innermost."""
        world = self._world is not None
        return self._pipeline(
            [statement], savepoint=ROLLBACK if world else b"ROLLBACK TO SAVEPOINT base", prepare=False
        )

    def _pipeline(self, statements: Iterable[Statement], savepoint: bytes | None, *, prepare: bool = True) -> Seen:
        try:
            return self._collect(self._queue(statements, savepoint, prepare=prepare))
        except psycopg.OperationalError as error:
            raise self._gone(error) from error

    def _queue(
        self, statements: Iterable[Statement], savepoint: bytes | None, *, prepare: bool = True
    ) -> list[tuple[int, str | None]]:
        """Send statements up to a synchronisation point; returns what ``_collect`` has to know of them."""
        pg = self._pg
        if pg.pipeline_status == pq.PipelineStatus.OFF:
            pg.enter_pipeline_mode()
        sent: list[tuple[int, str | None]] = []
        if savepoint is not None:
            pg.send_query_params(savepoint, None)
            sent.append((-1, None))
        for position, statement in enumerate(statements):
            values = [v.encode() if isinstance(v, str) else v for v in statement.values]
            if prepare:
                pg.send_query_prepared(self._prepare(statement.text, sent, position), values)
            else:
                pg.send_query_params(statement.text.encode(), values)
            sent.append((position, None))
        pg.pipeline_sync()
        return sent

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
        pg = self._pg
        refusal: Refusal | None = None
        rows: list[tuple[bytes | None, ...]] | None = None
        arrived = iter(sent)
        while True:
            result = pg.get_result()
            if result is None:
                if pg.status != pq.ConnStatus.OK:
                    raise self._gone(None)
                continue
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                return Seen(refusal, None if refusal else rows)
            position, prepares = next(arrived)
            if result.status in FAILED:
                if pg.status != pq.ConnStatus.OK:
                    raise self._gone(None)
                refusal = refusal or _refusal(result, position)
                if prepares is not None:
                    del self._prepared[prepares]
            elif result.status == pq.ExecStatus.TUPLES_OK:
                fields, count = range(result.nfields), range(result.ntuples)
                rows = [tuple(result.get_value(row, field) for field in fields) for row in count]
            elif prepares is None:
                rows = None

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


def _refusal(result: pq.abc.PGresult, position: int) -> Refusal:
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
    )


def _array(values: Sequence[object]) -> str:
    """A text array's input form."""
    quoted = ("NULL" if v is None else '"' + str(v).replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values)
    return "{" + ",".join(quoted) + "}"

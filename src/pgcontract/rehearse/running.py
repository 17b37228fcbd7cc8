"""One section of a migration, run as the runner runs it, and watched meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg.pq import TransactionStatus

from pgcontract.errors import MigrationError
from pgcontract.migrations.files import Migration
from pgcontract.migrations.sending import MigrationFailed, at_commit, run_whole
from pgcontract.migrations.session import Connection, broken, connect, prepare_session, reset_session
from pgcontract.model import Name
from pgcontract.rehearse.locks import Lock, Watch, held, looking_on, relations
from pgcontract.sql import Statement, parsed_statements, split

# what cannot touch a row of a table that it does not lock, empty or not
_DEFINING = (
    "alter_",
    "comment_",
    "create_",
    "define_",
    "drop_",
    "grant_",
    "index_",
    "rename_",
    "rule_",
    "variable_",
    "view_",
)
_NOT_DEFINING = frozenset({"create_table_as_stmt"})


@dataclass(frozen=True, slots=True)
class Ran:
    """What a section did: its seconds, its locks on tables that were there, those rewritten, and how it failed."""

    seconds: float
    locks: tuple[Lock, ...]
    modes: frozenset[str]
    rewritten: tuple[Name, ...]
    error: MigrationFailed | None = None


@contextmanager
def session(dsn: str) -> Iterator[Connection]:
    """A session as the runner's. Closed at the end."""
    connection = connect(dsn, {})
    try:
        prepare_session(connection)
        yield connection
    finally:
        connection.close()


def only_defines(migration: Migration) -> bool:
    """Whether its statements all define things: such a migration touches no row of a table that it does not lock."""
    text = f"{migration.up}\n{migration.down or ''}"
    for _, raw in parsed_statements(text):
        kind = raw.stmt.WhichOneof("node")
        if kind in _NOT_DEFINING or not kind.startswith(_DEFINING):
            return False
    return True


def run(dsn: str, migration: Migration, *, down: bool = False) -> Ran:
    """Run a section in a session of its own; a statement that fails is part of the answer.

    Raises ServerError where the server went away, MigrationError for a file that ends its own transaction.
    """
    error: MigrationFailed | None = None
    with session(dsn) as connection:
        before = relations(connection)
        section = _Section(connection, dsn, migration, down, Watch(before))
        try:
            if migration.transactional:
                section.run_as_one()
            else:
                section.run_one_by_one()
        except MigrationFailed as failure:
            error = failure
        reset_session(connection)
        after = relations(connection)
    rewritten = sorted(
        relation.name
        for oid, relation in before.items()
        if oid in after and relation.file is not None and after[oid].file != relation.file
    )
    watch = section.watch
    return Ran(section.clock.seconds, watch.locks(), watch.modes, tuple(rewritten), error)


@dataclass
class _Clock:
    """Runs while the migration does, and stands while its locks are asked for."""

    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time until the end."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - began


@dataclass
class _Section:
    """One half of a migration, on its way."""

    connection: Connection
    dsn: str
    migration: Migration
    down: bool
    watch: Watch
    clock: _Clock = field(default_factory=_Clock)

    def run_as_one(self) -> None:
        """In one transaction, which is asked after each statement what it holds: so each lock has its statement."""
        with self.clock.running():
            self.connection.execute("BEGIN")
        try:
            for ordinal, statement in self._statements():
                since = self.clock.seconds
                try:
                    self._send(ordinal, statement)
                finally:
                    self._look(since, self._line(statement))
        except BaseException:
            if not broken(self.connection) and self._status() != TransactionStatus.ACTIVE:
                self.connection.execute("ROLLBACK")
            raise
        if self._status() != TransactionStatus.INTRANS:
            raise MigrationError(
                "A migration has ended its own transaction",
                where=str(self.migration.path),
                remedy="take out what begins or ends one",
            )
        asked = self.clock.seconds
        try:
            with self.clock.running():
                self.connection.execute("COMMIT")
        except psycopg.Error as error:
            raise at_commit(self.migration.path, error) from error
        finally:
            self.watch.extend(asked, self.clock.seconds)

    def run_one_by_one(self) -> None:
        """Each statement by itself, while another session looks on."""
        with looking_on(self.dsn, self.connection.info.backend_pid, self.watch) as current:
            for ordinal, statement in self._statements():
                current.line = self._line(statement)
                self._send(ordinal, statement)

    def _statements(self) -> Iterator[tuple[int, Statement]]:
        text = (self.migration.down or "") if self.down else self.migration.up
        return enumerate(split(text), 1)

    def _line(self, statement: Statement) -> int:
        return statement.line + (self.migration.down_line if self.down else 1) - 1

    def _status(self) -> TransactionStatus:
        return self.connection.info.transaction_status

    def _look(self, since: float, line: int) -> None:
        if self._status() == TransactionStatus.INTRANS:
            found = held(self.connection, self.connection.info.backend_pid)
            self.watch.see(found, since=since, now=self.clock.seconds, line=line)

    def _send(self, ordinal: int, statement: Statement) -> None:
        try:
            with self.clock.running():
                run_whole(self.connection, statement.text, self.migration.path, first_line=self._line(statement))
        except MigrationFailed as error:
            # it was sent alone, and counted as the first
            raise MigrationFailed(
                error.path, ordinal, error.line, error.statement, error.sqlstate, error.message
            ) from error.__cause__

"""The runner: `up`, `down` and `status` of one folder of migrations on one database, and what mends its records.

Two runners at once wait for each other; each migration is a transaction of its own, together with its record, so
that it is there whole or not at all, whatever ends the runner.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.pq import TransactionStatus

from pgcontract.errors import MigrationError
from pgcontract.migrations.files import Migration
from pgcontract.migrations.order import pending, to_undo
from pgcontract.migrations.reading import Source, gaps, read_text, sources
from pgcontract.migrations.results import Event, EventKind, Override, Result, Status
from pgcontract.migrations.sending import Lookout, at_commit, run_whole
from pgcontract.migrations.session import Connection, broken, locked, logger, lost, reset_session
from pgcontract.migrations.state import records_of, session, status_of
from pgcontract.migrations.tracking import Record, TrackingTable
from pgcontract.names import DEFAULT_NAMESPACE, Name

if TYPE_CHECKING:
    from pgcontract.migrations.mending import Adopted, Cleared


class Runner:
    """Migrates one database from one folder.

    ``init``: files that run once a database, before the first migration, each in a transaction of its own; they must
    be harmless when run again. ``settings``: server settings of the session. ``lock_seconds``: how long to wait for
    another runner. ``lock_timeout`` and ``statement_timeout``: the session's, in seconds; None leaves the server's.
    ``on_event`` is called after each step.
    """

    def __init__(  # noqa: PLR0913 - each may be left out
        self,
        dsn: str,
        directory: Path,
        *,
        tracking_table: str | Name = "migrations",
        init: Sequence[Path] = (),
        settings: Mapping[str, str] | None = None,
        lock_seconds: float = 60.0,
        lock_timeout: float | None = None,
        statement_timeout: float | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self._dsn = dsn
        self._directory = directory
        self._table = tracking_table if isinstance(tracking_table, Name) else _name(tracking_table)
        self._init = tuple(init)
        self._settings = dict(settings or {})
        for name, seconds in (("lock_timeout", lock_timeout), ("statement_timeout", statement_timeout)):
            if seconds is not None:
                self._settings[name] = f"{max(1, ceil(seconds * 1000))}ms"
        self._lock_seconds = lock_seconds
        self._patience = 2.0 if lock_timeout is None else max(lock_timeout / 4, 0.01)
        self._on_event = on_event or (lambda _: None)

    def up(self, to: int | None = None, *, allow: Collection[Override] = ()) -> Result:
        """Apply what is pending, up to and with number ``to``.

        Raises MigrationError (a file or the tracking table is not as it must be; MigrationFailed: a statement
        failed), UsageError, ServerError. What was applied before the failure stays.
        """
        files = sources(self._directory)
        with self._locked() as (connection, lookout):
            table = TrackingTable(connection, self._table)
            # only now: another runner may have applied everything while this one waited
            records = table.records()
            waiting = pending(files, records or (), to=to, allow=allow)
            self._tell_gaps(files, records or ())
            if not records:
                # of a database that was adopted with nothing in it, too
                self._initialise(connection)
            if records is None:
                table.create()
            spared = table.grantees()
            known = {record.name: record for record in records or ()}
            done = tuple(
                (m.name, self._apply(connection, table, m, spared, lookout, known.get(m.name))) for m in waiting
            )
            applied = set(known) | {name for name, _ in done}
        return _result(files, applied, done)

    def plan(self, to: int | None = None, *, allow: Collection[Override] = ()) -> tuple[Migration, ...]:
        """What ``up`` would apply now, with all of its checks; only reads, and waits for nobody."""
        files = sources(self._directory)
        records = records_of(self._dsn, self._directory, self._table, self._settings)
        planned = pending(files, records, to=to, allow=allow)
        self._tell_gaps(files, records)
        return planned

    def down(self, steps: int | None = None, *, to: int | None = None, allow: Collection[Override] = ()) -> Result:
        """Undo the last ``steps`` applied migrations (one), or all after number ``to``. Raises as ``up`` does.

        The latest comes first. Nothing is touched where one of them has no file, an edited one, or nothing in its
        rollback section; nor, with UsageError, where fewer than ``steps`` are applied.
        """
        files = sources(self._directory)
        with self._locked() as (connection, lookout):
            table = TrackingTable(connection, self._table)
            records = table.records() or ()
            undone = to_undo(files, records, steps=steps, to=to, allow=allow)
            known = {record.name: record for record in records}
            done = tuple((m.name, self._undo(connection, table, m, lookout, known[m.name])) for m in undone)
        return _result(files, set(known) - {name for name, _ in done}, done)

    def status(self) -> Status:
        """What has been applied and what has not; only reads, and waits for nobody."""
        return status_of(self._dsn, self._directory, self._table, self._settings)

    def baseline(self, to: int | None = None) -> Adopted:
        """Record what is there already, without running it: all files up to number ``to`` (0: none), or all of them.

        Where another tool's tracking table stands, and no number is given, what it has applied is recorded; that table
        is kept, under another name where its own is needed. Raises MigrationError where this runner has records.
        """
        from pgcontract.migrations import mending  # noqa: PLC0415 - seldom needed

        files = sources(self._directory)
        with self._locked() as (connection, _), connection.transaction():
            return mending.baseline(connection, TrackingTable(connection, self._table), files, to)

    def accept(self, numbers: Collection[int]) -> tuple[str, ...]:
        """Take edited and renamed files for what was applied, as they are now; gives their names. Raises UsageError."""
        from pgcontract.migrations import mending  # noqa: PLC0415 - seldom needed

        files = sources(self._directory)
        with self._locked() as (connection, _), connection.transaction():
            return mending.accept(TrackingTable(connection, self._table), files, numbers)

    def forget(self, names: Collection[str]) -> tuple[str, ...]:
        """Remove the records of migrations whose files are gone; gives their names. Nothing is run or undone.

        Raises UsageError for one that has a file, is not recorded or not finished, MigrationError for a renamed one.
        """
        from pgcontract.migrations import mending  # noqa: PLC0415 - seldom needed

        files = sources(self._directory)
        with self._locked() as (connection, _), connection.transaction():
            return mending.forget(TrackingTable(connection, self._table), files, names)

    def clear(self, number: int) -> Cleared:
        """Forget a migration outside a transaction that has not finished; its INVALID indexes are dropped first.

        Raises UsageError where that one is none. What it has finished stays in the database, and is told.
        """
        from pgcontract.migrations import mending  # noqa: PLC0415 - seldom needed

        files = sources(self._directory)
        with self._locked() as (connection, _):
            return mending.clear(connection, TrackingTable(connection, self._table), files, number)

    @contextmanager
    def _locked(self) -> Iterator[tuple[Connection, Lookout]]:
        with (
            session(self._dsn, self._directory, self._table, self._settings) as connection,
            locked(connection, self._table, self._lock_seconds),
        ):
            lookout = Lookout(self._dsn, connection.info.backend_pid, self._patience)
            try:
                yield connection, lookout
            finally:
                lookout.close()

    def _initialise(self, connection: Connection) -> None:
        for path in self._init:
            started = time.perf_counter()
            run_whole(connection, read_text(path), path)
            reset_session(connection)
            self._tell("initialised", path.name, time.perf_counter() - started)

    def _apply(
        self,
        connection: Connection,
        table: TrackingTable,
        migration: Migration,
        spared: frozenset[str | None],
        lookout: Lookout,
        record: Record | None,
    ) -> float:
        started = self._begin("applying", migration, lookout)
        if migration.transactional:
            if record is not None:
                raise MigrationError(
                    "A migration was started and never finished, though it runs in a transaction",
                    where=str(migration.path),
                    seen=f"its record in {self._table}",
                    remedy="let nothing but this command write that table; begin anew with `pgcontract migrate repair "
                    f"--clear {migration.number}`",
                )
            with _transaction(connection, migration.path, lookout):
                run_whole(connection, migration.up, migration.path, lookout=lookout)
                _still_in_its_transaction(connection, migration.path)
                table.add(migration, time.perf_counter() - started, spared=spared)
        else:
            from pgcontract.migrations.steps import run_steps  # noqa: PLC0415 - seldom needed, and it loads the parser

            if record is None:
                table.start(migration)
            run_steps(connection, table, migration, "started", record.statement if record else 1, lookout)
            reset_session(connection)
            with connection.transaction():
                table.proceed(migration.name, "applied", 1, time.perf_counter() - started)
                table.revoke_from_others(spared=spared)
        reset_session(connection)
        return self._tell("applied", migration.name, time.perf_counter() - started)

    def _undo(
        self, connection: Connection, table: TrackingTable, migration: Migration, lookout: Lookout, record: Record
    ) -> float:
        assert migration.down is not None
        started = self._begin("undoing", migration, lookout)
        if migration.transactional:
            with _transaction(connection, migration.path, lookout):
                run_whole(connection, migration.down, migration.path, first_line=migration.down_line, lookout=lookout)
                _still_in_its_transaction(connection, migration.path)
                table.remove(migration.name)
        else:
            from pgcontract.migrations.steps import run_steps  # noqa: PLC0415 - as above

            begin = record.statement if record.state == "undoing" else 1
            if record.state != "undoing":
                table.proceed(migration.name, "undoing", 1)
            run_steps(connection, table, migration, "undoing", begin, lookout)
            reset_session(connection)
            with connection.transaction():
                table.remove(migration.name)
        reset_session(connection)
        return self._tell("undone", migration.name, time.perf_counter() - started)

    def _begin(self, kind: EventKind, migration: Migration, lookout: Lookout) -> float:
        self._tell(kind, migration.name)
        lookout.tell = lambda holders: self._wait(migration.name, holders)
        return time.perf_counter()

    def _wait(self, name: str, holders: str) -> None:
        logger.warning("%s waits for a lock", name)
        self._on_event(Event("waiting", name, detail=holders))

    def _tell_gaps(self, files: Sequence[Source], records: Sequence[Record]) -> None:
        names = {record.number: record.name for record in records} | {source.number: source.name for source in files}
        for number, told in gaps(n for n in names if n >= 0):
            logger.warning("%s: %s", names[number], told)
            self._on_event(Event("gap", names[number], detail=told))

    def _tell(self, kind: EventKind, name: str, seconds: float = 0.0) -> float:
        logger.info("%s %s (%.3f s)", kind, name, seconds)
        self._on_event(Event(kind, name, seconds))
        return seconds


@contextmanager
def _transaction(connection: Connection, path: Path, lookout: Lookout) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        # closing the session rolls back, too, where it is too late to ask
        if not broken(connection) and connection.info.transaction_status != TransactionStatus.ACTIVE:
            connection.execute("ROLLBACK")
        raise
    lookout.seen = ""
    try:
        connection.execute("COMMIT")
    except psycopg.Error as error:
        if broken(connection) or error.sqlstate is None:
            raise lost(path, error) from error
        # what was deferred to the end of the transaction
        raise at_commit(path, error, lookout) from error


def _still_in_its_transaction(connection: Connection, path: Path) -> None:
    if connection.info.transaction_status != TransactionStatus.INTRANS:
        raise MigrationError(
            "A migration has ended its own transaction", where=str(path), remedy="take out what begins or ends one"
        )


def _result(files: Sequence[Source], applied: Collection[str], done: tuple[tuple[str, float], ...]) -> Result:
    return Result(done, len(files), sum(source.name in applied for source in files))


def _name(text: str) -> Name:
    namespace, _, name = text.rpartition(".")
    return Name(namespace or DEFAULT_NAMESPACE, name)

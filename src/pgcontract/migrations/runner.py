"""The runner: `up`, `down` and `status` of one folder of migrations on one database.

Two runners at once wait for each other; each migration is a transaction of its own, together with its record, so
that it is there whole or not at all, whatever ends the runner.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import psycopg
from psycopg.pq import TransactionStatus

from pgcontract.errors import MigrationError
from pgcontract.migrations.files import Migration, load_directory, read_text
from pgcontract.migrations.order import Override, pending, to_undo
from pgcontract.migrations.session import (
    Connection,
    MigrationFailed,
    at_commit,
    broken,
    connect,
    locked,
    logger,
    lost,
    prepare_session,
    reset_session,
    run_whole,
)
from pgcontract.migrations.tracking import TrackingTable, refused
from pgcontract.model import DEFAULT_NAMESPACE, Name


@dataclass(frozen=True, slots=True)
class Event:
    """What a runner has just done. ``seconds`` is 0 for a start; ``name`` is the migration's or the init file's."""

    kind: Literal["initialised", "applying", "applied", "undoing", "undone"]
    name: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """What `up` has applied or `down` undone, in that order, with the seconds that each took; and the totals after."""

    done: tuple[tuple[str, float], ...]
    total: int
    executed: int

    @property
    def pending(self) -> int:
        """How many files are still to be applied."""
        return self.total - self.executed


@dataclass(frozen=True, slots=True)
class Entry:
    """One migration as `status` shows it. What belongs to its record is None where it has not been applied."""

    name: str
    state: Literal["applied", "baseline", "started", "pending", "edited", "missing"]
    applied_at: datetime | None = None
    applied_by: str | None = None
    duration: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """All migrations, by number: those of the files, and those that were applied and have no file any more."""

    entries: tuple[Entry, ...]

    @property
    def total(self) -> int:
        """How many migrations there are, in files or applied."""
        return len(self.entries)

    @property
    def executed(self) -> int:
        """How many of them have been applied."""
        return self.total - self.pending

    @property
    def pending(self) -> int:
        """How many of them have not."""
        return sum(entry.state == "pending" for entry in self.entries)


class Runner:
    """Migrates one database from one folder.

    ``init``: files that run once a database, before the first migration, each in a transaction of its own; they must
    be harmless when run again. ``settings``: server settings of the session. ``lock_seconds``: how long to wait for
    another runner. ``on_event`` is called after each step.
    """

    def __init__(
        self,
        dsn: str,
        directory: Path,
        *,
        tracking_table: str | Name = "migrations",
        init: Sequence[Path] = (),
        settings: Mapping[str, str] | None = None,
        lock_seconds: float = 60.0,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self._dsn = dsn
        self._directory = directory
        self._table = tracking_table if isinstance(tracking_table, Name) else _name(tracking_table)
        self._init = tuple(init)
        self._settings = dict(settings or {})
        self._lock_seconds = lock_seconds
        self._on_event = on_event or (lambda _: None)

    def up(self, to: int | None = None, *, allow: Collection[Override] = ()) -> Result:
        """Apply what is pending, up to and with number ``to``.

        Raises MigrationError (a file or the tracking table is not as it must be; MigrationFailed: a statement
        failed), UsageError, ServerError. What was applied before the failure stays.
        """
        migrations = load_directory(self._directory)
        with self._session() as connection, locked(connection, self._table, self._lock_seconds):
            table = TrackingTable(connection, self._table)
            # only now: another runner may have applied everything while this one waited
            records = table.records()
            waiting = pending(migrations, records or (), to=to, allow=allow)
            if records is None:
                self._initialise(connection)
                table.create()
            spared = table.grantees()
            done = tuple((m.name, self._apply(connection, table, m, spared)) for m in waiting)
            applied = {record.name for record in records or ()} | {name for name, _ in done}
        return Result(done, len(migrations), sum(migration.name in applied for migration in migrations))

    def down(self, steps: int = 1, *, allow: Collection[Override] = ()) -> Result:
        """Undo the last ``steps`` applied migrations, the latest first. Raises as ``up`` does.

        Nothing is touched where one of them has no file, an edited one, or nothing in its rollback section.
        """
        migrations = load_directory(self._directory)
        with self._session() as connection, locked(connection, self._table, self._lock_seconds):
            table = TrackingTable(connection, self._table)
            records = table.records() or ()
            undone = to_undo(migrations, records, steps=steps, allow=allow)
            done = tuple((m.name, self._undo(connection, table, m)) for m in undone)
            applied = {record.name for record in records} - {name for name, _ in done}
        return Result(done, len(migrations), sum(migration.name in applied for migration in migrations))

    def status(self) -> Status:
        """What has been applied and what has not; only reads, and waits for nobody."""
        migrations = load_directory(self._directory)
        with self._session() as connection, connection.transaction():
            connection.execute("SET TRANSACTION READ ONLY")
            records = TrackingTable(connection, self._table).records() or ()
        files = {migration.name: migration for migration in migrations}
        entries = {migration.name: (migration.number, Entry(migration.name, "pending")) for migration in migrations}
        for record in records:
            state = record.state
            if record.name not in files:
                state = "missing"
            elif state != "started" and files[record.name].checksum != record.checksum:
                state = "edited"
            entry = Entry(record.name, _state(state), record.applied_at, record.applied_by, record.duration)
            entries[record.name] = (record.number, entry)
        return Status(tuple(entry for _, entry in sorted(entries.values(), key=lambda e: (e[0], e[1].name))))

    @contextmanager
    def _session(self) -> Iterator[Connection]:
        connection = connect(self._dsn, self._settings)
        try:
            prepare_session(connection)
            yield connection
        except psycopg.Error as error:
            if broken(connection) or error.sqlstate is None:
                raise lost(self._directory, error) from error
            raise refused(error, self._table) from error
        finally:
            connection.close()

    def _initialise(self, connection: Connection) -> None:
        for path in self._init:
            started = time.perf_counter()
            run_whole(connection, read_text(path), path)
            reset_session(connection)
            self._tell("initialised", path.name, time.perf_counter() - started)

    def _apply(
        self, connection: Connection, table: TrackingTable, migration: Migration, spared: frozenset[str | None]
    ) -> float:
        self._tell("applying", migration.name)
        started = time.perf_counter()
        with _transaction(connection, migration.path):
            run_whole(connection, migration.up, migration.path)
            _back_to_ourselves(connection, migration.path)
            table.add(migration, time.perf_counter() - started)
            # default privileges, or a GRANT on all tables, may have let others in
            table.revoke_from_others(spared=spared)
        reset_session(connection)
        return self._tell("applied", migration.name, time.perf_counter() - started)

    def _undo(self, connection: Connection, table: TrackingTable, migration: Migration) -> float:
        assert migration.down is not None
        self._tell("undoing", migration.name)
        started = time.perf_counter()
        with _transaction(connection, migration.path):
            run_whole(connection, migration.down, migration.path, first_line=migration.down_line)
            _back_to_ourselves(connection, migration.path)
            table.remove(migration.name)
        reset_session(connection)
        return self._tell("undone", migration.name, time.perf_counter() - started)

    def _tell(
        self, kind: Literal["initialised", "applying", "applied", "undoing", "undone"], name: str, seconds: float = 0.0
    ) -> float:
        logger.info("%s %s (%.3f s)", kind, name, seconds)
        self._on_event(Event(kind, name, seconds))
        return seconds


@contextmanager
def _transaction(connection: Connection, path: Path) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        # closing the session rolls back, too, where it is too late to ask
        if not broken(connection) and connection.info.transaction_status != TransactionStatus.ACTIVE:
            connection.execute("ROLLBACK")
        raise
    try:
        connection.execute("COMMIT")
    except psycopg.Error as error:
        if broken(connection) or error.sqlstate is None:
            raise lost(path, error) from error
        # what was deferred to the end of the transaction
        raise at_commit(path, error) from error


def _back_to_ourselves(connection: Connection, path: Path) -> None:
    """Whoever the file has become, and wherever it has set its path: the record is written by who migrates."""
    if connection.info.transaction_status != TransactionStatus.INTRANS:
        raise MigrationError(
            "A migration has ended its own transaction", where=str(path), remedy="take out what begins or ends one"
        )
    connection.execute("RESET SESSION AUTHORIZATION; RESET ROLE; SET LOCAL search_path = pg_catalog")


def _name(text: str) -> Name:
    namespace, _, name = text.rpartition(".")
    return Name(namespace or DEFAULT_NAMESPACE, name)


def _state(state: str) -> Literal["applied", "baseline", "started", "edited", "missing"]:
    known: tuple[Literal["applied", "baseline", "started", "edited", "missing"], ...] = (
        "applied",
        "baseline",
        "started",
        "edited",
        "missing",
    )
    return next(name for name in known if name == state)


__all__ = ["Entry", "Event", "MigrationFailed", "Result", "Runner", "Status"]

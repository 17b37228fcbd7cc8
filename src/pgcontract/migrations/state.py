"""What has been applied and what has not. Only reads, and loads nothing that only `up` and `down` need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import psycopg

from pgcontract.migrations.reading import sources
from pgcontract.migrations.results import Entry, State, Status
from pgcontract.migrations.session import Connection, broken, connect, lost, prepare_session
from pgcontract.migrations.tracking import Record, TrackingTable, refused, renamed
from pgcontract.names import Name


def status_of(dsn: str, directory: Path, table: Name, settings: Mapping[str, str]) -> Status:
    """The status of all migrations of a folder. Raises MigrationError, UsageError, ServerError."""
    found = sources(directory)
    files = {source.name: source for source in found}
    entries = {source.name: (source.number, Entry(source.name, "pending")) for source in found}
    records = records_of(dsn, directory, table, settings)
    known = {record.name for record in records}
    for record in records:
        source = files.get(record.name)
        unchanged = None if source is None else source.checksum == record.checksum
        state = cast("State", record.state)
        facts = (record.applied_at, record.applied_by, record.duration)
        if source is None:
            state = "missing"
            if (other := renamed(record, found, known)) is not None:
                entry = Entry(other.name, "renamed", *facts, unchanged=True, recorded_as=record.name)
                entries[other.name] = (other.number, entry)
                known.add(other.name)
                continue
        elif not unchanged and state in {"applied", "baseline"}:
            state = "edited"
        entries[record.name] = (record.number, Entry(record.name, state, *facts, unchanged))
    return Status(tuple(entry for _, entry in sorted(entries.values(), key=lambda e: (e[0], e[1].name))))


def records_of(dsn: str, directory: Path, table: Name, settings: Mapping[str, str]) -> tuple[Record, ...]:
    """The records of a database; none where it was never migrated."""
    with session(dsn, directory, table, settings) as connection, connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        return TrackingTable(connection, table).records() or ()


@contextmanager
def session(dsn: str, directory: Path, table: Name, settings: Mapping[str, str]) -> Iterator[Connection]:
    """A session that tells its own failures as this room's errors."""
    connection = connect(dsn, settings)
    try:
        prepare_session(connection)
        yield connection
    except psycopg.Error as error:
        if broken(connection) or error.sqlstate is None:
            raise lost(directory, error) from error
        raise refused(error, table) from error
    finally:
        connection.close()

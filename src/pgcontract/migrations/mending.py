"""What a person asks for where records and reality differ: to adopt, accept, clear and forget."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pgcontract.errors import MigrationError, UsageError
from pgcontract.migrations import foreign
from pgcontract.migrations.order import renamed_file
from pgcontract.migrations.reading import Source
from pgcontract.migrations.session import Connection
from pgcontract.migrations.steps import drop_index, invalid_indexes
from pgcontract.migrations.tracking import COLUMNS, TrackingTable, columns_of, renamed
from pgcontract.names import Name

_SEE = "see `pgcontract migrate status`"


@dataclass(frozen=True, slots=True)
class Adopted:
    """What `baseline` has recorded, by name. ``tool`` and ``table`` are another tool's, where there was one.

    ``kept_as`` is the name that its table has now, where ours took its name.
    """

    names: tuple[str, ...]
    tool: str | None = None
    table: Name | None = None
    kept_as: Name | None = None


@dataclass(frozen=True, slots=True)
class Cleared:
    """A migration whose record was removed, the INVALID indexes that were dropped, how many statements stay applied."""

    name: str
    dropped: tuple[str, ...]
    finished: int


def baseline(connection: Connection, table: TrackingTable, files: Sequence[Source], to: int | None) -> Adopted:
    """Record migrations that are there already, up to number ``to``; 0 for none. In a transaction.

    Raises MigrationError, UsageError.
    """
    if to is not None and to not in {0, *(source.number for source in files)}:
        raise UsageError("There is no migration of that number", seen=str(to), remedy=_SEE)
    columns = columns_of(connection, table.name)
    ours = columns is not None and set(COLUMNS) <= columns
    if ours and table.records():
        raise MigrationError(
            "This database has been migrated by pgcontract already", where=str(table.name), remedy=_SEE
        )
    adoption = foreign.found(connection, table.name, files, listed=to is None)
    if adoption is None and to is None and not _holds_anything(connection, table.name):
        raise MigrationError(
            "There is nothing in this database to adopt",
            where=connection.info.dbname,
            remedy="apply the migrations with `pgcontract migrate up`, or say with --to N how far the database is",
        )
    kept = None
    if adoption is not None and adoption.table == table.name:
        kept = foreign.set_aside(connection, adoption)
    if not ours:
        table.create()
    if adoption is not None and adoption.files is not None:
        found = adoption.files
    else:
        found = tuple((source, None) for source in files if to is None or source.number <= to)
    for source, applied_at in found:
        table.adopt(source, applied_at)
    names = tuple(source.name for source, _ in found)
    if adoption is None:
        return Adopted(names)
    return Adopted(names, adoption.tool.name, adoption.table, kept)


def _holds_anything(connection: Connection, ours: Name) -> bool:
    row = connection.execute(
        """
        SELECT EXISTS (
          SELECT
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
          WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND (n.nspname, c.relname) <> (%s, %s)
            AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        )
        """,
        (ours.namespace, ours.name),
    ).fetchone()
    return row is not None and row[0] is True


def accept(table: TrackingTable, files: Sequence[Source], numbers: Collection[int]) -> tuple[str, ...]:
    """Take edited and renamed files for what was applied. In a transaction. Raises UsageError for one that is neither.

    The number of a renamed one is that under which it was applied.
    """
    by_name = {source.name: source for source in files}
    accepted = []
    for number in sorted(set(numbers)):
        records = table.records() or ()
        record = next((r for r in records if r.number == number), None)
        source = by_name.get(record.name) if record else None
        if record is not None and source is None:
            source = renamed(record, files, {r.name for r in records})
        elif record is not None and record.state not in {"applied", "baseline"}:
            source = None
        if record is None or source is None:
            raise UsageError("No applied migration of that number has a file", seen=str(number), remedy=_SEE)
        if (record.name, record.checksum) == (source.name, source.checksum):
            raise UsageError("The migration is as it was applied", seen=record.name, remedy=_SEE)
        table.accept(record.name, source)
        accepted.append(source.name)
    return tuple(accepted)


def forget(table: TrackingTable, files: Sequence[Source], names: Collection[str]) -> tuple[str, ...]:
    """Remove the records of migrations that have no file any more. In a transaction; what they have made stays.

    Raises UsageError for one that has a file, is not recorded, or has not finished; MigrationError for a renamed file.
    """
    records = {record.name: record for record in table.records() or ()}
    there = {source.name for source in files}
    for name in names:
        record = records.get(name)
        if record is None:
            raise UsageError(
                "No migration of that name is recorded",
                seen=name,
                remedy=f"without a file are: {', '.join(n for n in records if n not in there) or 'none'}",
            )
        if name in there:
            raise UsageError(
                "The file of this migration is there", seen=name, remedy="undo it with `pgcontract migrate down`"
            )
        if record.state not in {"applied", "baseline"}:
            raise UsageError(
                "The migration has not finished",
                seen=name,
                remedy=f"clear it with `pgcontract migrate repair --clear {record.number}`",
            )
        if (other := renamed(record, files, records)) is not None:
            raise renamed_file(record, other)
    forgotten = tuple(name for name in records if name in set(names))
    for name in forgotten:
        table.remove(name)
    return forgotten


def clear(connection: Connection, table: TrackingTable, files: Sequence[Source], number: int) -> Cleared:
    """Forget a migration outside a transaction that was started and has not finished. Raises UsageError."""
    record = next((r for r in table.records() or () if r.number == number), None)
    if record is None or record.state not in {"started", "undoing"}:
        raise UsageError(
            "No migration of that number was left unfinished",
            seen=record.name if record else str(number),
            remedy=_SEE,
        )
    dropped = invalid_indexes(connection, table, record.name)
    for identifier in dropped:
        drop_index(connection, identifier)
    finished = record.statement - 1
    if record.state == "undoing":
        source = next((source for source in files if source.name == record.name), None)
        if finished == 0 and source is not None:
            # nothing of it has been undone: it is what it was before
            table.proceed(record.name, "applied", 1)
            return Cleared(record.name, dropped, 0)
    table.remove(record.name)
    return Cleared(record.name, dropped, finished)

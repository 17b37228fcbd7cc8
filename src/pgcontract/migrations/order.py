"""What is pending, and whether what was applied is still what the files say. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, TypeAlias

from pgcontract.errors import MigrationError, UsageError
from pgcontract.migrations.files import Migration
from pgcontract.migrations.tracking import Record

Override: TypeAlias = Literal["edited", "missing", "out-of-order"]


def pending(
    migrations: Sequence[Migration], records: Sequence[Record], *, to: int | None, allow: Collection[Override]
) -> tuple[Migration, ...]:
    """The migrations to apply, up to number ``to``.

    Raises MigrationError for unfinished, edited, missing and out-of-order migrations (each but the first can be
    allowed), UsageError for a number that no file has.
    """
    if to is not None and to not in {migration.number for migration in migrations}:
        raise UsageError("There is no migration of that number", seen=str(to), remedy="see `pgcontract migrate status`")
    files = {migration.name: migration for migration in migrations}
    for record in records:
        check_record(record, files.get(record.name), allow)
    applied = {record.name for record in records}
    latest = max((record.number for record in records), default=-1)
    waiting = tuple(m for m in migrations if m.name not in applied and (to is None or m.number <= to))
    late = [migration for migration in waiting if migration.number < latest]
    if late and "out-of-order" not in allow:
        raise MigrationError(
            "A migration is older than one that has been applied",
            where=str(late[0].path),
            seen=f"number {latest} has been applied",
            remedy="give it a new number after that one, or allow out-of-order",
        )
    return waiting


def check_record(record: Record, migration: Migration | None, allow: Collection[Override]) -> None:
    """Whether an applied migration's file is there and is what was applied. Raises MigrationError."""
    if record.state == "started":
        raise MigrationError(
            "A migration was started and never finished",
            seen=record.name,
            remedy="see what it has left in the database, and put that right before migrating on",
        )
    if migration is None:
        if "missing" not in allow:
            raise MigrationError(
                "The file of an applied migration is missing",
                seen=record.name,
                remedy="bring the file back, or allow missing ones",
            )
    elif record.checksum != migration.checksum and "edited" not in allow:
        raise MigrationError(
            "A migration was edited after it had been applied",
            where=str(migration.path),
            seen=f"SHA-256 {migration.checksum[:12]}…; applied was {record.checksum[:12]}…",
            remedy="take the edit back and write a new migration, or allow edited ones",
        )


def to_undo(
    migrations: Sequence[Migration], records: Sequence[Record], *, steps: int, allow: Collection[Override]
) -> tuple[Migration, ...]:
    """The last ``steps`` applied migrations, latest first; fewer where fewer have been applied.

    Raises UsageError for fewer than one step, MigrationError where one of them cannot be undone.
    """
    if steps < 1:
        raise UsageError("Nothing to undo", seen=str(steps), remedy="undo one migration or more")
    files = {migration.name: migration for migration in migrations}
    undone = []
    for record in list(reversed(records))[:steps]:
        migration = files.get(record.name)
        check_record(record, migration, set(allow) - {"missing"})
        assert migration is not None
        if migration.down is None:
            raise MigrationError(
                "A migration has nothing in its rollback section",
                where=f"{migration.path}:{migration.down_line}",
                remedy="write the statements that undo it, or a comment that says why there is nothing to undo",
            )
        undone.append(migration)
    return tuple(undone)

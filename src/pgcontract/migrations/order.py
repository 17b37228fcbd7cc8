"""What is pending, and whether what was applied is still what the files say. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pgcontract.errors import MigrationError, UsageError
from pgcontract.migrations.files import Migration, parsed
from pgcontract.migrations.reading import Source
from pgcontract.migrations.results import Override
from pgcontract.migrations.tracking import Record, renamed


def pending(
    files: Sequence[Source], records: Sequence[Record], *, to: int | None, allow: Collection[Override]
) -> tuple[Migration, ...]:
    """The migrations to apply, up to number ``to``; one that was started and not finished is among them.

    Raises MigrationError for edited, missing and out-of-order migrations (each can be allowed), for renamed and half
    undone ones, those still to be written and files that ``parsed`` refuses; UsageError for a number that no file has.
    """
    if to is not None and to not in {source.number for source in files}:
        raise UsageError("There is no migration of that number", seen=str(to), remedy="see `pgcontract migrate status`")
    by_name = {source.name: source for source in files}
    known = {record.name for record in records}
    for record in records:
        if record.name not in by_name and (other := renamed(record, files, known)) is not None:
            raise renamed_file(record, other)
        check_record(record, by_name.get(record.name), allow)
    applied = {record.name for record in records if record.state != "started"}
    latest = max((record.number for record in records), default=-1)
    waiting = tuple(s for s in files if s.name not in applied and (to is None or s.number <= to))
    started = {record.name for record in records} - applied
    late = [source for source in waiting if source.number < latest and source.name not in started]
    if late and "out-of-order" not in allow:
        raise MigrationError(
            "A migration is older than one that has been applied",
            where=str(late[0].path),
            seen=f"number {latest} has been applied",
            remedy="give it a new number after that one, or apply it all the same with --allow-out-of-order",
        )
    return tuple(_written(parsed(source)) for source in waiting)


def check_record(record: Record, source: Source | None, allow: Collection[Override]) -> None:
    """Whether an applied migration's file is there and is what was applied. Raises MigrationError."""
    if record.state == "undoing":
        raise MigrationError(
            "A migration was being undone, and is half there",
            seen=record.name,
            remedy="go on with `pgcontract migrate down`",
        )
    if source is None:
        if "missing" not in allow or record.state == "started":
            raise MigrationError(
                "The file of an applied migration is missing",
                seen=record.name,
                remedy="bring the file back; go on once with --allow-missing, or for good with "
                f"`pgcontract migrate repair --forget {record.name}`",
            )
    elif record.checksum != source.checksum:
        if record.state == "started":
            raise MigrationError(
                "A migration was edited after it had been started and had not finished",
                where=str(source.path),
                seen=f"statement {record.statement} was to be next",
                remedy=f"take the edit back, or begin anew with `pgcontract migrate repair --clear {record.number}`",
            )
        if "edited" not in allow:
            raise MigrationError(
                "A migration was edited after it had been applied",
                where=str(source.path),
                seen=f"SHA-256 {source.checksum[:12]}…; applied was {record.checksum[:12]}…",
                remedy="take the edit back and write a new migration; go on once with --allow-edited, or for good with "
                f"`pgcontract migrate repair --accept {record.number}`",
            )


def to_undo(
    files: Sequence[Source],
    records: Sequence[Record],
    *,
    steps: int | None,
    to: int | None,
    allow: Collection[Override],
) -> tuple[Migration, ...]:
    """The last ``steps`` applied migrations, latest first, or all later than number ``to``.

    With neither it is the last one, where there is any. Raises UsageError for fewer than one step, or for more than are
    applied; MigrationError where one of them cannot be undone.
    """
    if to is not None:
        if to != 0 and to not in {record.number for record in records}:
            raise UsageError(
                "No migration of that number has been applied", seen=str(to), remedy="see `pgcontract migrate status`"
            )
        latest_first = [record for record in reversed(records) if record.number > to]
    else:
        if steps is not None:
            _check_steps(steps, len(records))
        latest_first = list(reversed(records))[: steps or 1]
    by_name = {source.name: source for source in files}
    known = {record.name for record in records}
    for record in latest_first:
        if record.name not in by_name and (other := renamed(record, files, known)) is not None:
            raise renamed_file(record, other)
    return tuple(_undoable(record, by_name.get(record.name), allow) for record in latest_first)


def _check_steps(steps: int, applied: int) -> None:
    if steps < 1:
        raise UsageError("Nothing to undo", seen=str(steps), remedy="undo one migration or more")
    if steps > applied:
        # a slip of the finger, or another database than was meant: either way not what was asked for
        raise UsageError(
            "Fewer migrations are applied than are to be undone",
            seen=f"{steps}, and {applied or 'none'} {'is' if applied < 2 else 'are'} applied",
            remedy=f"undo {applied} or fewer, or all with --to 0" if applied else None,
        )


def _written(migration: Migration) -> Migration:
    # once it is recorded, what is written into it would be an edit, and never be run
    if migration.blank:
        raise MigrationError(
            "A migration is still to be written",
            where=str(migration.path),
            seen="no statement in either section",
            remedy="write what it changes and what undoes it, or delete the file",
        )
    return migration


def renamed_file(record: Record, source: Source) -> MigrationError:
    """The error for a file that is called otherwise than it was when it was applied."""
    return MigrationError(
        "The file of an applied migration was renamed",
        where=str(source.path),
        seen=f"it was applied as {record.name}",
        remedy=f"give it that name back, or keep the new one with `pgcontract migrate repair --accept {record.number}`",
    )


def _undoable(record: Record, source: Source | None, allow: Collection[Override]) -> Migration:
    if record.state == "started":
        raise MigrationError(
            "A migration was started and never finished",
            seen=record.name,
            remedy="finish it with `pgcontract migrate up`, or clear it with "
            f"`pgcontract migrate repair --clear {record.number}`",
        )
    if source is None:
        raise MigrationError(
            "The file of an applied migration is missing",
            seen=record.name,
            remedy="bring the file back: what cannot be read cannot be undone; or, once it is undone by hand, "
            f"`pgcontract migrate repair --forget {record.name}`",
        )
    if record.checksum != source.checksum and "edited" not in allow:
        raise MigrationError(
            "A migration was edited after it had been applied",
            where=str(source.path),
            seen=f"SHA-256 {source.checksum[:12]}…; applied was {record.checksum[:12]}…",
            remedy="take the edit back, or undo it as it is now with --allow-edited",
        )
    migration = parsed(source)
    if migration.down is None:
        raise MigrationError(
            "A migration has nothing in its rollback section",
            where=f"{migration.path}:{migration.down_line}",
            remedy="write the statements that undo it, or a comment that says why there is nothing to undo",
        )
    return migration

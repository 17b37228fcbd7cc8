"""`pgcontract migrate repair` and `baseline`: what a person asks for where records and reality differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pgcontract.cli import migrate, migrating
from pgcontract.errors import UsageError
from pgcontract.signs import count, signed

if TYPE_CHECKING:
    from pgcontract.migrations import Runner


def repair(
    path: migrate.SystemPath = None,
    *,
    dsn: migrate.Dsn = None,
    accept: Annotated[
        list[int] | None,
        typer.Option(
            "--accept", metavar="N", help="Take this edited or renamed file for what was applied. May be repeated."
        ),
    ] = None,
    clear: Annotated[
        int | None,
        typer.Option(
            "--clear",
            metavar="N",
            help="Forget this unfinished `-- no-transaction` migration, after its INVALID indexes are dropped.",
        ),
    ] = None,
    forget: Annotated[
        list[str] | None,
        typer.Option(
            "--forget",
            metavar="NAME",
            help="Remove this migration's record, where its file is gone: nothing is run, and what it has made stays. "
            "May be repeated.",
        ),
    ] = None,
    wait: migrate.Wait = migrating.WAIT_SECONDS,
    lock_timeout: migrate.LockTimeout = None,
) -> None:
    """Put records right that no longer fit: nothing is repaired but what is named.

    Example: pgcontract migrate repair schema/shop --accept 3 --lock-timeout 5

    Example: pgcontract migrate repair schema/shop --forget 007-never-merged
    """
    if not accept and not forget and clear is None:
        raise UsageError(
            "Repair what?",
            remedy="give --accept N, --clear N or --forget NAME; `pgcontract migrate status` shows what is not right",
        )
    runner = _runner(path, dsn, wait, lock_timeout)
    for name in runner.accept(accept) if accept else ():
        typer.echo(signed("good", "accepted   ", f" {name}: the file as it is now is what was applied"))
    for name in runner.forget(forget) if forget else ():
        told = "no record any more, and nothing was run: what it has made stays in the database"
        typer.echo(signed("good", "forgotten  ", f" {name}: {told}"))
    if clear is None:
        return
    cleared = runner.clear(clear)
    for index in cleared.dropped:
        typer.echo(signed("good", "dropped    ", f" the invalid index {index}"))
    typer.echo(signed("good", "cleared    ", f" {cleared.name}"))
    if cleared.finished:
        typer.echo(f"{count(cleared.finished, 'statement')} of it had finished: what that did stays in the database.")


def baseline(
    path: migrate.SystemPath = None,
    *,
    dsn: migrate.Dsn = None,
    to: Annotated[
        int | None,
        typer.Option(
            "--to", metavar="N", help="The last migration that is there already; 0 for none.", show_default=False
        ),
    ] = None,
    wait: migrate.Wait = migrating.WAIT_SECONDS,
    lock_timeout: migrate.LockTimeout = None,
) -> None:
    """Adopt a database that was migrated without this command: record what is there, and run nothing.

    What node-pg-migrate, dbmate, Rails, or a runner with a table (id, name, file, executed_at) has recorded is taken
    over. Tables of Flyway, Alembic, golang-migrate, goose, yoyo and Sqitch are known, and need --to N.

    Example: pgcontract migrate baseline schema/shop --to 12
    """
    adopted = _runner(path, dsn, wait, lock_timeout).baseline(to)
    if adopted.tool is not None:
        typer.echo(f"The table {adopted.table} was made by {adopted.tool}; its rows are left as they are.")
    if adopted.kept_as is not None:
        typer.echo(f"It is called {adopted.kept_as} now, because {adopted.table} is this command's own.")
    for name in adopted.names:
        typer.echo(signed("good", "recorded   ", f" {name}"))
    typer.echo(f"Recorded: {len(adopted.names)}. `pgcontract migrate status` shows what is pending.")


def _runner(path: migrate.SystemPath, dsn: str | None, wait: float, lock_timeout: float | None) -> Runner:
    from pgcontract.migrations import runner_of  # noqa: PLC0415 - it brings the driver

    return runner_of(migrate.database(dsn), migrate.one_system(path), lock_seconds=wait, lock_timeout=lock_timeout)

"""`pgcontract migrate repair` and `baseline`: what a person asks for where records and reality differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pgcontract.cli import migrate
from pgcontract.errors import UsageError

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
) -> None:
    """Put records right that no longer fit: nothing is repaired but what is named."""
    if not accept and clear is None:
        raise UsageError(
            "Repair what?", remedy="give --accept N or --clear N; `pgcontract migrate status` shows what is not right"
        )
    runner = _runner(path, dsn)
    for name in runner.accept(accept) if accept else ():
        typer.echo(f"accepted    {name}: the file as it is now is what was applied")
    if clear is None:
        return
    cleared = runner.clear(clear)
    for index in cleared.dropped:
        typer.echo(f"dropped     the invalid index {index}")
    typer.echo(f"cleared     {cleared.name}")
    if cleared.finished:
        typer.echo(f"Its first {cleared.finished} statement(s) had finished, and stay in the database.")


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
) -> None:
    """Adopt a database that was migrated without this command: record what is there, and run nothing.

    What node-pg-migrate, dbmate, Rails, or a runner with a table (id, name, file, executed_at) has recorded is taken
    over. Tables of Flyway, Alembic, golang-migrate, goose, yoyo and Sqitch are known, and need --to N.
    """
    adopted = _runner(path, dsn).baseline(to)
    if adopted.tool is not None:
        typer.echo(f"The table {adopted.table} was made by {adopted.tool}; its rows are left as they are.")
    if adopted.kept_as is not None:
        typer.echo(f"It is called {adopted.kept_as} now, because {adopted.table} is this command's own.")
    for name in adopted.names:
        typer.echo(f"recorded    {name}")
    typer.echo(f"Recorded: {len(adopted.names)}. `pgcontract migrate status` shows what is pending.")


def _runner(path: migrate.SystemPath, dsn: str | None) -> Runner:
    from pgcontract.migrations import runner_of  # noqa: PLC0415 - it brings the driver

    return runner_of(migrate.database(dsn), migrate.one_system(path))

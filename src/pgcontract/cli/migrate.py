"""`pgcontract migrate …`: what its commands share, and those that apply, undo and show migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from pgcontract.cli import migrating
from pgcontract.cli.given import database as database  # noqa: PLC0414 - exported
from pgcontract.cli.lazy import lazy_group
from pgcontract.cli.migrating import one_system as one_system  # noqa: PLC0414 - exported
from pgcontract.cli.options import JsonFile as JsonFile  # noqa: PLC0414 - exported
from pgcontract.cli.quick import MOST_SECONDS
from pgcontract.signs import signed

COMMANDS: Final = {
    "up": ("pgcontract.cli.migrate", "up", None),
    "down": ("pgcontract.cli.migrate", "down", None),
    "status": ("pgcontract.cli.migrate", "status", None),
    "create": ("pgcontract.cli.migration_files", "create", None),
    "validate": ("pgcontract.cli.migration_files", "validate", None),
    "rehearse": ("pgcontract.cli.rehearse", "rehearse", None),
    "seed": ("pgcontract.cli.migrate", "seed", None),
    "repair": ("pgcontract.cli.migration_records", "repair", None),
    "baseline": ("pgcontract.cli.migration_records", "baseline", None),
}
app = typer.Typer(no_args_is_help=True, cls=lazy_group(COMMANDS))

SystemPath = Annotated[
    Path | None,
    typer.Argument(
        metavar="PATH",
        help="A schema system's folder, or one of migrations. Without it: the one system of "
        r"\[tool.pgcontract].",
        show_default=False,
    ),
]
Dsn = Annotated[
    str | None,
    typer.Option("--dsn", help="The database; else DATABASE_URL or PGHOST, PGDATABASE …", show_default=False),
]
AllowEdited = Annotated[bool, typer.Option("--allow-edited", help="Go on where an applied file was edited.")]
AllowMissing = Annotated[bool, typer.Option("--allow-missing", help="Go on where an applied file is missing.")]
AllowOutOfOrder = Annotated[
    bool, typer.Option("--allow-out-of-order", help="Apply files older than the latest applied one.")
]
Wait = Annotated[
    float, typer.Option("--wait", metavar="SECONDS", min=0, help="How long to wait for somebody else who migrates.")
]
LockTimeout = Annotated[
    float | None,
    typer.Option(
        "--lock-timeout",
        metavar="SECONDS",
        min=0,
        max=MOST_SECONDS,
        help="Fail where a statement waits longer for a lock, and say who holds it.",
        show_default=False,
    ),
]
StatementTimeout = Annotated[
    float | None,
    typer.Option(
        "--statement-timeout",
        metavar="SECONDS",
        min=0,
        max=MOST_SECONDS,
        help="Fail where a statement takes longer.",
        show_default=False,
    ),
]


@app.callback()
def _group() -> None:
    """Hold the commands together; each does its work on its own."""


def up(  # noqa: PLR0913 - a command's options
    path: SystemPath = None,
    *,
    dsn: Dsn = None,
    to: Annotated[int | None, typer.Option("--to", metavar="N", help="Stop after this number.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be applied.")] = False,
    init: Annotated[bool, typer.Option(help="Run init/ first on a database that was never migrated.")] = True,
    wait: Wait = migrating.WAIT_SECONDS,
    lock_timeout: LockTimeout = None,
    statement_timeout: StatementTimeout = None,
    allow_edited: AllowEdited = False,
    allow_missing: AllowMissing = False,
    allow_out_of_order: AllowOutOfOrder = False,
) -> None:
    """Apply the pending migrations.

    Example: pgcontract migrate up schema/shop --dsn "$DATABASE_URL" --lock-timeout 5
    """
    raise typer.Exit(
        migrating.up(
            path,
            dsn=dsn,
            to=to,
            dry_run=dry_run,
            init=init,
            wait=wait,
            lock_timeout=lock_timeout,
            statement_timeout=statement_timeout,
            allow_edited=allow_edited,
            allow_missing=allow_missing,
            allow_out_of_order=allow_out_of_order,
        )
    )


def down(  # noqa: PLR0913 - a command's options
    path: SystemPath = None,
    steps: Annotated[
        int | None, typer.Argument(metavar="N", help="How many to undo; one if left out.", show_default=False)
    ] = None,
    *,
    dsn: Dsn = None,
    to: Annotated[
        int | None, typer.Option("--to", metavar="N", help="Undo all that come after this number; 0 for all.")
    ] = None,
    wait: Wait = migrating.WAIT_SECONDS,
    lock_timeout: LockTimeout = None,
    statement_timeout: StatementTimeout = None,
    allow_edited: AllowEdited = False,
) -> None:
    """Undo the last migrations.

    Example: pgcontract migrate down schema/shop 2 --dsn "$DATABASE_URL"
    """
    raise typer.Exit(
        migrating.down(
            path,
            steps,
            dsn=dsn,
            to=to,
            wait=wait,
            lock_timeout=lock_timeout,
            statement_timeout=statement_timeout,
            allow_edited=allow_edited,
        )
    )


def status(
    path: SystemPath = None,
    *,
    dsn: Dsn = None,
    json_file: JsonFile = None,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", help="Exit 1: migrations are pending; 3: one is half there, or history is not as the files."
        ),
    ] = False,
) -> None:
    """Show what has been applied and what has not; changes nothing.

    Example: pgcontract migrate status schema/shop --dsn "$DATABASE_URL" --exit-code
    """
    raise typer.Exit(migrating.status(path, dsn=dsn, json_file=json_file, exit_code=exit_code))


def seed(path: SystemPath = None, *, dsn: Dsn = None) -> None:
    """Load the system's development data; refused in production.

    Example: pgcontract migrate seed schema/shop --dsn postgresql:///shop_dev
    """
    from pgcontract.migrations import seed as run_seed  # noqa: PLC0415 - it brings the driver

    system = one_system(path)
    run_seed(database(dsn), system)
    typer.echo(signed("good", f"Seeded from {system.seed}"))

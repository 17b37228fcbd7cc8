"""`pgcontract migrate up|down|status|seed`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from pgcontract.cli.options import chosen
from pgcontract.errors import UsageError
from pgcontract.migrations import Event, Status, runner_of
from pgcontract.migrations import seed as run_seed
from pgcontract.migrations.order import Override
from pgcontract.system import System

app = typer.Typer(no_args_is_help=True)

EXIT_PENDING = 1

SystemPath = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PATH]",
        help="A schema system's folder, or one of migrations. Without it: the one system of [tool.pgcontract].",
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


@app.command()
def up(
    path: SystemPath = None,
    *,
    dsn: Dsn = None,
    to: Annotated[int | None, typer.Option("--to", metavar="N", help="Stop after this number.")] = None,
    init: Annotated[bool, typer.Option(help="Run init/ first on a database that was never migrated.")] = True,
    allow_edited: AllowEdited = False,
    allow_missing: AllowMissing = False,
    allow_out_of_order: AllowOutOfOrder = False,
) -> None:
    """Apply the pending migrations."""
    allow = _allowed(edited=allow_edited, missing=allow_missing, out_of_order=allow_out_of_order)
    runner = runner_of(database(dsn), _system(path), initialise=init, on_event=_tell)
    result = runner.up(to, allow=allow)
    if not result.done:
        typer.echo("Nothing to apply.")
    typer.echo(_totals(result.total, result.executed, result.pending))


@app.command()
def down(
    path: SystemPath = None,
    steps: Annotated[int, typer.Argument(metavar="[N]", help="How many to undo.")] = 1,
    *,
    dsn: Dsn = None,
    allow_edited: AllowEdited = False,
) -> None:
    """Undo the last migrations."""
    runner = runner_of(database(dsn), _system(path), on_event=_tell)
    result = runner.down(steps, allow=_allowed(edited=allow_edited))
    if not result.done:
        typer.echo("Nothing to undo.")
    typer.echo(_totals(result.total, result.executed, result.pending))


@app.command()
def status(
    path: SystemPath = None,
    *,
    dsn: Dsn = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write it there, as JSON.", show_default=False)
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 1 where migrations are pending.")] = False,
) -> None:
    """Show what has been applied and what has not; changes nothing."""
    found = runner_of(database(dsn), _system(path)).status()
    for line in _lines(found):
        typer.echo(line)
    typer.echo(_totals(found.total, found.executed, found.pending))
    if json_file is not None:
        _write(json_file, found)
    if exit_code and found.pending:
        raise typer.Exit(EXIT_PENDING)


@app.command()
def seed(path: SystemPath = None, *, dsn: Dsn = None) -> None:
    """Load the system's development data; refused in production."""
    system = _system(path)
    run_seed(database(dsn), system)
    typer.echo(f"Seeded from {system.seed}.")


def database(dsn: str | None) -> str:
    """The DSN that was given, or the environment's. Raises UsageError where there is neither."""
    if dsn:
        return dsn
    if url := os.environ.get("DATABASE_URL"):
        return url
    if any(os.environ.get(name) for name in ("PGHOST", "PGDATABASE", "PGSERVICE", "PGHOSTADDR")):
        # libpq reads those itself
        return ""
    raise UsageError(
        "Which database?",
        remedy="give --dsn postgresql://user@host/database, or set DATABASE_URL or PGHOST and PGDATABASE",
    )


def _system(path: Path | None) -> System:
    paths = chosen(path)
    if len(paths) != 1:
        raise UsageError(
            "Which schema? One database holds one system",
            seen=", ".join(map(str, paths)),
            remedy="give its PATH",
        )
    return System.load(paths[0])


def _allowed(*, edited: bool, missing: bool = False, out_of_order: bool = False) -> list[Override]:
    chosen: list[tuple[bool, Override]] = [(edited, "edited"), (missing, "missing"), (out_of_order, "out-of-order")]
    return [name for given, name in chosen if given]


def _tell(event: Event) -> None:
    if event.kind in ("initialised", "applied", "undone"):
        typer.echo(f"{event.kind:<11} {event.name} ({event.seconds * 1000:.0f} ms)")


def _totals(total: int, executed: int, pending: int) -> str:
    return f"Total: {total} | Executed: {executed} | Pending: {pending}"


def _lines(status: Status) -> list[str]:
    width = max((len(entry.name) for entry in status.entries), default=0)
    lines = []
    for entry in status.entries:
        line = f"{entry.state:<9} {entry.name:<{width}}"
        if entry.applied_at is not None:
            line += f"  {entry.applied_at:%Y-%m-%d %H:%M:%S%z} by {entry.applied_by}"
        if entry.duration is not None:
            line += f" ({entry.duration.total_seconds() * 1000:.0f} ms)"
        lines.append(line.rstrip())
    return lines


def _write(file: Path, status: Status) -> None:
    shown: dict[str, Any] = {
        "format": 1,
        "total": status.total,
        "executed": status.executed,
        "pending": status.pending,
        "migrations": [
            {
                "name": entry.name,
                "state": entry.state,
                "applied_at": entry.applied_at.isoformat() if entry.applied_at else None,
                "applied_by": entry.applied_by,
                "seconds": entry.duration.total_seconds() if entry.duration is not None else None,
            }
            for entry in status.entries
        ],
    }
    try:
        file.write_text(json.dumps(shown, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            "The file cannot be written", where=str(file), seen=error.strerror, remedy="name another one"
        ) from error

"""``pgcontract migrate rehearse``: what each migration would do to a database in production."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgcontract.cli import migrating, options
from pgcontract.errors import UsageError
from pgcontract.report.layout import Cell, Column, indented, marked, sum_up
from pgcontract.report.layout import table as fitted
from pgcontract.signs import count

if TYPE_CHECKING:
    from pgcontract.ephemeral import ServerChoice
    from pgcontract.rehearse import Lock, Rehearsal, Step

MOST_LOCKS = 3
_STYLES = {"reads and writes": "red", "writes": "yellow", "nothing": "dim"}


def rehearse(  # noqa: PLR0913, PLR0917 - a command's options
    path: options.SystemPath = None,
    pg: options.Major = None,
    pg_bin: options.PgBin = None,
    no_install: options.NoInstall = False,
    rows: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Also run each migration on tables with N rows of the schema before it, and see whether they survive.",
        ),
    ] = 0,
    json: options.JsonFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what failed.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Every lock, also those of rollbacks.")] = False,
) -> None:
    """Run every migration up, down and up again on a server of its own, and show what it locks. Exit 1 if one fails.

    Example: pgcontract migrate rehearse schema/social_selling --rows 100_000
    """
    from pgcontract.ephemeral import ServerChoice  # noqa: PLC0415 - heavy, and not needed by other commands

    paths = options.chosen(path)
    if json is not None and len(paths) > 1:
        raise UsageError("--json takes one system's result.", seen=str(len(paths)), remedy="Give a PATH.")
    choice = ServerChoice(pg, None, pg_bin, install=not no_install, progress=options.installing())
    clean = [_rehearse(p, choice, rows, json, quiet=quiet, verbose=verbose) for p in paths]
    raise typer.Exit(0 if all(clean) else 1)


def _rehearse(path: Path, choice: ServerChoice, rows: int, json: Path | None, *, quiet: bool, verbose: bool) -> bool:
    from pgcontract.rehearse import rehearse as run  # noqa: PLC0415 - heavy, and not needed by other commands

    system = migrating.loaded(path)
    progress = options.progress(quiet=quiet)
    task = progress.add_task(f"{path}", total=None)

    def started(count: int, version: str) -> None:
        progress.update(task, description=f"{path} on PostgreSQL {version}", total=count)

    with progress:
        result = run(system, choice, rows=rows, started=started, found=lambda _: progress.advance(task))
    if json is not None:
        options.write_result(json, result.as_json())
    show(options.console(), result, str(path), quiet=quiet, verbose=verbose)
    return result.clean


def show(console: Console, result: Rehearsal, path: str, *, quiet: bool, verbose: bool) -> None:
    """Print a rehearsal: a table with a migration a line, then what is to be said of its rows, then what failed."""
    if not quiet:
        console.print(table(console, result, verbose=verbose))
        for step in result.steps:
            for text in _remarks(step, verbose=verbose):
                console.print(Text(f"{step.name}: {text}", style="dim"))
        console.print()
    for step in result.steps:
        for failure in step.failures:
            console.print(marked(console, "bad", "failed ", f"{step.name}: {failure.what}"))
            for detail in failure.details:
                console.print(Text(indented(detail.strip())), soft_wrap=True)
    for name in result.left_out:
        console.print(marked(console, "doubtful", "left out ", f"{name}: it needs one that cannot be applied"))
    sum_up(console, summary(result, path), good=result.clean)


def table(console: Console, result: Rehearsal, *, verbose: bool) -> Table:
    """A migration a line, and one for each other table that it locks against somebody."""
    times = ["up", "down"] + ([f"up, {count(result.rows, 'row')}"] if result.rows else [])
    columns = [Column("migration", fold=True), *(Column(heading, right=True) for heading in times)]
    columns += [Column("rows")] if result.rows else []
    # where they do not fit, they go on in the next line: nothing is cut off
    columns += [Column(heading, fold=True) for heading in ("lock", "on", "blocks")]
    rows: list[list[Cell]] = []
    for step in result.steps:
        first: list[Cell] = _cells(step, rows=bool(result.rows))
        for cells in _locks(step, verbose=verbose):
            rows.append([*first, *cells])
            first = [""] * len(first)
    return fitted(console, [*columns, Column("for", right=True)], rows)


def summary(result: Rehearsal, path: str) -> str:
    """The last line."""
    total = len(result.steps) + len(result.left_out)
    clean = sum(not step.failures for step in result.steps)
    counts = [f"{clean} of {count(total, 'migration')} rehearsed without a failure"]
    counts += [f"{len(result.left_out)} left out"] if result.left_out else []
    rows = f" and {count(result.rows, 'row')} a table" if result.rows else ""
    return f"{path}: {', '.join(counts)}, on PostgreSQL {result.postgresql}{rows} in {result.seconds:.1f} s"


def _cells(step: Step, *, rows: bool) -> list[Cell]:
    failed = any(failure.what.startswith("up fails") for failure in step.failures)
    name = step.name if step.in_transaction else f"{step.name} (no transaction)"
    cells: list[Cell] = [Text(name, style="red bold" if step.failures else "")]
    cells += [_time(step.up_seconds), _time(step.down_seconds)]
    if not rows:
        return cells
    if step.filled is None:
        return [*cells, "-", "-"]
    cells += [_time(step.filled.up_seconds)]
    if step.filled.lost:
        return [*cells, Text("lost", style="red bold")]
    if failed and step.filled.up_seconds is None:
        return [*cells, Text("refused", style="red bold")]
    if step.filled.changed:
        return [*cells, Text("changed", style="yellow")]
    return [*cells, Text("survive", style="green") if any(step.filled.rows.values()) else "none"]


def _locks(step: Step, *, verbose: bool) -> Iterator[list[Cell]]:
    shown: Sequence[Lock] = step.locks if verbose else [lock for lock in step.locks if lock.blocks != "nothing"]
    most = len(shown) if verbose else MOST_LOCKS
    if not shown:
        yield ["-", "", Text("nothing", style="dim"), ""]
    for lock in shown[:most]:
        on = f"{lock.table} (rewritten)" if lock.table in step.rewritten else str(lock.table)
        yield [lock.mode, on, Text(lock.blocks, style=_STYLES[lock.blocks]), _time(lock.seconds)]
    if len(shown) > most:
        yield ["", f"and {len(shown) - most} more", "", ""]


def _remarks(step: Step, *, verbose: bool) -> Iterator[str]:
    """What is no failure, and yet to be known."""
    if step.filled is not None:
        yield from step.filled.changed
        for table_name, reason in step.filled.not_filled.items():
            yield f"{table_name} got no rows: {reason}"
    if verbose:
        for lock in step.undo_locks:
            held = f"{lock.mode} on {lock.table} for {_time(lock.seconds)}"
            yield f"its rollback takes {held}, which blocks {lock.blocks}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"

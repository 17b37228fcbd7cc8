"""``pgcontract populate``: many valid rows for a whole schema."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pgcontract.cli import migrate, options
from pgcontract.errors import UsageError
from pgcontract.report.layout import Column, count, sum_up, table

if TYPE_CHECKING:
    import psycopg

    from pgcontract.model import Catalog, Name

Tell = Callable[["Name", int, int], None]

EXIT_BROKEN = 1
LINES_A_TABLE = 10


def populate(  # noqa: PLR0913, PLR0917 - a command's options
    path: migrate.SystemPath = None,
    rows: Annotated[
        list[str] | None,
        typer.Option("--rows", metavar="TABLE=N", help="How many rows to add: messages=10_000_000. May be repeated."),
    ] = None,
    dsn: migrate.Dsn = None,
    skew: Annotated[
        Literal["zipf", "none"], typer.Option(help="Few parents with many rows and many with few; or all alike.")
    ] = "zipf",
    seed: Annotated[int, typer.Option(help="Gives other rows.")] = 0,
    max_size: Annotated[
        str | None, typer.Option("--max-size", metavar="SIZE", help="Refuse beforehand what would take more: 20GB.")
    ] = None,
    invariants: Annotated[bool, typer.Option(help="Ask the system's invariants before the rows are committed.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what goes wrong.")] = False,
) -> None:
    """Add valid rows to a database, with the parents that they need: all of them, or none.

    Example: pgcontract populate schema/messenger --dsn postgresql:///messenger --rows messages=1_000_000
    """
    from pgcontract.catalog import read_catalog, with_examples  # noqa: PLC0415 - heavy, and not needed by other commands
    from pgcontract.migrations import refuse_production  # noqa: PLC0415
    from pgcontract.populate import InvariantBroken, Overrides, Plan, asking, fits, populate  # noqa: PLC0415
    from pgcontract.populate.room import size  # noqa: PLC0415
    from pgcontract.system import FILE  # noqa: PLC0415

    most = None if max_size is None else size(max_size)
    if max_size is not None and most is None:
        raise UsageError("--max-size is no size", seen=max_size, remedy="write 500MB or 20GB")
    system = migrate.one_system(path)
    amounts = _amounts(rows or [])
    refuse_production("rows of nobody's")
    with _connected(migrate.database(dsn)) as connection:
        refuse_production("rows of nobody's", connection)
        there = read_catalog(connection, ignore=[system.tracking_table])
        if not there.tables:
            raise UsageError(
                "There are no tables in this database",
                where=connection.info.dbname,
                remedy=f"make them first, with `pgcontract migrate up {path or system.root}`, or name another database",
            )
        catalog = with_examples(there, system.values, connection, str(system.root / FILE))
        plan = Plan(_named(amounts, catalog), skew, seed)
        overrides = Overrides.of(system.populate, catalog, str(system.root / FILE))
        check = asking(system) if invariants else None
        started = time.monotonic()
        try:
            with _progress(quiet=quiet) as tell:
                done = populate(
                    connection,
                    catalog,
                    plan,
                    overrides=overrides,
                    progress=tell,
                    check=check,
                    room=fits(connection, catalog, most),
                )
        except InvariantBroken as error:
            typer.echo(f"pgcontract: {error}", err=True)
            raise typer.Exit(EXIT_BROKEN) from error
        version = connection.info.parameter_status("server_version") or ""
    if not quiet:
        held = "all invariants hold" if invariants and system.invariants is not None else "no invariant was asked"
        _told(done, time.monotonic() - started, str(path or system.root), version.partition(" ")[0], held=held)


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    from pgcontract.migrations.session import connect  # noqa: PLC0415

    connection = connect(dsn, {})
    try:
        yield connection
    finally:
        connection.close()


def _amounts(given: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in (part for one in given for part in one.split(",")):
        table, equals, number = text.partition("=")
        try:
            rows = int(number.strip())
        except ValueError:
            raise UsageError(
                "This is no number of rows", seen=text, remedy="write --rows messages=10_000_000"
            ) from None
        if not equals or not table.strip():
            raise UsageError("This names no table", seen=text, remedy="write --rows messages=10_000_000")
        if table.strip() in found:
            raise UsageError("A table is named twice", seen=table.strip(), remedy="say once how many rows it gets")
        found[table.strip()] = rows
    if not found:
        raise UsageError("How many rows of what?", remedy="write --rows messages=10_000_000")
    return found


def _named(amounts: Mapping[str, int], catalog: Catalog) -> dict[Name, int]:
    from pgcontract.model import DEFAULT_NAMESPACE, Name  # noqa: PLC0415

    known = {str(t.name): t.name for t in catalog.tables}
    known |= {f"{t.name.namespace}.{t.name.name}": t.name for t in catalog.tables}
    return {known.get(table, Name(DEFAULT_NAMESPACE, table)): number for table, number in amounts.items()}


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Tell]:
    console = options.console(error=True)
    if quiet:
        yield lambda *_: None
    elif not console.is_terminal:
        yield _lines()
    else:
        bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        tasks: dict[Name, Any] = {}

        def tell(table: Name, done: int, rows: int) -> None:
            if table not in tasks:
                tasks[table] = bars.add_task(str(table), total=rows)
            bars.update(tasks[table], completed=done)

        with bars:
            yield tell


def _lines() -> Tell:
    """Plain lines: a few for each table."""
    started = time.monotonic()
    told: dict[Name, int] = {}

    def tell(table: Name, done: int, rows: int) -> None:
        tenth = LINES_A_TABLE * done // max(rows, 1)
        if told.get(table) != tenth and done:
            told[table] = tenth
            typer.echo(f"{table}: {done:,} of {count(rows, 'row')} after {time.monotonic() - started:.0f} s", err=True)

    return tell


def _told(done: Mapping[Name, int], seconds: float, path: str, version: str, *, held: str) -> None:
    console = options.console()
    rows = [(str(name), f"{number:,}") for name, number in done.items() if number]
    if rows:
        console.print(table(console, [Column("table"), Column("rows", right=True)], rows))
        console.print()
    told = f"{path}: {count(sum(done.values()), 'row')} in {count(len(rows), 'table')}, {held}"
    sum_up(console, f"{told}, on PostgreSQL {version} in {seconds:.1f} s", good=True)

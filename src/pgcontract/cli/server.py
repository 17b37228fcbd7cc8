"""`pgcontract server`: install, list and run PostgreSQL servers."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from pgcontract.cli import options
from pgcontract.report.layout import Column, table
from pgcontract.server import DEFAULT_MAJOR, SUPPORTED, find_all, find_binaries
from pgcontract.server import install as install_major
from pgcontract.server import start as start_server
from pgcontract.signs import signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

HEADINGS: Final = ("major", "version", "source", "extensions", "where")

app = typer.Typer(help="Install, list and run PostgreSQL servers.", no_args_is_help=True)

# how often a run looks whether its server is still there, in seconds; signals wake it at once
_LOOK_EVERY = 0.5


@contextmanager
def showing_progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show how an installation goes, on stderr: a bar on a terminal, two plain lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        said = False

        def say(done: int, total: int | None) -> None:
            nonlocal said
            if not said:
                said = True
                console.print(f"{what} …")
            elif total is not None:
                console.print(f"{what}: {done / 1e6:.1f} MB fetched")

        yield say
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = None

        def draw(done: int, total: int | None) -> None:
            nonlocal task
            if task is None:
                task = bar.add_task(what, total=None)
            bar.update(task, completed=done, total=total)

        yield draw


@app.command()
def install(
    majors: Annotated[list[int], typer.Argument(help="Major versions, such as 17 18.", show_default=False)],
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Ask for a newer minor version.")] = False,
) -> None:
    """Install PostgreSQL into the cache, without root.

    Example: pgcontract server install 17 18
    """
    for major in majors:
        with showing_progress(f"Installing PostgreSQL {major}") as progress:
            binaries = install_major(major, upgrade=upgrade, progress=progress)
        typer.echo(signed("good", f"PostgreSQL {binaries.version} is installed in {binaries.bin_dir.parent}"))


@app.command(name="list")
def list_() -> None:
    """List the PostgreSQL servers that can be started here.

    Example: pgcontract server list
    """
    console = options.console()
    if not console.is_terminal:
        console.width = 1000  # who reads it by a program wants one line each
    found = find_all()
    rows: list[tuple[str, ...]] = []
    for major in sorted(SUPPORTED, reverse=True):
        there = [(binaries, lacking) for binaries, lacking in found if binaries.major == major]
        for binaries, lacking in there:
            extensions = "lacks " + ", ".join(lacking) if lacking else "all"
            rows.append((str(major), binaries.version, binaries.source, extensions, str(binaries.bin_dir)))
        if not there:
            rows.append((str(major), "-", "-", "-", f"not found: pgcontract server install {major}"))
    columns = [Column(heading, fold=heading in {"extensions", "where"}) for heading in HEADINGS]
    console.print(table(console, columns, rows))


@app.command()
def run(
    pg: Annotated[int | None, typer.Option("--pg", help=f"Major version; {DEFAULT_MAJOR} if it is to be had.")] = None,
    pg_bin: Annotated[Path | None, typer.Option("--pg-bin", help="Folder with initdb and postgres.")] = None,
    no_install: Annotated[bool, typer.Option("--no-install", help="Install nothing.")] = False,
) -> None:
    """Run a throw-away server until Ctrl-C; its DSN is the only line on stdout.

    Example: pgcontract server run --pg 17
    """
    with showing_progress("Installing PostgreSQL") as progress:
        binaries = find_binaries(pg, pg_bin=pg_bin, install=not no_install, progress=progress)
    ended = {signal.SIGINT, signal.SIGTERM}

    def wake(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in ended:
        signal.signal(number, wake)
    try:
        with start_server(binaries) as server:
            typer.echo(server.address.dsn())
            sys.stdout.flush()
            typer.echo(f"{binaries.describe()}; Ctrl-C ends it", err=True)
            while True:
                server.check()
                time.sleep(_LOOK_EVERY)
    except KeyboardInterrupt:
        for number in ended:
            signal.signal(number, signal.SIG_IGN)

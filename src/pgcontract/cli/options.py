"""Options that several commands share, and how they become what the rooms below take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgcontract.cli.given import alone, writable
from pgcontract.cli.given import chosen as chosen  # noqa: PLC0414 - exported
from pgcontract.cli.given import write_result as write_result  # noqa: PLC0414 - exported

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from pgcontract.system import System

WIDTH = 200

SystemPath = Annotated[
    Path | None,
    typer.Argument(
        metavar="PATH",
        help="A schema system's folder, a folder of migrations (also dbmate's, goose's, Flyway's …), or one .sql file. "
        r"Without it: the systems named in \[tool.pgcontract].",
        show_default=False,
    ),
]
Major = Annotated[int | None, typer.Option("--pg", metavar="MAJOR", help="PostgreSQL's major version.")]
Dsn = Annotated[
    str | None,
    typer.Option("--dsn", help="A server of yours, on which databases are created and dropped."),
]
PgBin = Annotated[
    Path | None, typer.Option("--pg-bin", metavar="FOLDER", help="The folder that holds postgres and initdb.")
]
NoInstall = Annotated[bool, typer.Option("--no-install", help="Never fetch PostgreSQL; use what is there.")]


def _result_file(context: typer.Context, path: Path | None) -> Path | None:
    # looked at before minutes of work are done in vain
    context.with_resource(alone(path))
    return writable(path)


JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write the result there, as JSON; - for the standard output, where nothing else stands then.",
        show_default=False,
        callback=_result_file,
    ),
]
Existing = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="DSN",
        help="Take this database's schema: its catalog is read by pg_dump, nothing else, and rebuilt elsewhere.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only what is broken.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every promise, with its verdict.")]


@contextmanager
def given(path: Path | None, from_: str | None, pg_bin: Path | None) -> Iterator[System]:
    """The system at the path; with ``--from``, the database's schema, judged by the contract at the path, if any."""
    from pgcontract.system import System  # noqa: PLC0415 - heavy, and not needed by other commands

    if from_ is None:
        assert path is not None
        yield System.load(path)
        return
    from pgcontract.inputs.existing import existing  # noqa: PLC0415 - as above

    with existing(from_, path, pg_bin) as system:
        yield system


def several(path: Path | None, from_: str | None) -> Sequence[Path | None]:
    """The paths to work on; with ``--from``, one or none is enough."""
    return chosen(path) if from_ is None else [path]


def console(*, error: bool = False) -> Console:
    """Where people read. In a file or a pipe a line is a line, and a table is as wide as it needs to be.

    Colours only on terminals, and not where NO_COLOR is set.
    """
    from rich.console import Console  # noqa: PLC0415 - heavy, and not every command prints tables

    stream = sys.stderr if error else sys.stdout
    return Console(
        stderr=error, width=None if stream.isatty() else WIDTH, highlight=False, soft_wrap=not stream.isatty()
    )


def installing() -> Callable[[int, int | None], None]:
    """Tell that PostgreSQL is being fetched: once, on the standard error."""
    told = False

    def progress(_done: int, _total: int | None) -> None:
        nonlocal told
        if not told:
            told = True
            console(error=True).print("Fetching PostgreSQL (about 23 MB, once) …")

    return progress


def progress(*, quiet: bool) -> Progress:
    """A progress bar on a terminal; nothing elsewhere."""
    from rich.progress import (  # noqa: PLC0415 - as the console
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    errors = console(error=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=quiet or not errors.is_terminal,
    )

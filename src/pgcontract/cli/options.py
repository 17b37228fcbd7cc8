"""Options that several commands share, and how they become what the rooms below take."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pgcontract.errors import UsageError

SystemPath = Annotated[
    Path | None,
    typer.Argument(
        metavar="PATH",
        help="A schema system's folder, a folder of migrations, or one .sql file. "
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
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result there, as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only what is broken.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every promise, with its verdict.")]


def chosen(path: Path | None) -> list[Path]:
    """The paths to work on: the one given, or the configured ones.

    Raises UsageError when there is neither.
    """
    if path is not None:
        return [path]
    from pgcontract.system import configured  # noqa: PLC0415 - only where no path was given

    found = configured(Path.cwd())
    if not found:
        raise UsageError(
            "Which schema?",
            remedy="Give a PATH, or name systems in pyproject.toml: [tool.pgcontract] systems = ['schema/shop'].",
        )
    return found


def write_result(path: Path, text: str) -> None:
    """Write a result for programs. Raises UsageError where that is impossible."""
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError("The result cannot be written.", where=str(path), seen=error.strerror) from error


def console(*, error: bool = False) -> Console:
    """Where people read. Wide enough for tables when the output is no terminal."""
    stream = sys.stderr if error else sys.stdout
    return Console(stderr=error, width=None if stream.isatty() else 120, highlight=False, soft_wrap=not stream.isatty())


def installing() -> Callable[[int, int | None], None]:
    """Tell that PostgreSQL is being fetched: once, on the standard error."""
    told = False

    def progress(_done: int, _total: int | None) -> None:
        nonlocal told
        if not told:
            told = True
            console(error=True).print("Fetching PostgreSQL (about 23 MB, once) …")

    return progress

"""``pgcontract init``: a repository's schema comes under contract."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgcontract.cli import options
from pgcontract.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from pgcontract.cli.verify import Listing
    from pgcontract.inputs.adopting import Found


def init(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Where the schema is: migrations of any tool, or one .sql file. Without it: looked for from here on.",
            show_default=False,
        ),
    ] = None,
    pg: options.Major = None,
    dsn: options.Dsn = None,
    pg_bin: options.PgBin = None,
    no_install: options.NoInstall = False,
    examples: Annotated[int, typer.Option(min=1, help="Drawn examples a promise and direction.")] = 100,
) -> None:
    """Bring a repository's schema under contract: find it, write it down, freeze its contract, and prove it.

    Nothing that is there is changed, and running it again does no harm. What cannot be proven yet is listed in
    baseline.toml, so that the start is green.

    Example: pgcontract init

    Example: pgcontract init db/migrations --pg 17
    """
    from pgcontract.cli.verify import Telling, prove  # noqa: PLC0415 - heavy, and not needed by other commands
    from pgcontract.ephemeral import ServerChoice  # noqa: PLC0415
    from pgcontract.report.layout import marked  # noqa: PLC0415
    from pgcontract.system import System  # noqa: PLC0415
    from pgcontract.verify import Plan  # noqa: PLC0415

    console = options.console()
    choice = ServerChoice(pg, dsn, pg_bin, install=not no_install, progress=options.installing())
    kept = True
    written = []
    for path in _configured(console, Path(), paths or []):
        system = System.load(path)
        new = not system.contract.exists()
        if not new:
            console.print(marked(console, "open", "kept   ", str(system.contract)))
        listing: Listing = "write" if new and not system.baseline.exists() else None
        kept = prove(path, choice, Plan(examples), Telling(listing=listing, freeze=True)) and kept
        written += [file for file in (system.contract, system.baseline) if file.exists()]
    _next(console, written)
    raise typer.Exit(0 if kept else 1)


def _configured(console: Console, folder: Path, given: Sequence[Path]) -> list[Path]:
    """The systems that are written down; where none is, those that were given or found are."""
    from pgcontract.inputs.adopting import configure, named, search, systems_of  # noqa: PLC0415 - heavy
    from pgcontract.report.layout import marked  # noqa: PLC0415

    there = systems_of(folder)
    if there:
        other = [str(path) for path in given if path.resolve() not in {one.resolve() for one in there}]
        if other:
            raise UsageError(
                "Other systems are configured here.",
                seen=", ".join(other),
                remedy="Add them to the list of systems in pyproject.toml or pgcontract.toml, and run it again.",
            )
        console.print(marked(console, "open", "kept   ", f"the systems that are configured: {_listed(there)}"))
        return there
    found = [named(path) for path in given] or search(folder)
    if len(found) > 1 and not given:
        raise UsageError(
            "There is more than one schema here.",
            seen=", ".join(str(one.path) for one in found),
            remedy=f"Say which: pgcontract init {' '.join(shlex.quote(str(one.path)) for one in found[:3])}",
        )
    for one in found:
        console.print(marked(console, "good", "found  ", f"{one.files}: {_told(one)}"))
    file = configure(folder, [one.path for one in found])
    console.print(marked(console, "good", "wrote  ", f"{file}: systems = [{_listed([one.path for one in found])}]"))
    return [one.path for one in found]


def _told(found: Found) -> str:
    return "one file, as psql reads it" if found.convention == "one file" else f"migrations, as {found.convention}'s"


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(path.as_posix() for path in paths)


def _next(console: Console, written: Sequence[Path]) -> None:
    from pgcontract.system import CONFIGURATION, PYPROJECT  # noqa: PLC0415 - heavy

    configuration = [Path(name) for name in (CONFIGURATION, PYPROJECT) if Path(name).is_file()][:1]
    files = shlex.join(str(file) for file in (*configuration, *written))
    steps = (
        ("review and commit", f"git add {files}"),
        ("after each migration", "pgcontract verify   # shows what is broken, as SQL"),
        ("when a change is meant", "pgcontract freeze   # its diff is what gets reviewed"),
        ("in a branch", "pgcontract verify --changed-since origin/main"),
        ("would the proofs notice?", "pgcontract mutate"),
    )
    console.print("\nnext:", style="bold")
    for when, command in steps:
        console.print(f"  {when:<25} {command}", markup=False, soft_wrap=True)

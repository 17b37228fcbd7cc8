"""``pgcontract models``: typed row classes for a schema."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgcontract.cli import options
from pgcontract.cli.given import STDOUT, writable
from pgcontract.errors import UsageError
from pgcontract.signs import signed

if TYPE_CHECKING:
    from pgcontract.ephemeral import ServerChoice
    from pgcontract.system import System

EXIT_OUT_OF_DATE = 1
FILE = "rows.py"


def models(  # noqa: PLR0917 - a command's options
    path: options.SystemPath = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help=r"Write there, not to PATH/rows.py; - for here.", show_default=False
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if the file is out of date.")] = False,
    pg: options.Major = None,
    dsn: options.Dsn = None,
    pg_bin: options.PgBin = None,
    no_install: options.NoInstall = False,
) -> None:
    """Write typed classes for the rows of every table and view, from the contract: dataclasses and enums for psycopg.

    Example: pgcontract models schema/optimizer
    """
    from pgcontract.ephemeral import ServerChoice  # noqa: PLC0415 - heavy, and not needed by other commands
    from pgcontract.system import System  # noqa: PLC0415

    paths = options.chosen(path)
    if out is not None and len(paths) > 1:
        raise UsageError("--out takes one system's classes.", seen=str(len(paths)), remedy="Give a PATH.")
    if check and out == STDOUT:
        raise UsageError("--check looks at a file.", seen="--out -", remedy="Name the file, or leave --check out.")
    writable(out)
    choice = ServerChoice(pg, dsn, pg_bin, install=not no_install, progress=options.installing())
    current = True
    for one in paths:
        system = System.load(one)
        text = _source(system, one, choice)
        if out == STDOUT:
            typer.echo(text, nl=False)
            continue
        again = shlex.join(["pgcontract", "models", str(one), *(["--out", str(out)] if out else [])])
        current = _written(out or _beside(system), text, again=again if check else None) and current
    raise typer.Exit(0 if current else EXIT_OUT_OF_DATE)


def _beside(system: System) -> Path:
    """Where a system's classes stand: beside its contract."""
    return system.contract.with_name(FILE if system.sql_file is None else f"{system.sql_file.stem}_{FILE}")


def _source(system: System, path: Path, choice: ServerChoice) -> str:
    from pgcontract.contract import read  # noqa: PLC0415 - as above
    from pgcontract.ephemeral import ephemeral  # noqa: PLC0415
    from pgcontract.models import source  # noqa: PLC0415

    if system.contract.exists():
        contract = read(system.contract)
        return source(contract.system, contract.catalog, system.models, system.secrets)
    options.console(error=True).print(
        f"{path} has no {system.contract.name}: its schema is made on a server of its own.", markup=False
    )
    with ephemeral(system, choice) as stage:
        return source(system.name, stage.read_catalog(), system.models, system.secrets)


def _written(file: Path, text: str, *, again: str | None) -> bool:
    """Write the file, or only look, and say what command writes it; whether it is current."""
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else None
        if before == text:
            typer.echo(signed("good", f"{file}: as before"))
            return True
        if again is not None:
            typer.echo(signed("bad", f"{file}: {'out of date' if before is not None else 'not there'}"))
            typer.echo(f"  to write it: {again}")
            return False
        file.write_text(text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("The file cannot be written", where=str(file), seen=str(error), remedy="give --out") from error
    typer.echo(signed("good", f"{file}: written"))
    return True

"""``pgcontract freeze`` and ``pgcontract diff``: write the contract, compare a database with it."""

from __future__ import annotations

import json as json_format
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgcontract.cli import options
from pgcontract.errors import ContractError, ServerError, UsageError
from pgcontract.signs import count, signed

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from pgcontract.contract import Difference
    from pgcontract.ephemeral import ServerChoice
    from pgcontract.model import Catalog, Name
    from pgcontract.system import System

JSON_FORMAT = 1
CONNECT_SECONDS = 10

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="DSN",
        help="Compare this live database: its catalog is read in one read-only transaction, nothing else.",
    ),
]

FrozenFrom = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="DSN",
        help="Freeze this live database: its catalog is read in one read-only transaction, nothing else. "
        "PATH is where the contract stands.",
    ),
]


def freeze(
    path: options.SystemPath = None,
    from_: FrozenFrom = None,
    pg: options.Major = None,
    dsn: options.Dsn = None,
    pg_bin: options.PgBin = None,
    no_install: options.NoInstall = False,
) -> None:
    """Write contract.toml: everything that the schema promises, as its own catalog says it.

    Example: pgcontract freeze schema/social_selling
    """
    from pgcontract.ephemeral import ServerChoice  # noqa: PLC0415 - heavy, and not needed by other commands

    choice = ServerChoice(pg, dsn, pg_bin, install=not no_install, progress=options.installing())
    if from_ is not None:
        from pgcontract.inputs.existing import judged  # noqa: PLC0415 - as above

        system = judged(from_, path)
        # not from a rebuilt one: what PostgreSQL has printed and read again, it may print otherwise
        _told_frozen(_freeze(system, _live_catalog(system, from_)))
        return
    from pgcontract.system import System  # noqa: PLC0415 - as above

    for one in options.chosen(path):
        system = System.load(one)
        _told_frozen(_freeze(system, _ephemeral_catalog(system, choice)))


def diff(  # noqa: PLR0913, PLR0917 - a command's options
    path: options.SystemPath = None,
    from_: From = None,
    pg: options.Major = None,
    dsn: options.Dsn = None,
    pg_bin: options.PgBin = None,
    no_install: options.NoInstall = False,
    json: options.JsonFile = None,
    verbose: options.Verbose = False,
) -> None:
    """Tell how a live database, or what the migrations make, differs from contract.toml. Exit 1 if it does.

    Example: pgcontract diff schema/social_selling --from postgresql://localhost/shop
    """
    from pgcontract.contract import drift, read  # noqa: PLC0415 - heavy, and not needed by other commands
    from pgcontract.ephemeral import ServerChoice  # noqa: PLC0415

    paths = options.chosen(path)
    if json is not None and len(paths) > 1:
        raise UsageError("--json takes one system's result.", seen=str(len(paths)), remedy="Give a PATH.")
    choice = ServerChoice(pg, dsn, pg_bin, install=not no_install, progress=options.installing())
    found = False
    for one in paths:
        system = _compared(one, from_)
        contract = read(system.contract)
        live = _live_catalog(system, from_) if from_ is not None else _ephemeral_catalog(system, choice)
        differences = drift(contract.catalog, live)
        found = found or bool(differences)
        # a DSN may hold a password, which nothing prints
        meant = f"pgcontract freeze {shlex.quote(str(one))}" + (' --from "$FROM"' if from_ is not None else "")
        _show(contract.system, differences, meant, system.contract, verbose=verbose)
        if json is not None:
            options.write_result(json, as_json(contract.system, differences))
    raise typer.Exit(1 if found else 0)


def freeze_text(
    connection: psycopg.Connection[Any], system: str, *, ignore: Collection[Name] = (), roles: Mapping[str, str]
) -> str:
    """The text of contract.toml for the database that a connection leads to; see ``read_catalog``."""
    from pgcontract.catalog import read_catalog  # noqa: PLC0415 - heavy, and not needed by other commands
    from pgcontract.contract import Contract, dumps  # noqa: PLC0415

    return dumps(Contract(system, read_catalog(connection, ignore=ignore, roles=roles)))


def _show(name: str, differences: Sequence[Difference], meant: str, contract: Path, *, verbose: bool) -> None:
    """Print the drift, a difference a line, then how many there are, and the command for what is ``meant``."""
    from pgcontract.report import drift, github  # noqa: PLC0415 - heavy, and not needed by `freeze`
    from pgcontract.report.layout import sum_up  # noqa: PLC0415

    console = options.console()
    shown = drift.shown(differences, every=verbose)
    drift.show(console, shown)
    if shown:
        console.print(f"  if that is meant: {meant}", markup=False, style="dim")
    sum_up(console, drift.summary(name, shown), good=not shown)
    github.of_drift(name, shown, contract).tell()


def as_json(system: str, differences: Sequence[Difference]) -> str:
    """The drift for programs: every difference, with whom it breaks."""
    listed = [
        {
            "id": one.promise_id,
            "kind": one.kind,
            "change": one.change,
            "frozen": one.frozen,
            "live": one.live,
            "part_of": one.part_of,
            "breaks": list(one.breaks),
        }
        for one in differences
    ]
    return json_format.dumps(
        {"format": JSON_FORMAT, "system": system, "differences": listed}, indent=2, ensure_ascii=False
    )


def _freeze(system: System, catalog: Catalog) -> str:
    """Write the contract; what is to be told of it."""
    from pgcontract.contract import Contract, drift, headlines, promises_of, read, write  # noqa: PLC0415

    before = None
    if system.contract.exists():
        try:
            before = read(system.contract).catalog
        except ContractError:
            # It is written anew, and that is the remedy which the error itself would name.
            before = None
    write(system.contract, Contract(system.name, catalog))
    words = f"{system.contract}: {count(sum(1 for _ in promises_of(catalog)), 'promise')}"
    if before is None:
        return f"{words}, frozen"
    differences = drift(before, catalog)
    if not differences:
        return f"{words}, as before"
    told = headlines(differences)
    new = f"{words}, {count(len(told), 'difference')} from what was frozen before:"
    return "\n".join([new, *(f"  {one}" for one in told)])


def _told_frozen(text: str) -> None:
    headline, *rest = text.splitlines()
    typer.echo(signed("good", headline))
    for line in rest:
        typer.echo(line)


def _compared(path: Path, from_: str | None) -> System:
    """The system at the path; with a live database, the contract's own file is enough."""
    if from_ is not None and path.suffix == ".toml":
        from pgcontract.inputs.existing import judged  # noqa: PLC0415 - heavy, and seldom needed

        return judged(from_, path)
    from pgcontract.system import System  # noqa: PLC0415 - heavy, and not needed by other commands

    return System.load(path)


def _ephemeral_catalog(system: System, choice: ServerChoice) -> Catalog:
    """What the system's migrations make, on a server that is gone afterwards."""
    from pgcontract.ephemeral import ephemeral  # noqa: PLC0415 - heavy, and not needed with --from

    with ephemeral(system, choice) as stage:
        return stage.read_catalog()


def _live_catalog(system: System, dsn: str) -> Catalog:
    """The catalog of a live database. Raises ServerError without ever showing a password."""
    import psycopg  # noqa: PLC0415 - heavy, and not needed by other commands

    from pgcontract.catalog import read_catalog  # noqa: PLC0415
    from pgcontract.migrations.session import default_of  # noqa: PLC0415

    try:
        place = psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise UsageError(
            "--from is no connection string.",
            remedy="Write it like postgresql://user@host:5432/database or 'host=… dbname=…'.",
        ) from error
    shown = " ".join(f"{name}={place[name]}" for name in ("host", "port", "dbname", "user") if name in place)
    try:
        patience = place.get("connect_timeout") or default_of("connect_timeout") or CONNECT_SECONDS
        with psycopg.connect(dsn, application_name="pgcontract diff", connect_timeout=patience) as connection:
            return read_catalog(connection, ignore=[system.tracking_table])
    except psycopg.Error as error:
        raise ServerError(
            "The database cannot be reached.",
            where=shown or "the default database",
            seen=str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
            remedy="See that it is up, that the DSN names it, and that you may connect to it.",
        ) from error

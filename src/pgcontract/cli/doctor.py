"""``pgcontract doctor``: is this database fit for the system, and if not, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgcontract.cli import migrate, migrating, options

if TYPE_CHECKING:
    from pgcontract.doctor import Check, Examination

EXIT_UNHEALTHY = 1
EXIT_UNREACHED = 2
# in a file or a pipe, a line is a line
WIDTH = 200


def doctor(
    path: migrate.SystemPath = None,
    *,
    dsn: migrate.Dsn = None,
    json: migrate.JsonFile = None,
) -> None:
    """Look a database over: server, rights, extensions, migrations, tables, rows, settings. It only reads.

    Exit 1 where something is to be done, 2 where nobody answers. Example: pgcontract doctor schema/shop --dsn "$DSN"
    """
    from pgcontract.doctor import examine  # noqa: PLC0415 - heavy, and not needed by other commands

    system = migrate.one_system(path)
    shown = str(path if path is not None else system.root)
    found = examine(migrate.database(dsn), system, shown)
    if json is not None:
        migrating.write_json(json, found.as_json())
    if json != migrating.STDOUT:
        console = options.console()
        if not console.is_terminal:
            console.width = WIDTH
        show(console, found, shown)
    if found.facts is None:
        raise typer.Exit(EXIT_UNREACHED)
    raise typer.Exit(0 if found.healthy else EXIT_UNHEALTHY)


def show(console: Console, found: Examination, path: str) -> None:
    """Print a check a line, and beneath what is wrong what to do; then how many there are."""
    shown = Table(box=None, pad_edge=False, show_header=False)
    shown.add_column("mark", no_wrap=True)
    shown.add_column("check", no_wrap=True)
    shown.add_column("seen", overflow="fold")
    for check in found.checks:
        mark, style = _mark(check, console)
        shown.add_row(Text(mark, style=style), _fit(check.name, console), _fit(check.seen, console))
        if check.remedy is not None:
            shown.add_row("", "", Text(f"do: {_fit(check.remedy, console)}", style="yellow"))
    console.print(shown)
    console.print()
    console.print(Text(_fit(summary(found, path), console), style="green" if found.healthy else "red"))


def summary(found: Examination, path: str) -> str:
    """The last line."""
    if found.facts is None:
        return f"{path}: the server cannot be reached, and nothing else could be checked"
    passed, failed, open_ = (sum(check.ok is answer for check in found.checks) for answer in (True, False, None))
    counts = [f"{passed} of {len(found.checks)} checks passed"]
    counts += [f"{failed} failed"] if failed else []
    counts += [f"{open_} not made"] if open_ else []
    return f"{path}: {', '.join(counts)}, on PostgreSQL {found.facts.version}"


def _mark(check: Check, console: Console) -> tuple[str, str]:
    plain = not console.encoding.lower().startswith("utf")
    if check.ok is None:
        return "-", "dim"
    if check.ok:
        return "ok" if plain else "✓", "green"
    return "FAIL" if plain else "✗", "red bold"


def _fit(text: str, console: Console) -> str:
    """The text in letters that the terminal has."""
    return text.encode(console.encoding, "replace").decode(console.encoding)

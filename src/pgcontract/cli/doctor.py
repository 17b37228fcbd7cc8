"""``pgcontract doctor``: is this database fit for the system, and if not, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text

from pgcontract.cli import migrate, options
from pgcontract.report.layout import STYLES, Cell, Column, State, sum_up, table
from pgcontract.signs import count, sign

if TYPE_CHECKING:
    from pgcontract.doctor import Examination

EXIT_UNHEALTHY = 1
EXIT_UNREACHED = 2


def doctor(
    path: migrate.SystemPath = None,
    *,
    dsn: migrate.Dsn = None,
    json: options.JsonFile = None,
) -> None:
    """Look a database over: server, rights, extensions, migrations, tables, rows, settings. It only reads.

    Exit 1 where something is to be done, 2 where nobody answers.

    Example: pgcontract doctor schema/shop --dsn "$DATABASE_URL"
    """
    from pgcontract.doctor import examine  # noqa: PLC0415 - heavy, and not needed by other commands

    system = migrate.one_system(path)
    shown = str(path if path is not None else system.root)
    found = examine(migrate.database(dsn), system, shown)
    if json is not None:
        options.write_result(json, found.as_json())
    show(options.console(), found, shown)
    if found.facts is None:
        raise typer.Exit(EXIT_UNREACHED)
    raise typer.Exit(0 if found.healthy else EXIT_UNHEALTHY)


def show(console: Console, found: Examination, path: str) -> None:
    """Print a check a line, and beneath what is wrong what to do; then how many there are."""
    rows: list[list[Cell]] = []
    for check in found.checks:
        state: State = "open" if check.ok is None else "good" if check.ok else "bad"
        mark = Text(sign(state, console.encoding), style=STYLES[state])
        rows.append([mark, _fit(check.name, console), _fit(check.seen, console)])
        if check.remedy is not None:
            rows.append(["", "", Text(f"do: {_fit(check.remedy, console)}", style=STYLES["doubtful"])])
    console.print(table(console, [Column("mark"), Column("check"), Column("seen", fold=True)], rows, headed=False))
    console.print()
    sum_up(console, _fit(summary(found, path), console), good=found.healthy)


def summary(found: Examination, path: str) -> str:
    """The last line."""
    if found.facts is None:
        return f"{path}: the server cannot be reached, and nothing else could be checked"
    passed, failed, open_ = (sum(check.ok is answer for check in found.checks) for answer in (True, False, None))
    counts = [f"{passed} of {count(len(found.checks), 'check')} passed"]
    counts += [f"{failed} failed"] if failed else []
    counts += [f"{open_} not made"] if open_ else []
    return f"{path}: {', '.join(counts)}, on PostgreSQL {found.facts.version}"


def _fit(text: str, console: Console) -> str:
    """The text in letters that the terminal has."""
    return text.encode(console.encoding, "replace").decode(console.encoding)

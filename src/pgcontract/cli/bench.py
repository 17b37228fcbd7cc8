"""``pgcontract bench``: what hot queries cost."""

from __future__ import annotations

import json as json_format
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from pgcontract.cli import options
from pgcontract.cli.lazy import lazy_group
from pgcontract.errors import UsageError
from pgcontract.report.layout import STYLES, Cell, Column, State, count, marked, sum_up, table

if TYPE_CHECKING:
    from rich.console import Console

    from pgcontract.execution import Checked, Judged, Worth
    from pgcontract.system import System

JSON_FORMAT = 1
COLUMNS: Final = (
    Column("query"),
    Column("index", fold=True),
    Column("rows", right=True),
    Column("returned", right=True, spare=3),
    Column("pages", right=True),
    Column("bound", right=True, spare=1),
    Column("ratio", right=True, spare=2),
    Column("at most", right=True),
    Column("verdict"),
)
WORTH: Final = (
    Column("query"),
    Column("index", fold=True),
    *(Column(heading, right=True) for heading in ("rows", "pages with", "without", "ms with", "without")),
)
_STATES: Final[dict[str, State]] = {"kept": "good", "broken": "bad", "empty": "open"}
DEFAULT_ROWS = "1000,10000,100000"

app = typer.Typer(
    cls=lazy_group(
        {
            "compare": ("pgcontract.cli.compare", "compare", None),
            "load": ("pgcontract.cli.load", "load", None),
        }
    ),
    help="Check and compare what hot queries cost, and put load on a system.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    """Hold the commands together; each does its work on its own."""


@app.command("plans")
def plans(  # noqa: PLR0913, PLR0917 - a command's options
    path: options.SystemPath = None,
    rows: Annotated[
        str, typer.Option(metavar="N,N,…", help="Rows to fill the database with, each number on its own.")
    ] = DEFAULT_ROWS,
    pg: options.Major = None,
    dsn: options.Dsn = None,
    pg_bin: options.PgBin = None,
    no_install: options.NoInstall = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="QUERY", help="Only this query; may be repeated.")
    ] = None,
    worth: Annotated[bool, typer.Option("--worth", help="Also each query without each of its indexes.")] = False,
    json: options.JsonFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what is broken.")] = False,
) -> None:
    """Check each hot query's plan, and the pages that it touches against those that would do. Exit 1 if one is broken.

    Example: pgcontract bench plans schema/messenger --rows 1000,10000
    """
    from pgcontract.ephemeral import ServerChoice, ephemeral  # noqa: PLC0415 - heavy, and not needed by other commands
    from pgcontract.execution import judged  # noqa: PLC0415
    from pgcontract.queries import queries_of  # noqa: PLC0415
    from pgcontract.system import System  # noqa: PLC0415

    paths = options.chosen(path)
    if json is not None and len(paths) > 1:
        raise UsageError("--json takes one system's result.", seen=str(len(paths)), remedy="Give a PATH.")
    sizes = _sizes(rows)
    choice = ServerChoice(pg, dsn, pg_bin, install=not no_install, progress=options.installing())
    kept = True
    for one in paths:
        system = System.load(one)
        known = queries_of(system.queries)
        queries = [query for query in known if not only or query.name in only]
        if not queries:
            raise UsageError(
                "There is no such hot query.",
                where=str(system.queries or system.root / "queries"),
                seen=", ".join(only or ["no query at all"]),
                remedy=f"Known are {', '.join(query.name for query in known)}."
                if known
                else "Put one statement a file into queries/, with its promise in the comment at its top.",
            )
        with ephemeral(system, choice) as stage:
            console = options.console()
            started = time.perf_counter()
            found = judged(stage, queries, sizes, worth=worth, told=lambda n: _filling(n, quiet=quiet))
            _show(console, found.checked, found.worth, quiet=quiet)
            took = time.perf_counter() - started
            told = f"{one}: {_summary(found.checked)}, on PostgreSQL {stage.server.version} in {took:.1f} s"
            sum_up(console, told, good=found.kept)
            if json is not None:
                options.write_result(json, as_json(system, stage.server.version, found))
            kept = kept and found.kept
    raise typer.Exit(0 if kept else 1)


def as_json(system: System, postgresql: str, found: Judged) -> str:
    """The result for programs, see docs/report.md."""
    from pgcontract.contract.outline import outline  # noqa: PLC0415 - as above
    from pgcontract.provenance import provenance  # noqa: PLC0415

    listed = [one.as_dict() for one in found.checked]
    counts = {word: sum(one["verdict"] == word for one in listed) for word in ("kept", "broken", "empty")}
    return json_format.dumps(
        {
            "format": JSON_FORMAT,
            **provenance(system.root).heading("bench plans"),
            "postgresql": postgresql,
            "system": system.name,
            **counts,
            "queries": listed,
            "worth": [one.as_dict() for one in found.worth],
            "tables": outline(found.catalog),
        },
        indent=2,
        ensure_ascii=False,
    )


def _sizes(text: str) -> list[int]:
    sizes = [part.strip().replace("_", "") for part in text.split(",")]
    if not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise UsageError("--rows takes numbers.", seen=text, remedy=f"Write them as in --rows {DEFAULT_ROWS}.")
    return sorted({int(size) for size in sizes})


def _filling(rows: int, *, quiet: bool) -> None:
    console = options.console(error=True)
    if not quiet and console.is_terminal:
        console.print(f"{count(rows, 'row')} …")


def _show(console: Console, checked: list[Checked], worth: list[Worth], *, quiet: bool) -> None:
    rows = [_cells(one) for one in checked if not quiet or one.verdict != "kept"]
    if rows:
        console.print(table(console, COLUMNS, rows))
    for one in checked:
        if one.verdict == "broken":
            _show_broken(console, one)
    if worth:
        console.print()
        told = [
            [
                *(item.query, item.index, f"{item.rows:,}", f"{item.pages_with:,}", f"{item.pages_without:,}"),
                *(f"{item.milliseconds_with:.2f}", f"{item.milliseconds_without:.2f}"),
            ]
            for item in worth
        ]
        console.print(table(console, WORTH, told))
    console.print()


def _cells(one: Checked) -> list[Cell]:
    cells: list[Cell] = [one.query, ", ".join(one.uses) + (" (levels estimated)" if one.estimated else "")]
    verdict = Text(one.verdict, style=STYLES[_STATES[one.verdict]])
    if (worst := one.worst) is None:
        return [*cells, f"{one.rows:,}", "0", "", "", "", "", verdict]
    ratio = "" if worst.ratio is None else f"{worst.ratio:.2f}"
    bound = f"{worst.bound:,}" if worst.bound else ""
    cells += [f"{one.rows:,}", f"{worst.rows:,}", f"{worst.pages:,}", bound, ratio, f"{worst.most:,.0f}"]
    return [*cells, verdict]


def _show_broken(console: Console, one: Checked) -> None:
    console.print()
    console.print(marked(console, "bad", "broken ", f"{one.file} with {count(one.rows, 'row')}"))
    console.print(f"  promise: by {', '.join(one.uses)}; at most {one.promise} pages", markup=False)
    if one.unanswered:
        console.print("  no row is returned at any size: nothing is shown by it", markup=False)
    for measured in one.measured:
        if measured.problems:
            console.print(f"  {measured.size} parent, {measured.plan} plan:", markup=False)
            for problem in measured.problems:
                console.print(f"    {problem}", markup=False)
            for line in measured.shown.splitlines():
                console.print(f"      {line}", markup=False, soft_wrap=True)


def _summary(checked: list[Checked]) -> str:
    counts = {word: sum(one.verdict == word for one in checked) for word in ("kept", "broken", "empty")}
    queries = count(len({one.query for one in checked}), "query")
    said = f"{counts['kept']} of {count(len(checked), 'plan')} of {queries} kept"
    said += f", {counts['broken']} broken" if counts["broken"] else ""
    return said + (f", {counts['empty']} without a row at their size" if counts["empty"] else "")

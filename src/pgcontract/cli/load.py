"""``pgcontract bench load``: a system's transactions at a rate, their latencies, and its invariants at the end."""

from __future__ import annotations

import json as json_format
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from pgcontract.cli import options
from pgcontract.errors import UsageError
from pgcontract.report.layout import Cell, Column, count, indented, marked, sum_up, table

if TYPE_CHECKING:
    from rich.console import Console

    from pgcontract.load import Summary, Target, Tried
    from pgcontract.load.measuring import Broken
    from pgcontract.system import System

JSON_FORMAT = 1
COLUMNS: Final = (
    Column("transaction", fold=True),
    *(Column(heading, right=True) for heading in ("asked", "done", "p50 ms")),
    Column("p95", right=True, spare=1),
    *(Column(heading, right=True) for heading in ("p99", "max")),
    Column("errors", right=True, fold=True),
)
EXIT_BROKEN = 1
MOST_RATE = 100_000.0
LIMIT_SECONDS = 5.0
LIMIT_P99 = 100.0
# a rate that far from being kept need not be waited for
LIMIT_PATIENCE = 2.0


def load(  # noqa: PLR0913, PLR0917 - a command's options
    path: options.SystemPath = None,
    rate: Annotated[
        float, typer.Option(min=0.1, max=MOST_RATE, help="So many a second of what the system's load.toml counts.")
    ] = 50.0,
    seconds: Annotated[float, typer.Option(min=0.5, help="How long.")] = 30.0,
    users: Annotated[int, typer.Option(min=1, help="Users whose rows are there before.")] = 1000,
    pool: Annotated[int, typer.Option(min=1, help="Connections.")] = 20,
    p99: Annotated[
        float | None,
        typer.Option("--p99", min=0.001, help="Milliseconds that 99 of 100 of each transaction take at most."),
    ] = None,
    find_limit: Annotated[
        bool,
        typer.Option("--find-limit", help=f"Then the highest rate with a p99 under {LIMIT_P99:.0f} ms, by short runs."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Other times and values.")] = 0,
    pg: options.Major = None,
    dsn: options.Dsn = None,
    pg_bin: options.PgBin = None,
    no_install: options.NoInstall = False,
    json: options.JsonFile = None,
) -> None:
    """Put load on a system, whether it keeps up or not, and ask its invariants at the end.

    Exit 0: all is well; 1: an invariant is broken, a transaction failed, the rate was not kept, or --p99 was exceeded;
    2: usage.

    Example: pgcontract bench load schema/messenger --rate 50 --p99 20
    """
    from pgcontract.ephemeral import ServerChoice  # noqa: PLC0415 - heavy, and not needed by other commands
    from pgcontract.load import ready, workload_of  # noqa: PLC0415
    from pgcontract.system import System  # noqa: PLC0415

    paths = options.chosen(path)
    if json is not None and len(paths) > 1:
        raise UsageError("--json takes one system's result.", seen=str(len(paths)), remedy="Give a PATH.")
    choice = ServerChoice(pg, dsn, pg_bin, install=not no_install, progress=options.installing())
    console = options.console()
    well = True
    # all of them are read before the first one is filled
    systems = [System.load(one) for one in paths]
    for system, workload in [(system, workload_of(system)) for system in systems]:
        _tell(f"{system.name}: rows for {count(users, 'user')} …")
        with ready(system, workload, choice, users=users, pool=pool) as target:
            console.print(_heading(target, users, pool), markup=False)
            found = target.run(rate, seconds, seed)
            _show(console, found, workload.counts)
            tried: list[Tried] = []
            limit = _limit(target, rate, seed, tried) if find_limit else None
            broken = target.broken()
        if find_limit:
            _show_limit(console, limit, tried, workload.counts)
        _show_broken(console, broken, system)
        too_slow = p99 is not None and found.p99 > p99
        if too_slow:
            console.print(f"p99 is {found.p99:.1f} ms, more than the {p99:g} ms allowed.", markup=False)
        if json is not None:
            result = as_json(system, target, found, (users, pool, p99), (find_limit, limit, tried), broken)
            options.write_result(json, result)
        good = found.kept and not broken and not too_slow
        sum_up(console, _summary(system.name, target, found, workload.counts, len(broken)), good=good)
        well = well and good
    raise typer.Exit(0 if well else EXIT_BROKEN)


def as_json(
    system: System,
    target: Target,
    found: Summary,
    asked: tuple[int, int, float | None],
    limit: tuple[bool, float | None, list[Tried]],
    broken: tuple[Broken, ...],
) -> str:
    """The result for programs."""
    users, pool, p99 = asked
    searched, highest, tried = limit
    result: dict[str, Any] = {
        "format": JSON_FORMAT,
        "system": system.name,
        "postgresql": target.version,
        "durable": target.durable,
        "settings": target.settings,
        "flush_milliseconds": target.flush,
        "machine_load": target.machine,
        "users": users,
        "pool": pool,
        "p99_allowed": p99,
        "counts": target.workload.counts,
        **found.as_dict(),
        "limit": None,
        "broken_invariants": [{"invariant": b.invariant, "clause": b.clause, "shown": b.shown} for b in broken],
    }
    if searched:
        result["limit"] = {
            "p99": LIMIT_P99,
            "seconds": LIMIT_SECONDS,
            "rate": highest,
            "tried": [{"rate": one.rate, "held": one.held} for one in tried],
        }
    return json_format.dumps(result, indent=2, ensure_ascii=False)


def _summary(name: str, target: Target, found: Summary, counts: str, broken: int) -> str:
    done = f"{found.achieved:,.1f} of {found.rate:,.1f} {counts} a second"
    held = f", {count(broken, 'invariant')} broken" if broken else ""
    return f"{name}: {done}{held}, on PostgreSQL {target.version} in {found.seconds:g} s"


def _limit(target: Target, rate: float, seed: int, tried: list[Tried]) -> float | None:
    from pgcontract.load import Tried, highest  # noqa: PLC0415

    def holds(asked: float) -> bool:
        found = target.run(asked, LIMIT_SECONDS, seed, patience=LIMIT_PATIENCE)
        held = found.kept and found.p99 < LIMIT_P99
        tried.append(Tried(asked, held, found.p99, found.achieved))
        _tell(f"{asked:g} a second: p99 {found.p99:.1f} ms, {'held' if held else 'not held'}")
        return held

    return highest(holds, rate, MOST_RATE)


def _heading(target: Target, users: int, pool: int) -> str:
    settings = ", ".join(f"{name} = {value}" for name, value in target.settings.items())
    kept = "durable" if target.durable else f"NOT durable ({settings})"
    return (
        f"{target.system.name} on PostgreSQL {target.version}, {count(users, 'user')}, {count(pool, 'connection')}; "
        f"{kept}, a flush takes {target.flush:.2f} ms"
    )


def _tell(text: str) -> None:
    console = options.console(error=True)
    if console.is_terminal:
        console.print(text, markup=False)


def _show(console: Console, found: Summary, counts: str) -> None:
    rows: list[list[Cell]] = []
    for one in found.transactions:
        errors = ", ".join(f"{count} of {state}" for state, count in one.errors.items())
        given_up = f"{one.given_up} given up" if one.given_up else ""
        rows.append(
            [
                *(one.transaction, f"{one.asked:,}", f"{one.done:,}", f"{one.p50:.1f}", f"{one.p95:.1f}"),
                *(f"{one.p99:.1f}", f"{one.greatest:.1f}", "; ".join(filter(None, (errors, given_up))) or "0"),
            ]
        )
    console.print(table(console, COLUMNS, rows))
    console.print(
        f"{found.achieved:,.1f} of {found.rate:,.1f} {counts} a second for {found.seconds:g} s, p99 {found.p99:.1f} ms "
        f"(the generator's own lateness: {found.lateness:.2f} ms)",
        markup=False,
    )


def _show_limit(console: Console, limit: float | None, tried: list[Tried], counts: str) -> None:
    for one in tried:
        held = "held" if one.held else "not held"
        console.print(f"  {one.rate:,.1f}: {held}, {one.achieved:,.1f} achieved, p99 {one.p99:.1f} ms", markup=False)
    said = "not even one a second" if limit is None else f"{limit:,.1f} {counts} a second"
    console.print(f"The highest rate with a p99 under {LIMIT_P99:.0f} ms: {said}.", markup=False)


def _show_broken(console: Console, broken: tuple[Broken, ...], system: System) -> None:
    for one in broken:
        console.print(marked(console, "bad", "broken ", f"{one.invariant} (invariant): {one.clause}"))
        console.print(Text(indented(one.shown)), soft_wrap=True)
    if system.invariants is None:
        console.print("The system has no invariants to ask.")
    elif not broken:
        console.print("All invariants hold.")

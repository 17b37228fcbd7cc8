"""``pgcontract verify``: the main job."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from pgcontract.cli import options
from pgcontract.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from pgcontract.contract import Contract
    from pgcontract.ephemeral import ServerChoice, Stage
    from pgcontract.since import Then
    from pgcontract.system import System
    from pgcontract.verify import Plan, Result


Listing: TypeAlias = Literal["write", "shrink"] | None


def verify(  # noqa: PLR0913, PLR0917 - a command's options
    path: options.SystemPath = None,
    from_: options.Existing = None,
    pg: options.Major = None,
    dsn: options.Dsn = None,
    pg_bin: options.PgBin = None,
    no_install: options.NoInstall = False,
    examples: Annotated[
        int,
        typer.Option(min=1, help="Drawn examples a promise and direction; histories in which invariants are asked."),
    ] = 100,
    seed: Annotated[int, typer.Option(help="Draws other examples.")] = 0,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID", help="Only this promise, or this table's; `invariants` for all of them."),
    ] = None,
    changed_since: Annotated[
        str | None,
        typer.Option(
            "--changed-since",
            metavar="REF",
            help="Only what this branch's migrations touch since it left REF, and what depends on it.",
        ),
    ] = None,
    write_baseline: Annotated[
        bool,
        typer.Option(
            "--write-baseline",
            help="List what is broken or unproven now in baseline.toml, which must not be there yet.",
        ),
    ] = False,
    shrink_baseline: Annotated[
        bool, typer.Option("--shrink-baseline", help="Take out of baseline.toml what is proven again; add nothing.")
    ] = False,
    seconds: Annotated[
        float,
        typer.Option("--promise-seconds", min=0.1, help="How long a direction of one promise may take."),
    ] = 120.0,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 for one a core.")] = 0,
    json: options.JsonFile = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Prove every promise of a schema, on a PostgreSQL server of its own that is gone afterwards.

    Exit 0: all proven or listed in baseline.toml; 1: broken, unproven, or not what the contract says; 2: usage.

    Example: pgcontract verify schema/shop --pg 17

    Example: pgcontract verify schema/shop --changed-since origin/main
    """
    from pgcontract.ephemeral import ServerChoice  # noqa: PLC0415 - heavy, and not needed by other commands
    from pgcontract.verify import Plan  # noqa: PLC0415

    paths = options.several(path, from_)
    if json is not None and len(paths) > 1:
        raise UsageError("--json takes one system's result.", seen=str(len(paths)), remedy="Give a PATH.")
    partly = [option for option, given in (("--only", only), ("--changed-since", changed_since)) if given]
    if partly and (write_baseline or shrink_baseline):
        raise UsageError("A baseline is of all promises.", seen=partly[0], remedy=f"Leave {partly[0]} out.")
    if changed_since is not None and from_ is not None:
        raise UsageError("A live database has no commits.", seen="--from and --changed-since", remedy="Leave one out.")
    choice = ServerChoice(pg, dsn, pg_bin, install=not no_install, progress=options.installing())
    plan = Plan(examples, seed, tuple(only or ()), workers, seconds)
    listing: Listing = "write" if write_baseline else "shrink" if shrink_baseline else None
    told = Telling(json, quiet=quiet, verbose=verbose, listing=listing)
    kept = [prove(p, choice, plan, told, from_=from_, since=changed_since) for p in paths]
    raise typer.Exit(0 if all(kept) else 1)


@dataclass(frozen=True, slots=True)
class Telling:
    """Where a result goes: to a file, to people, and into the list of what is known.

    ``freeze``: a contract that is not there yet is written.
    """

    json: Path | None = None
    quiet: bool = False
    verbose: bool = False
    listing: Listing = None
    freeze: bool = False


def prove(
    given: Path | None,
    choice: ServerChoice,
    plan: Plan,
    told: Telling,
    *,
    from_: str | None = None,
    since: str | None = None,
) -> bool:
    """Prove a system and tell what was found. Whether it is kept."""
    from pgcontract.contract import Difference, read, read_baseline  # noqa: PLC0415
    from pgcontract.ephemeral import ephemeral  # noqa: PLC0415
    from pgcontract.provenance import provenance  # noqa: PLC0415
    from pgcontract.report import github, terminal  # noqa: PLC0415
    from pgcontract.verify import verify as run  # noqa: PLC0415

    console = options.console()
    progress = options.progress(quiet=told.quiet)
    with ExitStack() as outer:
        system = outer.enter_context(options.given(given, from_, choice.pg_bin))
        path = given or system.name
        # a DSN may hold a password, which nothing prints
        source = ' --from "$FROM"' if from_ else ""
        baseline = read_baseline(system.baseline)
        if told.listing == "write" and system.baseline.exists():
            raise UsageError(
                "There is a baseline already.",
                where=str(system.baseline),
                remedy="Add a line with its reason by hand, or take lines out with --shrink-baseline.",
            )
        before = _then(since, given, system, choice)
        stage = outer.enter_context(ephemeral(system, choice))
        stack = outer.enter_context(ExitStack())
        contract = (
            read(system.contract) if system.contract.exists() else _frozen(console, stage, path, keep=told.freeze)
        )
        if before is not None:
            plan = _touched(before, stage, contract, plan)
        task = progress.add_task(f"{path} on PostgreSQL {stage.server.version}", total=None)

        def started(count: int, drift: Sequence[Difference]) -> None:
            terminal.show_drift(console, drift, f"pgcontract freeze {shlex.quote(str(path))}{source}")
            progress.update(task, total=count)
            stack.enter_context(progress)

        result = run(stage, contract, plan, baseline=baseline, started=started, found=lambda _: progress.advance(task))
    result = _listed(system, result, told.listing)
    if told.json is not None:
        options.write_result(told.json, result.as_json(provenance(given)))
    server = '--dsn "$DSN"' if choice.dsn else f"--pg {stage.server.major}"
    commands = terminal.Commands(str(path), f"{_words(given, choice, plan)}{source} {server}")
    terminal.show(console, result, commands, quiet=told.quiet, verbose=told.verbose)
    github.of_proofs(result, str(path), system.contract).tell()
    return result.kept


def _frozen(console: Console, stage: Stage, path: Path | str, *, keep: bool) -> Contract:
    """The contract of a system that has none, from its own schema."""
    from pgcontract.contract import Contract, promises_of, write  # noqa: PLC0415 - heavy
    from pgcontract.report.layout import count, marked  # noqa: PLC0415
    from pgcontract.verify import refuse_nothing  # noqa: PLC0415

    system = stage.system
    contract = Contract(system.name, stage.read_catalog())
    if keep:
        refuse_nothing(contract, system)
        write(system.contract, contract)
        number = count(sum(1 for _ in promises_of(contract.catalog)), "promise")
        console.print(marked(console, "good", "froze  ", f"{system.contract}: {number}, as the catalog says them\n"))
    else:
        told = f"{path} has no {system.contract.name}: its promises are frozen in memory, for this run only."
        console.print(told, markup=False)
        console.print(f"  to keep them: pgcontract freeze {shlex.quote(str(path))}\n", markup=False, style="dim")
    return contract


def _words(given: Path | None, choice: ServerChoice, plan: Plan) -> str:
    words = ["pgcontract", "verify", *([str(given)] if given else [])]
    words += ["--examples", str(plan.examples), "--seed", str(plan.seed)]
    return shlex.join([*words, *(["--pg-bin", str(choice.pg_bin)] if choice.pg_bin else [])])


def _then(ref: str | None, path: Path | None, system: System, choice: ServerChoice) -> Then | None:
    """The system where the branch left the commit; before the stage is set, since both are on the user's server."""
    if ref is None or path is None:
        return None
    from pgcontract.since import then  # noqa: PLC0415 - seldom asked for

    return then(ref, path, system, choice)


def _touched(before: Then, stage: Stage, contract: Contract, plan: Plan) -> Plan:
    """The plan with only what was touched; what that is is told."""
    from pgcontract.since import since  # noqa: PLC0415 - seldom asked for

    found = since(before, stage, contract)
    options.console().print(f"{found}\n", markup=False)
    return replace(plan, touched=found.ids)


def _listed(system: System, result: Result, listing: Listing) -> Result:
    """Write the list of what is known, if that was asked for; the result as that list judges it."""
    if listing is None:
        return result
    from pgcontract.contract import Baseline, write_baseline  # noqa: PLC0415 - seldom asked for

    left = Baseline.of(result.verdicts) if listing == "write" else result.baseline.shrunk(result.verdicts)
    if left != result.baseline:
        write_baseline(system.baseline, left)
        took = f", {len(result.baseline) - len(left)} taken out" if listing == "shrink" else ""
        options.console().print(f"{system.baseline}: {len(left)} listed{took}\n", markup=False)
    return replace(result, baseline=left, gone=())

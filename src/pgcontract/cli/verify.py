"""``pgcontract verify``: the main job."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgcontract.cli import options
from pgcontract.errors import UsageError

if TYPE_CHECKING:
    from pgcontract.ephemeral import ServerChoice
    from pgcontract.verify import Plan


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
    seconds: Annotated[
        float,
        typer.Option("--promise-seconds", min=0.1, help="How long a direction of one promise may take."),
    ] = 30.0,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 for one a core.")] = 0,
    json: options.JsonFile = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Prove every promise of a schema, on a PostgreSQL server of its own that is gone afterwards.

    Example: pgcontract verify schema/social_selling --pg 17
    """
    from pgcontract.ephemeral import ServerChoice  # noqa: PLC0415 - heavy, and not needed by other commands
    from pgcontract.verify import Plan  # noqa: PLC0415

    paths = options.several(path, from_)
    if json is not None and len(paths) > 1:
        raise UsageError("--json takes one system's result.", seen=str(len(paths)), remedy="Give a PATH.")
    choice = ServerChoice(pg, dsn, pg_bin, install=not no_install, progress=options.installing())
    plan = Plan(examples, seed, tuple(only or ()), workers, seconds)
    kept = [_verify(p, from_, choice, plan, json, quiet=quiet, verbose=verbose) for p in paths]
    raise typer.Exit(0 if all(kept) else 1)


def _verify(
    given: Path | None,
    from_: str | None,
    choice: ServerChoice,
    plan: Plan,
    json: Path | None,
    *,
    quiet: bool,
    verbose: bool,
) -> bool:
    from pgcontract.contract import Contract, Difference, read  # noqa: PLC0415
    from pgcontract.ephemeral import ephemeral  # noqa: PLC0415
    from pgcontract.provenance import provenance  # noqa: PLC0415
    from pgcontract.report import terminal  # noqa: PLC0415
    from pgcontract.verify import verify as prove  # noqa: PLC0415

    console = options.console()
    progress = options.progress(quiet=quiet)
    with ExitStack() as outer:
        system = outer.enter_context(options.given(given, from_, choice.pg_bin))
        path = given or system.name
        stage = outer.enter_context(ephemeral(system, choice))
        stack = outer.enter_context(ExitStack())
        if system.contract.exists():
            contract = read(system.contract)
        else:
            contract = Contract(system.name, stage.read_catalog())
            console.print(
                f"{path} has no contract.toml: its promises are frozen in memory, for this run only.\n", markup=False
            )
        task = progress.add_task(f"{path} on PostgreSQL {stage.server.version}", total=None)

        def started(count: int, drift: Sequence[Difference]) -> None:
            terminal.show_drift(console, drift)
            progress.update(task, total=count)
            stack.enter_context(progress)

        result = prove(stage, contract, plan, started=started, found=lambda _: progress.advance(task))
    if json is not None:
        options.write_result(json, result.as_json(provenance(given)))
    words = [
        "pgcontract",
        "verify",
        *([str(given)] if given else []),
        "--examples",
        str(plan.examples),
        "--seed",
        str(plan.seed),
    ]
    words += ["--pg-bin", str(choice.pg_bin)] if choice.pg_bin else []
    # a DSN may hold a password, which nothing prints
    server = '--dsn "$DSN"' if choice.dsn else f"--pg {stage.server.major}"
    source = ' --from "$FROM"' if from_ else ""
    replay = f"{shlex.join(words)}{source} {server}"
    terminal.show(console, result, str(path), quiet=quiet, verbose=verbose, replay=replay)
    return result.kept

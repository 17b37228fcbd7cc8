"""``pgcontract mutate``: whether the proofs would notice."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgcontract.cli import options
from pgcontract.errors import UsageError

if TYPE_CHECKING:
    from pgcontract.ephemeral import ServerChoice
    from pgcontract.mutation import Plan


def mutate(  # noqa: PLR0913, PLR0917 - a command's options
    path: options.SystemPath = None,
    from_: options.Existing = None,
    pg: options.Major = None,
    dsn: options.Dsn = None,
    pg_bin: options.PgBin = None,
    no_install: options.NoInstall = False,
    kind: Annotated[list[str] | None, typer.Option("--kind", help="Only promises of this kind.")] = None,
    operator: Annotated[
        list[str] | None,
        typer.Option(
            "--operator", "--operators", help="Only this operator; `schemaanalyst` for those of the literature."
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ID", help="Only this promise, or this table's.")
    ] = None,
    sample: Annotated[int, typer.Option(min=0, help="So many mutants, spread evenly; 0 for all.")] = 0,
    examples: Annotated[int, typer.Option(min=1, help="Drawn examples a promise and direction.")] = 25,
    seed: Annotated[int, typer.Option(help="Draws other examples.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 for one a core.")] = 0,
    json: options.JsonFile = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Break a schema in every small way there is, and see whether the proofs notice.

    Example: pgcontract mutate schema/social_selling --kind check
    """
    from pgcontract.ephemeral import ServerChoice  # noqa: PLC0415 - heavy, and not needed by other commands
    from pgcontract.mutation import Plan  # noqa: PLC0415

    paths = options.several(path, from_)
    if json is not None and len(paths) > 1:
        raise UsageError("--json takes one system's result.", seen=str(len(paths)), remedy="Give a PATH.")
    choice = ServerChoice(pg, dsn, pg_bin, install=not no_install, progress=options.installing())
    plan = Plan(tuple(kind or ()), tuple(operator or ()), tuple(only or ()), sample, examples, seed, workers)
    killed = [_mutate(p, from_, choice, plan, json, quiet=quiet, verbose=verbose) for p in paths]
    raise typer.Exit(0 if all(killed) else 1)


def _mutate(
    given: Path | None,
    from_: str | None,
    choice: ServerChoice,
    plan: Plan,
    json: Path | None,
    *,
    quiet: bool,
    verbose: bool,
) -> bool:
    from pgcontract.contract import Contract, read  # noqa: PLC0415
    from pgcontract.ephemeral import ephemeral  # noqa: PLC0415
    from pgcontract.mutation import mutate as analyse  # noqa: PLC0415
    from pgcontract.provenance import provenance  # noqa: PLC0415
    from pgcontract.report import github, mutants  # noqa: PLC0415

    console = options.console()
    progress = options.progress(quiet=quiet)
    with ExitStack() as outer:
        system = outer.enter_context(options.given(given, from_, choice.pg_bin))
        path = given or system.name
        stage = outer.enter_context(ephemeral(system, choice))
        stack = outer.enter_context(ExitStack())
        contract = read(system.contract) if system.contract.exists() else Contract(system.name, stage.read_catalog())
        task = progress.add_task(f"{path} on PostgreSQL {stage.server.version}", total=None)

        def started(count: int) -> None:
            progress.update(task, total=count)
            stack.enter_context(progress)

        result = analyse(stage, contract, plan, started=started, found=lambda _: progress.advance(task))
    if json is not None:
        options.write_result(json, result.as_json(provenance(given)))
    words = ["pgcontract", "mutate", *([str(given)] if given else []), "--examples", str(plan.examples * 10)]
    again = shlex.join(words) + (' --from "$FROM"' if from_ else "")
    mutants.show(console, result, str(path), again=again, quiet=quiet, verbose=verbose)
    github.of_mutants(result, str(path)).tell()
    return not result.alive

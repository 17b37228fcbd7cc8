"""``pgcontract bench compare``: how long the hot queries of B take beside those of A."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgcontract.cli import options
from pgcontract.errors import UsageError

if TYPE_CHECKING:
    from pgcontract.compare import Compared, Result
    from pgcontract.ephemeral import ServerChoice

EXIT_SLOWER = 1
DEFAULT_ROWS = 10_000
DEFAULT_BLOCKS = 20
DEFAULT_FLOOR = 1.10


def compare(  # noqa: PLR0913, PLR0917 - a command's options
    a: Annotated[
        str, typer.Argument(metavar="A", help="A major (15, pg15), a commit (git:REF), a folder, or a JSON file.")
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="The same kind of thing: the one that is judged.")],
    path: Annotated[
        Path | None,
        typer.Option("--path", metavar="PATH", help="The system, for majors and commits.", show_default=False),
    ] = None,
    pg: options.Major = None,
    no_install: options.NoInstall = False,
    rows: Annotated[
        int, typer.Option(min=1, help="Rows, shared out among the tables as the system says.")
    ] = DEFAULT_ROWS,
    blocks: Annotated[
        int,
        typer.Option(min=DEFAULT_BLOCKS, help="Blocks of A B B A; up to ten times as many while it is a close call."),
    ] = DEFAULT_BLOCKS,
    floor: Annotated[
        float, typer.Option(help="The least ratio that counts, for queries whose header says nothing else.")
    ] = DEFAULT_FLOOR,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="QUERY", help="Only this query.")] = None,
    json: options.JsonFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what is slower.")] = False,
) -> None:
    """Time the hot queries of two majors, commits or folders in turns; or compare two files of pytest-benchmark.

    Exit 0: all the same or faster; 1: a query is slower; 2: usage.

    Example: pgcontract bench compare 15 18 --path schema/messenger
    """
    from pgcontract.compare import compare_benchmarks  # noqa: PLC0415 - heavy, and not needed by other commands
    from pgcontract.ephemeral import ServerChoice  # noqa: PLC0415
    from pgcontract.provenance import provenance  # noqa: PLC0415
    from pgcontract.report import comparison  # noqa: PLC0415

    if not floor > 1:
        raise UsageError("--floor is no ratio above 1.", seen=str(floor), remedy="Give one as in --floor 1.15.")
    console = options.console()
    results = []
    files = [Path(one) for one in (a, b)]
    if any(file.suffix == ".json" for file in files):
        if not all(file.suffix == ".json" for file in files):
            raise UsageError("A file of benchmarks is compared with another one.", seen=f"{a} and {b}")
        results.append(compare_benchmarks(*files, floor=floor))
        comparison.show(console, results[-1], quiet=quiet)
    else:
        choice = ServerChoice(None, install=not no_install, progress=options.installing())
        for system in _systems(a, b, path, json):
            result = _compared(a, b, system, pg, choice, (rows, blocks, floor, tuple(only or ())), quiet=quiet)
            comparison.show(console, result, quiet=quiet)
            results.append(result)
    if json is not None:
        options.write_result(json, results[0].as_json(provenance(path)))
    if not any(one.verdict for result in results for one in result.compared):
        raise UsageError(
            "Nothing could be judged.",
            seen=f"{a} and {b}",
            remedy="Ask for more --rows; the notes say what was missing.",
        )
    raise typer.Exit(EXIT_SLOWER if any(result.verdict == "slower" for result in results) else 0)


def _systems(a: str, b: str, path: Path | None, json: Path | None) -> list[Path | None]:
    from pgcontract.compare.sides import needs_path  # noqa: PLC0415

    if not needs_path(a, b):
        return [path]
    paths = options.chosen(path)
    if json is not None and len(paths) > 1:
        raise UsageError("--json takes one system's result.", seen=str(len(paths)), remedy="Give --path.")
    return list(paths)


def _compared(
    a: str,
    b: str,
    path: Path | None,
    pg: int | None,
    choice: ServerChoice,
    effort: tuple[int, int, float, tuple[str, ...]],
    *,
    quiet: bool,
) -> Result:
    from pgcontract.compare.sides import sides  # noqa: PLC0415
    from pgcontract.compare.systems import Effort  # noqa: PLC0415
    from pgcontract.compare.systems import compare as measure  # noqa: PLC0415

    progress = options.progress(quiet=quiet)
    with sides(a, b, path=path, major=pg) as (first, second), progress:
        task = progress.add_task(f"{first.label} and {second.label}", total=None)

        def found(one: Compared) -> None:
            progress.update(task, advance=1, description=one.name)

        return measure(
            first,
            second,
            Effort(*effort),
            choice,
            started=lambda count: progress.update(task, total=count),
            found=found,
        )

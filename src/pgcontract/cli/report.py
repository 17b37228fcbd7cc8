"""``pgcontract report``: what the other commands found, as one page for people."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from pgcontract.cli.given import write_result


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT",
            help="What verify, mutate, bench plans and bench compare wrote with --json, and records of "
            "pytest-benchmark; a folder stands for its .json files.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Write the page there.")] = Path(
        "report.html"
    ),
) -> None:
    """Make one HTML file of any number of results: of several schemas, PostgreSQL majors and commits.

    The newest run on each major is shown beside the others; two runs on one major are compared.

    Example: pgcontract report results/*.json -o report.html
    """
    from pgcontract.report.html import document, page, read_results  # noqa: PLC0415 - not needed by other commands

    found = read_results(results)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    write_result(output, page(document(found, made=made, version=version("pgcontract"))))
    typer.echo(f"{output}: {output.stat().st_size / 1024:,.0f} KiB")

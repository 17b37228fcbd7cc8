"""`pgcontract migrate create` and `validate`: files, and no database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from pgcontract.cli import migrate, migrating
from pgcontract.cli.given import chosen, write_result
from pgcontract.signs import count, signed

if TYPE_CHECKING:
    from pgcontract.migrations.lint import Finding

EXIT_FOUND = 1


def create(
    name: Annotated[str, typer.Argument(help="What it does, in a few words: add-orders-index.")],
    path: migrate.SystemPath = None,
    *,
    no_transaction: Annotated[
        bool, typer.Option("--no-transaction", help="For what cannot run in one, as CREATE INDEX CONCURRENTLY.")
    ] = False,
) -> None:
    """Write a new migration with the next number, ready to be filled in.

    Example: pgcontract migrate create add-orders-index schema/shop --no-transaction
    """
    from pgcontract.migrations.creating import create as write  # noqa: PLC0415 - each command loads its own

    system = migrate.one_system(path)
    if system.migrations is None:
        raise system.not_ours()
    typer.echo(str(write(system.migrations, name, transactional=not no_transaction)))


def validate(
    path: migrate.SystemPath = None,
    *,
    json_file: migrate.JsonFile = None,
) -> None:
    """Check migrations without executing anything: names, numbers, markers, syntax, standards, and squawk's rules.

    Rules are switched off in system.toml, with the reason. Exit 1 where something was found.

    Example: pgcontract migrate validate schema/shop
    """
    from pgcontract.migrations.lint import validate as check  # noqa: PLC0415 - it loads the parser

    findings: list[Finding] = []
    for one in chosen(path):
        system = migrating.loaded(one)
        found = check(system)
        findings += found
        for finding in found:
            typer.echo(signed("bad", finding.rule, f" {finding.where}: {finding.message}"))
            if finding.remedy:
                typer.echo(f"    do: {finding.remedy}")
        counted = len(list(system.migrations.glob("*.sql"))) if system.migrations else 0
        told = f"{one}: {count(counted, 'migration')}, {count(len(found), 'finding')}"
        typer.echo(signed("bad" if found else "good", told))
    if json_file is not None:
        shown = {"format": 1, "findings": [_told(f) for f in findings]}
        write_result(json_file, json.dumps(shown, indent=2))
    if findings:
        raise typer.Exit(EXIT_FOUND)


def _told(finding: Finding) -> dict[str, str]:
    return {
        "rule": finding.rule,
        "where": finding.where,
        "message": finding.message,
        "remedy": finding.remedy,
        "subject": finding.subject,
    }

"""All rules over one system's migrations. Nothing is executed, and no database is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pgcontract.errors import MigrationError, UsageError
from pgcontract.migrations.files import Migration, parsed
from pgcontract.migrations.lint import squawk
from pgcontract.migrations.lint.findings import Finding
from pgcontract.migrations.lint.standards import departures
from pgcontract.migrations.lint.wording import mistakes
from pgcontract.migrations.reading import gaps, migration_paths, number_of, numbered_paths, read
from pgcontract.migrations.steps import steps
from pgcontract.sql import line_of, split
from pgcontract.system import FILE, System

SQUAWK: Final = "squawk"
RULES: Final[Mapping[str, str]] = {
    "gap": "numbers follow each other",
    "empty": "a migration does something",
    "rollback": "a rollback section undoes it, or says in a comment why there is nothing to undo",
    "transaction": "what cannot run in a transaction stands in a file marked -- no-transaction",
    "snake-case": "names need no quotes",
    "plural-tables": "tables are named in the plural",
    "text": "TEXT, never VARCHAR or CHAR",
    "timestamptz": "TIMESTAMPTZ, never TIMESTAMP",
    "numeric": "NUMERIC, never MONEY, REAL or DOUBLE PRECISION",
    "jsonb": "JSONB, never JSON or XML",
    "named-constraints": "constraints and indexes have names",
    "keyword-case": "keywords are upper case",
    "named-columns": "no SELECT *",
    "explicit-order": "ORDER BY says ASC or DESC",
    "explicit-joins": "joins say ON or USING",
    SQUAWK: "squawk's own rules; each of them is squawk.RULE",
}
# rules that are off until system.toml says true, and why
OFF: Final[Mapping[str, str]] = {
    "squawk.require-lock-timeout": "`migrate up --lock-timeout` sets it for the whole session",
    "squawk.require-statement-timeout": "`migrate up --statement-timeout` sets it for the whole session",
    "squawk.prefer-robust-stmts": "`migrate up` goes on at the statement that failed: none runs twice",
}


def validate(system: System) -> tuple[Finding, ...]:
    """Everything that the rules find, by file.

    Raises UsageError for a setting that names no rule, for a system without migrations, and where squawk is missing;
    MigrationError where the folder cannot be read or is empty.
    """
    if system.migrations is None:
        raise system.not_ours()
    off = _off(system)
    found = [f for f in _all(system.migrations, system.validate, off) if not _switched_off(f, off)]
    return tuple(found)


def _all(folder: Path, settings: Mapping[str, str | bool], off: Mapping[str, str]) -> Iterator[Finding]:
    paths = migration_paths(folder)
    if not paths:
        # the usual message
        numbered_paths(folder)
    numbers: dict[int, Path] = {}
    for path in paths:
        try:
            number = number_of(path)
            if number in numbers:
                # the usual message
                numbered_paths(folder)
            numbers[number] = path
        except MigrationError as error:
            yield _refused(error, path)
    yield from _gaps(numbers)
    for number, path in sorted(numbers.items()):
        try:
            migration = parsed(read(path, number))
        except MigrationError as error:
            yield _refused(error, path)
            continue
        yield from _shape(migration)
        yield from _standards(migration)
        if SQUAWK not in off:
            yield from _squawk(migration, settings, off)


def _gaps(numbers: Mapping[int, Path]) -> Iterator[Finding]:
    for number, told in gaps(numbers):
        path = numbers[number]
        remedy = "bring the missing file back, or number them without a gap"
        yield Finding("gap", str(path), told, remedy, path.stem, path.stem)


def _shape(migration: Migration) -> Iterator[Finding]:
    path, name = migration.path, migration.name
    statements = split(migration.up)
    if not statements:
        yield Finding("empty", str(path), "it does nothing", "write what it changes", name, name)
    if migration.down is None:
        yield Finding(
            "rollback",
            f"{path}:{migration.down_line}",
            "its rollback section is empty",
            "write the statements that undo it, or a comment that says why there is nothing to undo",
            name,
            name,
        )
    for text, line in ((migration.up, 1), (migration.down or "", migration.down_line)):
        for step in steps(text) if migration.transactional else ():
            if step.kind in {"index", "drop"} or step.statement.text.upper().startswith("VACUUM"):
                yield Finding(
                    "transaction",
                    f"{path}:{line + step.statement.line - 1}",
                    "it cannot run inside a transaction",
                    "begin the file with the line `-- no-transaction`",
                    name,
                    name,
                )


def _standards(migration: Migration) -> Iterator[Finding]:
    for statement in split(migration.up):
        for one in departures(statement.text):
            where = f"{migration.path}:{statement.line}"
            yield Finding(one.rule, where, one.message, one.remedy, one.subject, migration.name)
    for text, line in ((migration.up, 1), (migration.down or "", migration.down_line)):
        for mistake in mistakes(text):
            where = f"{migration.path}:{line + line_of(text, mistake.start) - 1}"
            rule = mistake.rule
            yield Finding(rule, where, mistake.message, RULES[rule], migration.name, migration.name)


def _squawk(migration: Migration, settings: Mapping[str, str | bool], off: Mapping[str, str]) -> Iterator[Finding]:
    prefix = f"{SQUAWK}."
    excluded = [rule.removeprefix(prefix) for rule in off if rule.startswith(prefix) and ":" not in rule]
    included = [rule.removeprefix(prefix) for rule, on in settings.items() if rule.startswith(prefix) and on is True]
    for one in squawk.warnings(migration, excluded=excluded, included=included):
        yield Finding(
            prefix + one.rule, f"{migration.path}:{one.line}", one.message, one.help, migration.name, migration.name
        )


def _off(system: System) -> dict[str, str]:
    """The rules that are switched off, with the reasons."""
    known: Sequence[str] = tuple(RULES)
    for key in system.validate:
        rule = key.partition(":")[0]
        if rule not in known and not rule.startswith(f"{SQUAWK}."):
            raise UsageError(
                "[validate] names no rule",
                where=str(system.root / FILE),
                seen=rule,
                remedy=f"known are {', '.join(known)} and {SQUAWK}.RULE",
            )
    told = {key: reason for key, reason in system.validate.items() if isinstance(reason, str)}
    return {**{rule: reason for rule, reason in OFF.items() if rule not in system.validate}, **told}


def _switched_off(finding: Finding, off: Mapping[str, str]) -> bool:
    return any(
        key in off for key in (finding.rule, f"{finding.rule}:{finding.subject}", f"{finding.rule}:{finding.migration}")
    )


def _refused(error: MigrationError, path: Path) -> Finding:
    message = error.what + (f" ({error.seen})" if error.seen else "")
    return Finding("file", error.where or str(path), message, error.remedy or "", path.stem, path.stem)

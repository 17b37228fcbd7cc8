"""The examination: a connection, the facts, the checks."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgcontract.contract import read
from pgcontract.doctor.checks import Check, Wanted, checks, quoted
from pgcontract.doctor.facts import Facts, read_facts
from pgcontract.doctor.searches import filled_tables, spelt_out
from pgcontract.errors import MigrationError, ServerError, UsageError
from pgcontract.migrations import Status, runner_of
from pgcontract.migrations.files import load_directory
from pgcontract.migrations.reading import read_text
from pgcontract.migrations.session import default_of
from pgcontract.system import System

JSON_FORMAT: Final = 1
_CONNECT_SECONDS: Final = 10
# whatever the database is set to, which is a check of its own
_READABLE: Final = {"client_encoding": "UTF8", "DateStyle": "ISO", "standard_conforming_strings": "on"}


@dataclass(frozen=True, slots=True)
class Examination:
    """All checks. ``facts`` is None where nobody answered: then the first check says why, and is the only one."""

    system: str
    address: str
    checks: tuple[Check, ...]
    facts: Facts | None = None

    @property
    def healthy(self) -> bool:
        """Whether no check failed."""
        return not any(check.ok is False for check in self.checks)

    def as_json(self) -> str:
        """The result for programs."""
        shown = {
            "format": JSON_FORMAT,
            "system": self.system,
            "address": self.address,
            "postgresql": self.facts.version if self.facts is not None else None,
            "reached": self.facts is not None,
            "healthy": self.healthy,
            "checks": [asdict(check) for check in self.checks],
            "rows": _rows(self.facts),
        }
        return json.dumps(shown, indent=2, ensure_ascii=False)


def examine(dsn: str, system: System, path: str) -> Examination:
    """Look a database over; nothing is written. ``path`` is how the commands in remedies name the system.

    Raises UsageError for a DSN that cannot be read, MigrationError and ContractError where the system's own files are
    not as they must be, ServerError where the server refuses or goes away after it has let us in.
    """
    wanted = _wanted(system, path)
    given = _given(dsn)
    address = " ".join(f"{key}={given[key]}" for key in ("host", "port", "dbname", "user") if given.get(key))
    address = address or "the default server"
    try:
        connection = psycopg.connect(
            make_conninfo(**{"connect_timeout": default_of("connect_timeout") or _CONNECT_SECONDS, **given}),
            autocommit=True,
            # a database of another encoding would answer in bytes
            client_encoding="UTF8",
            application_name="pgcontract doctor",
        )
    except psycopg.Error as error:
        # what libpq says of several addresses stands in several lines
        seen = " ".join(str(error).split())
        database, user = (quoted(str(given[key])) if given.get(key) else "..." for key in ("dbname", "user"))
        remedy = (
            "see that it runs, that the DSN names it, and that its pg_hba.conf lets this user and password in; and that"
            f" the user may: GRANT CONNECT ON DATABASE {database} TO {user}"
        )
        return Examination(system.name, address, (Check("server", False, seen, remedy),))
    try:
        with connection:
            facts = read_facts(connection, system)
            status = _status(dsn, system)
    except psycopg.Error as error:
        raise ServerError(
            "The database could not be looked over",
            where=address,
            seen=f"{error.sqlstate or type(error).__name__}: {error.diag.message_primary or 'no message'}",
            remedy="ask again as a role that may read the catalogs, when nobody changes the schema",
        ) from error
    first = Check("server", True, f"{address} answers, to {facts.user}")
    return Examination(system.name, address, (first, *checks(facts, wanted, status)), facts)


def _given(dsn: str) -> dict[str, Any]:
    try:
        return {key: value for key, value in conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.ProgrammingError:
        # the message would repeat the DSN, and a password with it; so would the error's context
        raise UsageError(
            "The DSN cannot be read", remedy="write postgresql://user@host:port/database or key=value pairs"
        ) from None


def _status(dsn: str, system: System) -> Status | str | None:
    if system.migrations is None:
        return None
    try:
        return runner_of(dsn, system, settings=_READABLE).status()
    except MigrationError as error:
        # the files were read before: it is the tracking table
        return f"{error.what}{f' ({error.seen})' if error.seen else ''}\n{error.remedy or ''}"


def _wanted(system: System, path: str) -> Wanted:
    texts = [(system.sql_file, read_text(system.sql_file))] if system.sql_file is not None else []
    if system.migrations is not None:
        texts = [(migration.path, migration.up) for migration in load_directory(system.migrations)]
    brought: dict[str, list[str]] = {}
    for file, text in texts:
        for name, line in spelt_out(text):
            brought.setdefault(name, []).append(f"{file}:{line}")
    seed = read_text(system.seed) if system.seed is not None else ""
    queries = sorted(system.queries.glob("*.sql")) if system.queries is not None else []
    contract = read(system.contract).catalog if system.contract.exists() else None
    return Wanted(
        path=path,
        extensions=system.extensions,
        roles=tuple(system.roles.values()),
        tables=frozenset(table.name for table in contract.tables) if contract is not None else None,
        seeded=filled_tables(seed),
        brought={name: tuple(places) for name, places in brought.items()},
        seed=system.seed is not None,
        queries=tuple((f"{path.parent.name}/{path.name}", read_text(path)) for path in queries),
    )


def _rows(facts: Facts | None) -> dict[str, int | None]:
    return {str(table.name): table.rows for table in facts.tables} if facts is not None else {}

"""Making a system's database, and filling it with development data."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final

from psycopg.pq import TransactionStatus

from pgcontract.errors import MigrationError, UsageError
from pgcontract.migrations.files import load_plain, read_text
from pgcontract.migrations.runner import Event, Runner
from pgcontract.migrations.session import connect, prepare_session, reset_session, run_whole
from pgcontract.system import System

ENVIRONMENT_SETTING: Final = "pgcontract.environment"
ENVIRONMENT_VARIABLE: Final = "PGCONTRACT_ENV"
PRODUCTION: Final = "production"


def prepare(dsn: str, system: System, *, roles: Mapping[str, str] | None = None) -> None:
    """Make the system's schema in an empty database: init files, then the migrations or the one file.

    ``roles`` maps the names of the system's roles to the names that they bear on this cluster. Raises UsageError for
    a role that the system does not know, and as ``Runner.up`` does.
    """
    settings = role_settings(system, roles)
    if system.migrations is not None:
        runner_of(dsn, system, settings=settings).up()
        return
    assert system.sql_file is not None
    migration = load_plain(system.sql_file)
    connection = connect(dsn, settings)
    try:
        prepare_session(connection)
        for path in system.init:
            run_whole(connection, read_text(path), path)
            reset_session(connection)
        run_whole(connection, migration.up, migration.path)
    finally:
        connection.close()


def runner_of(
    dsn: str,
    system: System,
    *,
    settings: Mapping[str, str] | None = None,
    initialise: bool = True,
    on_event: Callable[[Event], None] | None = None,
) -> Runner:
    """The runner of a system. Raises UsageError for one that is a single file."""
    if system.migrations is None:
        raise UsageError(
            "One file is no folder of migrations", where=str(system.sql_file), remedy="name the folder that holds them"
        )
    return Runner(
        dsn,
        system.migrations,
        tracking_table=system.tracking_table,
        init=system.init if initialise else (),
        settings=settings,
        on_event=on_event,
    )


def role_settings(system: System, roles: Mapping[str, str] | None) -> dict[str, str]:
    """The settings ``pgcontract.role_<name>`` by which a system's scripts learn the names of its roles."""
    unknown = sorted(set(roles or {}) - set(system.roles))
    if unknown:
        raise UsageError(
            "The system has no such role",
            where=str(system.root),
            seen=", ".join(unknown),
            remedy=f"known are {', '.join(sorted(system.roles)) or 'none'}: see [roles] in system.toml",
        )
    return {f"pgcontract.role_{name}": role for name, role in (roles or {}).items()}


def seed(dsn: str, system: System) -> None:
    """Run the system's seed file, as one transaction.

    Raises UsageError where the system has none, MigrationError where the database or the environment is marked as
    production, MigrationFailed where a statement fails.
    """
    if system.seed is None:
        raise UsageError("The system has no seed data", where=str(system.root), remedy="write seed.sql")
    if os.environ.get(ENVIRONMENT_VARIABLE, "").strip().lower() == PRODUCTION:
        raise _production(f"{ENVIRONMENT_VARIABLE}={PRODUCTION}")
    text = read_text(system.seed)
    connection = connect(dsn, {})
    try:
        row = connection.execute("SELECT current_setting(%s, true)", (ENVIRONMENT_SETTING,)).fetchone()
        assert row is not None
        if (row[0] or "").strip().lower() == PRODUCTION:
            raise _production(f"{ENVIRONMENT_SETTING} = {PRODUCTION}")
        run_whole(connection, text, system.seed)
        # a text that opened a transaction of its own and left it open has seeded nothing
        if connection.info.transaction_status != TransactionStatus.IDLE:
            raise MigrationError(
                "The seed data was not committed", where=str(system.seed), remedy="take BEGIN out: it runs as one"
            )
    finally:
        connection.close()


def _production(seen: str) -> MigrationError:
    return MigrationError(
        "No seed data in production", seen=seen, remedy="if this is no production database, change what marks it as one"
    )

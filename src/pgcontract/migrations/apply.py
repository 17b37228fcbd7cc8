"""Making a system's database, and filling it with development data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from psycopg.pq import TransactionStatus

from pgcontract.errors import MigrationError, UsageError
from pgcontract.migrations.files import load_plain
from pgcontract.migrations.reading import read_text
from pgcontract.migrations.results import Event
from pgcontract.migrations.runner import Runner
from pgcontract.migrations.sending import run_whole
from pgcontract.migrations.session import Connection, connect, locked, prepare_session, reset_session
from pgcontract.migrations.texts import has_marker
from pgcontract.system import System

if TYPE_CHECKING:
    from pgcontract.inputs.psql import Part

ENVIRONMENT_SETTING: Final = "pgcontract.environment"
ENVIRONMENT_VARIABLE: Final = "PGCONTRACT_ENV"
PRODUCTION: Final = "production"
_LOCK_SECONDS: Final = 60.0

# the mark of the database itself, besides what this session was told: options or a role's own setting hide it, but
# do not take it away
_MARKS: Final = """
    SELECT current_setting(%(name)s, true)
    UNION ALL
    SELECT substr(mark, length(%(name)s) + 2)
    FROM pg_catalog.pg_db_role_setting AS stored
    JOIN pg_catalog.pg_database AS here ON here.oid = stored.setdatabase AND here.datname = current_database()
    CROSS JOIN unnest(stored.setconfig) AS mark
    WHERE stored.setrole = 0 AND starts_with(lower(mark), %(name)s || '=')
"""


def prepare(dsn: str, system: System, *, roles: Mapping[str, str] | None = None, own: bool = True) -> None:
    """Make the system's schema in an empty database: init files, then the migrations, the one file or the command.

    ``roles`` maps the names of the system's roles to the names that they bear on this cluster; ``own``: the cluster is
    ours, and gets the roles that a text only speaks of. Raises UsageError for a role that the system does not know,
    and as ``Runner.up`` does.
    """
    settings = role_settings(system, roles)
    _make(dsn, system, settings, own=own)
    from pgcontract.inputs.settings import give  # noqa: PLC0415 - `migrate` does without

    with closing(connect(dsn, settings)) as connection:
        give(connection)


def _make(dsn: str, system: System, settings: Mapping[str, str], *, own: bool) -> None:
    if system.migrations is not None and system.folder is None:
        runner_of(dsn, system, settings=settings).up()
        return
    from pgcontract.inputs.loading import Loader  # noqa: PLC0415 - `migrate` does without

    connection = connect(dsn, settings)
    try:
        prepare_session(connection)
        for path in system.init:
            run_whole(connection, read_text(path), path)
            reset_session(connection)
        loader = Loader(connection, own=own, without=frozenset(system.without))
        if system.sql_file is not None:
            loader.load(_parts(system.sql_file))
        elif system.folder is not None and system.convention is not None:
            from pgcontract.inputs.conventions import steps  # noqa: PLC0415 - as above

            if system.convention.before:
                connection.execute(system.convention.before.encode())
            for step in steps(system.folder, system.convention):
                loader.step(step)
    finally:
        connection.close()
    if system.apply:
        from pgcontract.inputs.commands import run  # noqa: PLC0415 - as above

        run(system.apply, dsn, system.root, settings)


def _parts(path: Path) -> Iterable[Part]:
    """What a file runs: all of it, or what stands before its rollback section, as in a migration of ours."""
    from pgcontract.inputs.psql import Reader  # noqa: PLC0415 - `migrate` does without
    from pgcontract.inputs.script import statements  # noqa: PLC0415 - as above
    from pgcontract.inputs.texts import read_any  # noqa: PLC0415 - as above

    if has_marker(read_any(path)):
        return statements(load_plain(path).up, path)
    return Reader(path).parts()


def runner_of(  # noqa: PLR0913 - each may be left out
    dsn: str,
    system: System,
    *,
    settings: Mapping[str, str] | None = None,
    initialise: bool = True,
    lock_seconds: float = _LOCK_SECONDS,
    lock_timeout: float | None = None,
    statement_timeout: float | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Runner:
    """The runner of a system, as ``Runner`` has it. Raises UsageError for one that is a single file."""
    if system.migrations is None:
        raise system.not_ours()
    return Runner(
        dsn,
        system.migrations,
        tracking_table=system.tracking_table,
        init=system.init if initialise else (),
        settings=settings,
        lock_seconds=lock_seconds,
        lock_timeout=lock_timeout,
        statement_timeout=statement_timeout,
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
    """Run the system's seed file, as one transaction; nobody else seeds or migrates meanwhile.

    Raises UsageError where the system has none, MigrationError where the database or the environment is marked as
    production (in any letter case), MigrationFailed where a statement fails.
    """
    if system.seed is None:
        raise UsageError("The system has no seed data", where=str(system.root), remedy="write seed.sql")
    text = read_text(system.seed)
    refuse_production("seed data")
    connection = connect(dsn, {})
    try:
        refuse_production("seed data", connection)
        # two seeds at once would each find that rows are missing, and both insert them
        with locked(connection, system.tracking_table, _LOCK_SECONDS):
            run_whole(connection, text, system.seed)
            # a text that opened a transaction of its own and left it open has seeded nothing
            if connection.info.transaction_status != TransactionStatus.IDLE:
                raise MigrationError(
                    "The seed data was not committed", where=str(system.seed), remedy="take BEGIN out: it runs as one"
                )
    finally:
        connection.close()


def refuse_production(what: str, connection: Connection | None = None) -> None:
    """Raise MigrationError where the environment, or this connection's database, is marked as production."""
    if _means_production(os.environ.get(ENVIRONMENT_VARIABLE)):
        raise _production(what, f"{ENVIRONMENT_VARIABLE}={PRODUCTION}")
    if connection is not None:
        marks = connection.execute(_MARKS, {"name": ENVIRONMENT_SETTING}).fetchall()
        if any(_means_production(mark) for (mark,) in marks):
            raise _production(what, f"{ENVIRONMENT_SETTING} = {PRODUCTION}")


def _means_production(mark: str | None) -> bool:
    return (mark or "").strip().lower() == PRODUCTION


def _production(what: str, seen: str) -> MigrationError:
    return MigrationError(
        f"No {what} in production", seen=seen, remedy="if this is no production database, change what marks it as one"
    )

"""Filling tables: what is needed is learned, tried on a few rows, and then done in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from pgcontract.errors import ServerError, UsageError
from pgcontract.model import Catalog, Name
from pgcontract.populate.amounts import Plan, Step, steps
from pgcontract.populate.learning import learned, watched
from pgcontract.populate.overrides import Overrides
from pgcontract.populate.postponed import postponed
from pgcontract.populate.rehearsal import Check, Kitchens, Progress, fill, rehearsed, told
from pgcontract.rows.statements import identifier
from pgcontract.session import SETTINGS as ASKING

logger = logging.getLogger("pgcontract.populate")

SETTINGS: Final = {
    "search_path": None,
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "statement_timeout": "0",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "work_mem": "128MB",
    "maintenance_work_mem": "512MB",
}
"""For the one transaction. What rows hold must not hang on the session; parallel workers would change their order."""
WHERE_POSSIBLE: Final = {"client_connection_check_interval": "250ms", "temp_buffers": "64MB"}
"""A server that looks for its client only now and then would go on for as long as its statement runs, but not every
operating system lets it; and a session that has used a temporary table keeps the memory that it has for them."""


def populate(
    connection: psycopg.Connection[Any],
    catalog: Catalog,
    plan: Plan,
    *,
    overrides: Overrides | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
    room: Callable[[Mapping[Name, int], Mapping[Name, float]], None] | None = None,
) -> Mapping[Name, int]:
    """Add the rows that are asked for and the parents that they need; all of them, or none.

    The connection must be idle. ``catalog`` is that of its database. ``check`` is asked before the commit, on the
    same connection; ``room`` before anything is written, with each table's rows and bytes a row. Both refuse by
    raising.
    Returns how many rows each table got, parents first.

    Raises UsageError for a table that is not there, PopulateError where its rows cannot be made, or where the database
    refuses them; nothing is left in the database then, nor when the connection or the process ends.
    """
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise UsageError("The connection is in the middle of something", remedy="commit or roll back first")
    overrides = overrides or Overrides()
    before = connection.autocommit, connection.row_factory
    try:
        with _settings(connection):
            existing = _existing(connection, catalog)
            planned = steps(catalog, plan, {n: int(c > 0) for n, c in existing.items()}, overrides.rows)
            existing |= {s.table.name: _count(connection, s.table.name) for s in planned}
            planned = steps(catalog, plan, existing, overrides.rows)
            known, overrides = learned(connection, catalog, planned, overrides)
            kitchens = Kitchens(catalog, plan, planned, known, overrides, watched(catalog), existing)
            with connection.transaction():
                _prepare(connection)
                widths = rehearsed(connection, kitchens, check)
                if room is not None:
                    room({s.table.name: s.rows for s in planned}, widths)
                done = _filled(connection, kitchens, progress)
                if check is not None:
                    check(connection)
            return done
    except psycopg.OperationalError as error:
        raise ServerError(
            "The PostgreSQL server ended the connection, or refused to go on",
            seen=str(error).strip().splitlines()[0] if str(error).strip() else "no message",
            remedy="nothing is left of the rows; see the server's log and run again",
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise UsageError(
            "This role may not fill these tables",
            where=connection.info.user,
            seen=error.diag.message_primary,
            remedy="connect as their owner, who may read, write and analyze them",
        ) from error
    finally:
        if not connection.closed:
            connection.autocommit, connection.row_factory = before


@contextmanager
def _settings(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Leave the session as it was found."""
    connection.row_factory = tuple_row
    names = [s.split()[1] for s in ASKING]
    rows = connection.execute(
        "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS s (name)", [names]
    ).fetchall()
    connection.rollback()
    connection.autocommit = True
    try:
        yield
    finally:
        if not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE:
            connection.execute(
                "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS s (name, value)",
                [[n for n, _ in rows], [v for _, v in rows]],
            )


def _prepare(connection: psycopg.Connection[Any]) -> None:
    for name, value in SETTINGS.items():
        if value is None:
            connection.execute(f"SET LOCAL {name} TO DEFAULT")
        else:
            connection.execute("SELECT set_config(%s, %s, true)", [name, value])
    for name, value in WHERE_POSSIBLE.items():
        try:
            with connection.transaction():
                connection.execute("SELECT set_config(%s, %s, true)", [name, value])
        except psycopg.errors.InvalidParameterValue:
            logger.info("%s is not set: this server, or session, does not let it be", name)


def _existing(connection: psycopg.Connection[Any], catalog: Catalog) -> dict[Name, int]:
    """Whether each table has rows: 1, or 0."""
    tables = [t for t in catalog.tables if t.partition_of is None and t.foreign_server is None]
    if not tables:
        return {}
    asked = ", ".join(f"(EXISTS (SELECT FROM {identifier(t.name).as_string()}))::integer" for t in tables)
    row = connection.execute(f"SELECT {asked}".encode()).fetchone()
    assert row is not None
    return {t.name: n for t, n in zip(tables, row, strict=True)}


def _count(connection: psycopg.Connection[Any], name: Name) -> int:
    row = connection.execute(f"SELECT count(*) FROM {identifier(name).as_string()}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def _filled(connection: psycopg.Connection[Any], kitchens: Kitchens, progress: Progress | None) -> dict[Name, int]:
    done: dict[Name, int] = {}
    for step in kitchens.steps:
        try:
            with postponed(connection, step, read=step.table.name in kitchens.read):
                done[step.table.name] = fill(connection, kitchens, step, progress, enough=step.rows)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            raise told(step, error) from error
        connection.execute(f"ANALYZE {identifier(step.table.name).as_string()}".encode())
    for name in {n for s in kitchens.steps for n in _touched(kitchens.catalog, s)} - set(done):
        connection.execute(f"ANALYZE {identifier(name).as_string()}".encode())
    return done


def _touched(catalog: Catalog, step: Step) -> Iterator[Name]:
    """Tables that triggers may have written to."""
    if step.rows and step.table.triggers:
        yield from (t.name for t in catalog.tables if t.foreign_server is None)

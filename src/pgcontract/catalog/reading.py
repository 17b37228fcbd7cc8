"""The only module of this room that talks to the server: its session settings, its transaction, its queries."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row, tuple_row

from pgcontract.catalog.assembly import assemble
from pgcontract.errors import CatalogError
from pgcontract.model import Catalog, Name

CONCEPTS = (
    "namespaces",
    "extensions",
    "enums",
    "domains",
    "composites",
    "ranges",
    "collations",
    "sequences",
    "functions",
    "aggregates",
    "relations",
    "columns",
    "inheritance",
    "constraints",
    "indexes",
    "index_keys",
    "triggers",
    "policies",
    "rules",
    "views",
    "grants",
    "default_privileges",
)

# Whatever changes the text that the server prints. An empty search_path qualifies everything outside pg_catalog;
# the others decide how the constants in expressions and partition bounds look. jit would compile for longer than
# these queries run.
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "search_path": "",
        "client_encoding": "UTF8",
        "datestyle": "ISO, YMD",
        "intervalstyle": "postgres",
        "timezone": "UTC",
        "extra_float_digits": "1",
        "bytea_output": "hex",
        "lc_monetary": "C",
        "quote_all_identifiers": "off",
        "standard_conforming_strings": "on",
        "jit": "off",
    }
)

NO_ROLES: Mapping[str, str] = MappingProxyType({})


def read_catalog(
    connection: psycopg.Connection[Any], *, ignore: Collection[Name] = (), roles: Mapping[str, str] = NO_ROLES
) -> Catalog:
    """Everything that the database says about itself, without the system's and the extensions' own objects.

    ``ignore`` names tables (a migrations' tracking table) that are left out with all that belongs to them.
    ``roles`` maps the name of a live role to the name that stands in the model.

    An idle connection is read in a REPEATABLE READ, READ ONLY transaction of its own. Inside an open transaction the
    catalog is read as that transaction sees it, without a savepoint, and the session's settings are put back.
    Raises CatalogError where the server refuses, or where objects vanish while they are read.
    """
    try:
        with _session(connection):
            rows = _rows(connection)
    except psycopg.Error as error:
        raise CatalogError(
            "The catalog cannot be read.",
            where=_where(connection),
            seen=f"{error.sqlstate or type(error).__name__}: {error.diag.message_primary or 'no message'}",
            remedy=_remedy(error),
        ) from error
    return assemble(rows, ignore=frozenset(ignore), roles=roles)


def _remedy(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.InFailedSqlTransaction):
        return "Roll the failed transaction back first."
    if isinstance(error, psycopg.OperationalError):
        return "See that the server is up and reachable, then read again."
    return "Read again when nobody is changing the schema, with a role that may read the system catalogs."


def _where(connection: psycopg.Connection[Any]) -> str | None:
    return None if connection.closed else f"database {connection.info.dbname}"


@cache
def _query(concept: str) -> bytes:
    return (files("pgcontract.catalog") / "sql" / f"{concept}.sql").read_bytes()


def _rows(connection: psycopg.Connection[Any]) -> dict[str, Sequence[Any]]:
    """Rows of each concept; all queries are on their way before the first answer is awaited."""
    with connection.pipeline():
        cursors = {concept: connection.cursor(row_factory=namedtuple_row) for concept in CONCEPTS}
        for concept, cursor in cursors.items():
            cursor.execute(_query(concept), prepare=False)
    rows: dict[str, Sequence[Any]] = {}
    for concept, cursor in cursors.items():
        rows[concept] = cursor.fetchall()
        cursor.close()
    return rows


@contextmanager
def _session(connection: psycopg.Connection[Any]) -> Iterator[None]:
    if connection.info.transaction_status is TransactionStatus.IDLE:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            _set(cursor, SETTINGS)
            yield
        return
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("SELECT s.name, current_setting(s.name) FROM unnest(%s::text[]) AS s (name)", [list(SETTINGS)])
        before: dict[str, str] = dict(cursor.fetchall())
        _set(cursor, SETTINGS)
        try:
            yield
        finally:
            # In a failed transaction nothing can be set, and its rollback puts the settings back by itself.
            if connection.info.transaction_status is TransactionStatus.INTRANS:
                _set(cursor, before)


def _set(cursor: psycopg.Cursor[Any], settings: Mapping[str, str]) -> None:
    """SET LOCAL, all in one round trip."""
    cursor.execute(
        "SELECT set_config(s.name, s.value, true) FROM unnest(%s::text[], %s::text[]) AS s (name, value)",
        [list(settings), list(settings.values())],
    )

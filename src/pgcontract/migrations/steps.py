"""A migration outside a transaction: its statements one by one, each so that it can be gone on with after any end.

What can share a transaction with the note that it has finished does: it happens once. The others are asked for in the
catalog when they are tried again: an index that is there and valid has been built, an INVALID one is dropped first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from psycopg import sql

from pgcontract.migrations.files import Migration
from pgcontract.migrations.sending import Lookout, MigrationFailed, run_whole
from pgcontract.migrations.session import Connection, logger
from pgcontract.migrations.texts import is_node
from pgcontract.migrations.tracking import TrackingTable
from pgcontract.sql import Statement, parsed_statements

Kind: TypeAlias = Literal["index", "drop", "setting", "alone", "together"]

_ALONE = frozenset(
    {
        "vacuum_stmt",
        "createdb_stmt",
        "dropdb_stmt",
        "alter_database_stmt",
        "create_table_space_stmt",
        "drop_table_space_stmt",
        "alter_system_stmt",
        "create_subscription_stmt",
        "alter_subscription_stmt",
        "drop_subscription_stmt",
        "reindex_stmt",
        "cluster_stmt",
        # these may end transactions themselves
        "call_stmt",
        "do_stmt",
    }
)
_INDEX = """
    SELECT format('%%I.%%I', n.nspname, c.relname), i.indisvalid, age(c.xmin) < age(recorded.xmin)
    FROM pg_catalog.pg_class AS t
    JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN {} AS recorded
    WHERE t.oid = to_regclass(%s) AND c.relname = %s AND recorded.name = %s
"""
_REINDEXED = re.compile(r"_cc(?:new|old)\d*\"?$")
_INVALID = """
    SELECT format('%%I.%%I', n.nspname, c.relname)
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN {} AS recorded
    WHERE NOT i.indisvalid AND c.relkind = 'i' AND age(c.xmin) < age(recorded.xmin) AND recorded.name = %s
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index AS p WHERE p.index_relid = c.oid)
    ORDER BY 1 ASC
"""
_REMEDY = (
    "{} and run again: the statements before it have been applied, and it goes on from there; or begin anew with "
    "`pgcontract migrate repair --clear {}`"
)
_WAIT = "end the session that holds the lock (pg_terminate_backend), or wait for it,"


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, and what trying it again takes.

    ``table`` (as SQL) and ``name`` are those of an index built concurrently; ``names`` (as SQL) of those dropped so.
    """

    statement: Statement
    kind: Kind
    table: str = ""
    name: str = ""
    names: tuple[str, ...] = ()


def steps(text: str) -> tuple[Step, ...]:
    """The statements of a section."""
    return tuple(_step(statement, raw.stmt) for statement, raw in parsed_statements(text))


def run_steps(
    connection: Connection,
    table: TrackingTable,
    migration: Migration,
    state: Literal["started", "undoing"],
    begin: int,
    lookout: Lookout | None,
) -> None:
    """Run a section's statements from number ``begin`` on; the record says which is next.

    Raises as ``run_whole`` does; the record then names the statement that failed.
    """
    text, line = (migration.up, 1) if state == "started" else (migration.down or "", migration.down_line)
    for ordinal, step in enumerate(steps(text), 1):
        if ordinal < begin:
            if step.kind == "setting":
                _run(connection, migration, step, ordinal, line, lookout)
            continue
        if step.kind == "together":
            with connection.transaction():
                _run(connection, migration, step, ordinal, line, lookout)
                with _ourselves(connection):
                    table.proceed(migration.name, state, ordinal + 1)
            continue
        if not _done_before(connection, table, migration, step, again=ordinal == begin):
            _run(connection, migration, step, ordinal, line, lookout)
        with connection.transaction(), _ourselves(connection):
            table.proceed(migration.name, state, ordinal + 1)


def invalid_indexes(connection: Connection, table: TrackingTable, name: str) -> tuple[str, ...]:
    """The INVALID indexes that have come since a migration's record was last written, as SQL; nobody builds them."""
    return tuple(one for (one,) in connection.execute(sql.SQL(_INVALID).format(table.identifier), (name,)))


def drop_index(connection: Connection, identifier: str) -> None:
    """Drop an index without blocking anybody. ``identifier`` is SQL, as the catalog gives it."""
    logger.info("dropping the invalid index %s", identifier)
    connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {identifier}".encode())


def _done_before(
    connection: Connection, table: TrackingTable, migration: Migration, step: Step, *, again: bool
) -> bool:
    """Whether an earlier try has done the statement. An INVALID index in its way is dropped."""
    if step.kind == "index":
        query = sql.SQL(_INDEX).format(table.identifier)
        row = connection.execute(query, (step.table, step.name, migration.name)).fetchone()
        if row is None:
            return False
        identifier, valid, ours = row
        if not valid:
            drop_index(connection, identifier)
            return False
        return again and bool(ours)
    if step.kind == "alone" and again:
        # what REINDEX CONCURRENTLY leaves when it is ended
        for identifier in invalid_indexes(connection, table, migration.name):
            if _REINDEXED.search(identifier):
                drop_index(connection, identifier)
    if step.kind == "drop" and again:
        gone = connection.execute(
            "SELECT bool_and(to_regclass(name) IS NULL) FROM unnest(%s::TEXT[]) AS name", (list(step.names),)
        )
        row = gone.fetchone()
        return row is not None and bool(row[0])
    return False


def _run(
    connection: Connection, migration: Migration, step: Step, ordinal: int, line: int, lookout: Lookout | None
) -> None:
    try:
        run_whole(
            connection, step.statement.text, migration.path, first_line=line + step.statement.line - 1, lookout=lookout
        )
    except MigrationFailed as error:
        raise MigrationFailed(
            error.path,
            ordinal,
            error.line,
            error.statement,
            error.sqlstate,
            error.message,
            holders=error.holders,
            remedy=_REMEDY.format(_WAIT if error.mended_by_waiting else "correct what is named", migration.number),
        ) from error.__cause__


@contextmanager
def _ourselves(connection: Connection) -> Iterator[None]:
    """In a transaction: write as who migrates, whoever the file has become meanwhile."""
    connection.execute(
        "SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE NONE; SET LOCAL search_path = pg_catalog"
    )
    yield


def _step(statement: Statement, node: Any) -> Step:
    if is_node(node, "index_stmt") and node.index_stmt.concurrent:
        return Step(statement, "index", _relation(node.index_stmt.relation), node.index_stmt.idxname)
    if is_node(node, "drop_stmt") and node.drop_stmt.concurrent:
        names = tuple(".".join(_quoted(part.string.sval) for part in one.list.items) for one in node.drop_stmt.objects)
        return Step(statement, "drop", names=names)
    if is_node(node, "variable_set_stmt"):
        return Step(statement, "setting")
    detaches = is_node(node, "alter_table_stmt") and "CONCURRENTLY" in statement.text.upper()
    return Step(statement, "alone" if detaches or any(is_node(node, kind) for kind in _ALONE) else "together")


def _relation(relation: Any) -> str:
    return ".".join(_quoted(part) for part in (relation.schemaname, relation.relname) if part)


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)

"""Queries that write: pages and log by the server's own counters, so that triggers and foreign keys count as well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pgcontract.execution.facts import Database
from pgcontract.execution.measured import Measured
from pgcontract.execution.reading import promised as structure
from pgcontract.execution.reading import row_problems
from pgcontract.execution.session import executed, prepared, shown, told
from pgcontract.execution.values import SIZES, literal, literals
from pgcontract.plans.bounds import Facts
from pgcontract.plans.judging import LARGE, broken
from pgcontract.plans.tree import Plan, lines
from pgcontract.queries import Query
from pgcontract.signs import count

TIMES: Final = 3
# what this session has counted since it last reported to the others, which it does between transactions only; tables
# and indexes, and their TOAST
_COUNTED: Final = """
    SELECT c.relname, c.relkind::TEXT, pg_stat_get_xact_blocks_fetched(c.oid), pg_stat_get_xact_numscans(c.oid)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm', 'i', 't')
      AND (n.nspname = 'pg_toast' AND c.oid >= 16384 OR n.nspname <> 'information_schema' AND n.nspname !~ '^pg_')
"""
# the log's length is all sessions'; what this one adds to it is told of a plan's nodes, and triggers that fire after a
# statement belong to none of them: but to the node that calls a function in which all of it happens
_LOGGING: Final = """
    CREATE OR REPLACE FUNCTION pg_temp.pgcontract_logging(TEXT) RETURNS VOID LANGUAGE plpgsql AS
    'BEGIN EXECUTE $1; SET CONSTRAINTS ALL IMMEDIATE; END'
"""
_LOGGED: Final = "EXPLAIN (ANALYZE, WAL, TIMING OFF, FORMAT JSON) SELECT pg_temp.pgcontract_logging({})"


@dataclass(frozen=True, slots=True)
class Counted:
    """``pages`` of each table and index; ``scans`` of each."""

    pages: Mapping[str, int]
    scans: Mapping[str, int]
    tables: frozenset[str]

    def since(self, before: Counted) -> Counted:
        """What came in between."""
        return Counted(
            {name: more for name, n in self.pages.items() if (more := n - before.pages[name])},
            {name: more for name, n in self.scans.items() if (more := n - before.scans[name])},
            self.tables,
        )


def measured_writing(database: Database, query: Query, size: str, values: Sequence[str]) -> list[Measured]:
    """The query with these values, executed and rolled back. Raises QueryError."""
    connection = database.connection
    with prepared(connection, query, "custom"), connection.transaction(force_rollback=True):
        plan = executed(connection, query, values, times=1)
    # the first one warms the pages and the caches of the triggers' and foreign keys' own queries; in any of them a page
    # of an index may be full, and split
    _, *warm = (_written(database, query, values) for _ in range(TIMES))
    counted, rows, wrote = min(warm, key=lambda one: sum(one[0].pages.values()))
    pages = sum(counted.pages.values())
    logged = min(_logged(database, query, values) for _ in warm)
    most = query.limit.amount(bound=0, rows=rows)
    problems = _problems(database, query, plan, counted, query.uses if size == SIZES[0] else ())
    if pages > most:
        spread = ", ".join(f"{name} {n}" for name, n in sorted(counted.pages.items(), key=lambda one: -one[1]))
        problems.append(f"{pages} pages are touched, and at most {most:.0f} are promised ({spread})")
    limit = math.inf if query.wal is None else query.wal.amount(bound=0, rows=rows)
    # how many whole pages are among it hangs on the last checkpoint, not on the query
    if logged > limit and not database.logs_pages:
        problems.append(f"{logged} bytes are logged, and at most {limit:.0f} are promised")
    if rows and not wrote:
        problems.append("it says that it writes, and nothing was written or locked")
    problems += row_problems(query, rows)
    text = ""
    if problems:
        with prepared(connection, query, "custom"):
            text = shown(connection, query, values)
    return [
        Measured(
            size=size,
            plan="custom",
            rows=rows,
            pages=pages,
            bound=0,
            heap=0,
            indexes=0,
            levels=0,
            most=most,
            milliseconds=plan.milliseconds,
            fingerprint=plan.fingerprint,
            wal=logged,
            problems=tuple(problems),
            shown=text,
            nodes=tuple(lines(plan.root)),
        )
    ]


def _written(database: Database, query: Query, values: Sequence[str]) -> tuple[Counted, int, bool]:
    """What one execution touched, how many rows it wrote or returned, and whether it changed or locked any."""
    connection = database.connection
    with prepared(connection, query, "custom"):
        before = _counted(database)
        cursor = told(connection, query, f"EXECUTE hot{literals(query, values)}")
        told(connection, query, "SET CONSTRAINTS ALL IMMEDIATE")
        counted = _counted(database).since(before)
        row = connection.execute("SELECT pg_current_xact_id_if_assigned()::TEXT").fetchone()
        return counted, cursor.rowcount, row is not None and row[0] is not None


def _logged(database: Database, query: Query, values: Sequence[str]) -> int:
    """How many bytes of log one execution makes: its own, whatever other sessions write meanwhile."""
    connection = database.connection
    with prepared(connection, query, "custom"):
        connection.execute(_LOGGING)
        row = told(
            connection, query, _LOGGED.format(literal(f"EXECUTE hot{literals(query, values)}", "TEXT"))
        ).fetchone()
        assert row is not None
        logged: int = row[0][0]["Plan"]["WAL Bytes"]
        return logged


def _problems(database: Database, query: Query, plan: Plan, counted: Counted, promised: Sequence[str]) -> list[str]:
    # an index that a trigger, a foreign key or a function reads is used as well
    scanned = {one for name in counted.scans for one in (name, database.whole.get(name))}
    uses = [name for name in promised if name not in scanned]
    found = list(broken(plan, structure(database, query, uses, Facts())))
    found += [
        f"{name} is read from end to end by a trigger, a foreign key or a function: "
        f"{count(database.pages[name], 'page')}"
        for name in counted.scans
        if name in counted.tables and database.pages[name] > LARGE
        if not any(node.kind == "Seq Scan" and node.relation == name for node in plan.root.walk())
    ]
    return found


def _counted(database: Database) -> Counted:
    rows: list[Any] = database.connection.execute(_COUNTED).fetchall()
    return Counted(
        {row[0]: row[2] for row in rows},
        {row[0]: row[3] for row in rows},
        frozenset(row[0] for row in rows if row[1] in {"r", "m"}),
    )

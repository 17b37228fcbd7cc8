"""A session that holds one query prepared, and says how it was executed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any, Final, Literal, LiteralString

import psycopg

from pgcontract.execution.values import literal, literals
from pgcontract.plans.tree import Plan, read_plan
from pgcontract.queries import Query, QueryError

WRITES: Final = "25006"
EXPLAIN: Final = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON)"
SHOWN: Final = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF)"
LAPS: Final = 6
BEFORE_GENERIC: Final = 5
"""Executions for whose values a session makes a plan before it may come to one for all values."""

Planned = Literal["custom", "arrived"]


@contextmanager
def prepared(
    connection: psycopg.Connection[Any], query: Query, planned: Planned, *, read_only: bool = True
) -> Iterator[None]:
    """Have the query prepared within a transaction that is rolled back, read-only where it says that it reads."""
    types = ", ".join(parameter.type for parameter in query.parameters)
    mode: LiteralString = "force_custom_plan" if planned == "custom" else "auto"
    try:
        with connection.transaction(force_rollback=True):
            if read_only and not query.writes:
                connection.execute("SET TRANSACTION READ ONLY")
            connection.execute("SELECT set_config('plan_cache_mode', %s, true)", (mode,))
            told(connection, query, f"PREPARE hot{f'({types})' if types else ''} AS {query.text}")
            yield
    finally:
        # it outlives a rollback
        connection.execute("DEALLOCATE ALL")


def told(connection: psycopg.Connection[Any], query: Query, text: str) -> psycopg.Cursor[Any]:
    """Run a text that the query is part of. Raises QueryError where the database refuses it."""
    try:
        return connection.execute(text.encode())
    except psycopg.Error as error:
        where = f"{query.path}, line {query.line}"
        seen = f"{error.sqlstate} {str(error).strip().splitlines()[0]}"
        if error.sqlstate == WRITES:
            raise QueryError(
                "A query writes that says that it reads.",
                where=where,
                seen=seen,
                remedy="Write `-- writes` into its header, with `-- pages: at most N` and `-- wal: at most N bytes`.",
            ) from error
        raise QueryError(
            "A hot query cannot be executed.", where=where, seen=seen, remedy="Correct it, or its parameters' sources."
        ) from error


def executed(connection: psycopg.Connection[Any], query: Query, values: Sequence[str], *, times: int = 2) -> Plan:
    """The plan of the prepared query, executed twice: the first time warms the pages that the second one counts."""
    row = None
    for _ in range(times):
        row = told(connection, query, f"{EXPLAIN} EXECUTE hot{literals(query, values)}").fetchone()
    assert row is not None
    known = {p.number: literal(value, p.type) for p, value in zip(query.parameters, values, strict=True)}
    return read_plan(row[0], known)


def laps(connection: psycopg.Connection[Any], query: Query, values: Sequence[str]) -> tuple[float, float, float]:
    """The fastest, the median and the slowest milliseconds of the prepared query, whose pages are warm.

    Of six executions, the median of all that there could be lies between the fastest and the slowest in 31 of 32 runs
    (the interval of the sign test).
    """
    times = [executed(connection, query, values, times=1).milliseconds for _ in range(LAPS)]
    return min(times), median(times), max(times)


def arrive(connection: psycopg.Connection[Any], query: Query, values: Sequence[str]) -> bool:
    """Have the session come to the plan that it keeps; whether that is one for all values."""
    for _ in range(BEFORE_GENERIC):
        told(connection, query, f"EXPLAIN EXECUTE hot{literals(query, values)}")
    told(connection, query, f"EXPLAIN EXECUTE hot{literals(query, values)}")
    row = connection.execute("SELECT generic_plans FROM pg_prepared_statements WHERE name = 'hot'").fetchone()
    assert row is not None
    return bool(row[0])


def shown(connection: psycopg.Connection[Any], query: Query, values: Sequence[str]) -> str:
    """The prepared query's plan as people read it."""
    rows = told(connection, query, f"{SHOWN} EXECUTE hot{literals(query, values)}").fetchall()
    return "\n".join(line for (line,) in rows)

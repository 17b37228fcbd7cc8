"""All hot queries of a filled database, one after the other: those that read before those that write."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import psycopg

from pgcontract.execution.facts import Database
from pgcontract.execution.measured import Checked, Measured
from pgcontract.execution.reading import measured_reading
from pgcontract.execution.values import values_of
from pgcontract.execution.writing import measured_writing
from pgcontract.queries import Query, QueryError


def check(
    connection: psycopg.Connection[Any],
    queries: Iterable[Query],
    rows: int,
    *,
    found: Callable[[Checked], None] = lambda _checked: None,
) -> list[Checked]:
    """Execute each query with its values and judge it. The database must be ``readied``; ``rows`` is only told.

    What writes is rolled back; yet it leaves dead rows behind, so that the database is good for nothing else.
    Raises QueryError for a query that cannot be executed or names an index that is not there.
    """
    database = Database(connection)
    checked = []
    # what was written and rolled back still takes place on the pages
    for query in sorted(queries, key=lambda q: q.writes):
        _known(database, query)
        measured: list[Measured] = []
        for size, values in values_of(connection, query):
            measured += (measured_writing if query.writes else measured_reading)(database, query, size, values)
        checked.append(
            Checked(
                query.name,
                str(query.path),
                query.uses,
                query.limit.formula,
                rows,
                tuple(measured),
                limited=query.limited and not query.writes,
                meaning=query.meaning,
                sql=query.text,
                estimated=any(database.indexes[name].estimated for name in query.uses),
            )
        )
        found(checked[-1])
    return checked


def _known(database: Database, query: Query) -> None:
    for name in query.uses:
        if name not in database.indexes:
            raise QueryError(
                "A query promises an index that is not there.",
                where=str(query.path),
                seen=name,
                remedy="Correct `-- uses`, or create the index.",
            )

"""What an index is worth to a hot query: the same with and without it, in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from pgcontract.execution.facts import Database
from pgcontract.execution.session import executed, prepared
from pgcontract.execution.values import values_of
from pgcontract.plans.tree import Line, lines
from pgcontract.queries import Query

TIMES: Final = 3


@dataclass(frozen=True, slots=True)
class Worth:
    """Pages and milliseconds (the least of some executions) with the index and without it."""

    query: str
    index: str
    rows: int
    pages_with: int
    pages_without: int
    milliseconds_with: float
    milliseconds_without: float
    instead: str
    nodes_with: tuple[Line, ...] = ()
    nodes_without: tuple[Line, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def worth_of(connection: psycopg.Connection[Any], queries: Iterable[Query], rows: int) -> list[Worth]:
    """Of each promised index, for the query's largest values.

    Those that a constraint made are left out: without them the schema would say something else.
    """
    database = Database(connection)
    found = []
    for query in queries:
        values = next((values for _, values in values_of(connection, query)), None)
        if values is None or query.writes:
            continue
        for name in query.uses:
            if name in database.constraints:
                continue
            with prepared(connection, query, "custom"):
                before = [executed(connection, query, values) for _ in range(TIMES)]
            with connection.transaction(force_rollback=True):
                connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
                with prepared(connection, query, "custom", read_only=False):
                    after = [executed(connection, query, values) for _ in range(TIMES)]
            found.append(
                Worth(
                    query.name,
                    name,
                    rows,
                    before[-1].root.buffers,
                    after[-1].root.buffers,
                    min(plan.milliseconds for plan in before),
                    min(plan.milliseconds for plan in after),
                    after[-1].fingerprint,
                    tuple(lines(before[-1].root)),
                    tuple(lines(after[-1].root)),
                )
            )
    return found

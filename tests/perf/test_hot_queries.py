"""How long every hot query takes on filled databases, and beside it what it touched and what would have done.

``PGCONTRACT_PERF_ROWS=1000,1000000`` takes other sizes than the usual two. Times are told, and never asserted; that
each query keeps the promise of its header is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import pq
from pytest_benchmark.fixture import BenchmarkFixture

from pgcontract.compare.pinning import pinned
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.execution import Checked, check, filled, readied
from pgcontract.execution.values import values_of
from pgcontract.queries import Query, queries_of
from pgcontract.server import Server
from pgcontract.system import System
from tests.contract.fix_systems import PATHS

pytestmark = pytest.mark.perf

SYSTEMS = {path.name: System.load(path) for path in PATHS}
ROUNDS = 30
WARM = 10
"""Executions before the first that is timed: a session has come to the plan that it keeps."""


def sizes(text: str) -> list[int]:
    """The numbers of rows that are asked for."""
    try:
        found = [int(part.replace("_", "")) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        message = f"PGCONTRACT_PERF_ROWS is {text!r}: write numbers of rows with commas, as in 1000,100000"
        raise pytest.UsageError(message)
    return found


ROWS = sizes(os.environ.get("PGCONTRACT_PERF_ROWS", "1000,10000"))
# what writes is rolled back and leaves dead rows behind: after what reads
CASES = [
    pytest.param((name, rows), query, id=f"{name}-{rows}-{query.name}")
    for name, system in SYSTEMS.items()
    for rows in ROWS
    for query in sorted(queries_of(system.queries), key=lambda q: q.writes)
]


@dataclass(frozen=True)
class Place:
    """A filled database, and of each query the values, by their parents' sizes, and what was measured with them."""

    connection: psycopg.Connection[Any]
    values: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]]
    checked: Mapping[str, Checked]
    about: Mapping[str, Any]


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, pgcontract_server: Server) -> Iterator[Place]:
    """A system's database with so many rows. One is there at a time; this process and the server's share a core."""
    name, rows = request.param
    system = SYSTEMS[name]
    with (
        staged(system, pgcontract_server, ServerChoice()) as stage,
        stage.clone() as clone,
        psycopg.connect(clone.dsn, autocommit=True) as connection,
    ):
        catalog = stage.catalog(connection)
        connection.execute("RESET search_path")
        started = time.perf_counter()
        filled(connection, system, catalog, rows)
        seconds = time.perf_counter() - started
        readied(connection)
        queries = queries_of(system.queries)
        # those that the check takes
        values = {query.name: values_of(connection, query) for query in queries}
        checked = {one.query: one for one in check(connection, queries, rows)}
        # what the check wrote and rolled back is not to be met
        readied(connection)
        about = {
            "system": name,
            "rows": rows,
            "postgresql": pgcontract_server.version,
            "fill_seconds": round(seconds, 2),
        }
        with pinned([connection]):
            yield Place(connection, values, checked, about)


class Statement:
    """A query that is prepared, with the values that it is executed with. All of its result is fetched."""

    def __init__(self, connection: psycopg.Connection[Any], query: Query, values: tuple[str, ...]) -> None:
        self._pg = connection.pgconn
        self._values = [value.encode() for value in values]
        types = ", ".join(parameter.type for parameter in query.parameters)
        self._run(f"PREPARE timed{f'({types})' if types else ''} AS {query.text}")

    def read(self) -> int:
        """Execute it; how many rows it returned or wrote."""
        result = self._pg.exec_prepared(b"timed", self._values)
        assert result.status in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}, result.get_error_message()
        return result.ntuples or result.command_tuples or 0

    def write(self) -> int:
        """Execute it, and check what it defers."""
        rows = self.read()
        self._run("SET CONSTRAINTS ALL IMMEDIATE")
        return rows

    def anew(self) -> None:
        """Undo what was written before, and begin."""
        self.end()
        self._run("BEGIN")

    def end(self) -> None:
        """Undo what was written."""
        if self._pg.transaction_status != pq.TransactionStatus.IDLE:
            self._run("ROLLBACK")

    def forget(self) -> None:
        """Let another query be prepared."""
        self.end()
        self._run("DEALLOCATE ALL")

    def _run(self, text: str) -> None:
        result = self._pg.exec_(text.encode())
        assert result.status == pq.ExecStatus.COMMAND_OK, result.get_error_message()


@pytest.mark.parametrize(("place", "query"), CASES, indirect=["place"], scope="module")
def test_hot_query(place: Place, query: Query, benchmark: BenchmarkFixture) -> None:
    """With the values of the largest parent, prepared; what writes is rolled back outside of the time."""
    checked = place.checked[query.name]
    assert checked.verdict != "broken", [m.problems for m in checked.measured]
    sized = place.values[query.name]
    if not sized:
        pytest.skip(f"nothing to look for among {place.about['rows']} rows")
    size, values = sized[0]
    benchmark.group = f"{place.about['system']} {query.name}"
    statement = Statement(place.connection, query, values)
    try:
        if query.writes:
            for _ in range(WARM):
                statement.anew()
                statement.write()
            found = benchmark.pedantic(statement.write, setup=statement.anew, rounds=ROUNDS)
        else:
            found = benchmark.pedantic(statement.read, rounds=ROUNDS, iterations=5, warmup_rounds=WARM)
    finally:
        statement.forget()
    # of the plan that the session has come to, where that is another than the one made for these values
    measured = [one for one in checked.measured if one.size == size][-1]
    benchmark.extra_info |= {
        **place.about,
        "query": query.name,
        "writes": query.writes,
        "rows_found": found,
        "pages": measured.pages,
        "bound": measured.bound or None,
        "ratio": None if measured.ratio is None else round(measured.ratio, 3),
        "most_pages": round(measured.most, 1),
        "wal_bytes": measured.wal,
        "plan": measured.plan,
        "fingerprint": measured.fingerprint,
        "indexes": list(query.uses),
        "verdict": checked.verdict,
    }
    assert found == measured.rows


@pytest.mark.parametrize("text", ["", "many", "1000,", "0", "-5"])
def test_sizes_that_are_none_are_named(text: str) -> None:
    """With what to write instead."""
    with pytest.raises(pytest.UsageError, match="PGCONTRACT_PERF_ROWS"):
        sizes(text)

"""The three systems' hot queries: each by its promised index, with no more pages than its bound allows."""

from __future__ import annotations

import psycopg
import pytest

from pgcontract.contract import read
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.execution import check, filled, readied, with_growth, worth_of
from pgcontract.queries import queries_of
from pgcontract.server import Server
from pgcontract.system import System
from tests.contract.fix_systems import PATHS

ALL = {path.name: queries_of(System.load(path).queries) for path in PATHS}
# what is not there at a small size: one row of many is such
MAY_BE_EMPTY = 0.1


def broken(system: System, server: Server, sizes: tuple[int, ...]) -> list[str]:
    """What of the system's promises does not hold, after showing that there is something to find."""
    queries = queries_of(system.queries)
    checked = []
    with staged(system, server, ServerChoice()) as stage:
        for rows in sizes:
            with stage.clone() as clone, psycopg.connect(clone.dsn, autocommit=True) as connection:
                catalog = stage.catalog(connection)
                connection.execute("RESET search_path")
                filled(connection, system, catalog, rows)
                readied(connection)
                checked += check(connection, queries, rows)
    judged = with_growth(checked)
    assert len(judged) == len(queries) * len(sizes)
    assert sum(one.verdict == "empty" for one in judged) <= MAY_BE_EMPTY * len(judged)
    return [
        f"{one.query} with {one.rows} rows, {measured.size} {measured.plan}: {problem}\n{measured.shown}"
        for one in judged
        if one.verdict == "broken"
        for measured in one.measured
        for problem in measured.problems or (["no row"] if one.unanswered else [])
    ]


@pytest.mark.thorough
def test_hot_queries_keep_their_promises(system: System, quiet_server: Server) -> None:
    """Of a thousand rows: structure, pages, rows; for those that write, log and triggers too."""
    assert broken(system, quiet_server, (1000,)) == []


@pytest.mark.thorough
def test_hot_queries_keep_their_promises_as_tables_grow(system: System, quiet_server: Server) -> None:
    """From a thousand rows to a hundred thousand no more pages of indexes are read than their levels explain."""
    assert broken(system, quiet_server, (1000, 10_000, 100_000)) == []


@pytest.mark.thorough
def test_without_its_index_a_query_touches_more(system: System, quiet_server: Server) -> None:
    """Nine of ten do with ten thousand rows, of those that do not ask for as many pages as the whole table has."""
    with (
        staged(system, quiet_server, ServerChoice()) as stage,
        stage.clone() as clone,
        psycopg.connect(clone.dsn, autocommit=True) as connection,
    ):
        catalog = stage.catalog(connection)
        connection.execute("RESET search_path")
        filled(connection, system, catalog, 10_000)
        readied(connection)
        found = worth_of(connection, queries_of(system.queries), 10_000)
        tables = "SELECT i.relname, t.relpages FROM pg_index JOIN pg_class AS i ON i.oid = indexrelid"
        pages: dict[str, int] = dict(
            connection.execute(f"{tables} JOIN pg_class AS t ON t.oid = indrelid".encode()).fetchall()
        )
    sought = [one for one in found if one.pages_with < pages[one.index]]
    in_vain = [(one.query, one.index) for one in sought if one.pages_without <= one.pages_with]
    assert len(sought) > len(found) * 3 / 4
    assert len(in_vain) <= len(sought) / 10, in_vain


def test_every_composite_and_partial_index_is_promised_by_a_query(system: System) -> None:
    """None is there for its own sake, and every index that is promised is in the contract."""
    promised = {name for query in ALL[system.name] for name in query.uses}
    catalog = read(system.contract).catalog
    indexes = {i.name: i for relation in (*catalog.tables, *catalog.views) for i in getattr(relation, "indexes", ())}
    keys = {key.name for table in catalog.tables for key in table.keys}
    owed = {name for name, index in indexes.items() if len(index.keys) > 1 or index.predicate is not None}
    assert owed
    assert owed - promised == set()
    assert promised - set(indexes) - keys == set()


def test_one_query_of_ten_at_most_has_a_limit_of_its_own() -> None:
    """Of those that read, with a reason each; the others keep to the computed bound."""
    reading = [query for queries in ALL.values() for query in queries if not query.writes]
    limited = [query for query in reading if query.limited]
    assert len(limited) <= len(reading) / 10
    assert all(query.limit.reason for query in limited)


def test_there_is_a_query_for_each_way_in_which_data_is_read_and_written() -> None:
    """As many as the documents imply."""
    assert sum(map(len, ALL.values())) >= 60
    assert sum(query.writes for queries in ALL.values() for query in queries) >= 20

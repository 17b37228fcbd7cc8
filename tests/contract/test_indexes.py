"""What the three systems' indexes promise, from their frozen contracts, and that every foreign key has one."""

from __future__ import annotations

from collections.abc import Collection

import psycopg
import pytest
from psycopg import sql

from pgcontract.contract import read
from pgcontract.model import ForeignKey, Table
from pgcontract.plugin import Promised
from pgcontract.system import System
from tests.contract.fix_systems import PATHS


@pytest.mark.promises("index")
def test_indexes(promise: Promised) -> None:
    """Each serves queries on its keys and predicate, in its order, and gives the rows that reading the table gives."""
    promise.prove()


@pytest.mark.promises("full text")
def test_full_text(promise: Promised) -> None:
    """Texts are found by every lexeme of the promised configuration, and by no stop word."""
    promise.prove()


@pytest.mark.parametrize("system", PATHS, ids=lambda path: path.name, indirect=True)
def test_no_change_of_a_parent_reads_its_children_from_end_to_end(system: System, system_database: str) -> None:
    """The look-up that PostgreSQL makes for each foreign key uses an index that begins with one of its columns."""
    tables = read(system.contract).catalog.tables
    with psycopg.connect(system_database) as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        unserved = [
            foreign_key.name
            for table in tables
            for foreign_key in table.foreign_keys
            if not looked_up(connection, table, foreign_key) & beginning_with(table, foreign_key.columns)
        ]
    assert unserved == []
    assert any(table.foreign_keys for table in tables)


def beginning_with(table: Table, columns: Collection[str]) -> set[str]:
    """The keys and indexes of which the first column is one of these."""
    keys = {key.name for key in table.keys if key.columns[0] in columns}
    return keys | {index.name for index in table.indexes if index.keys[0].column in columns}


def looked_up(connection: psycopg.Connection, table: Table, foreign_key: ForeignKey) -> set[str]:
    """The indexes in which the rows of a parent are looked up."""
    types = {column.name: column.type for column in table.columns}
    conditions = [
        sql.SQL(f"{{}} = (SELECT NULL::{types[column]})").format(sql.Identifier(column))
        for column in foreign_key.columns
    ]
    query = sql.SQL("EXPLAIN (FORMAT JSON) SELECT 1 FROM ONLY {} WHERE {} FOR KEY SHARE").format(
        sql.Identifier(table.name.namespace, table.name.name), sql.SQL(" AND ").join(conditions)
    )
    row = connection.execute(query).fetchone()
    assert row is not None
    waiting, found = [row[0][0]["Plan"]], set()
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        found |= {node["Index Name"]} if "Index Cond" in node else set()
    return found

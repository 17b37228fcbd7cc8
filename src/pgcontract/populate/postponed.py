"""Indexes that cost more to keep than to make: they are dropped before many rows come, and made again after them.

Not those that somebody looks rows up by meanwhile: triggers may, and foreign keys within the table do. The rehearsal
shows which tables are read while they are filled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from pgcontract.populate.amounts import Step
from pgcontract.rows.statements import identifier

WORTH: Final = 20_000
"""Fewer rows are as well inserted with all indexes in place."""

# An index of its own on which nothing else hangs and of which its definition says everything: no constraint, comment,
# tablespace, statistics, cluster mark, replica identity or partition; valid; not unique. Only of a table that is not
# read while it is filled.
_INDEXES: Final = """
    SELECT index.indexrelid::regclass::text, pg_get_indexdef(index.indexrelid)
    FROM pg_index AS index
    JOIN pg_class AS class ON class.oid = index.indexrelid
    JOIN pg_am AS method ON method.oid = class.relam
    WHERE index.indrelid = %(table)s::regclass
      AND class.relkind = 'i'
      AND method.amname IN ('btree', 'hash', 'gin', 'gist', 'spgist', 'brin')
      AND index.indisvalid AND index.indisready AND NOT index.indisunique AND NOT index.indisexclusion
      AND NOT index.indisclustered AND NOT index.indisreplident AND NOT class.relispartition
      AND class.reltablespace = 0
      AND class.relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
      AND NOT EXISTS (
        SELECT FROM pg_attribute AS column_
        WHERE column_.attrelid = index.indexrelid
          AND COALESCE(column_.attstattarget, -1) >= 0
      )
      AND NOT EXISTS (
        SELECT FROM pg_depend AS hanging
        WHERE (hanging.refclassid = 'pg_class'::regclass AND hanging.refobjid = index.indexrelid)
           OR (hanging.classid = 'pg_class'::regclass AND hanging.objid = index.indexrelid
             AND hanging.deptype NOT IN ('a', 'n'))
      )
      AND obj_description(index.indexrelid, 'pg_class') IS NULL
    ORDER BY class.relname ASC
"""


@contextmanager
def postponed(connection: psycopg.Connection[Any], step: Step, *, read: bool) -> Iterator[None]:
    """Take a table's indexes away while it is filled. All happens in the transaction, or not at all.

    ``read``: it is looked at meanwhile.
    """
    table = step.table
    some = f"SELECT FROM {identifier(table.name).as_string()} LIMIT {step.rows + 1}"
    before = connection.execute(f"SELECT count(*) FROM ({some}) AS rows".encode()).fetchone()
    assert before is not None
    # where there are more rows than come, making the index again costs more than keeping it
    if read or step.rows < WORTH or before[0] > step.rows or table.partition_key is not None:
        yield
        return
    # unqualified names would be looked for on the search path when the index is made again
    connection.execute("SET LOCAL search_path TO ''")
    found = connection.execute(_INDEXES, {"table": identifier(table.name).as_string()}).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}".encode())
    connection.execute("SET LOCAL search_path TO DEFAULT")
    yield
    connection.execute("SET LOCAL search_path TO ''")
    for _, definition in found:
        connection.execute(str(definition).encode())
    connection.execute("SET LOCAL search_path TO DEFAULT")


def scans(connection: psycopg.Connection[Any], step: Step) -> int:
    """How often this transaction has read a table so far, as a whole or by an index that is no key."""
    row = connection.execute(
        "SELECT pg_stat_get_xact_numscans(%(table)s::regclass)"
        " + COALESCE(sum(pg_stat_get_xact_numscans(indexrelid)), 0)"
        " FROM pg_index WHERE indrelid = %(table)s::regclass AND NOT indisunique",
        {"table": identifier(step.table.name).as_string()},
    ).fetchone()
    assert row is not None
    return int(row[0])

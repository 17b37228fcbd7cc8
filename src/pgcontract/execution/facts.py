"""What the database says of its tables and indexes, and of the rows that an answer is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg

from pgcontract.execution.values import literals
from pgcontract.plans.answer import AnswerQuery, answer_query
from pgcontract.plans.bounds import Facts, IndexFacts, TableFacts, Visits, gin_levels
from pgcontract.queries import Query

FANOUT: Final = 250
_RELATIONS = """
    SELECT c.oid, c.relname, c.relkind::TEXT, c.relpages, c.reltuples, m.amname, t.relname, has.constraint,
      (SELECT relname FROM pg_class WHERE oid = pg_partition_root(c.oid))
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_am AS m ON m.oid = c.relam
    LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
    LEFT JOIN pg_class AS t ON t.oid = i.indrelid
    CROSS JOIN LATERAL (
      SELECT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid AND contype IN ('p', 'u', 'x')) AS constraint
    ) AS has
    WHERE c.relkind IN ('r', 'm', 'i', 'p', 'I') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    ORDER BY c.relname ASC
"""
_VISITS = """
    WITH answer AS ({answer}),
    visits AS (SELECT {blocks} FROM answer)
    SELECT {counts} FROM visits
"""


class Database:
    """A filled database: its tables and indexes. ``inspector``: where pageinspect is, which tells their levels.

    ``whole`` names, for each partition and each of its indexes, the partitioned one that it is a part of.
    ``logs_pages``: the server logs whole pages at their first change after a checkpoint (full_page_writes).
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        # psycopg would prepare on its own, and forget everything that is prepared after a rollback
        connection.prepare_threshold = None
        self.inspector = _inspector(connection)
        self.logs_pages = connection.execute("SELECT current_setting('full_page_writes')").fetchone() == ("on",)
        self.indexes: dict[str, IndexFacts] = {}
        self.tables: dict[str, TableFacts] = {}
        self.oids: dict[str, int] = {}
        self.constraints: set[str] = set()
        self.whole: dict[str, str] = {}
        found = connection.execute(_RELATIONS).fetchall()
        for oid, name, kind, pages, tuples, method, table, constraint, whole in found:
            self.oids[name] = oid
            if whole is not None:
                self.whole[name] = whole
            if kind == "I":
                # it has no pages: its partitions' indexes have
                self.indexes[name] = IndexFacts(method, table=table)
            elif kind == "i":
                self.indexes[name] = self._index(oid, pages, tuples, method, table)
            elif kind == "p":
                parts = (row[3] for row in found if row[8] == name and row[2] == "r")
                self.tables[name] = TableFacts(sum(parts))
            else:
                self.tables[name] = TableFacts(pages)
            self.constraints |= {name} if constraint else set()

    @property
    def pages(self) -> Mapping[str, int]:
        """Those of each table."""
        return {name: table.pages for name, table in self.tables.items()}

    def facts(self, query: Query, values: Sequence[str], *, generic: bool = False, sorts: bool = False) -> Facts:
        """What the bound of a query needs to know.

        ``generic``: of its plan for all values; ``sorts``: which sorts what it finds.
        """
        known = answer_query(query.text, sorted_afterwards=sorts or bool(query.sorts))
        answer = {} if known is None else self._answer(known, query, values, generic=generic)
        of_promised = {self.indexes[name].table for name in query.uses}
        joined = {alias: visits.rows for alias, visits in answer.items() if alias not in of_promised}
        # a plan for all values does not know for how many rows a bitmap would be worth while
        ordered = generic or known is None or known.ordered
        return Facts(self.indexes, self.tables, answer, joined, ordered=ordered)

    def _answer(
        self, answer: AnswerQuery, query: Query, values: Sequence[str], *, generic: bool
    ) -> Mapping[str, Visits]:
        columns = range(len(answer.aliases))
        blocks = ", ".join(
            f"(c{n}::TEXT::POINT)[0] AS b{n}, lag((c{n}::TEXT::POINT)[0]) OVER () AS p{n}" for n in columns
        )
        counts = ", ".join(
            f"count(b{n}), count(DISTINCT b{n}), count(*) FILTER (WHERE b{n} IS DISTINCT FROM p{n})" for n in columns
        )
        types = ", ".join(parameter.type for parameter in query.parameters)
        text = _VISITS.format(answer=answer.text, blocks=blocks, counts=counts)
        connection = self.connection
        with connection.transaction(force_rollback=True):
            mode = "force_generic_plan" if generic else "force_custom_plan"
            connection.execute("SELECT set_config('plan_cache_mode', %s, true)", (mode,))
            connection.execute(f"PREPARE answer{f'({types})' if types else ''} AS {text}".encode())
            try:
                (row,) = connection.execute(f"EXECUTE answer{literals(query, values)}".encode()).fetchall()
            finally:
                connection.execute("DEALLOCATE answer")
        return {alias: Visits(*row[3 * n : 3 * n + 3]) for n, alias in enumerate(answer.aliases)}

    def _index(self, oid: int, pages: int, tuples: float, method: str, table: str) -> IndexFacts:
        if method == "gin":
            keys = pages
            if self.inspector is not None:
                row = self.connection.execute(
                    f"SELECT n_entry_pages FROM {self.inspector}.gin_metapage_info("
                    f"{self.inspector}.get_raw_page(({oid}::REGCLASS)::TEXT, 0))".encode()
                ).fetchone()
                assert row is not None
                keys = row[0]
            return IndexFacts(method, gin_levels(keys), table=table, rows=tuples, estimated=True)
        leaves = max(pages - 1, 1)
        held = max(tuples, 1) / leaves if pages > 2 else math.inf
        if method != "btree":
            return IndexFacts(method, 0, held, table, estimated=True)
        if self.inspector is None:
            return IndexFacts(method, math.ceil(math.log(leaves, FANOUT) - 1e-9), held, table, estimated=True)
        row = self.connection.execute(
            f"SELECT fastlevel FROM {self.inspector}.bt_metap(({oid}::REGCLASS)::TEXT)".encode()
        ).fetchone()
        assert row is not None
        return IndexFacts(method, row[0], held, table)


def _inspector(connection: psycopg.Connection[Any]) -> str | None:
    """The schema in which pageinspect is now, created if need be; None where that is impossible."""
    with suppress(psycopg.Error), connection.transaction():
        connection.execute("CREATE SCHEMA IF NOT EXISTS inspected")
        connection.execute("CREATE EXTENSION IF NOT EXISTS pageinspect SCHEMA inspected")
    row = connection.execute(
        "SELECT quote_ident(n.nspname) FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'pageinspect' AND has_schema_privilege(n.oid, 'USAGE')"
    ).fetchone()
    return None if row is None else str(row[0])

"""What is learned before anything is written: of each table's values, and of the columns that triggers watch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from pgcontract.model import Catalog, ForeignKey, Name
from pgcontract.populate.amounts import Step, given
from pgcontract.populate.known import Known, known
from pgcontract.populate.overrides import Overrides
from pgcontract.rows.generated import sources
from pgcontract.rows.shape import Unbuildable
from pgcontract.rows.terrain import Terrain, mentioned
from pgcontract.rows.worlds import World, Worlds
from pgcontract.session import Session


class _Unhindered(Worlds):
    """Worlds of rows that a trigger would refuse: others may be found that it takes."""

    def world(self, name: Name, foreign_keys: frozenset[ForeignKey] = frozenset(), *, quiet: bool = False) -> World:
        try:
            return super().world(name, foreign_keys, quiet=quiet)
        except Unbuildable:
            return super().world(name, foreign_keys, quiet=True)


def learned(
    connection: psycopg.Connection[Any], catalog: Catalog, planned: Sequence[Step], overrides: Overrides
) -> dict[Name, Known]:
    """What is known of each table's rows: the solver proposes, the database decides; nothing of it stays."""
    session = Session(connection)
    try:
        terrain = Terrain(_Unhindered(catalog, session))
        found = {}
        for step in planned:
            if step.rows:
                mine = frozenset(c for t, c in overrides.columns if t == step.table.name)
                found[step.table.name] = known(terrain, step.table.name, mine)
        return found
    finally:
        if not connection.closed:
            session.set("statement_timeout", None)
            connection.rollback()
            # under the names of the next session's
            connection.execute("DEALLOCATE ALL")


def watched(catalog: Catalog) -> frozenset[str]:
    """Columns that a trigger speaks of, or that a foreign key over a generated column is made from."""
    called = {t.function for table in catalog.tables for t in table.triggers}
    texts = [f.body for f in catalog.functions if f.name in called and f.language in ("plpgsql", "sql")]
    found = mentioned(*texts)
    for table in catalog.tables:
        for fk in table.foreign_keys:
            if fk not in given(table):
                found |= frozenset().union(*(sources(table, c) for c in fk.columns))
    return found

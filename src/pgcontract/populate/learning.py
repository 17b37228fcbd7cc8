"""What is learned before anything is written: of each table's values, and of the columns that triggers watch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import psycopg

from pgcontract.model import Catalog, ForeignKey, Name
from pgcontract.populate.amounts import Step, given
from pgcontract.populate.dice import NUMBER, POSITION
from pgcontract.populate.known import Known, known
from pgcontract.populate.overrides import Overrides
from pgcontract.populate.spreading import spread
from pgcontract.rows.generated import sources
from pgcontract.rows.shape import Unbuildable
from pgcontract.rows.terrain import Terrain, mentioned
from pgcontract.rows.worlds import World, Worlds
from pgcontract.session import Session

TOLD: Final = 8
"""How many values of an expression are tried in rows."""


class _Unhindered(Worlds):
    """Worlds of rows that a trigger would refuse: others may be found that it takes."""

    def world(
        self,
        name: Name,
        foreign_keys: frozenset[ForeignKey] = frozenset(),
        *,
        quiet: bool = False,
        firing: bool = False,
    ) -> World:
        try:
            return super().world(name, foreign_keys, quiet=quiet, firing=firing)
        except Unbuildable:
            return super().world(name, foreign_keys, quiet=True)


def learned(
    connection: psycopg.Connection[Any], catalog: Catalog, planned: Sequence[Step], overrides: Overrides
) -> tuple[dict[Name, Known], Overrides]:
    """What is known of each table's rows: the solver proposes, the database decides; nothing of it stays.

    With the overrides that spread rows over partitions.
    """
    session = Session(connection)
    try:
        worlds = _Unhindered(catalog, session)
        overrides = spread(worlds, [step.table for step in planned if step.rows], overrides)
        terrain = Terrain(worlds)
        told = Terrain(_Unhindered(_with_told(worlds, overrides), session))
        found = {}
        for step in planned:
            if step.rows:
                # what the solver finds by itself may serve for more rows than a few values of an expression
                of = told if overrides.columns and terrain.field(step.table.name) is None else terrain
                mine = frozenset(c for t, c in overrides.columns if t == step.table.name)
                found[step.table.name] = known(of, step.table.name, mine)
        return found, overrides
    finally:
        if not connection.closed:
            session.set("statement_timeout", None)
            connection.rollback()
            # under the names of the next session's
            connection.execute("DEALLOCATE ALL")


def _with_told(worlds: Worlds, overrides: Overrides) -> Catalog:
    """The catalog with a few values of each expression for a column, as if they were its examples."""
    catalog, told = worlds.catalog, dict(worlds.catalog.examples)
    for (name, column), expression in overrides.columns.items():
        made = [
            f"(SELECT {expression} FROM (VALUES ({n}::bigint, {n}::bigint)) AS given ({NUMBER}, {POSITION}))"
            for n in range(1, TOLD + 1)
        ]
        found = worlds.oracle.evaluate([(one, worlds.shape(name).types[column]) for one in made])
        values = tuple(dict.fromkeys(one.value for one in found if one.value is not None))
        if values:
            told[name, column] = values
    return replace(catalog, examples=told)


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

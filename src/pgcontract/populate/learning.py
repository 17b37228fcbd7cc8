"""What is learned before anything is written: of each table's values, and of the columns that triggers watch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from hypothesis import strategies as st

from pgcontract.model import Catalog, ForeignKey, Name
from pgcontract.populate.amounts import Step, given
from pgcontract.populate.dice import NUMBER, POSITION
from pgcontract.populate.known import Known, known
from pgcontract.populate.overrides import Overrides
from pgcontract.rows.generated import sources
from pgcontract.rows.shape import Shape, Unbuildable
from pgcontract.rows.terrain import Terrain, mentioned
from pgcontract.rows.worlds import World, Worlds
from pgcontract.session import Session
from pgcontract.values.domains import Domain
from pgcontract.values.expressions import Literal

TOLD: Final = 8
"""How many values of an expression are tried in rows."""


class _Unhindered(Worlds):
    """Worlds of rows that a trigger would refuse: others may be found that it takes."""

    def world(self, name: Name, foreign_keys: frozenset[ForeignKey] = frozenset(), *, quiet: bool = False) -> World:
        try:
            return super().world(name, foreign_keys, quiet=quiet)
        except Unbuildable:
            return super().world(name, foreign_keys, quiet=True)


@dataclass
class _ToldShape(Shape):
    """What is known of a table's rows where the system says what some columns hold: ``told``."""

    told: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def domain(self, column: str, literals: Iterable[Literal] = (), *, strict: bool = False) -> Domain:
        values = self.told.get(column)
        if values is None:
            return super().domain(column, literals, strict=strict)
        return Domain(
            self.types[column],
            exact=False,
            empty=False,
            null="excluded",
            simplest=values[0],
            boundaries=values,
            strategy=st.sampled_from(values),
            fresh=lambda number: values[number] if number < len(values) else None,
        )


@dataclass
class _ToldWorlds(_Unhindered):
    """Worlds of rows that hold what the system says: the solver need not find it."""

    overrides: Overrides = field(default_factory=Overrides)

    def shape(self, name: Name) -> Shape:
        if name not in self._shapes:
            shape = super().shape(name)
            mine = {c: expression for (table, c), expression in self.overrides.columns.items() if table == name}
            told = {c: made for c, expression in mine.items() if (made := self._made(shape, c, expression))}
            self._shapes[name] = _ToldShape(shape.table, shape.catalog, shape.oracle, shape.defaults, told=told)
        return self._shapes[name]

    def _made(self, shape: Shape, column: str, expression: str) -> tuple[str, ...]:
        made = [
            f"(SELECT {expression} FROM (VALUES ({n}::bigint, {n}::bigint)) AS given ({NUMBER}, {POSITION}))"
            for n in range(1, TOLD + 1)
        ]
        found = self.oracle.evaluate([(one, shape.types[column]) for one in made])
        return tuple(dict.fromkeys(one.value for one in found if one.value is not None))


def learned(
    connection: psycopg.Connection[Any], catalog: Catalog, planned: Sequence[Step], overrides: Overrides
) -> dict[Name, Known]:
    """What is known of each table's rows: the solver proposes, the database decides; nothing of it stays."""
    session = Session(connection)
    try:
        terrain = Terrain(_Unhindered(catalog, session))
        told = Terrain(_ToldWorlds(catalog, session, overrides=overrides))
        found = {}
        for step in planned:
            if step.rows:
                # what the solver finds by itself may serve for more rows than a few values of an expression
                of = told if overrides.columns and terrain.field(step.table.name) is None else terrain
                mine = frozenset(c for t, c in overrides.columns if t == step.table.name)
                found[step.table.name] = known(of, step.table.name, mine)
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

"""A column that is left out gets the promised default: a value, the transaction's time, or something fresh."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st
from psycopg import sql

from pgcontract.contract import column_id
from pgcontract.model import Catalog, Column, Name
from pgcontract.promises.base import Cases, Change, Direction, gone
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.columns import default_mutants
from pgcontract.promises.nullability import NOT_NULL_VIOLATION
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, Value, identifier
from pgcontract.rows.worlds import World, Worlds

_SEQUENCE = re.compile(r"nextval\(('(?:[^']|'')+'::regclass)\)")
_RANDOM_UUIDS = ("gen_random_uuid()", "public.uuid_generate_v4()")


@dataclass(frozen=True, slots=True)
class Default:
    """A column's default expression."""

    table: Name
    column: Column

    kind = "default"
    directions = (Direction.ACCEPTS,)

    @property
    def id(self) -> str:
        """``messages.sent_at.default``."""
        return column_id(self.table, self.column.name, "default")

    @property
    def clause(self) -> str:
        """``sent_at DEFAULT now()``."""
        return f"{self.column.name} DEFAULT {self.column.default}"

    def accepts(self, worlds: Worlds) -> Cases:
        """Rows that leave the column out, whatever stands in the others."""
        world = worlds.world(self.table)
        if not world.has_column(self.column.name):
            return gone(self.table, self.column.name)
        expression, name = self.column.default or "NULL", self.column.name
        (evaluated,) = worlds.oracle.evaluate([(expression, self.column.type)])
        if evaluated.volatile:
            return Cases((self._fresh(world),), world=world)
        first = world.shape.find({**world.base, name: evaluated.value}, fixed=frozenset([name]))
        if first is None:
            return Cases(world=world, missing=f"no row was found in which the default of {name} passes the CHECKs")
        others = [{**row, name: evaluated.value} for row in world.varied]
        good = world.shape.holds(list(world.shape.clauses.values()), others)
        rows = [first, *(row for row, holds in zip(others, good, strict=True) if holds)]
        cases = [self._same(world, row) for row in rows]
        return Cases((cases[0], self._alike(world, first)), st.sampled_from(cases), world=world)

    def _left_out(self, world: World, row: dict[str, Value], returning: str) -> Statement:
        return world.insert({c: v for c, v in row.items() if c != self.column.name}, returning=returning)

    def _same(self, world: World, row: dict[str, Value]) -> Change:
        column = sql.Identifier(self.column.name).as_string()
        returning = (
            f" RETURNING {column}::text IS NOT DISTINCT FROM"
            f" (({self.column.default})::{self.column.type})::text AS is_default"
        )
        return Change((self._left_out(world, row, returning),))

    def _alike(self, world: World, row: dict[str, Value]) -> Change:
        """With the value written out the row is accepted: so it must be without."""
        return Change((self._left_out(world, row, ""),), reference=(world.insert(row, show=[self.column.name]),))

    def _fresh(self, world: World) -> Change:
        """Two rows that leave it out hold two values; a sequence's are what the promised sequence gave last.

        A conflict is no error here but a row too few: a constant in place of fresh keys would meet one.
        """
        name = self.column.name
        column = sql.Identifier(name).as_string()
        table = identifier(self.table).as_string()
        own = sql.Identifier(self.table.name, name).as_string()
        returning = (
            f" ON CONFLICT DO NOTHING RETURNING {column} IS NOT NULL AND NOT EXISTS"
            f" (SELECT FROM {table} AS other WHERE other.{column}::text = {own}::text) AS is_fresh"
        )
        expression = self.column.default or ""
        if sequence := _SEQUENCE.fullmatch(expression):
            returning += f", {column} = currval({sequence.group(1)}) AS is_next"
        if expression in _RANDOM_UUIDS:
            returning += f", substr({column}::text, 15, 1) = '4' AS is_random_uuid"
        first = self._left_out(world, dict(world.base), "")
        return Change((first, self._left_out(world, dict(world.twin), returning)))

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is forbidden."""
        raise AssertionError(self, worlds)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No default, or another one."""
        return default_mutants(catalog, self.table, self.column)

    def owns(self, refusal: Refusal) -> bool:
        """NULL where the default should have stood."""
        return refusal.sqlstate == NOT_NULL_VIOLATION and refusal.column == self.column.name

    def present(self, worlds: Worlds) -> bool:
        """Whether the live column has this default."""
        table = worlds.catalog.table(self.table)
        live = table.column(self.column.name) if table else None
        return live is not None and live.default == self.column.default


def promises(catalog: Catalog) -> Iterator[Default]:
    """One for every column with a default."""
    for table in catalog.tables:
        for column in table.columns:
            if column.default is not None and column.generated is None and column.identity is None:
                yield Default(table.name, column)

"""A column that is left out gets the promised default: a value, the transaction's time, or something fresh."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

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

BY_DEFAULT = 30
"""The number of a parent to whom a default refers."""
_SEQUENCE = re.compile(r"nextval\(('(?:[^']|'')+'::regclass)\)")
# what migrations seeded under numbers of their own, the sequence does not know
_AHEAD = (
    "SELECT setval({sequence}, held) FROM (SELECT max({column})::bigint AS held FROM {table}) AS seeded,"
    " pg_catalog.pg_sequence AS own WHERE own.seqrelid = {sequence} AND own.seqincrement > 0"
    " AND held BETWEEN own.seqmin AND own.seqmax AND held >= coalesce(pg_sequence_last_value({sequence}), own.seqstart)"
)
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
            return self._volatile(world)
        live = world.table.column(name)
        if evaluated.value is None and live is not None and live.not_null:
            return self._nullable(world)
        first = world.shape.find({**world.base, name: evaluated.value}, fixed=frozenset([name]))
        if first is None:
            return self._without_check(world, evaluated.value)
        if (parents := self._parents(world, first)) is None:
            return Cases(world=world, missing=f"no parent was found to which the default of {name} refers")
        world = replace(world, setup=(*world.setup, *parents))
        others = [{**row, name: evaluated.value} for row in world.varied]
        good = world.shape.holds(list(world.shape.clauses.values()), others)
        rows = [first, *(row for row, holds in zip(others, good, strict=True) if holds)]
        cases = [self._same(world, row) for row in rows]
        return Cases((cases[0], self._alike(world, first)), st.sampled_from(cases), world=world)

    def _nullable(self, world: World) -> Cases:
        """In this session the default is NULL (it asks for a user, say), which is refused: NOT NULL is dropped."""
        table, name = identifier(self.table).as_string(), self.column.name
        free = Statement(f"ALTER TABLE {table} ALTER COLUMN {sql.Identifier(name).as_string()} DROP NOT NULL")
        notes = (f"with {name} nullable, since the default is NULL in this session",)
        case = self._same(world, {**world.base, name: None})
        return Cases((case,), world=replace(world, setup=(free, *world.setup)), notes=notes)

    def _without_check(self, world: World, value: Value) -> Cases:
        """The default is no value that the table's CHECKs take: it is shown without the one that refuses it."""
        name, table = self.column.name, identifier(self.table).as_string()
        for check in (c for c in world.table.checks if name in world.shape.clauses[c.name].columns):
            found = world.shape.find({**world.base, name: value}, fixed=frozenset([name]), without=[check.name])
            if found is not None:
                drop = Statement(f"ALTER TABLE {table} DROP CONSTRAINT {sql.Identifier(check.name).as_string()}")
                alone = replace(world, setup=(drop, *world.setup))
                notes = (f"without {check.name}, which refuses the default",)
                return Cases((self._same(alone, found),), world=alone, notes=notes)
        return Cases(world=world, missing=f"no row was found in which the default of {name} passes the CHECKs")

    def _parents(self, world: World, row: dict[str, Value]) -> tuple[Statement, ...] | None:
        """What makes the parents to whom the default refers, if they are not there; None where they cannot be made."""
        made: list[Statement] = []
        for fk in (f for f in world.table.foreign_keys if self.column.name in f.columns and f.enforced):
            key = dict(zip(fk.keys, (row[c] for c in fk.columns), strict=True))
            placed = (p.values for p in world.placed if p.table == fk.references)
            if None in key.values() or any(key.items() <= values.items() for values in placed):
                continue
            parent = world.made(fk.references, 0, BY_DEFAULT, key)
            if parent is None or not key.items() <= parent.items():
                return None
            insert = world.insert_into(fk.references, parent)
            # migrations may have seeded it
            made.append(replace(insert, text=f"{insert.text} ON CONFLICT DO NOTHING"))
        return tuple(made)

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

    def _volatile(self, world: World) -> Cases:
        """Something fresh is nobody's key: it is shown without the foreign keys that would look for a parent."""
        bound = [fk for fk in world.table.foreign_keys if self.column.name in fk.columns and fk.enforced]
        table = identifier(self.table).as_string()
        drops = (f"ALTER TABLE {table} DROP CONSTRAINT {sql.Identifier(fk.name).as_string()}" for fk in bound)
        alone = replace(world, setup=(*map(Statement, drops), *world.setup))
        notes = tuple(f"without {fk.name}, which refuses what has no parent" for fk in bound)
        return Cases((self._fresh(world),), world=alone, notes=notes)

    def _fresh(self, world: World) -> Change:
        """Two rows that leave it out hold two values; a sequence's are what the promised sequence gave last.

        A conflict is no error here but a row too few: a constant in place of fresh keys would meet one. Where a key
        can be deferred, there is no such thing.
        """
        name = self.column.name
        column = sql.Identifier(name).as_string()
        table = identifier(self.table).as_string()
        own = sql.Identifier(self.table.name, name).as_string()
        later = any(k.deferrable for k in world.table.keys) or any(x.deferrable for x in world.table.exclusions)
        returning = (
            f"{'' if later else ' ON CONFLICT DO NOTHING'}"
            f" RETURNING {column} IS NOT NULL AND NOT EXISTS"
            f" (SELECT FROM {table} AS other WHERE other.{column}::text = {own}::text) AS is_fresh"
        )
        expression = self.column.default or ""
        setup: tuple[Statement, ...] = ()
        if sequence := _SEQUENCE.fullmatch(expression):
            returning += f", {column} = currval({sequence.group(1)}) AS is_next"
            setup = (Statement(_AHEAD.format(sequence=sequence.group(1), column=column, table=table)),)
        if expression in _RANDOM_UUIDS:
            returning += f", substr({column}::text, 15, 1) = '4' AS is_random_uuid"
        first = self._left_out(world, dict(world.base), "")
        return Change((first, self._left_out(world, dict(world.twin), returning)), setup=setup)

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

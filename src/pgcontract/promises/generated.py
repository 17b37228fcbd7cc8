"""Generated columns: what is stored is what the expression gives for the row, and nobody can write anything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from psycopg import sql

from pgcontract.contract import column_id
from pgcontract.model import Catalog, Column, Name
from pgcontract.promises.arguments import constants
from pgcontract.promises.base import Cases, Change, Direction, Violation, gone
from pgcontract.promises.facts import asked
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.columns import generated_mutants
from pgcontract.rows.generated import named
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, Value, identifier, where
from pgcontract.rows.worlds import World, Worlds

GENERATED_ALWAYS = "428C9"


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated column's expression."""

    table: Name
    column: Column

    kind = "generated"
    directions = (Direction.ACCEPTS, Direction.REJECTS)

    @property
    def id(self) -> str:
        """``contacts.accepted_status.generated``."""
        return column_id(self.table, self.column.name, "generated")

    @property
    def clause(self) -> str:
        """``total GENERATED ALWAYS AS (…) STORED``."""
        word = "VIRTUAL" if self.column.virtual else "STORED"
        return f"{self.column.name} GENERATED ALWAYS AS ({self.column.generated}) {word}"

    def accepts(self, worlds: Worlds) -> Cases:
        """Inserted and updated rows, whatever stands in the columns that the expression speaks of."""
        world = worlds.world(self.table)
        if not world.has_column(self.column.name):
            return gone(self.table, self.column.name)
        rows = [*world.varied, *self._hinted(world)]
        always = [self._how(), *(self._inserted(world, row) for row in rows)]
        always += [change for row in rows[1:] if (change := self._updated(world, dict(world.base), row)) is not None]
        return Cases(tuple(always), self._drawn(world), world=world)

    def rejects(self, worlds: Worlds) -> Cases:
        """A value of one's own, be it even the right one, by INSERT or UPDATE."""
        world = worlds.world(self.table)
        if not world.has_column(self.column.name):
            return gone(self.table, self.column.name)
        name, shape = sql.Identifier(self.column.name).as_string(), world.shape
        value = shape.completed([world.base])[0].get(self.column.name)
        given = {**shape.explicit(world.base), self.column.name: value}
        columns = ", ".join(sql.Identifier(c).as_string() for c in given)
        values = ", ".join(f"${n}" for n in range(1, len(given) + 1))
        table = identifier(self.table).as_string()
        overriding = "OVERRIDING SYSTEM VALUE " if any(c.identity == "ALWAYS" for c in shape.columns) else ""
        insert = Statement(f"INSERT INTO {table} ({columns}) {overriding}VALUES ({values})", tuple(given.values()))
        condition, more = where(self._key(world, world.base), shape.types, start=2)
        update = Statement(f"UPDATE {table} SET {name} = $1 WHERE {condition}", (value, *more))
        states = frozenset([GENERATED_ALWAYS])
        always = (
            Violation((insert,), sqlstates=states),
            Violation((update,), (world.insert(world.base),), sqlstates=states),
        )
        return Cases(always, world=world)

    def _how(self) -> Change:
        """Stored, or computed when it is read."""
        keys = (identifier(self.table).as_string(), self.column.name)
        facts = {"is_generated": ("a.attgenerated", "v" if self.column.virtual else "s")}
        return asked("pg_catalog.pg_attribute AS a", "a.attrelid = $1::regclass AND a.attname = $2", keys, facts)

    def _returning(self) -> str:
        name = sql.Identifier(self.column.name).as_string()
        made = f"(({self.column.generated})::{self.column.type})::text"
        return f" RETURNING {name}::text IS NOT DISTINCT FROM {made} AS is_expression"

    def _inserted(self, world: World, row: dict[str, Value]) -> Change:
        given = {c: v for c, v in row.items() if c != self.column.name}
        return Change((world.insert(given, show=self._sources(world), returning=self._returning()),))

    def _updated(self, world: World, row: dict[str, Value], other: dict[str, Value]) -> Change | None:
        """The value follows when what it is made from changes."""
        changes = {c: other[c] for c in self._sources(world) if other[c] != row[c]}
        if not changes or any((c := world.table.column(name)) is not None and c.identity for name in changes):
            return None
        shape = world.shape
        assigned = ", ".join(f"{sql.Identifier(c).as_string()} = ${n}" for n, c in enumerate(changes, 1))
        condition, values = where(self._key(world, row), shape.types, start=len(changes) + 1)
        table = identifier(self.table).as_string()
        text = f"UPDATE {table} SET {assigned} WHERE {condition}{self._returning()}"
        return Change((Statement(text, (*changes.values(), *values)),), setup=(world.insert(row),))

    def _sources(self, world: World) -> tuple[str, ...]:
        speaks_of = named(self.column.generated or "", world.table)
        return tuple(c.name for c in world.shape.columns if c.name in speaks_of)

    def _key(self, world: World, row: object) -> dict[str, Value]:
        values: dict[str, Value] = dict(row)  # type: ignore[call-overload]
        primary = world.table.primary_key
        return {c: values[c] for c in (primary.columns if primary else world.shape.explicit(values))}

    def _hinted(self, world: World) -> list[dict[str, Value]]:
        """Rows with values that the expression itself names, or the live one: a CASE's branches."""
        shape, live = world.shape, world.table.column(self.column.name)
        named_there = constants(self.column.generated or "", (live.generated if live else None) or "")
        tries: list[dict[str, Value]] = []
        for column in self._sources(world):
            if not any(column in fk.columns for fk in world.table.foreign_keys):
                values = [*shape.options(column, shape.sure, most=40), *named_there]
                tries += [{**world.base, column: v} for v in values]
        kept = shape.holds(list(shape.clauses.values()), tries)
        return [row for row, holds in zip(tries, kept, strict=True) if holds]

    def _drawn(self, world: World) -> SearchStrategy[Change] | None:
        """Rows whose columns that the expression speaks of are drawn; a CHECK may refuse one, which says nothing."""
        bound = {c for fk in world.table.foreign_keys for c in fk.columns} | world.shape.key_columns
        strategies: dict[str, SearchStrategy[Value]] = {}
        for name in self._sources(world):
            column, reach = world.table.column(name), world.shape.domain(name, world.shape.sure)
            if name in bound or reach.empty or column is None:
                continue
            strategies[name] = reach.strategy if column.not_null else st.none() | reach.strategy
        if not strategies:
            return None
        return st.fixed_dictionaries(strategies).map(lambda drawn: self._inserted(world, {**world.base, **drawn}))

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """Generated no more, or otherwise."""
        del catalog
        return generated_mutants(self.table, self.column)

    def owns(self, refusal: Refusal) -> bool:
        """Only a column that is generated refuses to be given."""
        return refusal.sqlstate == GENERATED_ALWAYS

    def present(self, worlds: Worlds) -> bool:
        """Whether the live column is generated."""
        table = worlds.catalog.table(self.table)
        live = table.column(self.column.name) if table else None
        return live is not None and live.generated is not None


def promises(catalog: Catalog) -> Iterator[Generated]:
    """Every generated column."""
    for table in catalog.tables:
        for column in table.columns:
            if column.generated is not None:
                yield Generated(table.name, column)

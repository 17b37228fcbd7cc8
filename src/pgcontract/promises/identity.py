"""Identity columns: what is left out rises; ALWAYS refuses to be given, BY DEFAULT takes what is given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from pgcontract.contract import column_id
from pgcontract.model import Catalog, Column, Name
from pgcontract.promises.base import Cases, Change, Direction, Violation, gone
from pgcontract.promises.facts import asked
from pgcontract.promises.generated import GENERATED_ALWAYS
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.columns import identity_mutants
from pgcontract.promises.nullability import NOT_NULL_VIOLATION
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Row, Statement, identifier, insert, where
from pgcontract.rows.worlds import World, Worlds


@dataclass(frozen=True, slots=True)
class Identity:
    """GENERATED … AS IDENTITY."""

    table: Name
    column: Column

    kind = "identity"

    @property
    def id(self) -> str:
        """``users.id.identity``."""
        return column_id(self.table, self.column.name, "identity")

    @property
    def clause(self) -> str:
        """``id GENERATED ALWAYS AS IDENTITY``."""
        return f"{self.column.name} GENERATED {self.column.identity} AS IDENTITY"

    @property
    def directions(self) -> tuple[Direction, ...]:
        """BY DEFAULT forbids nothing."""
        always = self.column.identity == "ALWAYS"
        return (Direction.ACCEPTS, Direction.REJECTS) if always else (Direction.ACCEPTS,)

    def accepts(self, worlds: Worlds) -> Cases:
        """Two rows that leave it out hold two values, the second the sequence's step behind the first."""
        world = worlds.world(self.table)
        if not world.has_column(self.column.name):
            return gone(self.table, self.column.name)
        always = [self._how(), self._rising(world)]
        given = self._given(world)
        always += [given] if given is not None else []
        return Cases(tuple(always), world=world)

    def rejects(self, worlds: Worlds) -> Cases:
        """A value of one's own, by INSERT or UPDATE."""
        world = worlds.world(self.table)
        if not world.has_column(self.column.name):
            return gone(self.table, self.column.name)
        name, shape = self.column.name, world.shape
        row = {**self._others(world), name: world.base[name]}
        states = frozenset([GENERATED_ALWAYS])
        always = [Violation((insert(self.table, row),), sqlstates=states)]
        condition, values = where({name: world.base[name]}, shape.types, start=2)
        table, column = identifier(self.table).as_string(), sql.Identifier(name).as_string()
        update = Statement(f"UPDATE {table} SET {column} = $1 WHERE {condition}", (world.base[name], *values))
        always.append(Violation((update,), (world.insert(world.base, show=[name]),), sqlstates=states))
        return Cases(tuple(always), world=world)

    def _how(self) -> Change:
        keys = (identifier(self.table).as_string(), self.column.name)
        facts = {"is_identity": ("a.attidentity", "a" if self.column.identity == "ALWAYS" else "d")}
        return asked("pg_catalog.pg_attribute AS a", "a.attrelid = $1::regclass AND a.attname = $2", keys, facts)

    def _others(self, world: World) -> Row:
        """The row's other identities are given, or not, as the table would have it."""
        closed = {c.name for c in world.shape.columns if c.identity == "ALWAYS"}
        return {c: v for c, v in world.shape.explicit(world.base).items() if c not in closed}

    def _rising(self, world: World) -> Change:
        """The sequence stands behind all rows that are there; its steps are taken back with the rest."""
        name, table = self.column.name, identifier(self.table).as_string()
        column = sql.Identifier(name).as_string()
        sequence = (
            f"pg_catalog.pg_get_serial_sequence({sql.Literal(table).as_string()}, {sql.Literal(name).as_string()})"
        )
        one = f"FROM pg_catalog.pg_sequence AS s WHERE s.seqrelid = {sequence}::regclass"
        step = f"(SELECT s.seqincrement {one})"
        rows = [{c: v for c, v in row.items() if c != name} for row in (world.base, world.twin)]
        restart = Statement(f"ALTER TABLE {table} ALTER COLUMN {column} RESTART")
        behind = Statement(
            f"SELECT pg_catalog.setval({sequence}::regclass, t.last, true)"
            f" FROM (SELECT CASE WHEN {step} > 0 THEN max({column}) ELSE min({column}) END AS last FROM {table}) AS t"
            f" WHERE (SELECT CASE WHEN s.seqincrement > 0 THEN t.last BETWEEN s.seqstart AND s.seqmax"
            f" ELSE t.last BETWEEN s.seqmin AND s.seqstart END {one})"
        )
        own = sql.Identifier(self.table.name, name).as_string()
        returning = (
            f" RETURNING {column} = pg_catalog.currval({sequence}::regclass) AS is_of_its_sequence,"
            f" EXISTS (SELECT FROM {table} AS other WHERE other.{column} = {own} - {step}) AS is_next"
        )
        first = world.insert(rows[0])
        return Change((restart, behind, first, world.insert(rows[1], returning=returning)))

    def _given(self, world: World) -> Change | None:
        """BY DEFAULT takes a value as any column does; ALWAYS when it is told to."""
        name, shape = self.column.name, world.shape
        explicit = {**shape.explicit(world.base), name: world.base[name]}
        overriding = self.column.identity == "ALWAYS" or any(
            c.identity == "ALWAYS" and c.name in explicit and c.name != name for c in shape.columns
        )
        column = sql.Identifier(name).as_string()
        returning = f" RETURNING {column}::text = ${len(explicit) + 1} AS same_value"
        extra = (world.base[name],)
        return Change((insert(self.table, explicit, returning=returning, extra=extra, overriding=overriding),))

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No identity, or the other kind of it."""
        del catalog
        return identity_mutants(self.table, self.column)

    def owns(self, refusal: Refusal) -> bool:
        """A refusal to be given, or NULL where a value should have come."""
        if refusal.sqlstate == GENERATED_ALWAYS:
            return True
        return refusal.sqlstate == NOT_NULL_VIOLATION and refusal.column == self.column.name

    def present(self, worlds: Worlds) -> bool:
        """Whether the live column is an identity of the same kind."""
        table = worlds.catalog.table(self.table)
        live = table.column(self.column.name) if table else None
        return live is not None and live.identity == self.column.identity


def promises(catalog: Catalog) -> Iterator[Identity]:
    """Every identity column."""
    for table in catalog.tables:
        for column in table.columns:
            if column.identity is not None:
                yield Identity(table.name, column)

"""Column types: boundary and drawn values come back unchanged; what is no value of the type is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from psycopg import sql

from pgcontract.contract import column_id
from pgcontract.model import Catalog, Column, Name, Reason
from pgcontract.promises.base import Cases, Change, Direction, Violation, gone
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.columns import type_mutants
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, Value, identifier, where
from pgcontract.rows.worlds import Way, World, Worlds
from pgcontract.values.types import Refused, UnknownType, space

DATA_EXCEPTION = "22"
LONGEST = 31
"""The number of a parent whose key is as long as can be."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type with its modifier."""

    table: Name
    column: Column

    kind = "column type"

    @property
    def directions(self) -> tuple[Direction, ...]:
        """A generated column is given no value that it could refuse."""
        return (Direction.ACCEPTS,) if self.column.generated is not None else (Direction.ACCEPTS, Direction.REJECTS)

    @property
    def id(self) -> str:
        """``messages.content.type``."""
        return column_id(self.table, self.column.name, "type")

    @property
    def clause(self) -> str:
        """``content text``."""
        return f"{self.column.name} {self.column.type}"

    def accepts(self, worlds: Worlds) -> Cases:
        """Every boundary that the CHECKs allow, then drawn values; each must come back as promised."""
        world = self._world(worlds)
        if not world.has_column(self.column.name):
            return gone(self.table, self.column.name)
        name = self.column.name
        if self.column.generated is not None:
            return Cases(tuple(self._made(world, row) for row in world.varied), world=world)
        # the world has parents by keys of other columns, too
        own = {fk.name for fk in world.table.foreign_keys if name in fk.columns}
        if own & world.parents.keys():
            tied = [
                {**world.base, **parent} for fk in sorted(own & world.parents.keys()) for parent in world.parents[fk]
            ]
            kept = frozenset(c for fk in world.table.foreign_keys if fk.name in own for c in fk.columns)
            # CHECKs may tie the key's columns to others
            rows = [world.shape.find(row, fixed=kept) or row for row in tied]
            return Cases((*(self._stored(world, row) for row in rows), *self._longest(world, rows[0])), world=world)
        if own & world.ways.keys():
            # what it takes to tie the two, triggers may tie otherwise
            world = self._world(worlds, quiet=True)
            ways = [way for fk in sorted(own & world.ways.keys()) for way in world.ways[fk]]
            return Cases(tuple(self._tied(world, way) for way in ways), world=world)
        host = world.host(name)
        if host is None:
            return Cases(world=world, missing=f"no row with a value in {name} was found that passes the CHECKs")
        if host[name] is None:
            return Cases((self._stored(world, host),), world=world)
        values = dict.fromkeys([host[name], *(v for v in world.values(name, host) if v is not None)])
        live = world.table.column(name)
        if live is not None and live.type != self.column.type:
            # worlds know the live type's boundaries
            values |= dict.fromkeys(space(self.column.type, worlds.catalog).boundaries)
        always = tuple(self._stored(world, {**host, name: v}) for v in values)
        strategy = world.shape.domain(name, world.shape.sure).strategy
        return Cases(always, strategy.map(lambda v: self._stored(world, {**host, name: v})), world=world)

    def rejects(self, worlds: Worlds) -> Cases:
        """Literals that are too long, out of range, or none of the type."""
        world = self._world(worlds)
        if not world.has_column(self.column.name):
            return gone(self.table, self.column.name)
        try:
            values = space(self.column.type, worlds.catalog)
        except UnknownType as error:
            return Cases(world=world, missing=error.what, reason=Reason.UNKNOWN_TYPE)
        always = tuple(self._refused(world, refused) for refused in values.refused)
        drawn = values.drawn_refused
        if not always and drawn is None:
            return Cases(world=world, missing=f"no literal is known that {self.column.type} refuses")
        return Cases(always, drawn.map(lambda r: self._refused(world, r)) if drawn is not None else None, world=world)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """A type that takes a little more, or less."""
        del catalog
        if self.column.generated is None:
            yield from type_mutants(self.table, self.column)

    def owns(self, refusal: Refusal) -> bool:
        """Data exceptions name no column; only this one's value is out of the ordinary, if no function fails at it."""
        return refusal.sqlstate.startswith(DATA_EXCEPTION) and not refusal.within

    def present(self, worlds: Worlds) -> bool:
        """Whether the live column is there with the same type."""
        table = worlds.catalog.table(self.table)
        live = table.column(self.column.name) if table else None
        return live is not None and live.type == self.column.type

    def _world(self, worlds: Worlds, *, quiet: bool = False) -> World:
        table = worlds.shape(self.table).table
        needed = frozenset(fk for fk in table.foreign_keys if self.column.name in fk.columns)
        return worlds.world(self.table, needed, quiet=quiet)

    def _stored(self, world: World, row: dict[str, Value]) -> Change:
        name = self.column.name
        explicit = world.shape.explicit(row)
        count = len({**explicit, name: None})
        column = sql.Identifier(name).as_string()
        returning = (
            f" RETURNING {column}::text IS NOT DISTINCT FROM (${count + 1}::{self.column.type})::text AS same_value,"
            f" pg_typeof({column}) = ${count + 2}::regtype AS same_type"
        )
        statement = world.insert(row, show=[name], returning=returning, extra=(row[name], self.column.type))
        return Change((statement,), guard=partial(self._guard, world, row))

    def _longest(self, world: World, row: dict[str, Value]) -> Iterator[Change]:
        """A row that refers to a parent with as long a key as the type takes: others' keys are short."""
        foreign_keys = [fk for fk in world.table.foreign_keys if self.column.name in fk.columns]
        if "(" not in self.column.type or len(foreign_keys) != 1:
            return
        (fk,) = foreign_keys
        theirs = world.shape_of(fk.references).table.column(fk.keys[fk.columns.index(self.column.name)])
        if theirs is None or theirs.type != self.column.type:
            return
        try:
            value = max(space(self.column.type, world.catalog).boundaries, key=len)
        except UnknownType:
            return
        child = {**row, self.column.name: value}
        key = {k: child[c] for c, k in zip(fk.columns, fk.keys, strict=True)}
        parent = world.made(fk.references, 0, LONGEST, key)
        if parent is None or not key.items() <= parent.items():
            return
        if world.shape.holds(list(world.shape.clauses.values()), [child])[0]:
            yield replace(self._stored(world, child), setup=(world.insert_into(fk.references, parent),))

    def _tied(self, world: World, way: Way) -> Change:
        """A row that comes to its parent in a way of its own; what is stored is looked at afterwards."""
        name, shape = self.column.name, world.shape
        column, table = sql.Identifier(name).as_string(), identifier(self.table).as_string()
        primary = world.table.primary_key
        key = {c: way.child[c] for c in (primary.columns if primary else shape.explicit(way.child))}
        condition, values = where(key, shape.types, start=3)
        read = (
            f"SELECT {column}::text IS NOT DISTINCT FROM ($1::{self.column.type})::text AS same_value,"
            f" pg_typeof({column}) = $2::regtype AS same_type FROM {table} WHERE {condition}"
        )
        return Change((*way.acts, Statement(read, (way.child[name], self.column.type, *values))), way.setup)

    def _made(self, world: World, row: dict[str, Value]) -> Change:
        """What a generated column holds is of the type; its value is another promise."""
        name = self.column.name
        count = len(world.shape.explicit(row))
        returning = (
            f" RETURNING pg_typeof({sql.Identifier(name).as_string()}) = ${count + 1}::regtype AS same_type, ("
            # with its schema or without: that hangs on the session; which type it is, is told before
            "SELECT regexp_replace(format_type(atttypid, atttypmod), '^.*\\.', '')"
            f" = regexp_replace(${count + 2}, '^.*\\.', '')"
            " FROM pg_catalog.pg_attribute"
            f" WHERE attrelid = ${count + 3}::regclass AND attname = ${count + 4}) AS same_modifier"
        )
        extra = (self.column.type, self.column.type, identifier(self.table).as_string(), name)
        return Change((world.insert(row, returning=returning, extra=extra),), guard=partial(self._fits, world, row))

    def _fits(self, world: World, row: dict[str, Value]) -> Statement:
        """True where what the other columns make is of the generated columns' types: a product may be too large."""
        return self._evaluated(world, row, self._generated(world))

    def _guard(self, world: World, row: dict[str, Value]) -> Statement:
        """True where CHECKs, generated columns and indexes can be evaluated: they may not read all values."""
        tests = [f"({c.expression}) IS NOT FALSE" for c in world.shape.clauses.values()]
        return self._evaluated(world, row, [*tests, *self._generated(world)])

    def _generated(self, world: World) -> list[str]:
        types = {c.name: c.type for c in world.table.columns} | {self.column.name: self.column.type}
        made = [f"({c.generated})::{types[c.name]}" for c in world.table.columns if c.generated]
        keys = [f"({k.expression})" for index in world.table.indexes for k in index.keys if k.column is None]
        return [f"({expression} IS NULL) IS NOT NULL" for expression in (*made, *keys)]

    def _evaluated(self, world: World, row: dict[str, Value], tests: list[str]) -> Statement:
        types = {**world.shape.types, self.column.name: self.column.type}
        given = ", ".join(f"${n}::{types[c]} AS {sql.Identifier(c).as_string()}" for n, c in enumerate(row, 1))
        alias = sql.Identifier(self.table.name).as_string()
        all_ = " AND ".join(tests) or "true"
        return Statement(f"SELECT {all_} FROM (SELECT {given}) AS {alias}", tuple(row.values()))

    def _refused(self, world: World, refused: Refused) -> Violation:
        name = self.column.name
        statement = world.insert({**world.base, name: refused.literal}, show=[name])
        return Violation((statement,), sqlstates=frozenset([refused.sqlstate]))


def promises(catalog: Catalog) -> Iterator[ColumnType]:
    """The type of every column."""
    for table in catalog.tables:
        for column in table.columns:
            yield ColumnType(table.name, column)

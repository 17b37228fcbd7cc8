"""Foreign keys: an existing parent is accepted, and NULL as MATCH says; a parent that is not there is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, product

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from psycopg import sql

from pgcontract.contract import constraint_id
from pgcontract.model import Catalog, ForeignKey, Name
from pgcontract.promises.base import Cases, Change, Direction, Violation, gone
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.constraints import foreign_key_mutants
from pgcontract.promises.weaker import weaker
from pgcontract.rows.generated import is_null
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.shape import clause
from pgcontract.rows.statements import Row, Statement, Value, identifier
from pgcontract.rows.ways import immediate, taken
from pgcontract.rows.worlds import World, Worlds

FOREIGN_KEY_VIOLATION = "23503"
NOBODY = 7
"""The number of a fresh key value that no row of a world has."""
MOST_TRIED = 2000
MOST_ORPHANS = 200
MOST_REPAIRED = 12
MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key's promise that a parent exists."""

    table: Name
    foreign_key: ForeignKey

    kind = "foreign key"
    directions = (Direction.ACCEPTS, Direction.REJECTS)

    @property
    def id(self) -> str:
        """``messages.fk_messages_conversation``."""
        return constraint_id(self.table, self.foreign_key.name)

    @property
    def clause(self) -> str:
        """``FOREIGN KEY (…) REFERENCES …``."""
        fk = self.foreign_key
        match = " MATCH FULL" if fk.match_full else ""
        valid = "" if fk.validated else " NOT VALID"
        return f"FOREIGN KEY ({', '.join(fk.columns)}) REFERENCES {fk.references} ({', '.join(fk.keys)}){match}{valid}"

    def accepts(self, worlds: Worlds) -> Cases:
        """Either twin's parent; NULL in each nullable column (in all of them at once, for MATCH FULL)."""
        world = self._world(worlds)
        if (lost := self._lost(world)) is not None:
            return gone(self.table, lost)
        changes = [
            Change((*way.acts, *self._at_once()), way.setup) for way in world.ways.get(self.foreign_key.name, ())
        ]
        rows = self._with_nulls(world)
        good = [r for r, holds in zip(rows, self._holds(world, rows), strict=True) if holds]
        changes += [self._change(world, row) for row in good]
        if not changes:
            return Cases(world=world, missing="no row with an existing parent was found that passes the CHECKs")
        return Cases(tuple(changes), st.sampled_from(changes), world=world, notes=weaker(self.foreign_key))

    def rejects(self, worlds: Worlds) -> Cases:
        """Keys that no parent has, while every other foreign key of the table is satisfied."""
        world = self._world(worlds)
        if (lost := self._lost(world)) is not None:
            return gone(self.table, lost)
        good, rivals = self._breaking(world)
        if not good:
            return Cases(world=world, missing="no row was found that breaks this foreign key and no other")
        always = tuple(self._violation(world, row) for row in good)
        table = identifier(self.table).as_string()
        drops = (f"ALTER TABLE {table} DROP CONSTRAINT {sql.Identifier(f.name).as_string()}" for f in rivals)
        alone = replace(world, setup=(*map(Statement, drops), *world.setup))
        notes = tuple(f"without {rival.name}, which refuses the same rows first" for rival in rivals)
        return Cases(always, self._drawn(world, good[0]), world=alone, notes=notes)

    def _breaking(self, world: World) -> tuple[list[dict[str, Value]], list[ForeignKey]]:
        """Rows that break this foreign key; with others that they break as well, where none breaks this one alone."""
        fk = self.foreign_key
        rest = [f for f in world.table.foreign_keys if f.name != fk.name and f.enforced]
        own = set(world.shape.sources(fk.columns))
        apart = [f for f in rest if own.isdisjoint(world.shape.sources(f.columns))]
        # a CHECK may tie its columns to those of others
        for kept in (rest, apart, []):
            if good := self._orphaned(world, kept)[:MOST_SHOWN]:
                return good, [f for f in rest if not all(self._satisfied(world, f, row) for row in good)]
        return [], []

    def _orphaned(self, world: World, rest: Sequence[ForeignKey]) -> list[dict[str, Value]]:
        """Rows that pass the CHECKs and break this foreign key, but none of the ``rest``."""
        rows = list(islice(self._orphans(world, rest), MOST_ORPHANS))
        good = [r for r, holds in zip(rows, self._holds(world, rows), strict=True) if holds]
        if good:
            return good
        # CHECKs may tie the key's columns to others
        kept = frozenset(world.shape.sources(self.foreign_key.columns))
        found = (world.shape.find(row, fixed=kept) for row in rows[:MOST_REPAIRED])
        return [r for r in found if r is not None and all(self._satisfied(world, f, r) for f in rest)]

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No foreign key, one of a pair less, or to another table."""
        return foreign_key_mutants(catalog, self.table, self.foreign_key)

    def owns(self, refusal: Refusal) -> bool:
        """23503 by this name."""
        return refusal.sqlstate == FOREIGN_KEY_VIOLATION and refusal.constraint == self.foreign_key.name

    def present(self, worlds: Worlds) -> bool:
        """Whether the live table has a foreign key of this name."""
        table = worlds.catalog.table(self.table)
        return table is not None and any(fk.name == self.foreign_key.name for fk in table.foreign_keys)

    def _world(self, worlds: Worlds) -> World:
        """With triggers off where one makes the parent of each row: it would be there whatever the key is."""
        world = worlds.world(self.table, frozenset([self.foreign_key]))
        if self.foreign_key.references in world.unmade:
            world = worlds.world(self.table, frozenset([self.foreign_key]), quiet=True)
        return world

    def _parents(self, world: World) -> tuple[Row, ...]:
        return world.parents.get(self.foreign_key.name, ())

    def _holds(self, world: World, rows: list[dict[str, Value]]) -> list[bool]:
        return world.shape.holds(list(world.shape.clauses.values()), rows)

    def _lost(self, world: World) -> str | None:
        """A column of the key that the live table has no more."""
        return next((c for c in self.foreign_key.columns if not world.has_column(c)), None)

    def _with_nulls(self, world: World) -> list[dict[str, Value]]:
        """Rows with NULL in one of the key's columns; for MATCH FULL in all."""
        fk = self.foreign_key
        nullable = [c for c in fk.columns if (column := world.table.column(c)) and not column.not_null]
        ways = [w.child for w in world.ways.get(fk.name, ()) if w.plain]
        start = dict(ways[0] if ways else world.base)
        together = [nullable] if len(nullable) == len(fk.columns) else []
        sets = together if fk.match_full else [[c] for c in nullable]
        found = []
        for columns in sets:
            plain = {c for c in columns if c in world.shape.names}
            computed = [clause(is_null(c), world.table, want=True) for c in columns if c not in plain]
            row = {**start, **dict.fromkeys(plain)}
            kept = frozenset(c for c in fk.columns if c in world.shape.names)
            found += [world.shape.find(row, computed, fixed=kept) if computed else row]
        return [row for row in found if row is not None]

    def _orphans(self, world: World, rest: Sequence[ForeignKey]) -> Iterator[dict[str, Value]]:
        """Rows whose key is nobody's: fresh values, values of the two parents mixed, NULLs where MATCH FULL forbids."""
        fk = self.foreign_key
        columns = world.shape.sources(fk.columns)
        options = [self._tried(world, column) for column in columns]
        bases = [dict(world.base)]
        bases += [
            {**world.base, c: None}
            for f in rest
            for c in f.columns
            if c not in fk.columns and c in world.shape.names and self._nullable(world, c)
        ]
        tries = ({**base, **dict(zip(columns, key, strict=True))} for base, key in product(bases, product(*options)))
        for row in world.shape.completed(list(islice(tries, MOST_TRIED))):
            if self._satisfied(world, fk, row) or not all(self._satisfied(world, f, row) for f in rest):
                continue
            if not taken(world, world.table, row):
                yield row

    def _tried(self, world: World, column: str) -> list[Value]:
        """Values of one column of the key, or of one that a generated column of it is made from."""
        values: list[Value] = [world.base[column]]
        if column in self.foreign_key.columns:
            fresh = world.shape.domain(column, world.shape.sure).fresh(NOBODY)
            ways = [w.child[column] for w in world.ways.get(self.foreign_key.name, ()) if not w.before]
            values = [*ways, *(p[column] for p in self._parents(world)), *values]
            values += [world.twin[column]] + ([fresh] if fresh is not None else [])
            values += world.shape.hashed(world.base, column)[:MOST_SHOWN]
            if fresh is None:
                # few values: those that no parent happens to have
                values += world.shape.options(column, world.shape.sure)
        else:
            values += world.shape.options(column, world.shape.sure)
        values += [None] if self._nullable(world, column) else []
        return list(dict.fromkeys(values))

    @staticmethod
    def _nullable(world: World, column: str) -> bool:
        found = world.table.column(column)
        return found is not None and not found.not_null

    def _satisfied(self, world: World, fk: ForeignKey, row: Row) -> bool:
        values = tuple(row.get(c) for c in fk.columns)
        missing = [v is None for v in values]
        if all(missing) or (any(missing) and not fk.match_full):
            return True
        if any(missing):
            return False
        rows = [p.values for p in world.placed if p.table == fk.references]
        if fk.references == self.table:
            rows.append(row)
        return any(tuple(parent.get(k) for k in fk.keys) == values for parent in rows)

    def _drawn(self, world: World, row: dict[str, Value]) -> SearchStrategy[Change] | None:
        """The orphan's key with one column drawn, which no other foreign key shares."""
        fk = self.foreign_key
        shared = {c for f in world.table.foreign_keys if f.name != fk.name for c in f.columns}
        own = (c for c in fk.columns if c not in shared and c in world.shape.names and row[c] is not None)
        column = next(own, None)
        if column is None:
            return None
        reach = world.shape.domain(column, world.shape.sure)
        if reach.empty:
            return None
        taken = {p.values.get(k) for p in world.placed if p.table == fk.references for k in fk.keys}
        values = reach.strategy.filter(lambda v: v not in taken)
        return values.map(lambda v: self._violation(world, {**row, column: v}))

    def _change(self, world: World, row: dict[str, Value]) -> Change:
        return Change((world.insert(row, show=self.foreign_key.columns), *self._at_once()))

    def _violation(self, world: World, row: dict[str, Value]) -> Violation:
        return Violation(
            (world.insert(row, show=self.foreign_key.columns), *self._at_once()),
            guard=self._guard(world, row),
            sqlstates=frozenset([FOREIGN_KEY_VIOLATION]),
            constraint=self.foreign_key.name,
        )

    def _at_once(self) -> tuple[Statement, ...]:
        return (immediate(self.table, self.foreign_key.name),) if self.foreign_key.deferrable else ()

    def _guard(self, world: World, row: dict[str, Value]) -> Callable[[], Statement]:
        return partial(_orphan, world, self.foreign_key, row)


def _orphan(world: World, fk: ForeignKey, row: Mapping[str, Value]) -> Statement:
    """True where no parent has the row's key, or none of its parents does for some of its period."""
    tests = [
        f"{sql.Identifier(k).as_string()} = ${n}::{world.shape.types[c]}"
        for n, (c, k) in enumerate(zip(fk.columns, fk.keys, strict=True), 1)
    ]
    parent, values = identifier(fk.references).as_string(), tuple(row[c] for c in fk.columns)
    if not fk.period:
        return Statement(f"SELECT NOT EXISTS (SELECT FROM {parent} WHERE {' AND '.join(tests)})", values)
    period = sql.Identifier(fk.keys[-1]).as_string()
    covered = f"range_agg({period}) @> ${len(tests)}::{world.shape.types[fk.columns[-1]]}"
    condition = " AND ".join(tests[:-1]) or "true"
    return Statement(f"SELECT (SELECT {covered} FROM {parent} WHERE {condition}) IS NOT TRUE", values)


def promises(catalog: Catalog) -> Iterator[Reference]:
    """Every foreign key that PostgreSQL enforces."""
    for table in catalog.tables:
        for fk in table.foreign_keys:
            if fk.enforced:
                yield Reference(table.name, fk)

"""Foreign keys: an existing parent is accepted, and NULL as MATCH says; a parent that is not there is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice, product

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from psycopg import sql

from pgcontract.contract import constraint_id
from pgcontract.model import Catalog, ForeignKey, Name
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Row, Statement, Value, identifier
from pgcontract.rows.worlds import World, Worlds

FOREIGN_KEY_VIOLATION = "23503"
IMMEDIATE = Statement("SET CONSTRAINTS ALL IMMEDIATE")
NOBODY = 7
"""The number of a fresh key value that no row of a world has."""


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
        return f"FOREIGN KEY ({', '.join(fk.columns)}) REFERENCES {fk.references} ({', '.join(fk.keys)}){match}"

    def accepts(self, worlds: Worlds) -> Cases:
        """Either twin's parent; NULL in each nullable column (in all of them at once, for MATCH FULL)."""
        world = worlds.world(self.table, frozenset([self.foreign_key]))
        rows = [{**world.base, **parent} for parent in self._parents(world)]
        rows += self._with_nulls(world)
        good = [r for r, holds in zip(rows, self._holds(world, rows), strict=True) if holds]
        if not good:
            return Cases(world=world, missing="no row with an existing parent was found that passes the CHECKs")
        changes = [self._change(world, row) for row in good]
        return Cases(tuple(changes), st.sampled_from(changes), world=world)

    def rejects(self, worlds: Worlds) -> Cases:
        """Keys that no parent has, while every other foreign key of the table is satisfied."""
        world = worlds.world(self.table, frozenset([self.foreign_key]))
        rows = list(islice(self._orphans(world), 200))
        good = [r for r, holds in zip(rows, self._holds(world, rows), strict=True) if holds]
        if not good:
            return Cases(world=world, missing="no row was found that breaks this foreign key and no other")
        always = tuple(self._violation(world, row) for row in good[:12])
        return Cases(always, self._drawn(world, good[0]), world=world)

    def owns(self, refusal: Refusal) -> bool:
        """23503 by this name."""
        return refusal.sqlstate == FOREIGN_KEY_VIOLATION and refusal.constraint == self.foreign_key.name

    def present(self, worlds: Worlds) -> bool:
        """Whether the live table has a foreign key of this name."""
        table = worlds.catalog.table(self.table)
        return table is not None and any(fk.name == self.foreign_key.name for fk in table.foreign_keys)

    def _parents(self, world: World) -> tuple[Row, ...]:
        return world.parents.get(self.foreign_key.name, ())

    def _holds(self, world: World, rows: list[dict[str, Value]]) -> list[bool]:
        return world.shape.holds(list(world.shape.clauses.values()), rows)

    def _with_nulls(self, world: World) -> Iterator[dict[str, Value]]:
        fk = self.foreign_key
        nullable = [c for c in fk.columns if (column := world.table.column(c)) and not column.not_null]
        if fk.match_full:
            if len(nullable) == len(fk.columns):
                yield {**world.base, **dict.fromkeys(fk.columns)}
            return
        for parent in self._parents(world)[:1]:
            yield from ({**world.base, **parent, c: None} for c in nullable)

    def _orphans(self, world: World) -> Iterator[dict[str, Value]]:
        """Rows whose key is nobody's: fresh values, values of the two parents mixed, NULLs where MATCH FULL forbids."""
        fk = self.foreign_key
        parents = self._parents(world)
        options = []
        for column in fk.columns:
            found = world.table.column(column)
            fresh = world.shape.domain(column, world.shape.sure).fresh(NOBODY)
            values: list[Value] = [*(p[column] for p in parents), world.base.get(column)]
            values += [fresh] if fresh is not None else []
            values += [None] if found is not None and not found.not_null else []
            options.append(list(dict.fromkeys(values)))
        rest = [f for f in world.table.foreign_keys if f.name != fk.name]
        bases = [dict(world.base)]
        bases += [
            {**world.base, c: None} for f in rest for c in f.columns if c not in fk.columns and self._nullable(world, c)
        ]
        for base, key in product(bases, product(*options)):
            row = {**base, **dict(zip(fk.columns, key, strict=True))}
            if not self._satisfied(world, fk, row) and all(self._satisfied(world, f, row) for f in rest):
                yield row

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
        own = (c for c in fk.columns if c not in shared and row[c] is not None)
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
        return (IMMEDIATE,) if self.foreign_key.deferred else ()

    def _guard(self, world: World, row: dict[str, Value]) -> Callable[[], Statement]:
        return partial(_orphan, world, self.foreign_key, row)


def _orphan(world: World, fk: ForeignKey, row: Mapping[str, Value]) -> Statement:
    """True where no parent has the row's key."""
    tests = [
        f"{sql.Identifier(k).as_string()} = ${n}::{world.shape.types[c]}"
        for n, (c, k) in enumerate(zip(fk.columns, fk.keys, strict=True), 1)
    ]
    parent = identifier(fk.references).as_string()
    return Statement(
        f"SELECT NOT EXISTS (SELECT FROM {parent} WHERE {' AND '.join(tests)})", tuple(row[c] for c in fk.columns)
    )


def promises(catalog: Catalog) -> Iterator[Reference]:
    """Every foreign key that PostgreSQL enforces."""
    for table in catalog.tables:
        for fk in table.foreign_keys:
            if fk.enforced and not fk.period:
                yield Reference(table.name, fk)

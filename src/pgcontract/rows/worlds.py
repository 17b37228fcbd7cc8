"""Worlds: the rows that must exist around a row under test, planned from the live catalog, parents first.

A world holds every ancestor twice: a row under test can then be told from its twin, which shares nothing with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pgcontract.model import Catalog, Column, ForeignKey, Name, Table
from pgcontract.rows.oracle import Evaluated, Oracle
from pgcontract.rows.shape import Shape, Unbuildable
from pgcontract.rows.statements import Row, Statement, Value, insert

TWINS = (0, 1)
UNIQUE_VIOLATION = "23505"
ATTEMPTS = 4
STRIDE = 10
"""How often a world is planned anew with other key values, because rows that migrations seeded were in the way."""


@dataclass(frozen=True)
class Placed:
    """A row of a world: all its values, as planned."""

    table: Name
    values: Row
    statement: Statement


@dataclass(frozen=True)
class World:
    """The row under test (``base``), another that shares nothing with it (``twin``), and what must exist for both.

    ``placed`` are the ancestors' rows in the order of their insertion, both twins'.
    """

    shape: Shape
    placed: tuple[Placed, ...]
    base: Row
    twin: Row
    parents: Mapping[str, tuple[Row, Row]]
    """For each foreign key that was asked for: the values of its columns that refer to either twin's parent."""

    @property
    def table(self) -> Table:
        """The live table under test."""
        return self.shape.table

    @property
    def catalog(self) -> Catalog:
        """The live catalog."""
        return self.shape.catalog

    @cached_property
    def setup(self) -> tuple[Statement, ...]:
        """What inserts the ancestors."""
        return tuple(p.statement for p in self.placed)

    def insert(
        self, row: Row, *, show: Sequence[str] = (), returning: str = "", extra: tuple[Value, ...] = ()
    ) -> Statement:
        """INSERT a row as a person would write it; columns in ``show`` stand even where a default says the same."""
        explicit = self.shape.explicit(row)
        shown = {c: v for c, v in row.items() if c in explicit or c in show}
        return insert(self.table.name, shown, returning=returning, extra=extra)

    def has_column(self, name: str) -> bool:
        """Whether the live table has such a column."""
        return self.table.column(name) is not None

    def values(self, column: str, row: Row) -> tuple[Value, ...]:
        """What may stand in one column of the row, boundaries first: other values, and NULL; each was evaluated."""
        tries = [{**row, column: value} for value in self._values(column, row)]
        kept = self.shape.holds(list(self.shape.clauses.values()), tries)
        return tuple(one[column] for one, good in zip(tries, kept, strict=True) if good)

    def host(self, column: str) -> dict[str, Value] | None:
        """The base row, or one near it in which the column is not NULL; None where none was found."""
        if self.base[column] is not None:
            return dict(self.base)
        for value in self._values(column, self.base):
            found = None if value is None else self.shape.find({**self.base, column: value}, fixed=frozenset([column]))
            if found is not None:
                return found
        return None

    def _values(self, column: str, row: Row) -> Iterator[Value]:
        found = self.table.column(column)
        reach = self.shape.domain(column, self.shape.sure)
        if reach.empty or found is None:
            return
        values = dict.fromkeys((reach.simplest, *reach.boundaries, *reach.hints, None))
        yield from (v for v in values if v != row[column] and not (v is None and found.not_null))

    @cached_property
    def varied(self) -> tuple[dict[str, Value], ...]:
        """The base row, and rows that differ from it in one column that is no parent's key; each was evaluated."""
        bound = {c for fk in self.table.foreign_keys for c in fk.columns}
        free = [c.name for c in self.shape.columns if c.name not in bound]
        tries = [{**self.base, c: v} for c in free for v in self._values(c, self.base)]
        kept = self.shape.holds(list(self.shape.clauses.values()), tries)
        return (dict(self.base), *(one for one, good in zip(tries, kept, strict=True) if good))


@dataclass
class Worlds:
    """Plans worlds for one live catalog. ``offset`` moves all key values away from rows that are there already.

    ``roles`` maps a role's name in the contract to its name on this server, where that is another.
    """

    catalog: Catalog
    oracle: Oracle
    roles: Mapping[str, str] = field(default_factory=dict)
    offset: int = 0
    _shapes: dict[Name, Shape] = field(default_factory=dict)
    _worlds: dict[tuple[Name, frozenset[ForeignKey]], World | Unbuildable] = field(default_factory=dict)

    def shape(self, name: Name) -> Shape:
        """What is known of a table's rows.

        Raises Unbuildable where there is no such table.
        """
        if name not in self._shapes:
            table = self.catalog.table(name)
            if table is None:
                raise Unbuildable("the table is gone", where=str(name))
            shape = Shape(table, self.catalog, self.oracle)
            with_default = [c for c in shape.columns if c.default is not None]
            values = self.oracle.evaluate([(c.default or "NULL", c.type) for c in with_default])
            shape.defaults = {c.name: v for c, v in zip(with_default, values, strict=True)}
            self._shapes[name] = shape
        return self._shapes[name]

    def world(self, name: Name, foreign_keys: frozenset[ForeignKey] = frozenset()) -> World:
        """The world of a table's rows; by ``foreign_keys`` parents must exist, too, be they nullable or gone.

        Raises Unbuildable with the reason.
        """
        key = name, foreign_keys
        if key not in self._worlds:
            try:
                self._worlds[key] = self._plan(name, foreign_keys)
            except Unbuildable as error:
                self._worlds[key] = error
        found = self._worlds[key]
        if isinstance(found, Unbuildable):
            raise found
        return found

    def _plan(self, name: Name, foreign_keys: frozenset[ForeignKey]) -> World:
        for attempt in range(ATTEMPTS):
            world = self._draft(name, foreign_keys)
            refusal = self.oracle.refusal([*world.setup, world.insert(world.base)])
            if refusal is None:
                return world
            if refusal.sqlstate != UNIQUE_VIOLATION or attempt == ATTEMPTS - 1:
                where = world.placed[refusal.position].table if refusal.position < len(world.placed) else name
                raise Unbuildable(f"no row could be inserted into {where}: {refusal}", where=str(name))
            # rows that migrations seeded are in the way: other keys, further off each time
            self.offset = (self.offset + len(TWINS)) * STRIDE
        raise AssertionError(name)

    def _draft(self, name: Name, foreign_keys: frozenset[ForeignKey]) -> World:
        shape = self.shape(name)
        required = {fk.name: fk for fk in shape.table.foreign_keys if self._required(shape.table, fk)}
        wanted = list((required | {fk.name: fk for fk in foreign_keys}).values())
        ancestors: dict[Name, None] = {}
        for fk in wanted:
            if fk.references != name:
                self._ancestors(fk.references, ancestors, (name,))
        rows: dict[tuple[Name, int], Row] = {}
        placed: list[Placed] = []
        for twin in TWINS:
            for ancestor in ancestors:
                rows[ancestor, twin] = self._row(ancestor, twin, rows)
        if any(fk.references == name for fk in wanted):
            # a row that refers to its own table has elders there, whose keys are not the row's own
            rows |= {(name, twin): self._row(name, twin, rows, number=len(TWINS) + twin) for twin in TWINS}
        for (ancestor, _), row in rows.items():
            placed.append(Placed(ancestor, row, insert(ancestor, self.shape(ancestor).explicit(row))))
        base, twin_row = (self._row(name, twin, rows) for twin in TWINS)
        parents = {
            fk.name: tuple(dict(zip(fk.columns, _key(rows[fk.references, t], fk), strict=True)) for t in TWINS)
            for fk in wanted
        }
        return World(shape, tuple(placed), base, twin_row, {k: (v[0], v[1]) for k, v in parents.items()})

    def _required(self, table: Table, fk: ForeignKey) -> bool:
        """Whether every row has a parent by this key: all of its columns are NOT NULL."""
        columns = [table.column(c) for c in fk.columns]
        return all(c is not None and c.not_null for c in columns)

    def _ancestors(self, name: Name, found: dict[Name, None], path: tuple[Name, ...]) -> None:
        """Add the table's ancestors and then the table: parents first."""
        if name in found:
            return
        if name in path:
            chain = " → ".join(map(str, (*path[path.index(name) :], name)))
            raise Unbuildable(f"a cycle of NOT NULL foreign keys: {chain}", where=str(name))
        table = self.shape(name).table
        for fk in table.foreign_keys:
            if self._required(table, fk) and fk.references != name:
                self._ancestors(fk.references, found, (*path, name))
        found[name] = None

    def _row(
        self, name: Name, twin: int, rows: Mapping[tuple[Name, int], Row], *, number: int | None = None
    ) -> dict[str, Value]:
        """One valid row. In order of preference: parents' keys, distinct keys, defaults, NULLs, simplest values."""
        shape = self.shape(name)
        row: dict[str, Value] = {}
        fixed: set[str] = set()
        for column in shape.columns:
            row[column.name] = self._value(shape, column, self.offset + (twin if number is None else number))
        for fk in shape.table.foreign_keys:
            if not self._required(shape.table, fk):
                continue
            parent = row if fk.references == name else rows[fk.references, twin]
            row |= dict(zip(fk.columns, _key(parent, fk), strict=True))
            fixed |= set(fk.columns)
        found = shape.find(row, fixed=frozenset(fixed))
        if found is None and fixed:
            found = self._crossed(shape, row, twin, rows, frozenset(fixed))
        if found is None:
            raise Unbuildable("no row was found that passes all CHECKs", where=str(name))
        return self._unlike(shape, found) if twin else found

    def _crossed(
        self, shape: Shape, row: Row, twin: int, rows: Mapping[tuple[Name, int], Row], fixed: frozenset[str]
    ) -> dict[str, Value] | None:
        """Parents of the two twins mixed: two references to one table may have to differ."""
        for fk in shape.table.foreign_keys:
            other = rows.get((fk.references, 1 - twin))
            if other is not None and self._required(shape.table, fk):
                crossed = {**row, **dict(zip(fk.columns, _key(other, fk), strict=True))}
                found = shape.find(crossed, fixed=fixed)
                if found is not None:
                    return found
        return None

    def _value(self, shape: Shape, column: Column, number: int) -> Value:
        reach = shape.domain(column.name, shape.sure)
        evaluated = shape.defaults.get(column.name, Evaluated(None, volatile=False))
        required = column.not_null or reach.null == "excluded"
        if column.name in shape.key_columns or evaluated.volatile:
            fresh = reach.fresh(number)
            if fresh is not None and (required or column.name in shape.key_columns):
                return fresh
        if not evaluated.volatile and evaluated.value is not None:
            return evaluated.value
        if not required:
            return None
        if reach.simplest is None:
            raise Unbuildable(
                f"no value was found for column {column.name} of type {column.type}", where=str(shape.table.name)
            )
        return reach.simplest

    def _unlike(self, shape: Shape, row: Row) -> dict[str, Value]:
        """The twin made to differ in as many columns as it may, so that no key that is added goes unnoticed."""
        current = dict(row)
        clauses = list(shape.clauses.values())
        bound = {c for fk in shape.table.foreign_keys for c in fk.columns}
        for column in shape.columns:
            if column.name in bound | shape.key_columns:
                continue
            reach = shape.domain(column.name, shape.sure)
            options = [v for v in (reach.simplest, *reach.boundaries) if v is not None and v != current[column.name]][
                :4
            ]
            tries = [{**current, column.name: v} for v in options]
            good = (t for t, holds in zip(tries, shape.holds(clauses, tries), strict=True) if holds)
            current = next(good, current)
        return current


def _key(parent: Row, fk: ForeignKey) -> tuple[Value, ...]:
    return tuple(parent.get(k) for k in fk.keys)

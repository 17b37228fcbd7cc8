"""The stage of a trigger: rows that its table, its parents and those who write to it hold, stale on purpose.

Rows are put there with the triggers off, so that derived columns and stamps hold what no trigger would leave there:
what a trigger does to them shows. Stamps lie long ago, or after the transaction's ``now()``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random

from psycopg import sql

from pgcontract.model import Catalog, Column, ForeignKey, Name, Table, Trigger
from pgcontract.promises.definitions import switched
from pgcontract.rows.changes import key_of
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.shape import Unbuildable
from pgcontract.rows.statements import Row, Statement, Value, identifier, update, where
from pgcontract.rows.terrain import Field, Terrain, mentioned
from pgcontract.rows.worlds import TWINS, World, Worlds

CLOCK = "pgcontract.clock"
"""A setting that holds a time after the transaction's now(), and the same one as long as the rows stay."""
IMMEDIATE = Statement("SET CONSTRAINTS ALL IMMEDIATE")
MOST_ROWS = 14
MOST_NEW = 9
FEW = 3
MOST_PER_COLUMN = 6
WATCHED = 40
FIRST = 20
"""Numbers of keys below are the world's own."""
LONG_AGO = ("2001-02-03 04:05:06+00", "2003-02-01 06:05:04+00", "2005-01-02 03:04:05+00")
MIDDLING = ("23", "17", "5", "2002-03-04 05:06:07+00", "2004-05-06 07:08:09+00")
"""Values far from any boundary, so that a trigger can count from them in either direction."""


@dataclass(frozen=True)
class Stage:
    """Rows that are there, rows that might come, and what puts the former there.

    ``rows`` and ``new`` are by table, as the database shows them. ``words`` are the names that the trigger's function
    and those of the tables that write to this one speak of. ``watched`` are the tables that are looked at afterwards.
    """

    table: Table
    terrain: Terrain
    prepared: tuple[Statement, ...]
    rows: Mapping[Name, tuple[Row, ...]]
    new: Mapping[Name, tuple[Row, ...]]
    words: frozenset[str]
    writers: tuple[Name, ...]
    watched: tuple[Table, ...]

    def field(self, name: Name) -> Field:
        """What is known of the values of a table that rows were made for."""
        found = self.terrain.field(name)
        assert found is not None
        return found

    def relevant(self, name: Name) -> tuple[str, ...]:
        """The columns that may be written and that functions speak of; all of them where that tells nothing."""
        names = [c for c in self.field(name).pools if c in self.words]
        return tuple(names or self.field(name).pools)

    def stamps(self, name: Name) -> tuple[Column, ...]:
        """The columns that hold when something happened to the row."""
        return tuple(c for c in self.field(name).table.columns if stamp(c))


@dataclass
class Near(Terrain):
    """The tables around a trigger alone: its own, those who write to it, and whatever they descend from."""

    near: frozenset[Name] = frozenset()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables whose rows a client writes."""
        return tuple(t for t in super().tables if t.name in self.near)


def stamp(column: Column) -> bool:
    """Whether a column holds a time that is now() where nothing is said."""
    default = (column.default or "").lower()
    now = any(word in default for word in ("now()", "current_timestamp", "transaction_timestamp", "localtimestamp"))
    return now and column.type.startswith("timestamp") and column.generated is None


def stage(worlds: Worlds, name: Name, texts: Sequence[str]) -> Stage:
    """Put rows around a table. ``texts`` are SQL that tells what matters: its trigger's function and condition.

    Raises Unbuildable with the reason.
    """
    root = root_of(worlds.catalog, name)
    words = mentioned(*texts, *_bodies(worlds.catalog, (root,)))
    terrain = Near(worlds, words, near=_lineage(worlds.catalog, (name, root)))
    for wanted in {name: None, root: None}:
        if terrain.field(wanted) is None:
            raise Unbuildable(terrain.refused[wanted], where=str(wanted))
    return _Builder(worlds, terrain, name, root).stage()


def _bodies(catalog: Catalog, tables: Sequence[Name]) -> list[str]:
    """The bodies of the functions that these tables' triggers call."""
    called = {t.function for n in tables if (table := catalog.table(n)) is not None for t in table.triggers}
    return [f.body for f in catalog.functions if f.name in called]


def root_of(catalog: Catalog, name: Name) -> Name:
    """The table whose rows need all others: one that descends from this one and writes to it by triggers, or itself."""
    return next((w for w in _writers(catalog, name) if name in _lineage(catalog, (w,))), name)


def _writers(catalog: Catalog, name: Name) -> tuple[Name, ...]:
    """Other tables whose triggers speak of this one."""
    others = (t.name for t in catalog.tables if t.name != name and t.triggers)
    return tuple(other for other in others if name.name in mentioned(*_bodies(catalog, (other,))))


def _lineage(catalog: Catalog, names: Sequence[Name]) -> frozenset[Name]:
    """These tables, and all that their rows may refer to, directly or further up."""
    seen = set(names)
    waiting = list(names)
    while waiting:
        table = catalog.table(waiting.pop())
        above = {fk.references for fk in table.foreign_keys} if table is not None else set()
        waiting += above - seen
        seen |= above
    return frozenset(seen)


class _Builder:
    """Makes one stage."""

    def __init__(self, worlds: Worlds, terrain: Terrain, name: Name, root: Name) -> None:
        self._worlds = worlds
        self._terrain = terrain
        self._name = name
        self._root = root
        self._world = self._around(root)
        self._number = FIRST

    def stage(self) -> Stage:
        catalog = self._worlds.catalog
        tables = list(dict.fromkeys([self._name, self._root]))
        off = [self._switch(n, t, on=False) for n, t in self._triggers()]
        on = [self._switch(n, t, on=True) for n, t in self._triggers()]
        clock = Statement(f"SELECT pg_catalog.set_config('{CLOCK}', pg_catalog.clock_timestamp()::text, true)")
        setup = [clock, *off, *self._world.setup]
        kept: dict[Name, list[Row]] = {}
        new: dict[Name, list[Row]] = {}
        placing: list[Statement] = []
        for name in tables:
            field = self._field(name)
            candidates = list(self._candidates(name))
            inserts = [field.shape.insert(row, show=tuple(row)) for row in candidates]
            good = self._accepted([*setup, *placing], inserts)
            if len(good) < FEW:
                # where there is room for few, they are others than the plain one
                candidates = [*candidates[1:], candidates[0]]
                inserts = [*inserts[1:], inserts[0]]
                good = self._accepted([*setup, *placing], inserts)
            # those that are only to come pass the CHECKs as well, and meet no key of those that are there
            split = max(1, min(2, len(good) - 1), len(good) - MOST_NEW)
            placed, later = good[:split], good[split:]
            placing += [inserts[n] for n in placed]
            kept[name] = [candidates[n] for n in placed]
            new[name] = [candidates[n] for n in later] or [candidates[n] for n in good[-1:]]
        stale = self._accepted_statements([*setup, *placing], list(self._stale(kept)))
        prepared = (*setup, *placing, *stale, *self._at_once(), *on)
        refused = self._worlds.oracle.refusal(prepared)
        if refused is not None:
            raise Unbuildable(f"the rows around the trigger were refused: {refused}", where=str(self._name))
        watched = self._watched()
        table = catalog.table(self._name)
        assert table is not None
        rows = {t.name: self._read(prepared, t) for t in watched}
        writers = tuple(n for n in tables if n != self._name)
        found = {n: tuple(r) for n, r in new.items()}
        return Stage(table, self._terrain, prepared, rows, found, self._terrain.words, writers, watched)

    def _around(self, root: Name) -> World:
        """The root's world with a parent by every foreign key, where there is such a world."""
        table = self._worlds.catalog.table(root)
        keys = frozenset(fk for fk in table.foreign_keys if fk.references != root) if table is not None else frozenset()
        try:
            return self._worlds.world(root, keys)
        except Unbuildable:
            return self._worlds.world(root)

    def _field(self, name: Name) -> Field:
        found = self._terrain.field(name)
        assert found is not None
        return found

    def _triggers(self) -> list[tuple[Name, Trigger]]:
        """The triggers of all tables that get rows, but for those that are off."""
        names = dict.fromkeys([*(p.table for p in self._world.placed), self._name, self._root])
        found = ((n, self._worlds.catalog.table(n)) for n in names)
        return [(n, t) for n, table in found if table for t in table.triggers if t.enabled != "DISABLED"]

    @staticmethod
    def _switch(name: Name, trigger: Trigger, *, on: bool) -> Statement:
        return switched(name, trigger, on=on)

    def _candidates(self, name: Name) -> Iterator[Row]:
        """Valid rows that differ in what matters, of either twin's parents by turns; the plain one first."""
        field = self._field(name)
        linked = {c for fk in _upward(field) for c in fk.columns}
        keys = field.shape.key_columns
        free = [c for c in field.pools if c not in linked | keys]
        matter = [c for c in free if self._terrain.matters(c)] or free
        # each column goes through all of its values before one comes again, in an order of its own
        turns = [_again_and_again(self._options(field, c), Random(n)) for n, c in enumerate(matter)]
        for turn in range(MOST_ROWS + MOST_NEW):
            values = [next(t) for t in turns]
            # most rows differ in all that has an order, so that what is greatest or least belongs to one parent
            values = [_step(field.column(c), turn) or v if turn % 4 else v for c, v in zip(matter, values, strict=True)]
            if turn == MOST_ROWS + MOST_NEW - 1:
                # conditions on several columns at once are most often about what is not there
                values = [None if None in field.pools[c] else v for c, v in zip(matter, values, strict=True)]
            row = {**field.base, **dict(zip(matter, values, strict=True))}
            for column in keys - linked:
                fresh = field.fresh(column, self._number)
                row[column] = row[column] if fresh is None else fresh
            self._number += 1
            row |= self._parents(name, TWINS[turn % 3 == 1])
            yield field.shape.find(row, fixed=frozenset(linked | keys)) or row

    def _options(self, field: Field, column: str) -> tuple[Value, ...]:
        found = field.column(column)
        pool = [v for v in field.pools[column] if v != field.base.get(column)]
        spread = pool[:: max(1, len(pool) // 4)][:4]
        dated: list[Value] = list(LONG_AGO) if found.type.startswith("timestamp") else []
        return tuple(dict.fromkeys([field.base.get(column), *dated, *spread[: 4 - len(dated) // 2]]))

    def _parents(self, name: Name, twin: int) -> dict[str, Value]:
        """What a row of this table refers to the twin's parents by, as far as they are there."""
        field = self._field(name)
        found: dict[str, Value] = {}
        for fk in _upward(field):
            rows = [p.values for p in self._world.placed if p.table == fk.references]
            if rows and fk.references != name:
                parent = rows[min(twin, len(rows) - 1)]
                found |= {c: parent[k] for c, k in zip(fk.columns, fk.keys, strict=True) if c in field.pools}
        return found

    def _accepted(self, setup: Sequence[Statement], statements: Sequence[Statement]) -> list[int]:
        """Which of these statements pass one after the other."""
        kept = list(range(len(statements)))
        while kept:
            refused = self._worlds.oracle.refusal([*setup, *(statements[n] for n in kept)])
            if refused is None:
                break
            if refused.position < len(setup):
                raise Unbuildable(f"the rows around the trigger were refused: {refused}", where=str(self._name))
            del kept[refused.position - len(setup)]
        return kept

    def _accepted_statements(self, setup: Sequence[Statement], statements: Sequence[Statement]) -> list[Statement]:
        return [statements[n] for n in self._accepted(setup, statements)]

    def _stale(self, kept: Mapping[Name, Sequence[Row]]) -> Iterator[Statement]:
        """Stamps after now() in every other row, and what functions speak of moved away from the truth in parents."""
        for name, rows in kept.items():
            for row in rows[::2]:
                yield from self._restamped(self._field(name).table, row)
        turn: dict[Name, int] = {}
        for placed in self._world.placed:
            table = self._worlds.catalog.table(placed.table)
            assert table is not None
            number = turn[placed.table] = turn.get(placed.table, -1) + 1
            yield from self._derived(table, placed.values, number)
            if number % 2:
                yield from self._restamped(table, placed.values)

    @staticmethod
    def _restamped(table: Table, row: Row) -> Iterator[Statement]:
        return (assigned(table, c.name, clock(c), key_of(table, row)) for c in table.columns if stamp(c))

    def _derived(self, table: Table, row: Row, number: int) -> Iterator[Statement]:
        shape = self._worlds.shape(table.name)
        linked = {c for fk in table.foreign_keys for c in fk.columns} | shape.key_columns
        for column in shape.columns:
            if column.name in linked or not self._terrain.matters(column.name) or column.name not in row:
                continue
            middling = MIDDLING if number % 2 == 0 else MIDDLING[::-1]
            types = {c.name: c.type for c in table.columns}
            for value in middling:
                one = update(table.name, {column.name: value}, key_of(table, row), types)
                setup = [*self._world.setup, one]
                if self._worlds.oracle.refusal(setup) is None:
                    yield one
                    break

    def _at_once(self) -> list[Statement]:
        """All that is deferred is looked at, since ALTER TABLE wants nothing pending; then it is deferred again."""
        catalog = self._worlds.catalog
        names = [(t.name, c.name) for t in catalog.tables for c in _deferred(t)]
        if not names:
            return []
        listed = ", ".join(sql.Identifier(t.namespace, c).as_string() for t, c in names)
        return [IMMEDIATE, Statement(f"SET CONSTRAINTS {listed} DEFERRED")]

    def _watched(self) -> tuple[Table, ...]:
        """The tables whose rows may come to differ: all of them, or in a large schema those around."""
        catalog = self._worlds.catalog
        tables = [t for t in catalog.tables if t.partition_of is None and t.foreign_server is None and t.columns]
        if len(tables) <= WATCHED:
            return tuple(tables)
        near = {self._name, self._root, *(p.table for p in self._world.placed)}
        near |= {t.name for t in tables if t.name.name in self._terrain.words}
        near |= {fk.references for t in tables if t.name in near for fk in t.foreign_keys}
        near |= {child.name for name in (self._name, self._root) for child, _ in catalog.referencing(name)}
        return tuple(t for t in tables if t.name in near)

    def _read(self, prepared: tuple[Statement, ...], table: Table) -> tuple[Row, ...]:
        columns = [c.name for c in table.columns]
        listed = ", ".join(f"{sql.Identifier(c).as_string()}::text" for c in columns)
        (found,) = self._worlds.oracle.tried(
            prepared, [(Statement(f"SELECT {listed} FROM {identifier(table.name).as_string()}"),)]
        )
        if isinstance(found, Refusal):
            raise Unbuildable(f"the table cannot be read: {found}", where=str(table.name))
        return tuple(
            {c: None if f is None else f.decode() for c, f in zip(columns, fields, strict=True)} for fields in found
        )


def _upward(field: Field) -> list[ForeignKey]:
    """The foreign keys to rows that are there before the row; not one back to a row that hangs on it.

    Such a one holds the row's own key, and a column that is NULL at first.
    """
    own = set(field.table.primary_key.columns) if field.table.primary_key else set()

    def back(fk: ForeignKey) -> bool:
        rest = [field.column(c) for c in fk.columns if c not in own]
        return len(rest) < len(fk.columns) and any(not c.not_null for c in rest)

    return [fk for fk in field.table.foreign_keys if not back(fk)]


def clock(column: Column) -> str:
    """An expression for a time after now()."""
    return f"pg_catalog.current_setting('{CLOCK}')::timestamptz::{column.type}"


def assigned(table: Table, column: str, expression: str, key: Row) -> Statement:
    """UPDATE one row's column to an expression."""
    condition, values = where(key, {c.name: c.type for c in table.columns})
    name = sql.Identifier(column).as_string()
    return Statement(f"UPDATE {identifier(table.name).as_string()} SET {name} = {expression} WHERE {condition}", values)


def _step(column: Column, number: int) -> Value:
    """The n-th of a row of values that are no boundary, in no order; None for a type of other kinds of values."""
    mixed = 3 + number * 37 % 101
    if column.type.startswith("timestamp"):
        return (
            f"2001-02-03 04:{mixed % 60:02}:{mixed // 60:02}+00"
            if number % 2
            else f"200{number % 7}-02-03 0{mixed // 60}:{mixed % 60:02}:00+00"
        )
    return str(mixed) if column.type in ("smallint", "integer", "bigint") or column.type.startswith("numeric") else None


def extremes(column: Column) -> list[Value]:
    """Values beyond all that the rows hold, and still far from any boundary."""
    if column.type.startswith("timestamp"):
        return ["2020-05-06 07:08:09+00", "1990-05-06 07:08:09+00"]
    return ["1000"] if column.type in ("integer", "bigint") or column.type.startswith("numeric") else []


def _again_and_again(options: Sequence[Value], random: Random) -> Iterator[Value]:
    """The first one, then all of them in one order after the other."""
    yield options[0]
    while True:
        yield from random.sample(options, len(options))


def _deferred(table: Table) -> Iterator[ForeignKey | Trigger]:
    yield from chain(
        (fk for fk in table.foreign_keys if fk.deferred),
        (t for t in table.triggers if t.deferred),
    )

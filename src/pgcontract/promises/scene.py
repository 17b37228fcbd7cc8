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
from pgcontract.promises.definitions import switched_back, switched_off
from pgcontract.rows.changes import key_of
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.refusals import told
from pgcontract.rows.shape import Unbuildable
from pgcontract.rows.statements import Row, Statement, Value, identifier, update, where
from pgcontract.rows.terrain import Field, Terrain, mentioned
from pgcontract.rows.worlds import TWINS, World, Worlds

CLOCK = "pgcontract.clock"
"""A setting that holds a time after the transaction's now(), and the same one as long as the rows stay."""
IMMEDIATE = Statement("SET CONSTRAINTS ALL IMMEDIATE")
MOST_ROWS = 14
MOST_NEW = 9
MOST_PARENTS = 6
FEW = 3
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
    beside = _beside(worlds.catalog, (name, root), mentioned(*texts))
    terrain = Near(worlds, words, near=_lineage(worlds.catalog, (name, root, *beside)))
    for wanted in {name: None, root: None}:
        if terrain.field(wanted) is None:
            raise terrain.refused[wanted]
    found = tuple(n for n in beside if terrain.field(n) is not None)
    return _Builder(worlds, terrain, name, root, found).stage()


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


def _beside(catalog: Catalog, names: Sequence[Name], words: frozenset[str]) -> tuple[Name, ...]:
    """Tables that a function speaks of and that have the same parents: what is kept beside the rows, such as counts."""
    above = _lineage(catalog, names)
    others = [t for t in catalog.tables if t.name not in above and t.name.name in words and t.foreign_keys]
    return tuple(t.name for t in others if _lineage(catalog, (t.name,)) <= {*above, t.name})


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

    def __init__(self, worlds: Worlds, terrain: Terrain, name: Name, root: Name, beside: Sequence[Name]) -> None:
        self._worlds = worlds
        self._terrain = terrain
        self._name = name
        self._root = root
        self._beside = beside
        self._world = self._around(root)
        self._number = FIRST
        self._others: dict[Name, list[Row]] = {}

    def stage(self) -> Stage:
        catalog = self._worlds.catalog
        tables = list(dict.fromkeys([*self._more_parents(), *self._beside, self._name, self._root]))
        triggers = self._triggers()
        off, on = ([switched_off(triggers)], [switched_back()]) if triggers else ([], [])
        clock = Statement(f"SELECT pg_catalog.set_config('{CLOCK}', pg_catalog.clock_timestamp()::text, true)")
        setup = [clock, *off, *self._world.setup]
        kept: dict[Name, list[Row]] = {}
        new: dict[Name, list[Row]] = {}
        placing: list[Statement] = []
        for name in tables:
            field = self._field(name)
            most = MOST_ROWS if name in (self._name, self._root) else MOST_PARENTS
            candidates = list(self._candidates(name, most + MOST_NEW))
            inserts = [field.shape.insert(row, show=tuple(row)) for row in candidates]
            good = self._accepted([*setup, *placing], inserts)
            if len(good) < FEW:
                # where there is room for few, they are others than the plain one
                candidates = [*candidates[1:], candidates[0]]
                inserts = [*inserts[1:], inserts[0]]
                good = self._accepted([*setup, *placing], inserts)
            # those that are only to come pass the CHECKs as well, and meet no key of those that are there
            split = max(1, len(good) - min(MOST_NEW, len(good) // 2))
            placed, later = (good[:split], good[split:]) if most == MOST_ROWS else (good[:most], good)
            self._others[name] = [candidates[n] for n in placed[1:]]
            placing += [inserts[n] for n in placed]
            kept[name] = [candidates[n] for n in placed]
            new[name] = [candidates[n] for n in later] or [candidates[n] for n in good[-1:]]
        stale = self._accepted_statements([*setup, *placing], list(self._stale(kept)))
        prepared = (*setup, *placing, *stale, *self._at_once(), *on)
        refused = self._worlds.oracle.refusal(prepared)
        if refused is not None:
            raise self._unbuildable(refused)
        watched = self._watched()
        table = catalog.table(self._name)
        assert table is not None
        rows = {t.name: self._read(prepared, t) for t in watched}
        writers = () if self._root == self._name else (self._root,)
        found = {n: tuple(r) for n, r in new.items()}
        return Stage(table, self._terrain, prepared, rows, found, self._terrain.words, writers, watched)

    def _around(self, root: Name) -> World:
        """The root's world with a parent by every foreign key, where there is such a world."""
        table = self._worlds.catalog.table(root)
        keys = frozenset(fk for fk in table.foreign_keys if fk.references != root) if table is not None else frozenset()
        try:
            return self._worlds.world(root, keys, firing=True)
        except Unbuildable:
            return self._worlds.world(root, firing=True)

    def _field(self, name: Name) -> Field:
        found = self._terrain.field(name)
        assert found is not None
        return found

    def _triggers(self) -> list[tuple[Name, str]]:
        """The triggers of all tables that get rows, but for those that are off."""
        names = dict.fromkeys([*(p.table for p in self._world.placed), *self._beside, self._name, self._root])
        found = ((n, self._worlds.catalog.table(n)) for n in names)
        return [(n, t.name) for n, table in found if table for t in table.triggers if t.enabled != "DISABLED"]

    def _more_parents(self) -> Iterator[Name]:
        """The parents: of one there are some of each kind, since what is done to them hangs on how they are."""
        for name in (self._name, self._root):
            for fk in _upward(self._field(name)):
                if fk.references not in (self._name, self._root) and self._terrain.field(fk.references) is not None:
                    yield fk.references

    def _candidates(self, name: Name, most: int) -> Iterator[Row]:
        """Valid rows that differ in what matters, of one parent and the other by turns; the plain one first."""
        field = self._field(name)
        linked = {c for fk in _upward(field) for c in fk.columns}
        keys = field.shape.key_columns
        free = [c for c in field.pools if c not in linked | keys]
        matter = [c for c in free if self._terrain.matters(c)] or free
        # each column goes through all of its values before one comes again, in an order of its own
        turns = [_again_and_again(self._options(field, c), Random(n)) for n, c in enumerate(matter)]
        for turn in range(most):
            values = [next(t) for t in turns]
            # most rows differ in all that has an order, so that what is greatest or least belongs to one parent
            values = [
                self._varied(field.column(c), turn, n, v, counted=name not in (self._name, self._root))
                for n, (c, v) in enumerate(zip(matter, values, strict=True))
            ]
            if turn == most - 1:
                # conditions on several columns at once are most often about what is not there
                values = [None if None in field.pools[c] else v for c, v in zip(matter, values, strict=True)]
            row = {**field.base, **dict(zip(matter, values, strict=True))}
            for column in keys - linked:
                fresh = field.fresh(column, self._number)
                row[column] = row[column] if fresh is None else fresh
            self._number += 1
            row |= self._parents(name, turn)
            # what CHECKs ask of other columns gives way before what matters does
            tied = frozenset(linked | keys)
            yield field.shape.find(row, fixed=tied | set(matter)) or field.shape.find(row, fixed=tied) or row

    @staticmethod
    def _varied(column: Column, turn: int, number: int, otherwise: Value, *, counted: bool) -> Value:
        step = _step(column, turn)
        # what is counted beside the rows must have room in either direction
        if counted and column.not_null and extremes(column) and not column.type.startswith("timestamp"):
            return step
        if turn % 4 == 0:
            return otherwise
        # whether it is there matters more than when it was
        if not column.not_null and (turn + number) % 3:
            return None if extremes(column) else otherwise
        return step or otherwise

    def _options(self, field: Field, column: str) -> tuple[Value, ...]:
        found = field.column(column)
        pool = [v for v in field.pools[column] if v != field.base.get(column)]
        spread = pool[:: max(1, len(pool) // 4)][:4]
        dated: list[Value] = list(LONG_AGO) if found.type.startswith("timestamp") else []
        return tuple(dict.fromkeys([field.base.get(column), *dated, *spread[: 4 - len(dated) // 2]]))

    def _parents(self, name: Name, turn: int) -> dict[str, Value]:
        """What a row of this table refers to its parents by, as far as they are there.

        Keys that share columns refer to rows that agree in them; others are free of each other.
        """
        found: dict[str, Value] = {}
        pools = self._field(name).pools
        for number, together in enumerate(_sharing(_upward(self._field(name)))):
            twin = TWINS[turn % 3 == 1] if number == 0 else TWINS[(turn // 2 + number) % 3 == 1]
            tied: dict[str, Value] = {}
            for fk in together:
                rows = [p.values for p in self._world.placed if p.table == fk.references]
                if not rows or fk.references == name:
                    continue
                plain = rows[min(twin, len(rows) - 1)]
                others = self._others.get(fk.references, [])
                # the plain one in two of three turns, if it can be
                inclined = [*others[turn // 3 % len(others) :], *others] if others and turn % 3 == 2 else []
                fitting = [r for r in (*inclined, plain, *others) if _agree(fk, r, tied)]
                parent = fitting[0] if fitting else plain
                tied |= {c: parent[k] for c, k in zip(fk.columns, fk.keys, strict=True) if c in pools}
            found |= tied
        return found

    def _unbuildable(self, refused: Refusal) -> Unbuildable:
        reason, detail = told(refused, self._worlds.catalog)
        return Unbuildable(f"the rows around the trigger were refused: {detail}", where=str(self._name), reason=reason)

    def _accepted(self, setup: Sequence[Statement], statements: Sequence[Statement]) -> list[int]:
        """Which of these statements pass one after the other."""
        kept = list(range(len(statements)))
        while kept:
            refused = self._worlds.oracle.refusal([*setup, *(statements[n] for n in kept)])
            if refused is None:
                break
            if refused.position < len(setup):
                raise self._unbuildable(refused)
            del kept[refused.position - len(setup)]
        return kept

    def _accepted_statements(self, setup: Sequence[Statement], statements: Sequence[Statement]) -> list[Statement]:
        return [statements[n] for n in self._accepted(setup, statements)]

    def _stale(self, kept: Mapping[Name, Sequence[Row]]) -> Iterator[Statement]:
        """Stamps after now() in every other row, and what functions speak of moved away from the truth in parents."""
        for name, rows in kept.items():
            for row in rows[::2]:
                yield from self._restamped(self._field(name).table, row)
        yield from self._back(kept)
        turn: dict[Name, int] = {}
        for placed in self._world.placed:
            table = self._worlds.catalog.table(placed.table)
            assert table is not None
            number = turn[placed.table] = turn.get(placed.table, -1) + 1
            yield from self._derived(table, placed.values, number)
            if number % 2:
                yield from self._restamped(table, placed.values)

    def _back(self, kept: Mapping[Name, Sequence[Row]]) -> Iterator[Statement]:
        """What refers back to rows that hang on it, refers to one of them; every other such row to none."""
        parents = [(p.table, p.values) for p in self._world.placed]
        parents += [(name, row) for name, rows in kept.items() for row in rows]
        for number, (name, row) in enumerate(parents):
            table = self._worlds.catalog.table(name)
            assert table is not None
            types = {c.name: c.type for c in table.columns}
            for fk in table.foreign_keys if number % 3 != 1 and self._terrain.field(name) is not None else ():
                if fk in _upward(self._field(name)):
                    continue
                own = {c: k for c, k in zip(fk.columns, fk.keys, strict=True) if row.get(c) is not None}
                hanging = [r for r in kept.get(fk.references, ()) if all(r[k] == row[c] for c, k in own.items())]
                for child in hanging[number % 2 :][:1]:
                    there = {c: child[k] for c, k in zip(fk.columns, fk.keys, strict=True) if c not in own}
                    if there:
                        yield update(name, there, key_of(table, row), types)

    @staticmethod
    def _restamped(table: Table, row: Row) -> Iterator[Statement]:
        return (assigned(table, c.name, clock(c), key_of(table, row)) for c in table.columns if stamp(c))

    def _derived(self, table: Table, row: Row, number: int) -> Iterator[Statement]:
        shape = self._worlds.shape(table.name)
        linked = {c for fk in table.foreign_keys for c in fk.columns} | shape.key_columns
        for column in shape.columns:
            if column.name in linked or not self._terrain.matters(column.name) or column.name not in row:
                continue
            # where there is no room for more, one can still be taken away
            middling: Sequence[Value] = (*(MIDDLING if number % 2 == 0 else MIDDLING[::-1]), "1")
            if number % 2 and not column.not_null and not extremes(column):
                # whether something is there is what functions ask of what has no order
                middling = (None,)
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


def _sharing(keys: Sequence[ForeignKey]) -> list[list[ForeignKey]]:
    """Foreign keys grouped by the columns that they share, directly or by way of others."""
    groups: list[list[ForeignKey]] = []
    for fk in keys:
        joined = [g for g in groups if any(set(fk.columns) & set(other.columns) for other in g)]
        groups = [g for g in groups if g not in joined]
        groups.append([*chain.from_iterable(joined), fk])
    return groups


def _agree(fk: ForeignKey, parent: Row, tied: Row) -> bool:
    """Whether a row that is tied to some values can refer to this parent."""
    return all(tied.get(c, parent[k]) == parent[k] for c, k in zip(fk.columns, fk.keys, strict=True))


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
        return ["2020-05-06 07:08:09+00", "2100-05-06 07:08:09+00", "1990-05-06 07:08:09+00"]
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

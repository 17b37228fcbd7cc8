"""Keys and unique indexes: a second row with the same key is refused; one that differs in a key column is not.

Where another key is implied (UNIQUE (id, user_id) beside PRIMARY KEY (id)), that one fires first and no row can break
this one alone. Then the evidence is the conflict itself: an INSERT … ON CONFLICT that names this key as its arbiter
does nothing, although every other key would raise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from hypothesis.strategies import SearchStrategy
from psycopg import sql

from pgcontract.contract import constraint_id
from pgcontract.model import Catalog, Index, IndexKey, Key, Name, Table
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.constraints import key_mutants, unique_index_mutants
from pgcontract.promises.partition_keys import InPartition, begins_in_stand_ins, names_in_partitions
from pgcontract.rows.generated import inlined
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.shape import Clause, always_true, clause, index_columns
from pgcontract.rows.statements import Statement, Value, identifier
from pgcontract.rows.ways import immediate, orderly
from pgcontract.rows.worlds import Placed, World, Worlds

UNIQUE_VIOLATION = "23505"
MOST_FRESH = 8
SIBLING = 16
"""The number of a parent that is made beside the first row's."""

Rows = tuple[dict[str, Value], dict[str, Value]]


@dataclass(frozen=True, slots=True)
class Unique:
    """A PRIMARY KEY, a UNIQUE constraint or a unique index."""

    table: Name
    name: str
    kind: str
    clause: str
    keys: tuple[IndexKey, ...]
    predicate: str | None
    nulls_not_distinct: bool
    constraint: bool
    deferred: bool = False

    directions = (Direction.ACCEPTS, Direction.REJECTS)

    @property
    def id(self) -> str:
        """``users.idx_users_email``."""
        return constraint_id(self.table, self.name)

    def accepts(self, worlds: Worlds) -> Cases:
        """Rows that differ in one key column, that hold NULL in one, or of which one is outside the predicate."""
        world, inside = self._world(worlds)
        changes: list[Change] = []
        drawn: SearchStrategy[Change] | None = None
        for column in self._columns(world):
            for pair, before in self._apart(world, inside, column):
                changes.append(self._both(world, pair, before))
                drawn = self._draw_apart(world, pair, column) if drawn is None else drawn
        if inside is not None:
            pairs = list(self._outside(world, inside))
            if not pairs and not (changes and always_true(inside, world.table)):
                return Cases(world=world, missing="no row was found outside the predicate with the same key")
            changes += [self._both(world, pair) for pair in pairs]
        if not self.nulls_not_distinct:
            changes += [self._both(world, pair) for pair in self._with_null(world, inside)]
        notes = () if changes else ("no two rows were found that differ in this key alone: shown by ON CONFLICT",)
        if (alike := self._alike(world, inside)) is not None and self._inferable(world):
            changes.append(self._conflict(world, alike, self._inferred))
        if not changes:
            return Cases(world=world, missing="no two rows were found that differ in this key alone")
        return Cases(tuple(changes), drawn, world=world, notes=notes)

    def rejects(self, worlds: Worlds) -> Cases:
        """Two rows with the same key, alike in nothing else that may differ."""
        world, inside = self._world(worlds)
        pair = self._alike(world, inside)
        if pair is None:
            return Cases(world=world, missing="no two rows were found with the same key")
        if (other := self._implied_by(world, pair)) is not None and self._inferable(world):
            by_name = f"ON CONSTRAINT {sql.Identifier(self.name).as_string()}"
            change = self._conflict(world, pair, by_name if self.constraint else self._inferred)
            note = f"implied by {other}: shown by ON CONFLICT on this key alone"
            return Cases((change,), world=world, notes=(note,))
        always = [self._violation(world, p) for p in (pair, *self._also_alike(world, inside, pair))]
        if self.nulls_not_distinct:
            always += [self._violation(world, p) for p in self._with_null(world, inside)]
        alone, notes = self._without_rivals(world, always[0])
        return Cases(tuple(always), self._draw_alike(world, pair), world=alone, notes=notes)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No key, one over a column less or more, without its predicate, or with NULLs the other way."""
        table = catalog.table(self.table)
        assert table is not None
        for key in table.keys:
            if key.name == self.name:
                yield from key_mutants(table, key)
        for index in table.indexes:
            if index.name == self.name:
                yield from unique_index_mutants(table, index)

    def owns(self, refusal: Refusal) -> bool:
        """23505 by this name."""
        return refusal.sqlstate == UNIQUE_VIOLATION and refusal.constraint == self.name

    def present(self, worlds: Worlds) -> bool:
        """Whether the live table has a key or unique index of this name."""
        table = worlds.catalog.table(self.table)
        return table is not None and self.name in _uniques(table)

    def _without_rivals(self, world: World, violation: Violation) -> tuple[World, tuple[str, ...]]:
        """The world without other keys of the table that refuse these rows first: they are dropped for the time."""
        constraints = {k.name for k in world.table.keys}
        indexes = {i.name for i in world.table.indexes if i.unique}
        dropped: list[str] = []
        while world.table.partition_key is None:
            refusal = world.shape.oracle.refusal([*world.setup, *violation.setup, *violation.act])
            other = None if refusal is None or refusal.sqlstate != UNIQUE_VIOLATION else refusal.constraint
            if other is None or other == self.name or other in dropped or other not in constraints | indexes:
                break
            dropped.append(other)
            table, name = identifier(self.table).as_string(), sql.Identifier(other).as_string()
            index = identifier(Name(self.table.namespace, other)).as_string()
            on_constraint = f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE"
            drop = Statement(on_constraint if other in constraints else f"DROP INDEX {index} CASCADE")
            # before there are rows: a table with pending events is not altered
            world = replace(world, setup=(drop, *world.setup))
        return world, tuple(f"without {other}, which refuses the same rows first" for other in dropped)

    def _world(self, worlds: Worlds) -> tuple[World, Clause | None]:
        table = worlds.shape(self.table).table
        inside = clause(self.predicate, table, want=True) if self.predicate else None
        columns = set(index_columns(table, (k.column or k.expression for k in self.keys)))
        columns |= inside.columns if inside else set()
        needed = frozenset(
            fk for fk in table.foreign_keys if columns & set(worlds.shape(self.table).sources(fk.columns))
        )
        world = worlds.world(self.table, needed)
        return world, inside

    def _columns(self, world: World) -> tuple[str, ...]:
        named = index_columns(world.table, (k.column or k.expression for k in self.keys))
        return tuple(c.name for c in world.shape.columns if c.name in named)

    def _rows(self, world: World) -> Rows:
        """The base row and its twin, with parents by every foreign key that the key's columns belong to."""
        base, twin = dict(world.base), dict(world.twin)
        for first, second in world.parents.values():
            base |= first
            twin |= second
        return base, twin

    def _copied(
        self, world: World, base: Mapping[str, Value], row: Mapping[str, Value], columns: set[str]
    ) -> dict[str, Value]:
        """``row`` with these columns of ``base``, and whatever foreign keys tie to them."""
        tied = set(columns)
        grown = True
        while grown:
            grown = False
            for fk in world.table.foreign_keys:
                among = set(fk.columns)
                if among & tied and not among <= tied and all(base[c] is not None for c in fk.columns):
                    tied |= among
                    grown = True
        return {c: base[c] if c in tied else v for c, v in row.items()}

    def _found(
        self, world: World, row: Mapping[str, Value], *wishes: Clause | None, keyed: bool = True
    ) -> dict[str, Value] | None:
        """A row near this one; with the same key where it is ``keyed``."""
        key = frozenset(self._columns(world)) if keyed else frozenset()
        fixed = key | {c for fk in world.table.foreign_keys for c in fk.columns}
        wanted = [wish for wish in wishes if wish is not None]
        tries = self._with_parents_or_without(world, row, key)
        return next((r for one in tries if (r := world.shape.find(one, wanted, fixed=fixed)) is not None), None)

    @staticmethod
    def _with_parents_or_without(
        world: World, row: Mapping[str, Value], fixed: frozenset[str]
    ) -> Iterator[Mapping[str, Value]]:
        """The row; and with, or without, each parent that it need not have."""
        yield row
        bare: dict[str, Value] = {}
        for fk in world.table.foreign_keys:
            free = [c.name for c in world.shape.columns if c.name in fk.columns and not c.not_null]
            if not free or set(fk.columns) & fixed:
                continue
            yield {**row, **dict.fromkeys(free)}
            bare |= dict.fromkeys(free)
        if bare:
            yield {**row, **bare}
            for name, twins in world.parents.items():
                if not any(fk.name == name and set(fk.columns) & fixed for fk in world.table.foreign_keys):
                    yield from ({**row, **bare, **parent} for parent in twins)

    def _alike(self, world: World, inside: Clause | None) -> Rows | None:
        base, twin = self._rows(world)
        columns = set(self._columns(world))
        wishes = [*([inside] if inside else []), *self._not_null(world)]
        first = world.shape.find(base, wishes, fixed=frozenset(columns))
        if self._open(world, first):
            first = self._filled(world, base, *wishes)
        if first is None and wishes:
            # the predicate may ask for another key, or for other parents
            first = self._found(world, base, *wishes, keyed=False)
            first = None if self._open(world, first) else first
        if first is None:
            return None
        second = self._found(world, self._copied(world, first, twin, columns), inside)
        unlike = {"apart"} if self.nulls_not_distinct else {"apart", "null"}
        return None if second is None or self._keys(world, (first, second)) in unlike else (first, second)

    def _not_null(self, world: World) -> Iterator[Clause]:
        """Expressions that are NULL for some rows: no other key is compared with those."""
        expressions = (k.expression for k in self.keys if k.column not in world.shape.names)
        for text in () if self.nulls_not_distinct else expressions:
            yield clause(f"({text}) IS NULL", world.table, want=False)

    def _open(self, world: World, row: Mapping[str, Value] | None) -> bool:
        """Whether there is no row, or one whose key no other is compared with, since it holds a NULL."""
        columns = {k.column for k in self.keys if k.column in world.shape.names}
        return row is None or (any(row[c] is None for c in columns) and not self.nulls_not_distinct)

    def _also_alike(self, world: World, inside: Clause | None, pair: Rows) -> Iterator[Rows]:
        """The same key with a second row that is plain, or bare, or writes the key in the other case."""
        first, second = pair
        columns = set(self._columns(world))
        keyed = {c for names, _ in _uniques(world.table).values() for c in names}
        keyed |= columns | {c for fk in world.table.foreign_keys for c in fk.columns}
        plain = {c: first[c] for c in second if c not in keyed}
        bare: dict[str, Value] = {
            c.name: None for c in world.shape.columns if not c.not_null and c.name not in columns and c.name in second
        }
        # of plain columns a key tells the case apart
        texts = {k.column: second[k.column] for k in self.keys if k.column is not None}
        other = {c: v.swapcase() for c in columns - texts.keys() if isinstance(v := second[c], str)}
        tries = [{**second, **changes} for changes in (plain, bare, other) if changes]
        wanted = [*world.shape.clauses.values(), *([inside] if inside else [])]
        for row, good in zip(tries, world.shape.holds(wanted, tries), strict=True):
            if good and row != second and self._keys(world, (first, row)) in ("alike", None):
                yield first, row

    def _filled(self, world: World, base: Mapping[str, Value], *wishes: Clause | None) -> dict[str, Value] | None:
        """The base row with a value in every nullable key column."""
        row = dict(base)
        for column in self._columns(world):
            if row[column] is None:
                row[column] = world.shape.domain(column, world.shape.sure).fresh(0)
        if any(row[c] is None for c in self._columns(world)):
            return None
        return self._found(world, row, *wishes)

    def _apart(self, world: World, inside: Clause | None, column: str) -> Iterator[tuple[Rows, tuple[Statement, ...]]]:
        """Both rows inside the predicate, equal in every key column but one; with what else has to be there."""
        pair = self._alike(world, inside)
        if pair is None:
            return
        first, _ = pair
        _, twin = self._rows(world)
        columns = set(self._columns(world))
        other = self._copied(world, first, twin, columns - {column})
        before: tuple[Statement, ...] = ()
        if (sibling := self._sibling(world, first, column)) is not None and other[column] == first[column]:
            # a parent that shares with the first one's what both rows share
            other[column], before = sibling.values[self._key(world, column)], (sibling.statement,)
        if other[column] == first[column] or other[column] is None:
            if any(column in fk.columns for fk in world.table.foreign_keys):
                return
            reach = world.shape.domain(column, world.shape.sure)
            values = (reach.fresh(number) for number in range(1, MOST_FRESH))
            others = [{**other, column: v} for v in values if v is not None and v != first[column]]
        else:
            others = [other]
        found = (self._found(world, one, inside) for one in others)
        pairs = ((first, second) for second in found if second is not None and second[column] != first[column])
        different = (pair for pair in pairs if self._keys(world, pair) != "alike")
        yield from ((pair, before) for pair in islice(different, 1))

    def _key(self, world: World, column: str) -> str:
        """What a column refers to."""
        (fk,) = (f for f in world.table.foreign_keys if column in f.columns)
        return fk.keys[fk.columns.index(column)]

    def _sibling(self, world: World, first: Mapping[str, Value], column: str) -> Placed | None:
        """Another parent by the one composite foreign key that the column is of, like the first row's in the rest."""
        fks = [f for f in world.table.foreign_keys if column in f.columns]
        if len(fks) != 1 or len(fks[0].columns) == 1:
            return None
        shared = {k: first[c] for c, k in zip(fks[0].columns, fks[0].keys, strict=True) if c != column}
        values = world.made(fks[0].references, 1, SIBLING, shared)
        table = world.catalog.table(fks[0].references)
        if values is None or table is None or any(values[k] != v for k, v in shared.items()):
            return None
        if values[self._key(world, column)] == first[column] or not orderly(world, table, values):
            return None
        return Placed(table.name, values, world.insert_into(table.name, values))

    def _outside(self, world: World, inside: Clause) -> Iterator[Rows]:
        """The same key twice, of which one row or both are outside the predicate."""
        pair = self._alike(world, inside)
        if pair is None:
            return
        first, second = pair
        away = self._found(world, second, inside.wanting("fails"))
        if away is not None:
            yield away, first
            yield first, away
            return
        # the key itself is what the predicate speaks of: two rows outside it have another one
        away = self._found(world, first, inside.wanting("fails"), keyed=False)
        if away is None:
            return
        _, twin = self._rows(world)
        again = self._copied(world, away, twin, set(self._columns(world)))
        beside = self._found(world, again, inside.wanting("fails"))
        if beside is not None:
            yield away, beside

    def _with_null(self, world: World, inside: Clause | None) -> Iterator[Rows]:
        pair = self._alike(world, inside)
        if pair is None:
            return
        for column in self._columns(world):
            found = world.table.column(column)
            if found is None or found.not_null:
                continue
            first, second = ({**row, column: None} for row in pair)
            good = world.shape.holds([*world.shape.clauses.values(), *([inside] if inside else [])], [first, second])
            if all(good) and self._keys(world, (first, second)) in ("null", None):
                yield first, second

    def _keys(self, world: World, pair: Rows) -> str | None:
        """What two rows' keys are to each other where it takes the database to say so: they hold expressions.

        ``alike``, ``apart``, or ``null`` where some part is NULL; None where all keys are plain columns.
        """
        plain = {c.name for c in world.shape.columns}
        if all(k.column in plain for k in self.keys):
            return None
        expressions = [inlined(k.expression, world.table) for k in self.keys]
        first, second = world.shape.oracle.values(world.table, expressions, pair)
        if first is None or second is None or None in first or None in second:
            return "null"
        return "alike" if first == second else "apart"

    def _implied_by(self, world: World, pair: Rows) -> str | None:
        """Another key that these two rows break as well: it is equal in both wherever this one is."""
        equal = {c for c in pair[0] if pair[0][c] == pair[1][c] and pair[0][c] is not None}
        mine = set(self._columns(world)) | {k.column for k in self.keys if k.column is not None}
        for name, (columns, predicate) in _uniques(world.table).items():
            if name != self.name and columns and columns <= equal and columns <= mine and predicate is None:
                return name
        return None

    def _both(self, world: World, pair: Rows, before: tuple[Statement, ...] = ()) -> Change:
        columns = self._columns(world)
        first, second = (world.insert(row, show=columns) for row in pair)
        return Change((second, *self._at_once()), setup=(*before, first), guard=partial(self._unheld, world, pair[1]))

    def _unheld(self, world: World, row: Mapping[str, Value]) -> Statement:
        """True where no row that was there before, because migrations seeded it, has the row's key."""
        types = world.shape.types
        given = ", ".join(f"${n}::{types[c]} AS {sql.Identifier(c).as_string()}" for n, c in enumerate(row, 1))
        held, new = ", ".join(k.expression for k in self.keys), [inlined(k.expression, world.table) for k in self.keys]
        inside = f" WHERE {self.predicate}" if self.predicate else ""
        alias = sql.Identifier(self.table.name).as_string()
        return Statement(
            f"SELECT NOT EXISTS (SELECT {held} FROM {identifier(self.table).as_string()}{inside}"
            f" INTERSECT SELECT {', '.join(new)} FROM (SELECT {given}) AS {alias})",
            tuple(row.values()),
        )

    def _at_once(self) -> tuple[Statement, ...]:
        return (immediate(self.table, self.name),) if self.deferred else ()

    def _violation(self, world: World, pair: Rows) -> Violation:
        columns = self._columns(world)
        first, second = (world.insert(row, show=columns) for row in pair)
        if world.table.partition_key is not None:
            names = frozenset([self.name, *names_in_partitions(world.table, world.catalog, self.keys)])
            primary = self.kind == "primary key"
            begins = tuple(begins_in_stand_ins(world.table, world.catalog, self.keys, primary=primary))
            states = frozenset([UNIQUE_VIOLATION])
            return InPartition((second,), (first,), sqlstates=states, names=names, begins=begins)
        return Violation(
            (second, *self._at_once()), (first,), sqlstates=frozenset([UNIQUE_VIOLATION]), constraint=self.name
        )

    def _inferable(self, world: World) -> bool:
        """Whether ON CONFLICT can mean this key by its columns alone."""
        live = next((key for key in world.table.keys if key.name == self.name), None)
        return not (self.deferred or (live is not None and live.deferrable) or world.table.rules)

    @property
    def _inferred(self) -> str:
        """How ON CONFLICT means this key, and none over more columns or fewer."""
        keys = (k.expression if k.column is None else sql.Identifier(k.column).as_string() for k in self.keys)
        return f"({', '.join(keys)})" + (f" WHERE {self.predicate}" if self.predicate else "")

    def _conflict(self, world: World, pair: Rows, target: str) -> Change:
        """Nothing is inserted and nothing raised: the count is what it was."""
        columns = self._columns(world)
        first = world.insert(pair[0], show=columns)
        second = world.insert(
            pair[1], show=columns, returning=f" ON CONFLICT {target} DO NOTHING RETURNING false AS refused"
        )
        inserted = f"WITH made AS ({second.text}) SELECT NOT EXISTS (SELECT FROM made) AS refused"
        return Change((Statement(inserted, second.values),), setup=(first,))

    def _draw_alike(self, world: World, pair: Rows) -> SearchStrategy[Change] | None:
        column = self._free(world, pair)
        if column is None:
            return None
        reach = world.shape.domain(column, world.shape.sure)
        return reach.strategy.map(lambda v: self._violation(world, ({**pair[0], column: v}, {**pair[1], column: v})))

    def _draw_apart(self, world: World, pair: Rows, column: str) -> SearchStrategy[Change] | None:
        if column != self._free(world, pair):
            return None
        reach = world.shape.domain(column, world.shape.sure)
        other = pair[0][column]
        values = reach.strategy.filter(lambda v: v != other)
        return values.map(lambda v: self._both(world, (pair[0], {**pair[1], column: v})))

    def _free(self, world: World, pair: Rows) -> str | None:
        """A key column whose value may be drawn: of no foreign key and no condition but its own domain's."""
        bound = {c for fk in world.table.foreign_keys for c in fk.columns}
        if self.predicate:
            bound |= clause(self.predicate, world.table).columns
        plain = {k.column for k in self.keys}
        free = (c for c in self._columns(world) if c not in bound and c in plain and pair[0][c] is not None)
        column = next(free, None)
        return None if column is None or world.shape.domain(column, world.shape.sure).empty else column


def _uniques(table: Table) -> dict[str, tuple[set[str], str | None]]:
    """Every key of a table by name, with its columns (none for expressions) and its predicate."""
    found: dict[str, tuple[set[str], str | None]] = {k.name: (set(k.columns), None) for k in table.keys}
    for index in table.indexes:
        if index.unique:
            plain = all(k.column is not None for k in index.keys)
            found[index.name] = ({k.column or "" for k in index.keys} if plain else set(), index.predicate)
    return found


def promises(catalog: Catalog) -> Iterator[Unique]:
    """Every PRIMARY KEY, UNIQUE constraint and unique index of every table."""
    for table in catalog.tables:
        for key in table.keys:
            if not key.without_overlaps:
                yield _of_key(table.name, key)
        for index in table.indexes:
            if index.unique:
                yield of_index(table.name, index)


def _of_key(table: Name, key: Key) -> Unique:
    word = "PRIMARY KEY" if key.primary else "UNIQUE" + (" NULLS NOT DISTINCT" if key.nulls_not_distinct else "")
    keys = tuple(IndexKey(expression=sql.Identifier(c).as_string(), column=c) for c in key.columns)
    text = f"{word} ({', '.join(key.columns)})"
    kind = "primary key" if key.primary else "unique"
    return Unique(
        table, key.name, kind, text, keys, None, key.nulls_not_distinct, constraint=True, deferred=key.deferred
    )


def of_index(table: Name, index: Index) -> Unique:
    """The promise of a unique index of a table."""
    columns = ", ".join(k.column or k.expression for k in index.keys)
    text = f"UNIQUE INDEX ({columns})" + (f" WHERE {index.predicate}" if index.predicate else "")
    return Unique(
        table, index.name, "unique index", text, index.keys, index.predicate, index.nulls_not_distinct, constraint=False
    )

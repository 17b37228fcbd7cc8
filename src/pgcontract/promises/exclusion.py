"""Exclusion constraints and keys WITHOUT OVERLAPS: two rows of which every operator is true are refused, no others.

Which values an operator finds true together is asked of the database, key by key; so neighbours that only touch, NULLs
and rows outside the predicate are told from those that conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from psycopg import sql

from pgcontract.contract import clauses, constraint_id
from pgcontract.model import Catalog, Exclusion, IndexKey, Key, Name, Table
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.constraints import exclusion_mutants, key_mutants
from pgcontract.rows.generated import inlined
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.shape import Clause, clause, index_columns
from pgcontract.rows.statements import Row, Value, quote
from pgcontract.rows.ways import immediate
from pgcontract.rows.worlds import World, Worlds

EXCLUSION_VIOLATION = "23P01"
EMPTY_PERIOD = "23514"
MOST_VALUES = 16
MOST_SHOWN = 3
FAR_OFF = 40
"""The number of a key that is nowhere near the first row's."""

Pair = tuple[Row, Row]


@dataclass(frozen=True, slots=True)
class Excluding:
    """An EXCLUDE constraint, or a key WITHOUT OVERLAPS: operators between the keys of two rows."""

    table: Name
    name: str
    kind: str
    clause: str
    keys: tuple[IndexKey, ...]
    predicate: str | None = None
    deferrable: bool = False
    made_from: Exclusion | Key | None = None

    directions = (Direction.ACCEPTS, Direction.REJECTS)

    @property
    def id(self) -> str:
        """``bookings.no_double_booking``."""
        return constraint_id(self.table, self.name)

    def accepts(self, worlds: Worlds) -> Cases:
        """Rows of which one operator is not true, by one key each; with NULL in a key; outside the predicate."""
        scene = self._scene(worlds)
        pairs = list(scene.apart())
        if not pairs:
            return Cases(world=scene.world, missing="no two rows were found of which one operator is not true")
        return Cases(tuple(self._both(scene, pair) for pair in pairs), world=scene.world)

    def rejects(self, worlds: Worlds) -> Cases:
        """Rows of which every operator is true; for a key WITHOUT OVERLAPS an empty period, too."""
        scene = self._scene(worlds)
        pairs = list(scene.together())
        if not pairs:
            return Cases(world=scene.world, missing="no two rows were found of which every operator is true")
        states = frozenset([EXCLUSION_VIOLATION])
        name = self.name if scene.world.table.partition_key is None else None
        both = [self._both(scene, pair) for pair in pairs]
        found = [Violation(one.act, one.setup, sqlstates=states, constraint=name) for one in both]
        if isinstance(self.made_from, Key) and (empty := scene.empty_period()) is not None:
            insert = scene.world.insert(empty, show=scene.columns)
            found.append(Violation((insert,), sqlstates=frozenset([EMPTY_PERIOD])))
        return Cases(tuple(found), world=scene.world)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """None, over one column less, or for all rows."""
        if isinstance(self.made_from, Exclusion):
            yield from exclusion_mutants(self.table, self.made_from)
        elif self.made_from is not None and (table := catalog.table(self.table)) is not None:
            yield from key_mutants(table, self.made_from)

    def owns(self, refusal: Refusal) -> bool:
        """23P01 by this name."""
        return refusal.sqlstate == EXCLUSION_VIOLATION and refusal.constraint == self.name

    def present(self, worlds: Worlds) -> bool:
        """Whether the live table has a constraint of this name."""
        table = worlds.catalog.table(self.table)
        return table is not None and self.name in {*(c.name for c in table.exclusions), *(k.name for k in table.keys)}

    def _scene(self, worlds: Worlds) -> _Scene:
        shape = worlds.shape(self.table)
        columns = index_columns(shape.table, (k.column or k.expression for k in self.keys))
        inside = clause(self.predicate, shape.table, want=True) if self.predicate else None
        spoken = columns | (inside.columns if inside else frozenset())
        needed = frozenset(fk for fk in shape.table.foreign_keys if spoken & set(shape.sources(fk.columns)))
        return _Scene(worlds.world(self.table, needed), self.keys, inside)

    def _both(self, scene: _Scene, pair: Pair) -> Change:
        first, second = (scene.world.insert(row, show=scene.columns) for row in pair)
        at_once = (immediate(self.table, self.name),) if self.deferrable else ()
        return Change((second, *at_once), setup=(first,))


@dataclass(frozen=True)
class _Scene:
    """Two rows of one world, and what may be done to the second's keys."""

    world: World
    keys: tuple[IndexKey, ...]
    inside: Clause | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the keys speak of."""
        found = index_columns(self.world.table, (k.column or k.expression for k in self.keys))
        return tuple(c.name for c in self.world.shape.columns if c.name in found)

    def together(self) -> Iterator[Pair]:
        """Rows of which every operator is true: each key in its first way, then one key in another."""
        if self._first is None or not all(self._true):
            return
        plain = [options[0] for options in self._true]
        choices = [plain]
        for n, options in enumerate(self._true):
            choices += [[*plain[:n], option, *plain[n + 1 :]] for option in options[1:MOST_SHOWN]]
        yield from self._pairs(choices, self.inside)

    def apart(self) -> Iterator[Pair]:
        """Rows of which one operator is not true, all others are; and such as the predicate leaves out."""
        if self._first is None:
            return
        for n, options in enumerate(self._false):
            rest = self._true[:n] + self._true[n + 1 :]
            if all(rest):
                others = [o[0] for o in rest]
                yield from self._pairs([[option, *others] for option in options[:MOST_SHOWN]], self.inside)
        if self.inside is not None and all(self._true):
            yield from self._pairs([[o[0] for o in self._true]], self.inside.wanting("fails"))

    def empty_period(self) -> Row | None:
        """A row whose last key is an empty range."""
        column = self.keys[-1].column
        if column is None or self._first is None:
            return None
        literal = "{}" if "multirange" in self.world.shape.types[column] else "empty"
        good = self.world.shape.holds(list(self.world.shape.clauses.values()), [{**self._first, column: literal}])
        return {**self._first, column: literal} if good[0] else None

    @cached_property
    def _rows(self) -> Pair:
        base, twin = dict(self.world.base), dict(self.world.twin)
        for first, second in self.world.parents.values():
            base |= first
            twin |= second
        return base, twin

    @cached_property
    def _first(self) -> Row | None:
        """A row inside the predicate with a value in each key."""
        wanted = [self.inside] if self.inside else []
        bound = {c for fk in self.world.table.foreign_keys for c in fk.columns}
        wanted += [
            clause(f"({inlined(k.expression, self.world.table)}) IS NOT NULL", self.world.table, want=True)
            for k in self.keys
        ]
        row = dict(self._rows[0])
        for n, column in enumerate(self.columns):
            if row[column] is None:
                # one after the other, as the ends of a period are
                row[column] = self.world.shape.domain(column, self.world.shape.sure).fresh(n)
        tries = (self.world.shape.find(row, wanted, fixed=frozenset(fixed)) for fixed in (bound | {*self.columns}, ()))
        return next((found for found in tries if found is not None), None)

    @cached_property
    def _told(self) -> list[list[tuple[Row, bool | None]]]:
        """For each key: columns of the second row, and whether its operator is then true."""
        assert self._first is not None
        asked, options = [], []
        for key in self.keys:
            ways = list(self._ways(key))
            options.append(ways)
            asked += [(f"{self._text(key, {})} {key.operator} {self._text(key, way)}", "boolean") for way in ways]
        answers = iter(self.world.shape.oracle.evaluate(asked))
        truth = {"true": True, "false": False}
        return [[(way, truth.get(next(answers).value or "")) for way in ways] for ways in options]

    @property
    def _true(self) -> list[list[Row]]:
        return [[way for way, true in ways if true] for ways in self._told]

    @property
    def _false(self) -> list[list[Row]]:
        return [[way for way, true in ways if not true] for ways in self._told]

    def _ways(self, key: IndexKey) -> Iterator[Row]:
        """What the second row may hold in a key's columns: the first's, the twin's, neighbours, boundaries, NULL."""
        first, (_, twin), shape = self._first, self._rows, self.world.shape
        assert first is not None
        columns = index_columns(self.world.table, [key.column or key.expression])
        found = [{c: first[c] for c in columns}, {c: twin[c] for c in columns}]
        bound = {c for fk in self.world.table.foreign_keys for c in fk.columns}
        open_ = [c for c in self.columns if c in columns - bound]
        far = {c: shape.domain(c, shape.sure).fresh(FAR_OFF + n) for n, c in enumerate(open_)}
        distant = shape.find({**first, **{c: v for c, v in far.items() if v is not None}})
        found += [] if distant is None else [{c: distant[c] for c in columns}]
        for column in sorted(columns - bound):
            values = [*self._neighbours(column), *self.world.values(column, first)]
            found += [{**found[0], column: v} for v in values[:MOST_VALUES]]
            if not (self.world.table.column(column) or shape.columns[0]).not_null:
                found.append({**found[0], column: None})
        yield from (way for n, way in enumerate(found) if way not in found[:n])

    def _neighbours(self, column: str) -> list[Value]:
        """For a range: what begins where the first row's ends, and what ends where it begins."""
        assert self._first is not None
        type_, value = self.world.shape.types[column], self._first[column]
        if value is None or "multirange" in type_:
            return []
        one = f"{quote(value)}::{type_}"
        made = [f"{type_}(upper({one}), NULL)", f"{type_}(NULL, lower({one}))", f"{type_}(lower({one}), NULL, '()')"]
        return [found.value for found in self.world.shape.oracle.evaluate([(m, "text") for m in made]) if found.value]

    def _text(self, key: IndexKey, changes: Row) -> str:
        """The key's value of the first row with these changes, as an expression that stands alone."""
        assert self._first is not None
        row = {**self._first, **changes}
        given = ", ".join(
            f"{'NULL' if row[c] is None else quote(row[c] or '')}::{self.world.shape.types[c]} AS {_quoted(c)}"
            for c in sorted(index_columns(self.world.table, [key.column or key.expression]))
        )
        alias = _quoted(self.world.table.name.name)
        return f"(SELECT {inlined(key.expression, self.world.table)} FROM (SELECT {given}) AS {alias})"

    def _pairs(self, choices: Iterable[Sequence[Row]], inside: Clause | None) -> Iterator[Pair]:
        """The first row with second rows that hold these values and share nothing else with it."""
        _, twin = self._rows
        bound = {c for fk in self.world.table.foreign_keys for c in fk.columns}
        for chosen in choices:
            changes: dict[str, Value] = {c: v for way in chosen for c, v in way.items()}
            row = {**twin, **self._tied(changes), **changes}
            wanted = [inside] if inside else []
            fixed = frozenset(changes) | bound
            found = self.world.shape.find(row, wanted, fixed=fixed)
            if found is not None and self._first is not None:
                yield self._first, found

    def _tied(self, changes: Mapping[str, Value]) -> dict[str, Value]:
        """What foreign keys of the first row tie to values that the second has of it."""
        assert self._first is not None
        tied: dict[str, Value] = {}
        for fk in self.world.table.foreign_keys:
            shared = set(fk.columns) & changes.keys()
            if shared and all(changes[c] == self._first[c] for c in shared):
                tied |= {c: self._first[c] for c in fk.columns}
        return tied


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def _overlapping(table: Table, key: Key) -> Excluding:
    operators = ["="] * (len(key.columns) - 1) + ["&&"]
    keys = tuple(IndexKey(_quoted(c), c, operator=o) for c, o in zip(key.columns, operators, strict=True))
    kind = "primary key" if key.primary else "unique"
    return Excluding(table.name, key.name, kind, clauses.key(key), keys, deferrable=key.deferrable, made_from=key)


def promises(catalog: Catalog) -> Iterator[Excluding]:
    """Every EXCLUDE constraint, and every key WITHOUT OVERLAPS."""
    for table in catalog.tables:
        for one in table.exclusions:
            text, deferrable = clauses.exclusion(one), one.deferrable
            yield Excluding(table.name, one.name, "exclusion", text, one.keys, one.predicate, deferrable, one)
        yield from (_overlapping(table, key) for key in table.keys if key.without_overlaps)

"""Referential actions: after a parent's DELETE or UPDATE the database equals a model of the closure.

The model knows the world's rows and the frozen foreign keys: it says which rows are gone, nulled, defaulted or changed,
and that all others are what they were. NO ACTION and RESTRICT are told apart by putting the parent's key back in the
statement that took it away, which NO ACTION allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from psycopg import sql

from pgcontract.contract import action_id
from pgcontract.model import Action, Catalog, ForeignKey, Name, Reason
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.closure import Closure, Event, Present
from pgcontract.promises.foreign_key import FOREIGN_KEY_VIOLATION, NOBODY
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.constraints import action_mutants
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import OVERRIDING, Row, Statement, Value, delete, identifier, update, where
from pgcontract.rows.ways import constraint_mode, key_of, keys_of, orderly
from pgcontract.rows.worlds import Placed, Way, World, Worlds

RESTRICT_VIOLATION = "23001"
GRANDPARENT = 24
"""The number of a row that the parent may refer to instead."""
STAND_IN = 14
"""The number of a row that takes a parent's key over."""
NOT_NULL_VIOLATION = "23502"


@dataclass(frozen=True, slots=True)
class ReferentialAction:
    """What happens to a child when its parent goes (``delete``) or changes its key (``update``)."""

    table: Name
    foreign_key: ForeignKey
    event: Event

    kind = "referential action"

    @property
    def id(self) -> str:
        """``messages.fk_messages_conversation.on_delete``."""
        return action_id(self.table, self.foreign_key.name, "on_delete" if self.event == "delete" else "on_update")

    @property
    def action(self) -> Action:
        """The promised action."""
        return self.foreign_key.on_delete if self.event == "delete" else self.foreign_key.on_update

    @property
    def clause(self) -> str:
        """``ON DELETE CASCADE``."""
        return f"{self.foreign_key.name} ON {self.event.upper()} {self.action}"

    @property
    def directions(self) -> tuple[Direction, ...]:
        """CASCADE and SET … only accept; RESTRICT only refuses; NO ACTION refuses, unless the key comes back."""
        match self.action:
            case "NO ACTION":
                return (Direction.ACCEPTS, Direction.REJECTS)
            case "RESTRICT":
                return (Direction.REJECTS,)
            case _:
                return (Direction.ACCEPTS,)

    def accepts(self, worlds: Worlds) -> Cases:
        """The parent goes, or changes its key, and what is left is what the model says."""
        scene = self._scene(worlds)
        if isinstance(scene, str):
            return Cases(missing=scene)
        acts = list(scene.swaps() if self.action == "NO ACTION" else scene.acts())
        if not acts:
            return Cases(
                world=scene.world, missing=f"no other value was found for the parent's key in {scene.parent.table}"
            )
        changes = []
        for act, new in acts:
            if self.action == "NO ACTION":
                changes.append(Change((*act, *self._at_once()), setup=scene.first))
                continue
            after = Closure(scene.foreign_keys, scene.rows, scene.default).after(scene.parent, self.event, new)
            if isinstance(after, ForeignKey):
                return Cases(world=scene.world, missing=f"{after.name} refuses the change first", reason=Reason.REFUSED)
            changes.append(Change((*act, *self._at_once(), scene.equals(after)), setup=(*scene.first, *scene.second)))
        return Cases(tuple(changes), world=scene.world, prepared=scene.opened, notes=scene.notes)

    def rejects(self, worlds: Worlds) -> Cases:
        """The parent may not go, nor change its key, while it has a child; by RESTRICT not even if it is put back."""
        scene = self._scene(worlds)
        if isinstance(scene, str):
            return Cases(missing=scene)
        restrict = self.action == "RESTRICT"
        states = frozenset([FOREIGN_KEY_VIOLATION, RESTRICT_VIOLATION] if restrict else [FOREIGN_KEY_VIOLATION])
        acts = [*scene.acts(), *(scene.swaps() if restrict else ())]
        if not acts:
            return Cases(
                world=scene.world, missing=f"no other value was found for the parent's key in {scene.parent.table}"
            )
        always = tuple(
            Violation((*act, *self._at_once()), scene.first, sqlstates=states, constraint=self.foreign_key.name)
            for act, _ in acts
        )
        return Cases(always, world=scene.world, prepared=scene.opened, notes=scene.notes)

    def _at_once(self) -> tuple[Statement, ...]:
        return (constraint_mode(self.table, self.foreign_key.name, "IMMEDIATE"),) if self.foreign_key.deferrable else ()

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """Every other action."""
        return action_mutants(catalog, self.table, self.foreign_key, event=self.event)

    def owns(self, refusal: Refusal) -> bool:
        """This foreign key's refusal, or NULL where the action put it."""
        fk = self.foreign_key
        if refusal.sqlstate in (FOREIGN_KEY_VIOLATION, RESTRICT_VIOLATION):
            return refusal.constraint == fk.name
        return (
            refusal.sqlstate == NOT_NULL_VIOLATION and refusal.table == self.table.name and refusal.column in fk.columns
        )

    def present(self, worlds: Worlds) -> bool:
        """Whether the live foreign key is there with the same action."""
        table = worlds.catalog.table(self.table)
        found = next((fk for fk in table.foreign_keys if fk.name == self.foreign_key.name), None) if table else None
        if found is None:
            return False
        live = found.on_delete if self.event == "delete" else found.on_update
        return live == self.action

    def _scene(self, worlds: Worlds) -> Scene | str:
        """Two parents, each with its child; a reason where there is no such thing."""
        fk = self.foreign_key
        # a trigger that follows, or puts back what the action did, is another promise
        world = worlds.world(self.table, frozenset([fk]), quiet=True)
        if fk.name not in world.ways:
            return "no child was found that passes the CHECKs"
        ways = world.ways[fk.name]
        placed = [p for p in world.placed if all(p is not w.was for w in ways)]
        rows = [Present(p.table, p.values) for p in (*placed, *(p for w in ways for p in w.before))]
        rows += [Present(self.table, w.child) for w in ways]
        above = list(self._above(worlds, world, rows)) if self.event == "update" else []
        rows += [Present(p.table, p.values) for p in above]
        parents = [next(r for r in rows if r.values is w.parent.values) for w in ways]
        # live foreign keys make the model, but for this one, which is as it was frozen
        keys = {
            t.name: [f for f in t.foreign_keys if (t.name, f.name) != (self.table, fk.name)]
            for t in worlds.catalog.tables
        }
        keys[self.table].append(fk)
        made = tuple(p.statement for p in above)
        return Scene(self, worlds, world, ways, tuple(rows), parents[0], parents[1], keys, made)

    def _above(self, worlds: Worlds, world: World, rows: Sequence[Present]) -> Iterator[Placed]:
        """Of each table that the parent's key refers to in its turn, a row that nobody refers to yet."""
        parent = worlds.catalog.table(self.foreign_key.references)
        keys = set(self.foreign_key.keys)
        upward = [fk.references for fk in parent.foreign_keys if set(fk.columns) <= keys] if parent is not None else []
        for name in dict.fromkeys(upward):
            table = worlds.catalog.table(name)
            if table is None or name in (self.table, self.foreign_key.references):
                continue
            values = world.made(table.name, 0, GRANDPARENT, {})
            if values is None or not orderly(world, table, values):
                continue
            if not any(keys_of(table, r.values) & keys_of(table, values) for r in rows if r.table == table.name):
                yield Placed(table.name, values, world.insert_into(table.name, values))


@dataclass(frozen=True)
class Scene:
    """Two parents and their children; ``parent`` is the one that is acted on, ``other`` must be left in peace."""

    promise: ReferentialAction
    worlds: Worlds
    world: World
    ways: tuple[Way, Way]
    rows: tuple[Present, ...]
    parent: Present
    other: Present
    foreign_keys: Mapping[Name, Sequence[ForeignKey]]
    above: tuple[Statement, ...] = ()
    """What makes rows that the parent's new key may refer to."""

    @property
    def first(self) -> tuple[Statement, ...]:
        """What makes the child of the parent that is acted on."""
        return (*self.ways[0].setup, *self.ways[0].acts)

    @property
    def second(self) -> tuple[Statement, ...]:
        """What makes the other parent's child."""
        return (*self.ways[1].setup, *self.ways[1].acts)

    @property
    def opened(self) -> tuple[Statement, ...]:
        """What lets the parent's key be updated at all, be it an identity that is GENERATED ALWAYS, or a reference."""
        table = identifier(self.parent.table).as_string()
        altered = (
            Statement(f"ALTER TABLE {table} ALTER COLUMN {sql.Identifier(c).as_string()} SET GENERATED BY DEFAULT")
            for c in self._closed()
        )
        return (*altered, *self.above)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be told of it."""
        return tuple(f"{c} is GENERATED ALWAYS: updated as GENERATED BY DEFAULT" for c in self._closed())

    def _closed(self) -> list[str]:
        table = self.worlds.shape(self.parent.table).table
        columns = (table.column(k) for k in self.promise.foreign_key.keys)
        updated = self.promise.event == "update"
        return [c.name for c in columns if updated and c is not None and c.identity == "ALWAYS"]

    def acts(self) -> Iterator[tuple[tuple[Statement, ...], Row]]:
        """The DELETE, or an UPDATE of each key column; with what is new."""
        fk = self.promise.foreign_key
        types = self.worlds.shape(self.parent.table).types
        key = {k: self.parent.values[k] for k in fk.keys}
        if self.promise.event == "delete":
            yield (delete(self.parent.table, key, types),), {}
            return
        for changes, after in self._new_keys():
            new = {c: v for c, v in after.items() if v != self.parent.values.get(c)}
            yield (update(self.parent.table, changes, key, types),), new

    def swaps(self) -> Iterator[tuple[tuple[Statement, ...], Row]]:
        """What takes the parent's key away and has a row bear it again at the end: before the key is looked at.

        One statement; for a foreign key that can be deferred, one after the other.
        """
        fk = self.promise.foreign_key
        shape = self.worlds.shape(self.parent.table)
        if self.promise.event == "delete":
            table = identifier(self.parent.table).as_string()
            listed = ", ".join(sql.Identifier(c.name).as_string() for c in shape.columns)
            condition, values = where({k: self.parent.values[k] for k in fk.keys}, shape.types)
            text = (
                f"WITH gone AS (DELETE FROM {table} WHERE {condition} RETURNING {listed})"
                f" INSERT INTO {table} ({listed}) {OVERRIDING}SELECT {listed} FROM gone"
            )
            yield (Statement(text, values),), {}
            return
        key = {k: self.parent.values[k] for k in fk.keys}
        for changes, after in self._new_keys():
            if fk.deferrable:
                back = {c: self.parent.values[c] for c in changes}
                there = {k: after[k] for k in fk.keys}
                yield (
                    (
                        constraint_mode(self.promise.table, fk.name, "DEFERRED"),
                        update(self.parent.table, changes, key, shape.types),
                        update(self.parent.table, back, there, shape.types),
                    ),
                    {},
                )
            elif self._movable():
                yield (self._renamed(changes),), {}
            elif (stand_in := self._stand_in()) is not None:
                yield (self._replaced(changes, stand_in),), {}

    def _movable(self) -> bool:
        """Whether the other parent is there, and nobody refers to it."""
        if self.other is self.parent or self.ways[1].before:
            return False
        return not any(
            fk.references == self.other.table
            and tuple(r.values.get(c) for c in fk.columns) == key_of(self.other.values, fk)
            for r in self.rows
            if r is not self.other and r.values is not self.ways[1].child
            for fk in self.foreign_keys.get(r.table, ())
        )

    def _renamed(self, changes: Row) -> Statement:
        """The parent gets a new key, and the other row is taken out and put back under the key that was the parent's.

        An UPDATE of both would meet the unique key, in an order that is the heap's business.
        """
        fk = self.promise.foreign_key
        shape = self.worlds.shape(self.parent.table)
        table = identifier(self.parent.table).as_string()
        names = [c.name for c in shape.columns]
        listed = ", ".join(sql.Identifier(c).as_string() for c in names)
        mine, key_values = where({k: self.parent.values[k] for k in fk.keys}, shape.types)
        others, other_values = where({k: self.other.values[k] for k in fk.keys}, shape.types, start=len(key_values) + 1)
        given = [*key_values, *other_values]
        renamed = []
        for column, value in changes.items():
            given.append(value)
            renamed.append(f"{sql.Identifier(column).as_string()} = ${len(given)}")
        selected = []
        for name in names:
            if name in shape.sources(fk.keys):
                given.append(self.parent.values[name])
                selected.append(f"${len(given)}::{shape.types[name]}")
            else:
                selected.append(f"gone.{sql.Identifier(name).as_string()}")
        return Statement(
            f"WITH moved AS (UPDATE {table} SET {', '.join(renamed)} WHERE {mine} RETURNING true AS done),"
            f" gone AS (DELETE FROM {table} WHERE {others} RETURNING {listed})"
            f" INSERT INTO {table} ({listed}) {OVERRIDING}SELECT {', '.join(selected)} FROM moved, gone",
            tuple(given),
        )

    def _stand_in(self) -> Row | None:
        """A new row with the parent's key; what may be deferred, it refers to nobody by."""
        fk = self.promise.foreign_key
        key = {k: self.parent.values[k] for k in fk.keys}
        shape = self.worlds.shape(self.parent.table)
        later = {c for f in shape.table.foreign_keys if f.deferred for c in f.columns if c not in key}
        free = {c: shape.domain(c, shape.sure).fresh(STAND_IN) for c in later if c in shape.names}
        return self.world.made(self.parent.table, 0, STAND_IN, {**free, **key})

    def _replaced(self, changes: Row, stand_in: Row) -> Statement:
        """The parent gets a new key, and a new row the one that was the parent's."""
        fk = self.promise.foreign_key
        shape = self.worlds.shape(self.parent.table)
        table = identifier(self.parent.table).as_string()
        moved = update(self.parent.table, changes, {k: self.parent.values[k] for k in fk.keys}, shape.types)
        explicit = shape.explicit(stand_in)
        shown = {c: v for c, v in stand_in.items() if c in shape.names and (c in explicit or c in fk.keys)}
        listed = ", ".join(sql.Identifier(c).as_string() for c in shown)
        given = ", ".join(f"${n}::{shape.types[c]}" for n, c in enumerate(shown, len(moved.values) + 1))
        return Statement(
            f"WITH moved AS ({moved.text} RETURNING true AS done)"
            f" INSERT INTO {table} ({listed}) {OVERRIDING}SELECT {given} FROM moved",
            (*moved.values, *shown.values()),
        )

    def _new_keys(self) -> Iterator[tuple[Row, Row]]:
        """For each key column (or what it is generated from) another value, which is nobody's and the child would take.

        Each as the columns to update, and the parent's row after that.
        """
        fk = self.promise.foreign_key
        shape = self.worlds.shape(self.parent.table)
        for column in shape.sources(fk.keys):
            tries: list[Row] = [{column: v} for v in self._others(column) if v != self.parent.values[column]]
            afters = shape.completed([{**self.parent.values, **one} for one in tries])
            good = shape.holds(list(shape.clauses.values()), afters)
            kept = (
                (one, after)
                for one, after, holds in zip(tries, afters, good, strict=True)
                if holds and self._free(after) and self._taken_over(after)
            )
            yield from islice(kept, 1)

    def _others(self, column: str) -> list[Value]:
        shape = self.worlds.shape(self.parent.table)
        reach = shape.domain(column, shape.sure)
        values: list[Value] = [reach.fresh(self.worlds.offset + NOBODY), self.other.values.get(column)]
        values += [r.values.get(column) for r in self.rows if r.table == self.parent.table]
        for fk in shape.table.foreign_keys:
            key = dict(zip(fk.columns, fk.keys, strict=True)).get(column)
            values += [r.values.get(key) for r in self.rows if key is not None and r.table == fk.references]
        values += shape.options(column, shape.sure)
        return [v for v in dict.fromkeys(values) if v is not None]

    def _free(self, after: Row) -> bool:
        """Whether the parent's new key is nobody's, and the parent itself still has parents."""
        fk = self.promise.foreign_key
        table = self.worlds.shape(self.parent.table).table
        rest = [r for r in self.rows if r.table == table.name and r is not self.parent]
        if key_of(after, fk) == key_of(self.parent.values, fk) or None in key_of(after, fk):
            return False
        if any(keys_of(table, r.values) & keys_of(table, after) for r in rest):
            return False
        return all(self._has_parent(f, after) for f in table.foreign_keys if f.enforced)

    def _has_parent(self, fk: ForeignKey, row: Row) -> bool:
        values = tuple(row.get(c) for c in fk.columns)
        if None in values or values == tuple(self.parent.values.get(c) for c in fk.columns):
            return True
        return any(r.table == fk.references and key_of(r.values, fk) == values for r in self.rows)

    def _taken_over(self, after: Row) -> bool:
        """Whether a child that follows passes its CHECKs."""
        if self.promise.action != "CASCADE":
            return True
        fk = self.promise.foreign_key
        shape = self.world.shape
        child = {**self.ways[0].child, **dict(zip(fk.columns, key_of(after, fk), strict=True))}
        return all(shape.holds(list(shape.clauses.values()), [child]))

    def default(self, table: Name, column: str) -> Value:
        """What SET DEFAULT puts there."""
        evaluated = self.worlds.shape(table).defaults.get(column)
        return evaluated.value if evaluated else None

    def equals(self, after: Sequence[Present]) -> Statement:
        """A query that is true where these rows are there, and those of ``rows`` that are none of them are not."""
        tests: list[str] = []
        values: list[Value] = []
        gone = [p for p in self.rows if not any(self._same(p, q) for q in after)]
        for present, there in [*((p, "EXISTS") for p in after), *((p, "NOT EXISTS") for p in gone)]:
            shape = self.worlds.shape(present.table)
            told = self._known(present) if there == "EXISTS" else self._marks(present)
            condition, more = where(told, shape.types, start=len(values) + 1)
            tests.append(f"{there} (SELECT FROM {identifier(present.table).as_string()} WHERE {condition})")
            values += more
        return Statement("SELECT " + " AND ".join(tests) + " AS as_promised", tuple(values))

    def _identity(self, table: Name) -> tuple[str, ...]:
        found = self.worlds.shape(table).table
        if found.primary_key:
            return found.primary_key.columns
        # what a default gave at another time than the planning's is no mark of a row
        own = tuple(c.name for c in found.columns if c.default is None and c.generated is None)
        return own or tuple(c.name for c in found.columns)

    def _same(self, one: Present, other: Present) -> bool:
        identity = self._identity(one.table)
        return one.table == other.table and all(one.values.get(c) == other.values.get(c) for c in identity)

    def _marks(self, present: Present) -> Row:
        """What a row that is to be gone would be found by, whatever became of the rest: its primary key."""
        if self.worlds.shape(present.table).table.primary_key is None:
            return self._known(present)
        return {c: present.values[c] for c in self._identity(present.table)}

    def _known(self, present: Present) -> dict[str, Value]:
        """Every value that was given, and keys."""
        shape = self.worlds.shape(present.table)
        keys = {c for fk in shape.table.foreign_keys for c in fk.columns} | set(self._identity(present.table))
        given = set(shape.explicit(present.values))
        return {c: v for c, v in present.values.items() if c in (keys | given) & shape.names}


def promises(catalog: Catalog) -> Iterator[ReferentialAction]:
    """Two for every foreign key: ON DELETE and ON UPDATE."""
    for table in catalog.tables:
        for fk in table.foreign_keys:
            if fk.enforced and not fk.period:
                yield ReferentialAction(table.name, fk, "delete")
                yield ReferentialAction(table.name, fk, "update")

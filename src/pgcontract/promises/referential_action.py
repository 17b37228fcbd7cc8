"""Referential actions: after a parent's DELETE or UPDATE the database equals a model of the closure.

The model knows the world's rows and the frozen foreign keys: it says which rows are gone, nulled, defaulted or changed,
and that all others are what they were. NO ACTION and RESTRICT are told apart by putting the parent's key back in the
statement that took it away, which NO ACTION allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from pgcontract.contract import action_id
from pgcontract.model import Action, Catalog, ForeignKey, Name
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.foreign_key import FOREIGN_KEY_VIOLATION, IMMEDIATE, NOBODY
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Row, Statement, Value, delete, identifier, update, where
from pgcontract.rows.worlds import World, Worlds

RESTRICT_VIOLATION = "23001"
NOT_NULL_VIOLATION = "23502"

Event = Literal["delete", "update"]


@dataclass(frozen=True)
class Present:
    """A row as the model knows it."""

    table: Name
    values: Row


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
                changes.append(Change((act, *self._at_once()), setup=scene.children[:1]))
                continue
            after = Closure(scene.foreign_keys, scene.rows, scene.default).after(scene.parent, self.event, new)
            if isinstance(after, ForeignKey):
                return Cases(world=scene.world, missing=f"{after.name} refuses the change first")
            changes.append(Change((act, *self._at_once(), scene.equals(after)), setup=scene.children))
        return Cases(tuple(changes), world=scene.world)

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
            Violation((act, *self._at_once()), scene.children[:1], sqlstates=states, constraint=self.foreign_key.name)
            for act, _ in acts
        )
        return Cases(always, world=scene.world)

    def _at_once(self) -> tuple[Statement, ...]:
        return (IMMEDIATE,) if self.foreign_key.deferred else ()

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
        world = worlds.world(self.table, frozenset([fk]))
        rows = [Present(p.table, p.values) for p in world.placed]
        children: list[Statement] = []
        parents: list[Present] = []
        for row, values in zip((world.base, world.twin), world.parents[fk.name], strict=True):
            wanted = tuple(values[c] for c in fk.columns)
            found = (r for r in rows if r.table == fk.references and tuple(r.values.get(k) for k in fk.keys) == wanted)
            parent = next(found, None)
            child = world.shape.find({**row, **values}, fixed=frozenset(values))
            if parent is None or child is None:
                return "no child was found that passes the CHECKs"
            parents.append(parent)
            children.append(world.insert(child, show=fk.columns))
            rows.append(Present(self.table, child))
        # live foreign keys make the model, but for this one, which is as it was frozen
        keys = {
            t.name: [f for f in t.foreign_keys if (t.name, f.name) != (self.table, fk.name)]
            for t in worlds.catalog.tables
        }
        keys[self.table].append(fk)
        return Scene(self, worlds, world, tuple(children), tuple(rows), parents[0], parents[1], keys)


@dataclass(frozen=True)
class Scene:
    """Two parents and their children; ``parent`` is the one that is acted on, ``other`` must be left in peace."""

    promise: ReferentialAction
    worlds: Worlds
    world: World
    children: tuple[Statement, ...]
    rows: tuple[Present, ...]
    parent: Present
    other: Present
    foreign_keys: Mapping[Name, Sequence[ForeignKey]]

    def acts(self) -> Iterator[tuple[Statement, Row]]:
        """The DELETE, or an UPDATE of each key column that is the parent's own; with what is new."""
        fk = self.promise.foreign_key
        types = self.worlds.shape(self.parent.table).types
        key = {k: self.parent.values[k] for k in fk.keys}
        if self.promise.event == "delete":
            yield delete(self.parent.table, key, types), {}
            return
        for column, fresh in self._new_keys():
            yield update(self.parent.table, {column: fresh}, key, types), {column: fresh}

    def swaps(self) -> Iterator[tuple[Statement, Row]]:
        """One statement that takes the parent's key away and has another row bear it at the end."""
        fk = self.promise.foreign_key
        shape = self.worlds.shape(self.parent.table)
        table = identifier(self.parent.table).as_string()
        names = [c.name for c in shape.columns]
        listed = ", ".join(sql.Identifier(c).as_string() for c in names)
        if self.promise.event == "delete":
            condition, values = where({k: self.parent.values[k] for k in fk.keys}, shape.types)
            yield (
                Statement(
                    f"WITH gone AS (DELETE FROM {table} WHERE {condition} RETURNING {listed})"
                    f" INSERT INTO {table} ({listed}) SELECT {listed} FROM gone",
                    values,
                ),
                {},
            )
            return
        # the other row is taken out and put back under the parent's key: an UPDATE of both would meet the unique key,
        # in an order that is the heap's business
        for column, fresh in self._new_keys():
            mine, key_values = where({k: self.parent.values[k] for k in fk.keys}, shape.types)
            others, other_values = where(
                {k: self.other.values[k] for k in fk.keys}, shape.types, start=len(key_values) + 1
            )
            given = [*key_values, *other_values, fresh]
            renamed = f"{sql.Identifier(column).as_string()} = ${len(given)}"
            selected = []
            for name in names:
                if name in fk.keys:
                    given.append(self.parent.values[name])
                    selected.append(f"${len(given)}::{shape.types[name]}")
                else:
                    selected.append(f"gone.{sql.Identifier(name).as_string()}")
            yield (
                Statement(
                    f"WITH moved AS (UPDATE {table} SET {renamed} WHERE {mine} RETURNING true AS done),"
                    f" gone AS (DELETE FROM {table} WHERE {others} RETURNING {listed})"
                    f" INSERT INTO {table} ({listed}) SELECT {', '.join(selected)} FROM moved, gone",
                    tuple(given),
                ),
                {},
            )

    def _new_keys(self) -> Iterator[tuple[str, Value]]:
        """A value that is nobody's for each key column that is no foreign key's, and that the child would take."""
        fk = self.promise.foreign_key
        shape = self.worlds.shape(self.parent.table)
        borrowed = {c for other in shape.table.foreign_keys for c in other.columns}
        clauses = list(self.world.shape.clauses.values())
        for column, key in zip(fk.columns, fk.keys, strict=True):
            fresh = shape.domain(key, shape.sure).fresh(self.worlds.offset + NOBODY)
            if key in borrowed or fresh is None:
                continue
            if self.promise.action != "CASCADE" or all(
                self.world.shape.holds(clauses, [{**self.world.base, column: fresh}])
            ):
                yield key, fresh

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
            condition, more = where(self._known(present), shape.types, start=len(values) + 1)
            tests.append(f"{there} (SELECT FROM {identifier(present.table).as_string()} WHERE {condition})")
            values += more
        return Statement("SELECT " + " AND ".join(tests) + " AS as_promised", tuple(values))

    def _identity(self, table: Name) -> tuple[str, ...]:
        found = self.worlds.shape(table).table
        return found.primary_key.columns if found.primary_key else tuple(c.name for c in found.columns)

    def _same(self, one: Present, other: Present) -> bool:
        identity = self._identity(one.table)
        return one.table == other.table and all(one.values.get(c) == other.values.get(c) for c in identity)

    def _known(self, present: Present) -> dict[str, Value]:
        """Every value that was given; only keys where the table's triggers may have changed others."""
        shape = self.worlds.shape(present.table)
        keys = {c for fk in shape.table.foreign_keys for c in fk.columns} | set(self._identity(present.table))
        given = set() if shape.table.triggers else set(shape.explicit(present.values))
        return {c: v for c, v in present.values.items() if c in keys | given}


class Closure:
    """The model: rows, and what a change of one of them does to the others by the foreign keys' actions."""

    def __init__(
        self,
        foreign_keys: Mapping[Name, Sequence[ForeignKey]],
        rows: Sequence[Present],
        default: Callable[[Name, str], Value],
    ) -> None:
        self._foreign_keys = foreign_keys
        self._rows = rows
        self._default = default
        self._state = [(r.table, dict(r.values)) for r in rows]
        self._gone: set[int] = set()
        self._pending: list[tuple[int, Event, dict[str, Value]]] = []
        self._unsure: list[tuple[ForeignKey, int]] = []

    def after(self, target: Present, event: Event, new: Row) -> list[Present] | ForeignKey:
        """The rows that are left when ``target`` was deleted, or updated to ``new``.

        Returns the foreign key that refuses it, where a NO ACTION or RESTRICT key still has a child at the end.
        """
        self._touch(next(n for n, r in enumerate(self._rows) if r is target), event, new)
        while self._pending:
            row, kind, before = self._pending.pop(0)
            for child, (table, _) in enumerate(self._state):
                for fk in self._foreign_keys.get(table, ()):
                    if self._follows(fk, child, row, kind, before):
                        self._act(fk, child, row, kind)
        refusing = (fk for fk, child in self._unsure if self._orphaned(fk, child))
        left = [Present(t, v) for n, (t, v) in enumerate(self._state) if n not in self._gone]
        return next(refusing, None) or left

    def _touch(self, row: int, kind: Event, changes: Row) -> None:
        self._pending.append((row, kind, dict(self._state[row][1])))
        if kind == "delete":
            self._gone.add(row)
        self._state[row][1].update(changes)

    def _follows(self, fk: ForeignKey, child: int, row: int, kind: Event, before: Row) -> bool:
        """Whether the child refers by this key to what the row was before, and no longer is."""
        parent, now = self._state[row]
        key = _values(before, fk.keys)
        if child in self._gone or fk.references != parent or None in key:
            return False
        changed = kind == "delete" or _values(now, fk.keys) != key
        return changed and _values(self._state[child][1], fk.columns) == key

    def _act(self, fk: ForeignKey, child: int, row: int, kind: Event) -> None:
        columns = (fk.delete_columns or fk.columns) if kind == "delete" else fk.columns
        match fk.on_delete if kind == "delete" else fk.on_update:
            case "CASCADE" if kind == "delete":
                self._touch(child, "delete", {})
            case "CASCADE":
                followed = _values(self._state[row][1], fk.keys)
                self._touch(child, "update", dict(zip(fk.columns, followed, strict=True)))
            case "SET NULL":
                self._touch(child, "update", dict.fromkeys(columns))
            case "SET DEFAULT":
                self._touch(child, "update", {c: self._default(self._state[child][0], c) for c in columns})
                # the default must have a parent of its own
                self._unsure.append((fk, child))
            case _:
                self._unsure.append((fk, child))

    def _orphaned(self, fk: ForeignKey, child: int) -> bool:
        wanted = _values(self._state[child][1], fk.columns)
        kept = (v for n, (t, v) in enumerate(self._state) if n not in self._gone and t == fk.references)
        return child not in self._gone and None not in wanted and wanted not in (_values(v, fk.keys) for v in kept)


def _values(row: Row, columns: Sequence[str]) -> tuple[Value, ...]:
    return tuple(row.get(c) for c in columns)


def promises(catalog: Catalog) -> Iterator[ReferentialAction]:
    """Two for every foreign key: ON DELETE and ON UPDATE."""
    for table in catalog.tables:
        for fk in table.foreign_keys:
            if fk.enforced and not fk.period:
                yield ReferentialAction(table.name, fk, "delete")
                yield ReferentialAction(table.name, fk, "update")

"""Which transactions meet, so that a trigger function's locks show: what one session alone cannot tell.

A function that locks, be it by writing, is judged by three kinds of meetings. It acts alone, and a third
session sees which rows it has locked; somebody holds one of these rows, and what it has locked until then tells the
order; somebody else has changed rows of the same parent and commits while it waits, and the rows at the end tell
whether it looked at them before or after. Of the last those are kept whose end would be another one without the lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from psycopg import sql

from pgcontract.model import Function, Table
from pgcontract.promises.definitions import create_function
from pgcontract.promises.happenings import Happening
from pgcontract.promises.locking import Locks
from pgcontract.promises.meetings import Arena, Course, Meeting, Onlooker, Rehearsed
from pgcontract.promises.scene import Stage
from pgcontract.promises.snapshot import Camera, Left
from pgcontract.rows.changes import Delete, Update, key_columns, key_of, statement
from pgcontract.rows.statements import Row, Statement, identifier, where

ALIKE = 20
ALONE = 120
SAMPLE = 8
KEPT_ALONE = 16
QUEUES = 8
QUEUED = 4
PAIRS = 24
TRIES = 5
SHOWING = 2
Thing = TypeVar("Thing")
WRITERS = "NO KEY UPDATE"
STRENGTHS = ("KEY SHARE", "SHARE", "NO KEY UPDATE", "UPDATE")


@dataclass(frozen=True)
class Interleaving:
    """A trigger's function, the one that is there now, and what may happen on the trigger's stage.

    ``ended``: what a deferred trigger is called by before the transaction ends.
    """

    frozen: Function
    live: Function
    locks: Locks
    stage: Stage
    camera: Camera
    fired: tuple[Happening, ...]
    ended: tuple[Statement, ...] = ()

    def rehearsed(self, arena: Arena) -> Rehearsed:
        """Have the meetings happen with the frozen function; afterwards the live one is there again."""
        tables = tuple(self.stage.watched)
        refused = arena.place(tables, self.stage.prepared) or arena.install((create_function(self.frozen),))
        if refused is not None:
            return Rehearsed(note=f"not tried with two sessions: {refused}")
        try:
            onlooker = Onlooker(*self._asked(), self._shot(self._changing(arena)))
            chosen, shown = self._chosen(arena, onlooker)
        finally:
            arena.install((create_function(self.live),))
        note = f"{len(chosen)} meetings of two sessions, {shown} of which show what a lock does" if chosen else ""
        promised, back = (create_function(self.frozen),), (create_function(self.live),)
        return Rehearsed(tables, self.stage.prepared, onlooker, tuple(chosen), note, promised, back)

    def _chosen(self, arena: Arena, onlooker: Onlooker) -> tuple[list[tuple[Meeting, Course]], int]:
        """Meetings with their courses, and how many of them would end otherwise without a lock."""
        alone = [(h, Meeting(self._acts(h))) for h in _of_each(self.fired, ALONE)]
        seen = [(h, m, arena.course(m, onlooker)) for h, m in alone]
        locking = [(h, m, c) for h, m, c in seen if c.held and not c.refused]
        chosen = [(m, c) for _, m, c in _spread(locking, KEPT_ALONE)]
        queued = [(m, arena.course(m, onlooker)) for m in self._queues([(m, c) for _, m, c in locking])]
        showing = self._showing(arena, onlooker, self._pairs(locking))
        # what does not come out the same twice means nothing
        every = [*showing, *queued, *chosen]
        same = [(m, c) for m, c in every if arena.course(m, onlooker) == c]
        return same, sum(one in showing for one in same)

    def _acts(self, happening: Happening) -> tuple[Statement, ...]:
        return (*happening.statements, *self.ended)

    def _changing(self, arena: Arena) -> Left:
        """The columns whose values are others in another transaction."""
        onlooker = Onlooker((), "", self.camera.details())
        left: Left = self.camera.left
        for happening in _of_each(self.fired, SAMPLE):
            one, other = (arena.course(Meeting(self._acts(happening)), onlooker) for _ in range(2))
            if not one.refused and not other.refused:
                left |= self.camera.unlike(one.rows, other.rows)
        return left

    def _shot(self, left: Left) -> Statement:
        return replace(self.camera, left=left).snapshot()

    def _looked_at(self) -> list[Table]:
        """The tables whose rows the function may lock: those that it speaks of, and its trigger's own."""
        return [t for t in self.stage.watched if t == self.stage.table or t.name.name in self.stage.words]

    def _asked(self) -> tuple[tuple[Statement, ...], str]:
        """What must be done, and then be asked, for the rows of which somebody else holds a lock."""
        tables = self._looked_at()
        names = ", ".join(identifier(t.name).as_string() for t in tables)
        entering = Statement(f"LOCK TABLE {names} IN ROW SHARE MODE NOWAIT")
        return (entering,), " UNION ALL ".join(f"({_locked(n, t)})" for n, t in enumerate(tables))

    def _rows(self, course: Course) -> Iterator[tuple[Table, Row]]:
        """The rows that are locked in a course so that others wait, by their keys; not what a foreign key holds."""
        tables = self._looked_at()
        for number, key in sorted(found for text in course.held if (found := _entry(text)) is not None):
            table = tables[number]
            yield table, dict(zip(key_columns(table), json.loads(key), strict=True))

    def _queues(self, locking: Sequence[tuple[Meeting, Course]]) -> Iterator[Meeting]:
        """Somebody holds one of the rows that are to be locked."""
        many: list[tuple[Meeting, list[tuple[Table, Row]]]] = []
        for meeting, course in locking:
            rows = list(self._rows(course))
            apart = [(t, r) for t, r in rows if t != self.stage.table and sum(t == o for o, _ in rows) > 1]
            if apart:
                many.append((meeting, apart))
        for meeting, rows in _spread(many, QUEUES):
            for table, row in rows[:QUEUED]:
                yield Meeting(meeting.act, (_lock(table, row),))

    def _pairs(self, locking: Sequence[tuple[Happening, Meeting, Course]]) -> Iterator[Meeting]:
        """Somebody has changed other rows of the same parents, and commits: one such change for each, then another."""
        turns = [self._others(n, m, c, locking) for n, (_, m, c) in enumerate(locking)]
        while turns:
            for turn in list(turns):
                found = next(turn, None)
                if found is None:
                    turns.remove(turn)
                else:
                    yield found

    def _others(
        self, number: int, meeting: Meeting, course: Course, locking: Sequence[tuple[Happening, Meeting, Course]]
    ) -> Iterator[Meeting]:
        """What somebody else may do who touches none of this one's rows, but their parents."""
        table, held = self.stage.table, list(self._rows(course))
        own = [row for t, row in held if t == table]
        changes = [change for keys in self._beside(held, own) for change in self._changes(keys)]
        # not all of them begin with the same change
        start = number % len(changes) if changes else 0
        for change in (*changes[start:], *changes[:start]):
            yield Meeting(meeting.act, (statement(change), *self.ended), commits=True)
        strangers = [(t, r) for t, r in held if t != table]
        for _, other, its in locking:
            theirs = list(self._rows(its))
            if any(one in strangers for one in theirs) and not any(t == table and r in own for t, r in theirs):
                yield Meeting(meeting.act, other.act, commits=True)

    def _beside(self, held: Sequence[tuple[Table, Row]], own: Sequence[Row]) -> Iterator[tuple[Row, ...]]:
        """The keys of the other rows of each parent that is held."""
        table = self.stage.table
        for fk in table.foreign_keys:
            for parent in (r for t, r in held if t.name == fk.references and set(fk.keys) <= set(r)):
                tied = {c: parent[k] for c, k in zip(fk.columns, fk.keys, strict=True)}
                rows = (r for r in self.stage.rows[table.name] if all(r[c] == v for c, v in tied.items()))
                keys = tuple(key for key in (key_of(table, r) for r in rows) if key not in own)
                if keys:
                    yield keys

    def _changes(self, keys: tuple[Row, ...]) -> Iterator[Delete | Update]:
        """These rows gone, or with another value in one of the columns that matter."""
        table = self.stage.table
        yield Delete(table, keys)
        tied = {c for fk in table.foreign_keys for c in fk.columns} | set(key_columns(table))
        for column in (c for c in self.stage.relevant(table.name) if c not in tied):
            values = dict.fromkeys(row[column] for row in self.stage.rows[table.name])
            for value in [v for v in values if v is not None][:1] + [v for v in values if v is None]:
                yield Update(table, keys, ({column: value},))

    def _showing(self, arena: Arena, onlooker: Onlooker, pairs: Iterator[Meeting]) -> list[tuple[Meeting, Course]]:
        """Of these the ones that end otherwise without one of the locks; some for each lock."""
        found: dict[str, list[tuple[Meeting, Course]]] = {body: [] for body in self.locks.bare}
        for _ in range(TRIES):
            wanting = [body for body, those in found.items() if len(those) < SHOWING]
            courses = [(m, arena.course(m, onlooker)) for m in islice(pairs, PAIRS if wanting else 0)]
            waiting = [(m, c) for m, c in courses if c.waits and not c.refused]
            for body in wanting if waiting else ():
                if arena.install((create_function(replace(self.frozen, body=body)),)) is None:
                    shows = ((m, c) for m, c in waiting if arena.course(m, onlooker) != c)
                    found[body] += islice(shows, SHOWING - len(found[body]))
            arena.install((create_function(self.frozen),))
        every = [one for those in found.values() for one in those]
        return [one for n, one in enumerate(every) if one not in every[:n]]


def _of_each(found: Iterable[Happening], most: int) -> list[Happening]:
    """The first of every kind, then the second, up to a few; none that locks whole tables."""
    by_kind: dict[str, list[Happening]] = {}
    for one in found:
        if one.label != "truncate":
            by_kind.setdefault(one.kind, []).append(one)
    turns = [one for n in range(ALIKE) for those in by_kind.values() for one in those[n : n + 1]]
    return turns[:most]


def _spread(found: Sequence[Thing], most: int) -> list[Thing]:
    """So many of them, from all over."""
    return list(found[:: max(1, -(-len(found) // most))])[:most]


def _entry(text: str) -> tuple[int, str] | None:
    """The table's number and the row's key, of a row that cannot be locked in the strength that writers need."""
    number, _, rest = text.partition(" ")
    strength, _, key = rest.partition(": ")
    return (int(number), key) if strength == WRITERS else None


def _locked(number: int, table: Table) -> str:
    """The keys of the rows that cannot be locked, for each strength of a lock: ``3 SHARE: ["17"]``."""
    name = identifier(table.name).as_string()
    free = ", ".join(
        f"free_{n} AS MATERIALIZED (SELECT ctid FROM {name} FOR {strength} SKIP LOCKED)"
        for n, strength in enumerate(STRENGTHS)
    )
    key = ", ".join(f"{sql.Identifier(c).as_string()}::text" for c in key_columns(table))
    parts = " UNION ALL ".join(
        f"SELECT '{number} {strength}: ' || pg_catalog.jsonb_build_array({key})::text AS held FROM {name}"
        f" WHERE ctid NOT IN (SELECT ctid FROM free_{n})"
        for n, strength in enumerate(STRENGTHS)
    )
    return f"WITH {free} {parts}"


def _lock(table: Table, key: Row) -> Statement:
    condition, values = where(key, {c.name: c.type for c in table.columns})
    return Statement(f"SELECT FROM {identifier(table.name).as_string()} WHERE {condition} FOR {WRITERS}", values)

"""Changes put together: new rows with the parents that they need, updates that leave rows as the schema wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from pgcontract.model import ForeignKey, Name
from pgcontract.rows.changes import Change, Insert, Update, key_columns, key_of
from pgcontract.rows.statements import Row, Value
from pgcontract.rows.terrain import Field, Terrain, required

Known = Callable[[Name], Sequence[Row]]
"""The rows of a table, as they are now."""

DEEPEST = 4
"""How many generations of parents may be made for one row."""
RETRIES = 3
VARIED, VARIED_ELSEWHERE = 0.8, 0.04
SAME_PARENTS = 0.65
NO_PARENT = 0.35
NEW_PARENT = 0.15
COLLIDING = 0.04
NOBODY = 0.03
LEFT_TO_DEFAULTS = 0.15
UNMENDED = 0.03
"""How often it is left to the database whether a change is valid: some branches see only such as are not."""


class NothingToDo(Exception):
    """There is no such change now: no row to update, no parent to move to."""


@dataclass
class Draft:
    """One step in the making: the changes so far, and the rows that they add and take away."""

    random: Random
    changes: list[Change] = field(default_factory=list)
    added: dict[Name, list[Row]] = field(default_factory=dict)
    gone: dict[Name, list[Row]] = field(default_factory=dict)


@dataclass
class Writing:
    """Puts changes into a draft. ``known`` are the rows that are there; ``number`` counts the keys given out."""

    terrain: Terrain
    known: Known
    number: int = field(default=0, kw_only=True)

    def _rows(self, draft: Draft, name: Name) -> Iterator[Row]:
        """The rows of a table, those of this step included."""
        gone = draft.gone.get(name, ())
        yield from (row for row in self.known(name) if row not in gone)
        yield from draft.added.get(name, ())

    def _insert(self, draft: Draft, field_: Field, rows: int) -> None:
        random = draft.random
        made: list[Row] = []
        fixed: dict[str, Value] = {}
        for _ in range(rows):
            row = self._unlike(draft, field_, fixed)
            draft.added.setdefault(field_.table.name, []).append(row)
            made.append(row)
            if random.random() < SAME_PARENTS:
                # of the same parents
                fixed = {c: row[c] for fk in field_.keys for c in fk.columns if c in row}
        if random.random() < LEFT_TO_DEFAULTS:
            made = self._with_defaults(field_, made)
        draft.changes.append(Insert(field_.table, tuple(made)))
        self._complete(draft, field_, made)

    @staticmethod
    def _with_defaults(field_: Field, rows: Sequence[Row]) -> list[Row]:
        """The rows without the columns whose default says the same in each of them."""
        explicit = [field_.shape.explicit(row) for row in rows]
        columns = [c for c in rows[0] if any(c in one for one in explicit)]
        return [{c: row[c] for c in columns} for row in rows]

    def _unlike(self, draft: Draft, field_: Field, fixed: Row, depth: int = 0) -> dict[str, Value]:
        """A new row whose keys no other row has; after some tries the last of them, and with other parents."""
        for attempt in range(RETRIES):
            row = self._new(draft, field_, fixed if attempt < RETRIES - 1 or depth else {}, depth)
            if not field_.collides(row, self._rows(draft, field_.table.name)):
                break
        return row

    def _born(self, draft: Draft, field_: Field, given: Row, depth: int) -> Row:
        """A new row, inserted."""
        row = self._unlike(draft, field_, given, depth)
        draft.changes.append(Insert(field_.table, (row,)))
        draft.added.setdefault(field_.table.name, []).append(row)
        self._complete(draft, field_, [row], depth)
        return row

    def _new(self, draft: Draft, field_: Field, fixed: Row | None = None, depth: int = 0) -> dict[str, Value]:
        """A new row that refers to parents that are there, or are made before it."""
        random = draft.random
        row: dict[str, Value] = dict(field_.base)
        bound = set(fixed or ())
        row |= fixed or {}
        linked = {c for fk in field_.keys for c in fk.columns} - field_.own
        met = [*self._rows(draft, field_.table.name)]
        unvetted: list[str] = []
        for column in field_.pools:
            if column in bound or column in linked:
                continue
            key = column in field_.shape.key_columns or field_.column(column).identity is not None
            if key and (random.random() > COLLIDING or not met):
                row[column] = self._fresh(field_, column)
            elif random.random() < (VARIED if self.terrain.matters(column) else VARIED_ELSEWHERE):
                row[column], vetted = field_.drawn(random, column, met)
                unvetted += [] if vetted else [column]
        self._bind(draft, field_, row, bound | field_.own, depth)
        hard = frozenset(bound | linked | field_.shape.key_columns)
        return row if random.random() < UNMENDED else field_.mended(row, hard, unvetted)

    def _bind(self, draft: Draft, field_: Field, row: dict[str, Value], bound: set[str], depth: int = 0) -> None:
        """Let each foreign key refer to a row that is there, or to a new one; ``bound`` columns keep their values."""
        random = draft.random
        for fk in field_.keys:
            free = [c for c in fk.columns if c not in bound and c in field_.pools]
            nullable = [c for c in free if not field_.column(c).not_null]
            if any(row.get(c) is None for c in fk.columns if c in bound):
                continue
            if nullable and (random.random() < NO_PARENT or depth >= DEEPEST):
                row.update(dict.fromkeys(nullable))
                bound.update(nullable)
                continue
            key = self._parent(draft, field_, fk, row, bound, depth)
            if key is not None:
                row.update(key)
            elif nullable:
                row.update(dict.fromkeys(nullable))
            bound.update(fk.columns)

    def _parent(
        self, draft: Draft, field_: Field, fk: ForeignKey, row: Row, bound: set[str], depth: int
    ) -> dict[str, Value] | None:
        random = draft.random
        given = {k: row[c] for c, k in zip(fk.columns, fk.keys, strict=True) if c in bound}
        parents = [
            p
            for p in self._rows(draft, fk.references)
            if all(p.get(k) == v for k, v in given.items()) and all(p.get(k) is not None for k in fk.keys)
        ]
        itself = fk.references == field_.table.name
        if len(fk.columns) == 1 and fk.columns[0] in field_.linked:
            # where a CHECK speaks of two parents, they are mostly to be two
            others = {row.get(c) for c in bound & field_.linked}
            parents = [p for p in parents if p.get(fk.keys[0]) not in others]
        if parents and (random.random() >= NEW_PARENT or depth >= DEEPEST or itself or len(given) == len(fk.keys)):
            parent: Row = random.choice(parents)
        elif itself:
            parent = row
        else:
            found = self.terrain.field(fk.references)
            if found is None or depth >= DEEPEST or not set(given) <= set(found.pools):
                return None
            if given and not required(field_.table, fk):
                # it could need the very row that is being made: a chat, its last message, that message's chat
                return None
            parent = self._born(draft, found, given, depth + 1)
        return {c: parent.get(k) for c, k in zip(fk.columns, fk.keys, strict=True) if c in field_.pools}

    def _fresh(self, field_: Field, column: str) -> Value:
        """A key that was not given out yet; where there are only a few, one of them."""
        self.number += 1
        found = field_.fresh(column, self.number)
        pool = field_.pools[column]
        return found if found is not None or not pool else pool[self.number % len(pool)]

    def _complete(self, draft: Draft, field_: Field, rows: Sequence[Row], depth: int = 0) -> None:
        """Give rows the parents that their generated columns ask for, by changing a row that is there or by a new one.

        Such keys are deferrable where rows need each other: two contacts that have accepted each other.
        """
        if not field_.indirect or depth >= DEEPEST:
            return
        for row in field_.shape.completed(rows):
            for fk in field_.indirect:
                needed = {k: row[c] for c, k in zip(fk.columns, fk.keys, strict=True)}
                parents = list(self._rows(draft, fk.references))
                found = self.terrain.field(fk.references)
                if found is None or None in needed.values() or any(_agrees(p, needed) for p in parents):
                    continue
                given = {k: v for k, v in needed.items() if k in found.pools}
                unique = [key.columns for key in found.table.keys if set(key.columns) <= set(given)]
                there = (p for p in parents for key in unique if _agrees(p, {k: given[k] for k in key}))
                parent = next(there, None)
                if parent is None:
                    self._born(draft, found, given, depth + 1)
                else:
                    changes = {k: v for k, v in given.items() if parent[k] != v}
                    changes |= self._mended(found, parent, changes)
                    self._update(draft, found, [parent], [changes], depth=depth + 1)

    def _keys(self, draft: Draft, field_: Field, rows: Sequence[Row]) -> tuple[Row, ...]:
        """What tells these rows from others; now and then, what tells of no row: statements change none, too."""
        keys = tuple(key_of(field_.table, row) for row in rows)
        strange = key_columns(field_.table)[0]
        if draft.random.random() > NOBODY or strange not in field_.shape.key_columns or strange not in field_.pools:
            return keys
        number = self._fresh(field_, strange)
        return keys if number is None else ({**keys[0], strange: number},)

    def _update(
        self,
        draft: Draft,
        field_: Field,
        rows: Sequence[Row],
        changes: Sequence[Row],
        *,
        everything: bool = False,
        depth: int = 0,
    ) -> None:
        """One statement for rows that become the same, or each its own."""
        table = field_.table
        columns = list(dict.fromkeys(c for change in changes for c in change))
        full = [{c: change.get(c, row[c]) for c in columns} for row, change in zip(rows, changes, strict=True)]
        if field_.linked & set(columns):
            # what one row needs beside its new values, another may not
            for row, change in zip(rows, full, strict=True):
                change.update(self._mended(field_, row, change))
            columns = list(dict.fromkeys(c for change in full for c in change))
            full = [{c: change.get(c, row[c]) for c in columns} for row, change in zip(rows, full, strict=True)]
        if field_.shape.key_columns & set(columns) and draft.random.random() > COLLIDING:
            rows, full = self._apart(draft, field_, rows, full)
            everything = False
        same = all(change == full[0] for change in full)
        keys = self._keys(draft, field_, rows)
        same = same or len(keys) < len(rows)
        whole = everything and same and draft.random.random() < 0.5
        draft.changes.append(Update(table, None if whole else keys, (full[0],) if same else tuple(full)))
        if field_.indirect and depth < DEEPEST:
            images = [{**row, **change} for row, change in zip(rows, full, strict=True)]
            draft.gone.setdefault(table.name, []).extend(rows)
            draft.added.setdefault(table.name, []).extend(images)
            self._complete(draft, field_, images, depth)
            self._follow(draft, field_, rows, images, depth)

    def _apart(
        self, draft: Draft, field_: Field, rows: Sequence[Row], changes: Sequence[Row]
    ) -> tuple[list[Row], list[dict[str, Value]]]:
        """Those of the rows whose new keys no other row has."""
        others = [row for row in self._rows(draft, field_.table.name) if row not in rows]
        kept: list[Row] = []
        changed: list[dict[str, Value]] = []
        for row, change in zip(rows, changes, strict=True):
            image = {**row, **change}
            if not field_.collides(image, others):
                others.append(image)
                kept.append(row)
                changed.append(dict(change))
        if not kept:
            raise NothingToDo
        return kept, changed

    def _follow(self, draft: Draft, field_: Field, rows: Sequence[Row], images: Sequence[Row], depth: int) -> None:
        """Have rows of the same table that refer to one by generated columns change as it does, where it must be."""
        for fk in field_.indirect:
            if fk.references != field_.table.name or fk.on_update not in {"NO ACTION", "RESTRICT"}:
                continue
            for row, image in zip(rows, images, strict=True):
                before, after = ({k: one.get(k) for k in fk.keys} for one in (row, image))
                held = {c: before[k] for c, k in zip(fk.columns, fk.keys, strict=True)}
                if before == after or None in held.values():
                    continue
                for child in [r for r in self._rows(draft, field_.table.name) if _agrees(r, held)]:
                    bound = {c for key in (*field_.keys, fk) for c in key.columns} | field_.shape.key_columns
                    changed = {c: v for c, v in image.items() if v != row.get(c) and c in field_.pools}
                    changes = {c: v for c, v in changed.items() if c not in bound or (c in fk.keys and c not in held)}
                    if changes:
                        self._update(draft, field_, [child], [changes], depth=depth + 1)

    def _mended(self, field_: Field, row: Row, given: Row, unvetted: Sequence[str] = ()) -> dict[str, Value]:
        if not unvetted and not field_.linked & set(given):
            return {}
        image = {c: given.get(c, row[c]) for c in field_.pools}
        found = field_.mended(image, frozenset(given), unvetted)
        return {c: v for c, v in found.items() if v != image[c]}


def _agrees(row: Row, values: Row) -> bool:
    return all(row.get(c) == v for c, v in values.items())

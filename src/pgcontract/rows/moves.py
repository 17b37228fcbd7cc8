"""Valid changes, drawn: rows inserted with their parents, updated, moved, upserted and deleted, one or many at a time.

Nothing here asks for more than the rows that are there. Whether a change is valid is for the database to say: what is
drawn is meant to be, most of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pgcontract.model import ForeignKey, Table
from pgcontract.rows.changes import Both, Delete, Insert, Update, key_columns, key_of
from pgcontract.rows.statements import Row, Value
from pgcontract.rows.terrain import Arbiter, Field, conflict, required
from pgcontract.rows.writing import COLLIDING, NO_PARENT, RETRIES, UNMENDED, Draft, Known, NothingToDo, Writing

__all__ = ["Draft", "Known", "Moves", "NothingToDo"]

FOCUSED = 0.85
ALL = 0.15
ELSEWHERE = 0.04
"""How much less a column is changed that no invariant and no trigger speaks of."""


TO_THE_SAME, LEVELLED, EXCHANGED = 0.3, 0.25, 0.2
"""How often many rows get one new value, that of one of them, or each that of another; otherwise each a new one."""


@dataclass
class Moves(Writing):
    """Draws changes. ``focus`` are the tables that matter most, ``guest`` is another one that none is to forget."""

    focus: tuple[Table, ...] = ()
    guest: Table | None = None

    def insert(self, draft: Draft, rows: int = 1) -> None:
        """Insert rows of one table, with those parents that they need and have not."""
        self._insert(draft, self._table(draft), rows)

    def visit(self, draft: Draft) -> None:
        """Insert a row into the guest's table, and change one there."""
        found = self.terrain.field(self.guest.name) if self.guest is not None else None
        if found is None:
            raise NothingToDo
        self._insert(draft, found, 1)
        rows = list(self._rows(draft, found.table.name))
        row = draft.random.choice(rows)
        if set(key_columns(found.table)) <= set(row):
            self._update(draft, found, [row], [self._values(draft, found, self._columns(draft, found), row)])

    def trespass(self, draft: Draft) -> None:
        """Change a row of the guest's table to what a CHECK refuses: triggers may see it first, and branch."""
        found = self.terrain.field(self.guest.name) if self.guest is not None else None
        rows = self.known(found.table.name) if found is not None else ()
        refused = {} if found is None else {c: v for c, v in found.refused.items() if v and self.terrain.matters(c)}
        if found is None or not rows or not refused:
            raise NothingToDo
        column = draft.random.choice(list(refused))
        row = draft.random.choice(rows)
        draft.changes.append(
            Update(found.table, (key_of(found.table, row),), ({column: draft.random.choice(refused[column])},))
        )

    def update(self, draft: Draft, *, many: bool = False) -> None:
        """Change columns of one, several or all rows: to the same, or each to its own."""
        field_, rows = self._populated(draft)
        chosen = self._some(draft, rows, many=many)
        columns = self._columns(draft, field_)
        given = list(dict.fromkeys(c for column in columns for c in _with_parents(field_, column)))
        changes = self._shared(draft, chosen, given, lambda row: self._values(draft, field_, columns, row))
        self._update(draft, field_, chosen, changes, everything=len(chosen) == len(rows))

    def move(self, draft: Draft, *, many: bool = False) -> None:
        """Give rows other parents: all the same, or each its own."""
        field_, rows = self._populated(draft)
        if not field_.keys:
            raise NothingToDo
        fk = draft.random.choice(field_.keys)
        chosen = self._some(draft, rows, many=many)
        changes = self._shared(draft, chosen, fk.columns, lambda row: self._moved(draft, field_, fk, row))
        self._update(draft, field_, chosen, changes, everything=len(chosen) == len(rows))

    def delete(self, draft: Draft, *, many: bool = False) -> None:
        """Delete one, several or all rows; those that others hold on to are mostly left alone."""
        field_, rows = self._populated(draft)
        free = [row for row in rows if not self._held(field_.table, row)]
        chosen = self._some(draft, free or rows, many=many)
        everything = len(chosen) == len(rows)
        keys = self._keys(draft, field_, chosen)
        draft.gone.setdefault(field_.table.name, []).extend(chosen)
        draft.changes.append(Delete(field_.table, None if everything and draft.random.random() < 0.5 else keys))

    def upsert(self, draft: Draft) -> None:
        """INSERT … ON CONFLICT: rows that are there, rows that are not, or both; their values taken over or not."""
        random = draft.random
        field_ = self._table(draft)
        if not field_.arbiters:
            raise NothingToDo
        arbiter = random.choice(field_.arbiters)
        there = list(self._rows(draft, field_.table.name))
        random.shuffle(there)
        hit = there[: random.choice((0, 1, 1, 2, 3))]
        rows = [found for row in hit if (found := self._meeting(draft, field_, arbiter, row, there)) is not None]
        rows += [self._unlike(draft, field_, {}) for _ in range(random.choice((0, 1, 2)) if rows else 1)]
        # no row twice: DO UPDATE would refuse that
        rows = list({tuple(row.get(c) for c in arbiter.columns): row for row in rows}.values())
        random.shuffle(rows)
        taken: list[str] = []
        if random.random() < 0.75:
            for column in self._columns(draft, field_):
                taken += _with_parents(field_, column)
            if field_.linked & set(taken):
                taken += field_.linked
            bound = set(arbiter.columns) | set(key_columns(field_.table))
            taken = [c for c in dict.fromkeys(taken) if c not in bound and field_.column(c).identity is None]
        draft.changes.append(Insert(field_.table, tuple(rows), conflict(arbiter, sorted(taken))))

    def _meeting(
        self, draft: Draft, field_: Field, arbiter: Arbiter, row: Row, there: Sequence[Row]
    ) -> dict[str, Value] | None:
        """A new row that has this key, and no other, in common with one that is there; None where none was found."""
        key = {c: row[c] for c in arbiter.columns}
        others = [other for other in there if other is not row]
        for _ in range(RETRIES if None not in key.values() else 0):
            found = self._new(draft, field_, key)
            if not field_.collides(found, others):
                return found
        return None

    def together(self, draft: Draft) -> None:
        """Two changes of different tables by one statement, as WITH … does it."""
        random = draft.random
        first, second = (Draft(random, gone=draft.gone) for _ in range(2))
        for part in (first, second):
            kind = random.choice((self.insert, self.insert, self.update, self.update, self.delete))
            kind(part)
        one, other = first.changes[-1], second.changes[-1]
        if isinstance(one, Both) or isinstance(other, Both) or one.table is other.table:
            raise NothingToDo
        draft.changes += [*first.changes[:-1], *second.changes[:-1], Both(one, other)]

    def family(self, draft: Draft) -> None:
        """A row and its child by one statement."""
        random = draft.random
        children = [t for t in self.focus if t.foreign_keys]
        if not children:
            raise NothingToDo
        child = self.terrain.field(random.choice(children).name)
        if child is None:
            raise NothingToDo
        parent = self.terrain.field(random.choice(child.keys).references) if child.keys else None
        if parent is None or parent.table.name == child.table.name:
            raise NothingToDo
        inner = Draft(random)
        self._insert(inner, parent, 1)
        born = inner.added[parent.table.name][-1:]
        keys = [fk for fk in child.keys if fk.references == parent.table.name]
        fixed = {c: born[0][k] for c, k in zip(keys[0].columns, keys[0].keys, strict=True) if k in born[0]}
        made = inner.changes.pop()
        grown = Draft(random, added=inner.added)
        row = self._new(grown, child, fixed)
        assert isinstance(made, Insert)
        halves = [made, Insert(child.table, (row,))]
        if random.random() < 0.5:
            halves.reverse()
        draft.changes += [*inner.changes, *grown.changes, Both(halves[0], halves[1])]

    def _table(self, draft: Draft) -> Field:
        """A table that rows can be made for, of the focus mostly."""
        random = draft.random
        pool = self.focus if self.focus and random.random() < FOCUSED else self.terrain.tables
        weights = [self.terrain.weights.get(table.name, 1) for table in pool]
        for table in random.choices(pool, weights, k=RETRIES):
            found = self.terrain.field(table.name)
            if found is not None:
                return found
        raise NothingToDo

    def _populated(self, draft: Draft) -> tuple[Field, Sequence[Row]]:
        """A table that has rows, with them."""
        for _ in range(RETRIES):
            found = self._table(draft)
            gone = draft.gone.get(found.table.name, ())
            rows = [row for row in self.known(found.table.name) if row not in gone]
            if rows:
                return found, rows
        raise NothingToDo

    def _some(self, draft: Draft, rows: Sequence[Row], *, many: bool) -> Sequence[Row]:
        random = draft.random
        if not many or len(rows) == 1:
            return [random.choice(rows)]
        return rows if random.random() < ALL else random.sample(rows, random.randint(2, min(len(rows), 4)))

    def _columns(self, draft: Draft, field_: Field) -> list[str]:
        """One column to change, or a few; mostly such as matter."""
        random = draft.random
        free = [c for c in field_.pools if field_.column(c).identity != "ALWAYS"]
        if not free:
            raise NothingToDo
        weights = [1 if self.terrain.matters(c) else ELSEWHERE for c in free]
        keys = set(key_columns(field_.table)) if len(key_columns(field_.table)) < len(free) else set()
        weights = [ELSEWHERE if c in keys else w for c, w in zip(free, weights, strict=True)]
        return list(dict.fromkeys(random.choices(free, weights, k=random.choice((1, 1, 1, 1, 2, 3)))))

    def _values(self, draft: Draft, field_: Field, columns: Sequence[str], row: Row) -> dict[str, Value]:
        """New values of these columns, and of those that must change with them."""
        random = draft.random
        given: dict[str, Value] = {}
        unvetted: list[str] = []
        for column in columns:
            keys = [fk for fk in field_.keys if column in fk.columns]
            if keys:
                given |= self._moved(draft, field_, random.choice(keys), row)
                continue
            if column in field_.shape.key_columns and random.random() > COLLIDING:
                given[column] = self._fresh(field_, column)
            elif (refused := field_.refused.get(column)) and random.random() < UNMENDED:
                given[column] = random.choice(refused)
            else:
                value, vetted = field_.drawn(random, column, self.known(field_.table.name))
                if value == row[column]:
                    value, vetted = field_.drawn(random, column, self.known(field_.table.name))
                given[column] = value
                unvetted += [] if vetted else [column]
        return given if random.random() < UNMENDED else given | self._mended(field_, row, given, unvetted)

    def _shared(
        self, draft: Draft, rows: Sequence[Row], columns: Sequence[str], new: Callable[[Row], Row]
    ) -> list[Row]:
        """What becomes of rows: all the same or each its own, new or what one of them or the next one has already."""
        random = draft.random
        chance = random.random()
        if len(rows) == 1 or chance < TO_THE_SAME:
            return [new(rows[0])] * len(rows)
        if chance < TO_THE_SAME + LEVELLED:
            one = random.choice(rows)
            return [{c: one[c] for c in columns}] * len(rows)
        if chance < TO_THE_SAME + LEVELLED + EXCHANGED:
            return [{c: row[c] for c in columns} for row in (rows[-1], *rows[:-1])]
        return [new(row) for row in rows]

    def _moved(self, draft: Draft, field_: Field, fk: ForeignKey, row: Row) -> dict[str, Value]:
        """Another parent for a row, the columns that it shares with other keys left alone if possible."""
        random = draft.random
        if not required(field_.table, fk) and random.random() < NO_PARENT / 2:
            return {c: None for c in fk.columns if not field_.column(c).not_null}
        now = tuple(row[c] for c in fk.columns)
        shared = {c for other in field_.keys if other is not fk for c in other.columns} & set(fk.columns)
        parents = [tuple(p[k] for k in fk.keys) for p in self.known(fk.references)]
        others = [p for p in parents if None not in p and p != now]
        kept = [p for p in others if all(v == row[c] for v, c in zip(p, fk.columns, strict=True) if c in shared)]
        if not (kept or others):
            raise NothingToDo
        if kept or not shared:
            return dict(zip(fk.columns, random.choice(kept or others), strict=True))
        # the other keys must follow
        given: dict[str, Value] = dict(zip(fk.columns, random.choice(others), strict=True))
        image = dict(row) | given
        self._bind(draft, field_, image, set(given))
        return {c: v for c, v in image.items() if v != row[c] and c in field_.pools}

    def _held(self, table: Table, row: Row) -> bool:
        """Whether other rows refer to this one and would keep it from being deleted."""
        for child, fk in self.terrain.catalog.referencing(table.name):
            if fk.on_delete in {"NO ACTION", "RESTRICT"}:
                mine = tuple(row[k] for k in fk.keys)
                if any(tuple(other[c] for c in fk.columns) == mine for other in self.known(child.name)):
                    return True
        return False


def _with_parents(field_: Field, column: str) -> list[str]:
    """The column, and those that make a foreign key together with it."""
    return [c for fk in field_.keys if column in fk.columns for c in fk.columns] or [column]

"""A model of what foreign keys' actions do: which rows are gone, nulled, defaulted or changed after one of them was.

It knows rows and foreign keys, and nothing else. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pgcontract.model import Action, ForeignKey, Name
from pgcontract.rows.statements import Row, Value

Event = Literal["delete", "update"]


@dataclass(frozen=True)
class Present:
    """A row as the model knows it."""

    table: Name
    values: Row


@dataclass(frozen=True)
class Holder:
    """A foreign key with the table that has it: names are the tables' own."""

    table: Name
    foreign_key: ForeignKey

    def __str__(self) -> str:
        return f"{self.foreign_key.name} of {self.table}"


@dataclass(frozen=True)
class Columns:
    """What the model must know of columns: what SET DEFAULT puts there, and whether NULL is refused."""

    default: Callable[[Name, str], Value]
    not_null: Callable[[Name, str], bool] = lambda _table, _column: False


class Closure:
    """The model: rows, and what a change of one of them does to the others by the foreign keys' actions."""

    def __init__(
        self, foreign_keys: Mapping[Name, Sequence[ForeignKey]], rows: Sequence[Present], columns: Columns
    ) -> None:
        self._foreign_keys = foreign_keys
        self._rows = rows
        self._columns = columns
        self._state = [(r.table, dict(r.values)) for r in rows]
        self._gone: set[int] = set()
        self._pending: list[tuple[int, Event, dict[str, Value]]] = []
        self._unsure: list[tuple[ForeignKey, int]] = []
        self._nulled: list[tuple[ForeignKey, int]] = []

    def after(self, target: Present, event: Event, new: Row) -> list[Present] | Holder:
        """The rows that are left when ``target`` was deleted, or updated to ``new``.

        Returns the foreign key that refuses it, where a NO ACTION or RESTRICT key still has a child at the end, or
        where SET NULL meets NOT NULL.
        """
        self._touch(next(n for n, r in enumerate(self._rows) if r is target), event, new)
        while self._pending:
            row, kind, before = self._pending.pop(0)
            for child, (table, _) in enumerate(self._state):
                for fk in self._foreign_keys.get(table, ()):
                    if self._follows(fk, child, row, kind, before):
                        self._act(fk, child, row, kind)
        orphaned = [(fk, child) for fk, child in self._unsure if self._orphaned(fk, child)]
        refusing = (Holder(self._state[child][0], fk) for fk, child in (*self._nulled, *orphaned))
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
        match _action(fk, kind):
            case "CASCADE" if kind == "delete":
                self._touch(child, "delete", {})
            case "CASCADE":
                followed = _values(self._state[row][1], fk.keys)
                self._touch(child, "update", dict(zip(fk.columns, followed, strict=True)))
            case "SET NULL" if any(self._columns.not_null(self._state[child][0], c) for c in columns):
                self._nulled.append((fk, child))
            case "SET NULL":
                self._touch(child, "update", dict.fromkeys(columns))
            case "SET DEFAULT":
                self._touch(child, "update", {c: self._columns.default(self._state[child][0], c) for c in columns})
                # the default must have a parent of its own
                self._unsure.append((fk, child))
            case _ if not fk.deferred:
                self._unsure.append((fk, child))
            case _:
                # it is looked at when the transaction ends, which it does not
                pass

    def _orphaned(self, fk: ForeignKey, child: int) -> bool:
        wanted = _values(self._state[child][1], fk.columns)
        kept = (v for n, (t, v) in enumerate(self._state) if n not in self._gone and t == fk.references)
        return child not in self._gone and None not in wanted and wanted not in (_values(v, fk.keys) for v in kept)


def rivals(
    own: Holder,
    foreign_keys: Mapping[Name, Sequence[ForeignKey]],
    rows: Sequence[Present],
    columns: Columns,
    changes: Sequence[tuple[Present, Event, Row]],
) -> list[Holder]:
    """The foreign keys that would refuse one of the changes before ``own`` decides, or take its child away first."""
    found: list[Holder] = []

    def rest(*also: Holder) -> dict[Name, list[ForeignKey]]:
        out = (*found, *also)
        return {table: [fk for fk in fks if Holder(table, fk) not in out] for table, fks in foreign_keys.items()}

    for target, event, new in changes:
        holders = (
            Holder(row.table, fk)
            for row in rows
            for fk in foreign_keys.get(row.table, ())
            if fk.references == target.table and _values(row.values, fk.columns) == _values(target.values, fk.keys)
        )
        direct = list(dict.fromkeys(holders))
        # RESTRICT looks at once, whatever comes after
        found += [h for h in direct if h != own and _action(h.foreign_key, event) == "RESTRICT" and h not in found]
        while isinstance(refused := Closure(rest(own), rows, columns).after(target, event, new), Holder):
            found.append(refused)
        if _action(own.foreign_key, event) in ("NO ACTION", "RESTRICT"):
            last = Closure(rest(), rows, columns).after(target, event, new)
            if last != own and not own.foreign_key.deferred:
                found += [h for h in direct if h.table == own.table and h not in (own, *found)]
    return found


def _action(fk: ForeignKey, event: Event) -> Action:
    return fk.on_delete if event == "delete" else fk.on_update


def _values(row: Row, columns: Sequence[str]) -> tuple[Value, ...]:
    return tuple(row.get(c) for c in columns)

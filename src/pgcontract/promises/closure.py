"""A model of what foreign keys' actions do: which rows are gone, nulled, defaulted or changed after one of them was.

It knows rows and foreign keys, and nothing else. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pgcontract.model import ForeignKey, Name
from pgcontract.rows.statements import Row, Value

Event = Literal["delete", "update"]


@dataclass(frozen=True)
class Present:
    """A row as the model knows it."""

    table: Name
    values: Row


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
            case _ if not fk.deferred:
                self._unsure.append((fk, child))
            case _:
                # it is looked at when the transaction ends, which it does not
                pass

    def _orphaned(self, fk: ForeignKey, child: int) -> bool:
        wanted = _values(self._state[child][1], fk.columns)
        kept = (v for n, (t, v) in enumerate(self._state) if n not in self._gone and t == fk.references)
        return child not in self._gone and None not in wanted and wanted not in (_values(v, fk.keys) for v in kept)


def _values(row: Row, columns: Sequence[str]) -> tuple[Value, ...]:
    return tuple(row.get(c) for c in columns)

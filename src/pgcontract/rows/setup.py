"""The statements that put a planned world there: what is in the way is taken away, then its rows, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from pgcontract.model import ForeignKey, Name
from pgcontract.rows.partitions import empty, is_hashed, making
from pgcontract.rows.shape import Shape
from pgcontract.rows.statements import Statement, identifier, together
from pgcontract.rows.variation import Variation
from pgcontract.rows.ways import deferred, immediate, key_of
from pgcontract.rows.world import Placed


@dataclass(frozen=True)
class Setup:
    """Of a world for the rows of ``name``. ``needs`` are a table's foreign keys by which its rows have parents.

    By the ``loose`` ones the rows under test refer to nobody yet.
    """

    shape: Callable[[Name], Shape]
    name: Name
    variation: Variation
    needs: Callable[[Name], Iterable[ForeignKey]]
    loose: Sequence[ForeignKey]

    def statements(self, blocks: Sequence[Sequence[Placed]]) -> list[Statement]:
        """In the order in which they are sent; rows of one block need each other."""
        placed = {row.table for block in blocks for row in block}
        tables = placed | {self.name}
        setup = [making(name, hashed=is_hashed(self.shape(name).table)) for name in self.unparted(tables)]
        setup += [_switch(name, "DISABLE", trigger) for name, trigger, _ in self.variation.lame]
        setup += [
            Statement(sql.SQL("TRUNCATE {} CASCADE").format(identifier(name)).as_string())
            for name in sorted(self.variation.emptied & tables)
        ]
        if self.variation.quiet:
            setup += [_silenced(name) for name in sorted(tables) if self._fires(name)]
        hushed = sorted(placed) if self.variation.hushed else []
        setup += [s for name in hushed for s in self._switched(name, on=False)]
        for rows in blocks:
            setup += self._cleared(row.table for row in rows)
            setup += self._inserts(rows)
        setup += [s for name in hushed for s in self._switched(name, on=True)]
        setup += self._cleared([self.name])
        for fk in self.loose:
            setup += () if fk.deferred else self._deferred(self.name, fk)
        return setup

    def unparted(self, tables: Iterable[Name]) -> list[Name]:
        """Partitioned tables that have no partition for the rows of these, or for those that triggers make."""
        shapes = (self.shape(name) for name in {*tables, *self.variation.parted})
        return sorted({found.name for shape in shapes for found in empty(shape.table, shape.catalog)})

    def _cleared(self, names: Iterable[Name]) -> list[Statement]:
        found = [name for name in dict.fromkeys(names) if name in self.variation.cleared]
        return [clearing(name) for name in found]

    def _fires(self, name: Name) -> bool:
        return any(trigger.enabled != "DISABLED" for trigger in self.shape(name).table.triggers)

    def _switched(self, name: Name, *, on: bool) -> Iterator[Statement]:
        """Each of a table's triggers off, or on as it was; what waits for the end is asked before, as it must be."""
        table = self.shape(name).table
        lame = {trigger for of, trigger, _ in self.variation.lame if of == name}
        firing = [t for t in table.triggers if t.enabled in ("ORIGIN", "ALWAYS") and t.name not in lame]
        waiting = [fk for fk in table.foreign_keys if fk.deferred and on and firing]
        for fk in waiting:
            yield immediate(name, fk.name)
            yield from self._deferred(name, fk)
        for trigger in firing:
            word = "DISABLE" if not on else "ENABLE ALWAYS" if trigger.enabled == "ALWAYS" else "ENABLE"
            yield _switch(name, word, trigger.name)

    def _seeded(self, row: Placed) -> bool:
        return any(row.values is kept for name, rows in self.variation.kept if name == row.table for kept in rows)

    def _deferred(self, name: Name, fk: ForeignKey) -> Iterator[Statement]:
        return deferred(self.shape(name).catalog, name, fk.name)

    def _inserts(self, block: Sequence[Placed]) -> Iterator[Statement]:
        """The INSERTs, deferring foreign keys that refer to a row behind; where that cannot be, in one statement."""
        rows = [row for row in block if row.table not in self.variation.unmade and not self._seeded(row)]
        ahead: dict[tuple[Name, str], ForeignKey] = {}
        for number, row in enumerate(rows):
            for fk in self.needs(row.table):
                later = (r for r in rows[number + 1 :] if r.table == fk.references)
                if tuple(row.values.get(c) for c in fk.columns) in [key_of(r.values, fk) for r in later]:
                    ahead[row.table, fk.name] = fk
        if ahead and not all(fk.deferrable for fk in ahead.values()):
            yield together([r.statement for r in rows])
            return
        for (name, _), fk in ahead.items():
            yield from self._deferred(name, fk)
        yield from (r.statement for r in rows)
        for (name, _), fk in ahead.items():
            yield immediate(name, fk.name)
            if fk.deferred:
                yield from self._deferred(name, fk)


def clearing(name: Name) -> Statement:
    """What takes a table's rows away."""
    return Statement(f"DELETE FROM {identifier(name).as_string()}")


def _switch(name: Name, word: str, trigger: str) -> Statement:
    named = sql.Identifier(trigger).as_string()
    return Statement(f"ALTER TABLE {identifier(name).as_string()} {word} TRIGGER {named}")


def _silenced(name: Name) -> Statement:
    return Statement(f"ALTER TABLE {identifier(name).as_string()} DISABLE TRIGGER USER")

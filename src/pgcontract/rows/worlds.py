"""Worlds: the rows that must exist around a row under test, planned from the live catalog, parents first.

A world holds every ancestor twice: a row under test can then be told from its twin, which shares nothing with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pgcontract.model import Catalog, ForeignKey, Name, Reason
from pgcontract.rows.oracle import Oracle, Refusal
from pgcontract.rows.partitions import with_inherited_keys
from pgcontract.rows.planning import TWINS, Draft, Variation
from pgcontract.rows.refusals import told
from pgcontract.rows.shape import Shape, Unbuildable
from pgcontract.rows.world import Placed, Way, World

__all__ = ["TWINS", "Placed", "Way", "World", "Worlds"]

UNIQUE_VIOLATION = "23505"
FOREIGN_KEY_VIOLATION = "23503"
ATTEMPTS = 8
MOST_OFFSETS = 3
STRIDE = 10
"""How often a world is planned anew with other key values, because rows that migrations seeded were in the way."""
FARTHEST = 5000
"""No key value has a much higher number: the n-th value of a pattern is found by making all those before it."""
FAR = 100
"""The number of a key value that only types with very many values have."""


@dataclass
class Worlds:
    """Plans worlds for one live catalog. ``offset`` moves all key values away from rows that are there already.

    ``roles`` maps a role's name in the contract to its name on this server, where that is another.
    """

    catalog: Catalog
    oracle: Oracle
    roles: Mapping[str, str] = field(default_factory=dict)
    offset: int = 0
    _emptied: set[Name] = field(default_factory=set)
    _cleared: set[Name] = field(default_factory=set)
    _tied: set[tuple[Name, str]] = field(default_factory=set)
    _shapes: dict[Name, Shape] = field(default_factory=dict)
    _worlds: dict[tuple[Name, frozenset[ForeignKey], bool], World | Unbuildable] = field(default_factory=dict)

    def shape(self, name: Name) -> Shape:
        """What is known of a table's rows.

        Raises Unbuildable where there is no such table.
        """
        if name not in self._shapes:
            table = self.catalog.table(name)
            if table is None:
                raise Unbuildable("the table is gone", where=str(name), reason=Reason.GONE)
            shape = Shape(with_inherited_keys(table, self.catalog), self.catalog, self.oracle)
            with_default = [c for c in shape.columns if c.default is not None]
            values = self.oracle.evaluate([(c.default or "NULL", c.type) for c in with_default])
            shape.defaults = {c.name: v for c, v in zip(with_default, values, strict=True)}
            self._shapes[name] = shape
        return self._shapes[name]

    def world(self, name: Name, foreign_keys: frozenset[ForeignKey] = frozenset(), *, quiet: bool = False) -> World:
        """The world of a table's rows; by ``foreign_keys`` parents must exist, too, be they nullable or gone.

        In a ``quiet`` world the tables' triggers are off. Raises Unbuildable with the reason.
        """
        key = name, foreign_keys, quiet
        if key not in self._worlds:
            try:
                self._worlds[key] = self._plan(name, foreign_keys, quiet=quiet)
            except Unbuildable as error:
                self._worlds[key] = error
        found = self._worlds[key]
        if isinstance(found, Unbuildable):
            raise found
        return found

    def _plan(self, name: Name, foreign_keys: frozenset[ForeignKey], *, quiet: bool) -> World:
        before = self.offset
        try:
            return self._planned(name, foreign_keys, quiet=quiet)
        except Unbuildable:
            # other keys were no help, and no other world is to be taken further off for it
            self.offset = before
            raise

    def _planned(self, name: Name, foreign_keys: frozenset[ForeignKey], *, quiet: bool) -> World:
        shift = Variation(quiet=quiet)
        offsets = 0
        refusal: Refusal | None = None
        for _ in range(ATTEMPTS):
            emptied, cleared, tied = frozenset(self._emptied), frozenset(self._cleared), frozenset(self._tied)
            variation = replace(shift, offset=self.offset, emptied=emptied, cleared=cleared, tied=tied)
            draft = Draft(self.shape, name, sorted(foreign_keys, key=lambda fk: fk.name), variation)
            world = draft.world()
            refusal = self.oracle.refusal([*world.setup, world.insert(world.base)])
            if refusal is None:
                return world
            loose = self._dangling(world, refusal)
            if loose is not None and loose not in self._tied:
                self._tied.add(loose)
                continue
            if refusal.sqlstate != UNIQUE_VIOLATION:
                raise _unbuildable(world, refusal)
            met, bound, crowded = self._met(world, refusal)
            if bound and draft.cyclic and not shift.loose:
                # those whom the row would refer to are referred to already, and may be once only
                shift = replace(shift, second=not shift.second, loose=shift.second)
            elif crowded is not None and crowded not in self._emptied:
                self._emptied.add(crowded)
            elif not bound and offsets < MOST_OFFSETS and self.offset < FARTHEST:
                # rows that migrations seeded are in the way: other keys, further off each time
                offsets += 1
                self.offset = (self.offset + len(TWINS)) * STRIDE
            elif bound and met is not None and met not in self._cleared:
                # a parent's trigger has made the row that would be made here
                self._cleared.add(met)
            else:
                raise _unbuildable(world, refusal)
        raise _unbuildable(world, refusal)

    def _dangling(self, world: World, refusal: Refusal) -> tuple[Name, str] | None:
        """A nullable foreign key by which a row referred to nobody, since a CHECK wants its column not to be NULL."""
        if refusal.sqlstate != FOREIGN_KEY_VIOLATION:
            return None
        names = {world.table.name, *(p.table for p in world.placed)}
        found = ((n, fk) for n in names if n.name == refusal.table for fk in self.shape(n).table.foreign_keys)
        return next(((name, fk.name) for name, fk in found if fk.name == refusal.constraint), None)

    def _met(self, world: World, refusal: Refusal) -> tuple[Name | None, bool, Name | None]:
        """The table of the violated key; whether it is made of foreign keys; and it, where seeded rows use it up."""
        for name in {world.table.name, *(p.table for p in world.placed)}:
            shape = self.shape(name)
            keys = {k.name: k.columns for k in shape.table.keys}
            keys |= {i.name: tuple(k.column for k in i.keys if k.column) for i in shape.table.indexes if i.unique}
            columns = keys.get(refusal.constraint or "", ()) if name.name == refusal.table else ()
            bound = {c for fk in shape.table.foreign_keys for c in fk.columns}
            free = [c for c in columns if c in shape.names and c not in bound]
            if columns:
                few = bool(free) and all(shape.domain(c, shape.sure).fresh(FAR) is None for c in free)
                return name, not free, name if few else None
        return None, False, None


def _unbuildable(world: World, refusal: Refusal | None) -> Unbuildable:
    where = str(world.table.name) if refusal is None or refusal.table is None else refusal.table
    reason, detail = (Reason.NO_ROW, "") if refusal is None else told(refusal, world.catalog)
    return Unbuildable(f"no row could be inserted into {where}: {detail}", where=str(world.table.name), reason=reason)

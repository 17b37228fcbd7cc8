"""Worlds: the rows that must exist around a row under test, planned from the live catalog, parents first.

A world holds every ancestor twice: a row under test can then be told from its twin, which shares nothing with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pgcontract.model import Catalog, ForeignKey, Name, Reason
from pgcontract.rows.oracle import Oracle, Refusal
from pgcontract.rows.partitions import with_inherited_keys
from pgcontract.rows.planning import TWINS, Draft
from pgcontract.rows.refusals import told
from pgcontract.rows.repairs import Repairs
from pgcontract.rows.shape import Shape, Unbuildable
from pgcontract.rows.world import Placed, Way, World

__all__ = ["TWINS", "Placed", "Way", "World", "Worlds"]

ATTEMPTS = 24


@dataclass
class Worlds:
    """Plans worlds for one live catalog. ``offset`` moves all key values away from rows that are there already.

    ``roles`` maps a role's name in the contract to its name on this server, where that is another. ``hush``: where
    triggers keep the rows around the one under test away, these may be inserted with their triggers off; the row's own
    fire as ever.
    """

    catalog: Catalog
    oracle: Oracle
    roles: Mapping[str, str] = field(default_factory=dict)
    offset: int = 0
    hush: bool = False
    _repairs: Repairs | None = None
    _shapes: dict[Name, Shape] = field(default_factory=dict)
    _hushed: set[Name] = field(default_factory=set)
    _worlds: dict[tuple[Name, frozenset[ForeignKey], bool, bool], World | Unbuildable] = field(default_factory=dict)

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

    def world(
        self,
        name: Name,
        foreign_keys: frozenset[ForeignKey] = frozenset(),
        *,
        quiet: bool = False,
        firing: bool = False,
    ) -> World:
        """The world of a table's rows; by ``foreign_keys`` parents must exist, too, be they nullable or gone.

        In a ``quiet`` world the tables' triggers are off; in a ``firing`` one all are on, even those that cannot work.
        Raises Unbuildable with the reason.
        """
        key = name, foreign_keys, quiet, firing
        if key not in self._worlds:
            try:
                self._worlds[key] = self._plan(name, foreign_keys, quiet=quiet, firing=firing or not self.hush)
            except Unbuildable as error:
                self._worlds[key] = error
        found = self._worlds[key]
        if isinstance(found, Unbuildable):
            raise found
        return found

    def _plan(self, name: Name, foreign_keys: frozenset[ForeignKey], *, quiet: bool, firing: bool) -> World:
        failed: Unbuildable | None = None
        for all_on in (True,) if firing else (True, False):
            if failed is not None and failed.reason not in (Reason.TRIGGER, Reason.REFUSED):
                break
            for repairs in self._starts(name, foreign_keys, quiet=quiet, firing=all_on):
                try:
                    return self._repaired(repairs, name, foreign_keys, quiet=quiet)
                except Unbuildable as error:
                    failed = error
        assert failed is not None
        raise failed

    def _starts(
        self, name: Name, foreign_keys: frozenset[ForeignKey], *, quiet: bool, firing: bool
    ) -> Iterator[Repairs]:
        """What to begin with: what helped before, and then, where triggers of the rows around may hinder, without."""
        around = self._around(name, foreign_keys)
        may_hush = self.hush and not quiet and any(self.shape(n).table.triggers for n in around)
        if not (may_hush and around & self._hushed):
            yield (self._repairs or Repairs(self.shape, self.oracle)).next(firing=firing)
        if may_hush:
            yield Repairs(self.shape, self.oracle, firing=firing, hushed=True)

    def _around(self, name: Name, foreign_keys: frozenset[ForeignKey]) -> set[Name]:
        """The tables whose rows may be needed."""
        found = {fk.references for fk in foreign_keys} | {name}
        waiting = list(found)
        while waiting:
            parents = {fk.references for fk in self.shape(waiting.pop()).table.foreign_keys} - found
            found |= parents
            waiting += parents
        return found

    def _repaired(self, repairs: Repairs, name: Name, foreign_keys: frozenset[ForeignKey], *, quiet: bool) -> World:
        world, refusal = None, None
        for _ in range(ATTEMPTS):
            variation = repairs.variation(name, quiet=quiet)
            draft = Draft(self.shape, name, sorted(foreign_keys, key=lambda fk: fk.name), variation)
            try:
                world = draft.world()
            except Unbuildable as error:
                if repairs.without_row(error, name):
                    continue
                raise
            refusal = self.oracle.refusal([*world.setup, world.insert(world.base)])
            if refusal is None:
                if repairs.hushed:
                    self._hushed.add(name)
                else:
                    self._repairs, self.offset = repairs, repairs.offset
                return world
            if not repairs.after(world, refusal, cyclic=draft.cyclic):
                break
        assert world is not None
        raise _unbuildable(world, refusal)


def _unbuildable(world: World, refusal: Refusal | None) -> Unbuildable:
    where = str(world.table.name) if refusal is None or refusal.table is None else refusal.table
    reason, detail = (Reason.NO_ROW, "") if refusal is None else told(refusal, world.catalog)
    return Unbuildable(f"no row could be inserted into {where}: {detail}", where=str(world.table.name), reason=reason)

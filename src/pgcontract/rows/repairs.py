"""What is done about a world that the database refused: one thing at a time, until it is accepted or nothing is left.

Rows that migrations seeded may be in the way, or be the only ones there can be; triggers may have made a row already,
or want a parent that no constraint asks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from psycopg import sql

from pgcontract.model import Catalog, Name
from pgcontract.rows.oracle import Oracle, Refusal
from pgcontract.rows.partitions import empty
from pgcontract.rows.planning import TWINS
from pgcontract.rows.refusals import raising, setting
from pgcontract.rows.setup import clearing
from pgcontract.rows.shape import Shape, Unbuildable
from pgcontract.rows.statements import Row, Statement, identifier
from pgcontract.rows.variation import Kept, Variation
from pgcontract.rows.ways import required
from pgcontract.rows.world import World

UNIQUE_VIOLATION = "23505"
FOREIGN_KEY_VIOLATION = "23503"
CHECK_VIOLATION = "23514"
NOT_NULL_VIOLATION = "23502"
NOT_THERE = frozenset(["3F000", "42P01", "42703", "42704", "42883"])
"""A schema, a table, a column, a type or another object, a function."""
MOST_OFFSETS = 3
STRIDE = 10
"""How often a world is planned anew with other key values, because rows that migrations seeded were in the way."""
FARTHEST = 5000
"""No key value has a much higher number: the n-th value of a pattern is found by making all those before it."""
FAR = 100
"""The number of a key value that only types with very many values have."""
MOST_KEPT = 32
"""Seeded rows of a table that are used as they are."""


@dataclass
class Repairs:
    """The variations of one plan. What helped stays for the worlds that are planned next, but for what is one's own."""

    shape: Callable[[Name], Shape]
    oracle: Oracle
    offset: int = 0
    emptied: frozenset[Name] = frozenset()
    cleared: frozenset[Name] = frozenset()
    tied: frozenset[tuple[Name, str]] = frozenset()
    kept: dict[Name, Kept] = field(default_factory=dict)
    offered: frozenset[tuple[Name, str]] = frozenset()
    plain: frozenset[Name] = frozenset()
    filled: frozenset[Name] = frozenset()
    unmade: frozenset[Name] = frozenset()
    apart: frozenset[Name] = frozenset()
    parted: frozenset[Name] = frozenset()
    lame: tuple[tuple[Name, str, str], ...] = ()
    firing: bool = True
    hushed: bool = False
    second: bool = False
    loose: bool = False
    offsets: int = 0

    def next(self, *, firing: bool) -> Repairs:
        """What the next plan begins with; ``firing``: whether all triggers stay on."""
        kept, nobody = dict(self.kept), frozenset[Name]()
        begun = replace(self, kept=kept, unmade=nobody, second=False, loose=False, offsets=0)
        # rows of other tables fire other triggers
        return replace(begun, parted=nobody, lame=(), firing=firing)

    def variation(self, name: Name, *, quiet: bool) -> Variation:
        """For a world of this table's rows."""
        kept = {table: rows for table, rows in self.kept.items() if table != name}
        return Variation(
            offset=self.offset,
            emptied=self.emptied - kept.keys(),
            second=self.second,
            loose=self.loose,
            quiet=quiet,
            hushed=self.hushed,
            tied=self.tied,
            offered=self.offered,
            cleared=self.cleared,
            plain=self.plain,
            filled=self.filled,
            unmade=self.unmade,
            apart=self.apart,
            parted=self.parted,
            lame=self.lame,
            kept=tuple(kept.items()),
        )

    def without_row(self, error: Unbuildable, name: Name) -> bool:
        """Where no row could be made: offer it parents that it need not have, or take the rows that are there."""
        found = next((n for n in (name, *self._ancestors(name)) if str(n) == error.where), None)
        if found is None:
            return False
        spoken = frozenset[str]().union(*(c.columns for c in self.shape(found).clauses.values()))
        keys = (fk for fk in self.shape(found).table.foreign_keys if set(fk.columns) <= spoken)
        offered = {(found, fk.name) for fk in keys if fk.references != found} - self.offered
        self.offered |= offered
        return bool(offered) or self._keep(found, name)

    def after(self, world: World, refusal: Refusal, *, cyclic: bool) -> bool:
        """Change something about the plan; False where there is nothing left to change."""
        culprit = self._culprit(world, refusal)
        if self._without_room(refusal, world.catalog):
            return True
        if refusal.within and self._for_triggers(world, culprit):
            return True
        asked = frozenset([*self._dangling(world, refusal), *self._named(world, refusal)])
        if asked - self.tied:
            self.tied |= asked
            return True
        if refusal.sqlstate == FOREIGN_KEY_VIOLATION and self.unmade - self.cleared:
            # what a trigger made is another row: the one that was wanted takes its place
            self.cleared, self.unmade = self.cleared | self.unmade, frozenset()
            return True
        unclearable = self._unclearable(world, refusal)
        if unclearable is not None:
            self.cleared -= {unclearable}
            return self._keep(unclearable, world.table.name)
        if refusal.sqlstate == UNIQUE_VIOLATION and self._other_keys(world, refusal, cyclic=cyclic):
            return True
        if not self.firing and self._switched_off(refusal, world.catalog):
            return True
        return culprit is not None and self._keep(culprit, world.table.name)

    def _without_room(self, refusal: Refusal, catalog: Catalog) -> bool:
        """A trigger writes into a partitioned table of which a program makes the partitions: it gets one."""
        if not refusal.within or refusal.sqlstate != CHECK_VIOLATION or refusal.table is None:
            return False
        name = Name(refusal.schema or "", refusal.table)
        table = catalog.table(name)
        if table is None or name in self.parted or not any(empty(table, catalog)):
            return False
        self.parted |= {name}
        return True

    def _switched_off(self, refusal: Refusal, catalog: Catalog) -> bool:
        """A trigger asks for a table or a function that is not there, or puts NULL where none may be."""
        if refusal.within and refusal.sqlstate in NOT_THERE:
            found = raising(refusal, catalog)
        elif refusal.sqlstate == NOT_NULL_VIOLATION:
            found = setting(refusal, catalog)
        else:
            return False
        lame = [(of, t.name, refusal.message) for of, t in found if (of, t.name) not in {one[:2] for one in self.lame}]
        self.lame += tuple(lame)
        return bool(lame)

    def _for_triggers(self, world: World, culprit: Name | None) -> bool:
        """Other values where no constraint says which, of the row that a trigger refused or of its parents.

        A twin differs in all that it may, which a trigger need not like; or it wants what is NULL elsewhere.
        """
        placed = {p.table for p in world.placed}
        one = set[Name]() if culprit is None else {culprit}
        for names in (one, placed):
            if names - self.plain:
                self.plain |= names
                return True
        for names in (one, placed):
            if names - self.filled:
                self.filled |= names
                return True
        return False

    def _other_keys(self, world: World, refusal: Refusal, *, cyclic: bool) -> bool:
        """A key is in use already."""
        met, bound, few = self._met(world, refusal)
        own = met == world.table.name
        used_up = self.emptied if own else self.emptied | self.kept.keys()
        if met is not None and not own and refusal.within and met not in self.unmade | self.cleared:
            # the row's own trigger makes the parent
            self.unmade |= {met}
        elif met is not None and met not in self.apart and not (bound or few or refusal.within) and self._fires(world):
            # a parent's trigger may have made the row, under the parent's own key
            self.apart |= {met}
        elif bound and cyclic and not self.loose:
            # those whom the row would refer to are referred to already, and may be once only
            self.second, self.loose = not self.second, self.second
        elif met is not None and few and met not in used_up:
            if not self._takes_along(met, world.table.name) or not self._keep(met, world.table.name):
                self.emptied |= {met}
        elif not bound and not few and self.offsets < MOST_OFFSETS and self.offset < FARTHEST:
            # rows that migrations seeded are in the way: other keys, further off each time
            self.offsets += 1
            self.offset = (self.offset + len(TWINS)) * STRIDE
        elif self.hushed and met is not None and self._keep(met, world.table.name):
            # nothing was made by triggers: the rows are seeded
            pass
        elif bound and met is not None and met not in self.cleared:
            # a parent's trigger has made the row that would be made here
            self.cleared |= {met}
        elif met is not None and not refusal.within and met not in used_up:
            # no key is far enough off: there is to be one row only, or there are very many
            self.emptied |= {met}
        else:
            return False
        return True

    def _keep(self, name: Name, own: Name) -> bool:
        """Use the rows that are there as they are, where there are a few."""
        if name == own or name in self.kept or name in self.emptied:
            return False
        rows = self._seeded(name)
        if not 0 < len(rows) <= MOST_KEPT:
            return False
        self.kept[name] = rows
        return True

    def _fires(self, world: World) -> bool:
        """Whether a row that was inserted before has triggers."""
        return any(self.shape(placed.table).table.triggers for placed in world.placed)

    def _takes_along(self, name: Name, own: Name) -> bool:
        """Whether seeded rows of other tables go when this one is emptied."""
        found = [name]
        for one in found:
            found += [t.name for t, _ in self.shape(one).catalog.referencing(one) if t.name not in (*found, own)]
        return any(self._seeded(child) for child in found[1:])

    def _seeded(self, name: Name) -> Kept:
        """The rows of a table, if they are few, in the order in which they came."""
        columns = [c.name for c in self.shape(name).table.columns]
        texts = ", ".join(f"{sql.Identifier(c).as_string()}::text" for c in columns)
        query = f"SELECT {texts} FROM {identifier(name).as_string()} ORDER BY ctid LIMIT {MOST_KEPT + 1}"
        (found,) = self.oracle.tried((), [(Statement(query),)])
        if isinstance(found, Refusal):
            return ()
        texts_of = ([None if f is None else f.decode() for f in row] for row in found)
        rows: list[Row] = [dict(zip(columns, values, strict=True)) for values in texts_of]
        return tuple(rows)

    def _culprit(self, world: World, refusal: Refusal) -> Name | None:
        """The ancestor whose row was refused, be it by its own triggers."""
        if refusal.position >= len(world.setup):
            return None
        statement = world.setup[refusal.position]
        return next((p.table for p in world.placed if p.statement == statement), None)

    def _unclearable(self, world: World, refusal: Refusal) -> Name | None:
        """The table whose rows could not be taken away."""
        if refusal.position >= len(world.setup):
            return None
        text = world.setup[refusal.position].text
        return next((name for name in self.cleared if text == clearing(name).text), None)

    def _ancestors(self, name: Name) -> list[Name]:
        found = [name]
        for one in found:
            found += [fk.references for fk in self.shape(one).table.foreign_keys if fk.references not in found]
        return found[1:]

    def _dangling(self, world: World, refusal: Refusal) -> Iterator[tuple[Name, str]]:
        """A nullable foreign key by which a row referred to nobody, since a CHECK wants its column not to be NULL."""
        if refusal.sqlstate != FOREIGN_KEY_VIOLATION:
            return
        for name in {world.table.name, *(p.table for p in world.placed)}:
            keys = self.shape(name).table.foreign_keys if name.name == refusal.table else ()
            yield from ((name, fk.name) for fk in keys if fk.name == refusal.constraint)

    def _named(self, world: World, refusal: Refusal) -> Iterator[tuple[Name, str]]:
        """Nullable foreign keys of whose columns a trigger speaks when it raises."""
        words = set(re.findall(r"\w+", refusal.message)) if refusal.within else set[str]()
        for name in {world.table.name, *(p.table for p in world.placed)} if words else ():
            table = self.shape(name).table
            spoken = (fk for fk in table.foreign_keys if set(fk.columns) & words and fk.references != name)
            yield from ((name, fk.name) for fk in spoken if not required(table, fk))

    def _met(self, world: World, refusal: Refusal) -> tuple[Name | None, bool, bool]:
        """The table of the violated key; whether the key is made of foreign keys, or has few values."""
        for name in {world.table.name, *(p.table for p in world.placed)}:
            if name.name != refusal.table:
                continue
            shape = self.shape(name)
            keys = {k.name: k.columns for k in shape.table.keys}
            keys |= {i.name: tuple(k.column for k in i.keys if k.column) for i in shape.table.indexes if i.unique}
            if refusal.constraint not in keys:
                continue
            columns = keys[refusal.constraint]
            bound = {c for fk in shape.table.foreign_keys for c in fk.columns}
            free = [c for c in columns if c in shape.names and c not in bound]
            few = bool(free) and all(shape.domain(c, shape.sure).fresh(FAR) is None for c in free)
            return name, bool(columns) and not free, few
        return None, False, False

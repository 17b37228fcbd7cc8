"""A draft of one table's world: parents first, cycles of NOT NULL foreign keys together, every ancestor twice.

The draft only knows CHECKs and foreign keys. Whether a row of it can be inserted is found out by trying (``worlds``),
which asks for another variation where keys are in the way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, islice

from pgcontract.model import Column, ForeignKey, Name
from pgcontract.rows.oracle import Evaluated
from pgcontract.rows.setup import Setup
from pgcontract.rows.shape import Shape, Unbuildable
from pgcontract.rows.statements import Row, Value
from pgcontract.rows.variation import Variation
from pgcontract.rows.ways import key_of, keys_of, required, way
from pgcontract.rows.world import Placed, Way, World
from pgcontract.values.expressions import branches

TWINS = (0, 1)
ELDER, SPARE, SECOND, LOOSE = 2, 4, 8, 12
"""What is added to a twin's number for the key values of rows that are neither twin's own."""
SEEDED = 50
"""The number from which on seeded rows beyond the first two are counted."""
SUITING = 100
"""The same for parents that are made for a child's CHECK, one after the other."""
APART = 300
"""What is added to the numbers of tables whose rows the triggers of others make, too."""
MOST_WAYS = 8
MOST_OFFERS = 120

HUSHED = "shown with triggers off while the rows around were inserted: with them on, these were refused"
LAME = "shown with trigger {trigger} on {table} off, which no row was found to pass: {why}"

At = tuple[Name, int]


class Draft:
    """One world in the making."""

    def __init__(
        self, shape: Callable[[Name], Shape], name: Name, foreign_keys: Sequence[ForeignKey], variation: Variation
    ) -> None:
        self._shape = shape
        self._name = name
        self._variation = variation
        self._kept = dict(variation.kept)
        self._rows: dict[At, Row] = {}
        self._blocks: list[list[At]] = []
        self._at: dict[Name, dict[int, At]] = {}
        own = {fk.name: fk for fk in self._needs(name)}
        self._wanted = list((own | {fk.name: fk for fk in foreign_keys}).values())
        self._components = list(self._ordered())

    @property
    def cyclic(self) -> bool:
        """Whether some row needs another row of its table, by way of other tables or at once."""
        kin = any(len(c) > 1 or any(fk.references == c[0] for fk in self._needs(c[0])) for c in self._components)
        return kin or any(fk.references == self._name for fk in self._needs(self._name))

    def world(self) -> World:
        """The planned world. Raises Unbuildable."""
        for component in self._components:
            self._place(component)
        elders = self._elders() if any(fk.references == self._name for fk in self._wanted) else []
        base, twin = (self._row(self._name, t, t, own=True) for t in TWINS)
        if elders and not self._used(elders, base, twin) and self._clash(elders, base, twin):
            elders = []
            for t in TWINS:
                self._rows.pop((self._name, t), None)
        if elders:
            self._blocks.append(elders)
        blocks = [[self._placed(at) for at in block] for block in self._blocks]
        placed = tuple(row for block in blocks for row in block)
        setup = Setup(self._shape, self._name, self._variation, self._needs, self._loose())
        done = tuple(setup.statements(blocks))
        world = World(self._shape(self._name), placed, done, base, twin, made=self._made, shape_of=self._shape)
        unparted = setup.unparted({p.table for p in placed} | {self._name})
        parted = (f"shown with a partition of {name}, which has none" for name in unparted)
        lame = (LAME.format(trigger=t, table=of, why=why) for of, t, why in self._variation.lame)
        notes = (*((HUSHED,) if self._variation.hushed else ()), *parted, *lame)
        world = replace(world, unmade=self._variation.unmade, notes=notes)
        ways, parents = {}, {}
        for fk in self._wanted:
            found = tuple(self._way(world, fk, t) for t in TWINS)
            if found[0] is not None and found[1] is not None:
                ways[fk.name] = found[0], found[1]
            tied = [self._plainly(fk, t, w) for t, w in zip(TWINS, found, strict=True)]
            if tied[0] is not None and tied[1] is not None:
                parents[fk.name] = tied[0], tied[1]
        return replace(world, ways=ways, parents=parents)

    def _needs(self, name: Name) -> Iterator[ForeignKey]:
        table = self._shape(name).table
        tied = self._variation.tied
        found = (fk for fk in table.foreign_keys if required(table, fk) or (name, fk.name) in tied)
        # seeded rows have their parents; a row that is made beside them finds some among what is seeded, too
        return (fk for fk in found if name not in self._kept or fk.references in self._kept)

    def _offers(self, name: Name) -> list[ForeignKey]:
        """Foreign keys by which a row may have a parent, which is there if it can be."""
        offered = self._variation.offered if name not in self._kept else frozenset[tuple[Name, str]]()
        return [fk for fk in self._shape(name).table.foreign_keys if (name, fk.name) in offered]

    def _ordered(self) -> Iterator[tuple[Name, ...]]:
        """The ancestors, parents first; tables that need each other stand together (Tarjan's components)."""
        number: dict[Name, int] = {}
        low: dict[Name, int] = {}
        stack: list[Name] = []

        def visit(name: Name) -> Iterator[tuple[Name, ...]]:
            number[name] = low[name] = len(number)
            stack.append(name)
            for fk in (*self._needs(name), *self._offers(name)):
                parent = fk.references
                if parent not in number:
                    yield from visit(parent)
                    low[name] = min(low[name], low[parent])
                elif parent in stack:
                    low[name] = min(low[name], number[parent])
            if low[name] == number[name]:
                at = stack.index(name)
                component = tuple(reversed(stack[at:]))
                del stack[at:]
                yield component

        for fk in (*self._wanted, *self._offers(self._name)):
            if fk.references != self._name and fk.references not in number:
                yield from visit(fk.references)

    def _place(self, component: tuple[Name, ...]) -> None:
        """Make both twins' rows of tables that need each other; of mostly one table."""
        if len(component) == 1:
            (name,) = component
            self._blocks.append(self._found(name) or self._pair(name))
            if name not in self._kept and self._mutual(name) and not self._variation.second and name != self._name:
                self._again(component)
            return
        if self._kept.keys() & set(component):
            # what is seeded needs nothing but what is seeded
            self._blocks += [self._found(name) for name in component]
            return
        for twin in TWINS:
            # a row needs its parents' keys, and they need its own: after as many rounds all are known
            for _ in range(len(component) + 1):
                for name in component:
                    self._rows[name, twin] = self._row(name, twin, self._number(name, twin))
        self._blocks.append(self._joined(component))
        if (self._name in component) == self._variation.second:
            self._again([n for n in component if n != self._name])

    def _again(self, component: Sequence[Name]) -> None:
        """Second rows of tables that need each other, which only refer to the first ones: nobody needs them.

        The first ones stay, under numbers that nobody asks for. Those that children will refer to come last.
        """
        asked = {fk.references for fk in self._wanted}
        first = {(n, t): (n, SECOND + t) for n in component for t in TWINS}
        self._rows |= {later: self._rows[at] for at, later in first.items()}
        self._blocks[-1] = [first.get(at, at) for at in self._blocks[-1]]
        for name in sorted(component, key=lambda n: n in asked):
            made = {(name, t): self._row(name, t, SECOND + t) for t in TWINS}
            self._rows |= made
            self._blocks.append(list(made))

    def _pair(self, name: Name) -> list[At]:
        """Both twins' rows of a table that needs no row of another which needs it."""
        for twin in TWINS:
            self._rows[name, twin] = self._row(name, twin, self._number(name, twin))
        if any(fk.references == name for fk in self._needs(name)):
            # where a row cannot refer to itself, the two refer to each other: the first was made without the second
            self._rows[name, 0] = self._row(name, 0, self._number(name, 0))
        return self._joined([name])

    def _found(self, name: Name) -> list[At]:
        """The table's seeded rows, as many as there are: one may be both twins'."""
        rows = self._kept.get(name, ())
        if not rows:
            return []
        numbers = [*TWINS, *range(SEEDED, SEEDED + len(rows))][: len(rows)]
        made = {(name, number): row for number, row in zip(numbers, rows, strict=True)}
        self._rows |= made
        self._rows.setdefault((name, 1), rows[0])
        return list(made)

    def _mutual(self, name: Name) -> bool:
        """Whether a row of the table refers to its twin."""
        own = [fk for fk in self._needs(name) if fk.references == name]
        first, second = (self._rows[name, t] for t in TWINS)
        return any(tuple(first.get(c) for c in fk.columns) == key_of(second, fk) for fk in own)

    def _number(self, name: Name, twin: int) -> int:
        """A row under test has elders in its own table, whose keys are not its own."""
        return ELDER + twin if name == self._name else twin

    def _joined(self, component: Sequence[Name]) -> list[At]:
        """The rows of these tables, without a twin that would have to be the very same row."""
        found: list[At] = []
        for name in component:
            if keys_of(self._shape(name).table, self._rows[name, 0]) & keys_of(
                self._shape(name).table, self._rows[name, 1]
            ):
                self._rows[name, 1] = self._rows[name, 0]
        for twin in TWINS:
            found += [(n, twin) for n in component if twin == 0 or self._rows[n, 0] is not self._rows[n, 1]]
        return found

    def _elders(self) -> list[At]:
        """Rows of the table itself for its own rows to refer to."""
        if any((self._name, t) in self._rows for t in TWINS):
            return []
        return self._pair(self._name)

    def _used(self, elders: Sequence[At], *rows: Row) -> bool:
        own = [fk for fk in self._needs(self._name) if fk.references == self._name]
        keys = [key_of(self._rows[at], fk) for at in elders for fk in own]
        return any(tuple(row.get(c) for c in fk.columns) in keys for row in rows for fk in own)

    def _clash(self, elders: Sequence[At], *rows: Row) -> bool:
        table = self._shape(self._name).table
        return any(keys_of(table, self._rows[at]) & keys_of(table, row) for at in elders for row in rows)

    def _plainly(self, fk: ForeignKey, twin: int, found: Way | None) -> Row | None:
        """The foreign key's columns as they refer to a parent that is placed."""
        if found is not None:
            return {c: found.child.get(c) for c in fk.columns} if found.plain else None
        parent = self._rows.get((fk.references, twin))
        return None if parent is None else _tied(fk, parent)

    def _way(self, world: World, fk: ForeignKey, twin: int) -> Way | None:
        row = (world.base, world.twin)[twin]
        values = tuple(row.get(c) for c in fk.columns)
        own = (p for p in world.placed if p.table == fk.references and key_of(p.values, fk) == values)
        at = fk.references, twin
        parent = next(own, self._placed(at) if at in self._rows else None)

        return way(world, self._shape, fk, row, parent, twin)

    def _made(self, name: Name, twin: int, number: int, given: Row) -> dict[str, Value] | None:
        try:
            return self._row(name, twin, number, given=given)
        except Unbuildable:
            return None

    def _placed(self, at: At) -> Placed:
        name, _ = at
        return Placed(name, self._rows[at], self._shape(name).insert(self._rows[at]))

    def _loose(self) -> list[ForeignKey]:
        """The foreign keys by which the rows under test refer to nobody yet."""
        return [fk for fk in self._needs(self._name) if self._variation.loose and fk.deferrable]

    def _row(
        self, name: Name, twin: int, number: int, *, own: bool = False, given: Row | None = None
    ) -> dict[str, Value]:
        """One valid row. In order of preference: parents' keys, distinct keys, defaults, NULLs, simplest values.

        ``own``: it is a row under test. ``given`` are values that it must have, whatever its parents are.
        """
        shape = self._shape(name)
        number += APART if name in self._variation.apart else 0
        nobody = {c for fk in self._loose() for c in fk.columns} if own else set[str]()
        numbers = {c.name: LOOSE + twin if c.name in nobody else number for c in shape.columns}
        row = {c.name: self._value(shape, c, self._variation.offset + numbers[c.name]) for c in shape.columns}
        for parents in self._lineages(name, twin, row, own=own):
            bound = {c: v for values in parents for c, v in values.items()} | dict(given or {})
            plain = {c: v for c, v in bound.items() if c in shape.names}
            found = shape.find({**row, **plain}, shape.wanting(bound), fixed=frozenset(plain))
            if found is not None:
                if name in self._variation.filled and given is None:
                    found = self._unlike(shape, found, only={c for c, value in found.items() if value is None})
                differing = twin and given is None and name not in self._variation.plain
                return self._unlike(shape, found) if differing else found
        raise Unbuildable("no row was found that passes all CHECKs", where=str(name))

    def _lineages(self, name: Name, twin: int, row: Row, *, own: bool) -> Iterator[list[Row]]:
        """Ways to choose the row's parents: as values of each foreign key's columns. A row may be its own parent."""
        loose = self._loose() if own else []
        fks = [fk for fk in self._needs(name) if fk not in loose]
        themselves = [fk for fk in fks if fk.references == name]
        # within a cycle a parent may not be known yet
        others = [fk for fk in fks if fk.references != name and (fk.references, twin) in self._rows]
        chosen = [_tied(fk, self._rows[fk.references, twin]) for fk in others]
        if themselves:
            itself = {**row, **{c: v for values in chosen for c, v in values.items()}}
            # its key must stay what it refers to
            yield [*chosen, *({**_tied(fk, itself), **{k: itself[k] for k in fk.keys}} for fk in themselves)]
            elder = self._rows.get((name, twin if own else 1 - twin))
            yield [*chosen, *(_tied(fk, elder) for fk in themselves if elder is not None)]
        else:
            yield chosen
        yield from self._apart(twin, others)
        yield from self._suiting(name, twin, row, others)
        yield from self._with_offers(name, twin, chosen)

    def _apart(self, twin: int, fks: Sequence[ForeignKey]) -> Iterator[list[Row]]:
        """Two foreign keys to one table, which a CHECK may want to differ: one has a parent of its own."""
        for fk in fks:
            if sum(other.references == fk.references for other in fks) == 1:
                continue
            spare = fk.references, SPARE + twin
            if spare not in self._rows:
                self._rows[spare] = self._row(fk.references, twin, SPARE + twin)
                self._blocks.append([spare])
            yield [_tied(f, self._rows[spare if f is fk else (f.references, twin)]) for f in fks]

    def _with_offers(self, name: Name, twin: int, chosen: list[Row]) -> Iterator[list[Row]]:
        """Some of the parents that the row need not have."""
        offered = [fk for fk in self._offers(name) if (fk.references, twin) in self._rows]
        sets = (some for size in range(1, len(offered) + 1) for some in combinations(offered, size))
        for some in islice(sets, MOST_OFFERS):
            yield [*chosen, *(_tied(fk, self._rows[fk.references, twin]) for fk in some)]

    def _suiting(self, name: Name, twin: int, row: Row, fks: Sequence[ForeignKey]) -> Iterator[list[Row]]:
        """One parent has another key, since the child does not take the one it has: a CHECK of its, or what it makes.

        Other foreign keys over the same columns then refer to that parent, too.
        """
        names = self._shape(name).names
        for fk in sorted(fks, key=lambda fk: names.issuperset(fk.columns)):
            for given in self._asked(name, row, fk):
                own = self._bearing(fk, given) or self._joining(fk.references, twin, given)
                if own is not None:
                    alike = [f for f in fks if f.references == fk.references and set(f.columns) & set(fk.columns)]
                    yield [_tied(f, own if f in alike else self._rows[f.references, twin]) for f in fks]

    def _asked(self, name: Name, row: Row, fk: ForeignKey) -> Iterator[Row]:
        """What the child wants a parent's key to be: what it generates itself, then what its CHECKs speak of."""
        shape = self._shape(name)
        pairs = list(zip(fk.columns, fk.keys, strict=True))
        if not shape.names.issuperset(fk.columns):
            made = shape.completed([row])[0]
            yield {key: made[c] for c, key in pairs if c not in shape.names and made[c] is not None}
        spoken = frozenset[str]().union(*(c.columns for c in shape.clauses.values()))
        for column, key in pairs:
            if column in shape.names and (len(pairs) == 1 or column in spoken):
                yield from ({key: value} for value in shape.hashed(row, column)[:MOST_WAYS])
                yield from ({key: value} for value in self._wished(name, column))

    def _joining(self, name: Name, twin: int, given: Row) -> Row | None:
        """A further row of the world with these values, if one can be made."""
        number = SUITING + twin + len(self._rows)
        made = self._made(name, twin, number, given)
        if made is None or any(made[k] != v for k, v in given.items()) or not self._joins(name, twin, number, made):
            return None
        return made

    def _joins(self, name: Name, twin: int, number: int, row: Row) -> bool:
        """Have a row join the world, if none has its keys, after parents that are made where none has what it needs."""
        if self._same_keys(name, row):
            return False
        # it is known before its parents are looked for: in a cycle one of these may need it
        self._rows[name, number] = row
        for fk in self._needs(name):
            values = dict(zip(fk.keys, (row.get(c) for c in fk.columns), strict=True))
            rows = (other for (table, _), other in self._rows.items() if table == fk.references)
            if fk.references == name or any(all(r.get(k) == v for k, v in values.items()) for r in rows):
                continue
            if self._joining(fk.references, twin, values) is None:
                del self._rows[name, number]
                return False
        self._blocks.append([(name, number)])
        return True

    def _bearing(self, fk: ForeignKey, given: Row) -> Row | None:
        """A row of the world with this key."""
        rows = (row for (name, _), row in self._rows.items() if name == fk.references)
        return next((row for row in rows if given.keys() == set(fk.keys) and given.items() <= row.items()), None)

    def _same_keys(self, name: Name, row: Row) -> bool:
        """Whether a row of the world has one of its keys already."""
        mine = keys_of(self._shape(name).table, row)
        rows = (other for (table, _), other in self._rows.items() if table == name)
        return any(mine & keys_of(self._shape(name).table, other) for other in rows)

    def _wished(self, name: Name, column: str) -> Sequence[Value]:
        """What the table's own CHECKs, one way or another, take in this column."""
        shape = self._shape(name)
        reach = shape.domain(column, shape.sure)
        values: dict[Value, None] = dict.fromkeys(reach.fresh(n) for n in TWINS)
        for spoken in (c for c in shape.clauses.values() if column in c.columns):
            for literals in islice(branches(spoken.condition, True), MOST_WAYS):
                reach = shape.domain(column, (*shape.sure, *literals), strict=True)
                values.update(dict.fromkeys((reach.simplest, *reach.boundaries[:MOST_WAYS], *reach.hints[:MOST_WAYS])))
        return [v for v in values if v is not None][: MOST_WAYS * 2]

    def _value(self, shape: Shape, column: Column, number: int) -> Value:
        reach = shape.domain(column.name, shape.sure)
        evaluated = shape.defaults.get(column.name, Evaluated(None, volatile=False))
        needed = column.not_null or reach.null == "excluded"
        keyed = column.name in shape.key_columns
        if keyed and not needed and any(column.name in fk.columns for fk in shape.table.foreign_keys):
            # a key that nobody bears is no parent's
            keyed = False
        if keyed or evaluated.volatile:
            fresh = reach.fresh(number)
            if fresh is not None and (needed or keyed):
                return fresh
        if not evaluated.volatile and evaluated.value is not None:
            return evaluated.value
        if not needed:
            return None
        if reach.simplest is None:
            raise Unbuildable(
                f"no value was found for column {column.name} of type {column.type}", where=str(shape.table.name)
            )
        return reach.simplest

    def _unlike(self, shape: Shape, row: Row, only: Collection[str] | None = None) -> dict[str, Value]:
        """The twin made to differ in as many columns as it may, so that no key that is added goes unnoticed.

        ``only``: in these columns.
        """
        current = dict(row)
        clauses = list(shape.clauses.values())
        bound = {s for fk in shape.table.foreign_keys for s in shape.sources(fk.columns)}
        for column in shape.columns:
            if column.name in bound | shape.key_columns or (only is not None and column.name not in only):
                continue
            reach = shape.domain(column.name, shape.sure)
            values = dict.fromkeys((reach.simplest, *reach.boundaries))
            tries = [{**current, column.name: v} for v in values if v is not None and v != current[column.name]][:4]
            good = (t for t, holds in zip(tries, shape.holds(clauses, tries), strict=True) if holds)
            current = next(good, current)
        return shape.completed([current])[0]


def _tied(fk: ForeignKey, parent: Row) -> Row:
    """The foreign key's columns as a child of this row has them."""
    return dict(zip(fk.columns, key_of(parent, fk), strict=True))

"""CHECKs: each way to satisfy one is accepted at its boundaries; each atomic condition of it decides alone once.

The second is active-clause coverage: a row for which the CHECK is false because of that one condition. The oracle has
evaluated every row that is always tried; drawn ones carry the clause as their guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, product

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from psycopg import sql

from pgcontract.contract import constraint_id
from pgcontract.model import Catalog, Check, Name, Reason
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.constraints import check_mutants
from pgcontract.promises.weaker import weaker
from pgcontract.rows.generated import inlined
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.shape import Clause, clause
from pgcontract.rows.statements import Statement, Value, identifier
from pgcontract.rows.worlds import World, Worlds
from pgcontract.values.expressions import Atom, Literal, atoms, branches, deciding

CHECK_VIOLATION = "23514"
MOST_ROWS = 240
MOST_SHOWN = 12
MOST_MENDED = 6
"""Rows of one way that other CHECKs stop, and that are mended."""


@dataclass(frozen=True, slots=True)
class TableCheck:
    """A CHECK of a table."""

    table: Name
    check: Check

    kind = "check"
    directions = (Direction.ACCEPTS, Direction.REJECTS)

    @property
    def id(self) -> str:
        """``messages.chk_sender_type``."""
        return constraint_id(self.table, self.check.name)

    @property
    def clause(self) -> str:
        """``CHECK (…)``."""
        return f"CHECK ({self.check.expression})" + ("" if self.check.validated else " NOT VALID")

    def accepts(self, worlds: Worlds) -> Cases:
        """Rows that pass in each way there is."""
        world, frozen = self._world(worlds)
        ways = branches(frozen.condition, True)
        always: dict[str, Change] = {}
        for way in ways:
            rows = list(islice(self._rows(world, frozen, way, strict=False), MOST_ROWS))
            kept = world.shape.holds([*self._others(world), frozen.wanting("passes")], rows)
            for row in islice((r for r, holds in zip(rows, kept, strict=True) if holds), MOST_SHOWN):
                change = Change(
                    (world.insert(row, show=sorted(frozen.columns)),), guard=self._guard(world, row, "passes")
                )
                always.setdefault(repr(row), change)
        for row in self._drifted(world, frozen, "passes"):
            change = Change((world.insert(row, show=sorted(frozen.columns)),), guard=self._guard(world, row, "passes"))
            always.setdefault(repr(row), change)
        if not always:
            return Cases(world=world, missing="no row was found that satisfies the CHECK")
        drawn = [
            strategy.map(lambda row: Change((world.insert(row),), guard=self._guard(world, row, "passes")))
            for way in ways
            if (strategy := self._drawn(world, frozen, way, strict=False)) is not None
        ]
        either = self._either(list(always.values()), drawn)
        return Cases(tuple(always.values()), either, world=world, notes=weaker(self.check))

    def rejects(self, worlds: Worlds) -> Cases:
        """For each atomic condition, rows that it alone makes wrong."""
        world, frozen = self._world(worlds)
        always: dict[str, Violation] = {}
        drawn: list[SearchStrategy[Change]] = []
        redundant: list[str] = []
        rivals: dict[str, str] = {}
        wanted = [*self._others(world), frozen.wanting(False)]
        for atom in atoms(frozen.condition):
            alone: list[dict[str, Value]] = []
            for way in deciding(frozen.condition, atom):
                rows = list(islice(self._rows(world, frozen, way, strict=True), MOST_ROWS))
                kept = self._decided(world, wanted, way, rows)
                alone += islice(kept, MOST_SHOWN)
                if alone and (strategy := self._drawn(world, frozen, way, strict=True)) is not None:
                    drawn.append(strategy.map(lambda row: self._violation(world, row)))
            if not alone and (shadowed := self._shadowed(world, frozen, atom)) is not None:
                row, refusing = shadowed
                if not refusing <= {c.name for c in world.table.checks}:
                    said = f"another CHECK refuses first whatever breaks {atom.text}"
                    return Cases(world=world, missing=said, reason=Reason.REFUSED)
                alone = [row]
                rivals |= dict.fromkeys(sorted(refusing), atom.text)
            for row in alone:
                always.setdefault(repr(row), self._violation(world, row))
            if not alone:
                redundant.append(atom.text)
        for row in self._drifted(world, frozen, False):
            always.setdefault(repr(row), self._violation(world, row))
        if not always:
            return Cases(world=world, missing="no row was found that breaks this CHECK and no other")
        notes = [f"redundant: the rest implies {text}" for text in redundant]
        notes += [f"without {name}, which refuses whatever breaks {text}" for name, text in rivals.items()]
        table = identifier(self.table).as_string()
        drops = (f"ALTER TABLE {table} DROP CONSTRAINT {sql.Identifier(name).as_string()}" for name in rivals)
        world = replace(world, setup=(*map(Statement, drops), *world.setup))
        return Cases(
            tuple(always.values()), self._either(list(always.values()), drawn), world=world, notes=tuple(notes)
        )

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No CHECK, or one whose condition is one change away."""
        del catalog
        return check_mutants(self.table, self.check)

    def owns(self, refusal: Refusal) -> bool:
        """23514 by this name."""
        return refusal.sqlstate == CHECK_VIOLATION and refusal.constraint == self.check.name

    def present(self, worlds: Worlds) -> bool:
        """Whether the live table has a CHECK of this name."""
        table = worlds.catalog.table(self.table)
        return table is not None and any(c.name == self.check.name for c in table.checks)

    def _world(self, worlds: Worlds) -> tuple[World, Clause]:
        table = worlds.shape(self.table).table
        frozen = clause(self.check.expression, table)
        others = (c.columns for c in worlds.shape(self.table).clauses.values() if c.columns & frozen.columns)
        # what other CHECKs ask along with this one's columns may be a parent
        reached = frozen.columns.union(*others)
        needed = frozenset(fk for fk in table.foreign_keys if reached & set(fk.columns))
        return worlds.world(self.table, needed), frozen

    def _others(self, world: World) -> list[Clause]:
        return [c for name, c in world.shape.clauses.items() if name != self.check.name]

    @staticmethod
    def _decided(
        world: World, wanted: Sequence[Clause], way: Iterable[Literal], rows: Sequence[dict[str, Value]]
    ) -> Iterator[dict[str, Value]]:
        """Rows that are wrong in this very way: every literal of it has the truth that it should have."""
        literals = [Clause(lit.atom.text, lit.atom, lit.atom.columns, lit.truth) for lit in way]
        kept = world.shape.holds([*wanted, *literals], rows)
        return (row for row, holds in zip(rows, kept, strict=True) if holds)

    def _rows(
        self, world: World, frozen: Clause, way: Iterable[Literal], *, strict: bool
    ) -> Iterator[dict[str, Value]]:
        """Rows like the base row but for the columns of the CHECK, which take values from this way's domains.

        Other CHECKs with several ways to pass may need other columns changed along with them: one search for that.
        """
        shape = world.shape
        columns = [c.name for c in shape.columns if c.name in frozen.columns]
        literals = (*shape.sure_without(self.check.name), *way)
        parents = [{**a} for pair in world.parents.values() for a in pair]
        options = [
            [p[c] for p in parents if c in p]
            + shape.options(
                c,
                tuple(way) if self._null(world, c, way, strict=strict) else literals,
                world.base[c],
                most=shape.most(len(columns)),
                strict=strict,
            )
            for c in columns
        ]
        if not all(options):
            return
        rows = [
            {**world.base, **dict(zip(columns, values, strict=True))} for values in islice(product(*options), MOST_ROWS)
        ]
        yield from rows
        others = self._others(world)
        way_clauses = [Clause(lit.atom.text, lit.atom, lit.atom.columns, lit.truth) for lit in way]
        good = shape.holds(way_clauses, rows)
        kept = shape.holds([*others, *way_clauses], rows)
        stopped = [r for r, right, passes in zip(rows, good, kept, strict=True) if right and not passes]
        tied = {c: v for pair in world.parents.values() for c, v in pair[0].items() if c not in columns}
        for row in stopped[:MOST_MENDED]:
            # a parent that is there, before one that nobody has made
            for near in ({**row, **tied}, row) if tied else (row,):
                fixed = frozenset({*columns, *tied} if near is not row else columns)
                found = shape.find(near, way_clauses, fixed=fixed, without=[self.check.name])
                if found is not None:
                    yield found
                    break

    def _shadowed(self, world: World, frozen: Clause, atom: Atom) -> tuple[dict[str, Value], set[str]] | None:
        """A row in which this atom decides alone, with the table's other CHECKs that refuse it; the fewest."""
        others = {name: c for name, c in world.shape.clauses.items() if name != self.check.name}
        found: list[tuple[dict[str, Value], set[str]]] = []
        for way in deciding(frozen.condition, atom):
            rows = list(islice(self._rows(world, frozen, way, strict=True), MOST_ROWS))
            decided = islice(self._decided(world, [frozen.wanting(False)], way, rows), MOST_MENDED)
            found += ((r, {name for name, c in others.items() if not world.shape.holds([c], [r])[0]}) for r in decided)
        return min(found, key=lambda one: len(one[1]), default=None)

    def _drifted(self, world: World, frozen: Clause, want: bool | str) -> Iterator[dict[str, Value]]:
        """Rows that the frozen CHECK and a live one of its name see differently, where the two differ.

        A value that somebody added to an IN list is nothing that anybody would draw: the live CHECK tells it.
        """
        live = world.shape.clauses.get(self.check.name)
        if live is None or live.expression == frozen.expression:
            return
        seen = live.wanting(False if want == "passes" else "passes")
        for way in branches(live.condition, seen.side):
            rows = list(islice(self._rows(world, live, way, strict=want == "passes"), MOST_ROWS))
            kept = world.shape.holds([*self._others(world), frozen.wanting(want), seen], rows)
            yield from islice((r for r, holds in zip(rows, kept, strict=True) if holds), MOST_SHOWN)

    def _drawn(
        self, world: World, frozen: Clause, way: Iterable[Literal], *, strict: bool
    ) -> SearchStrategy[dict[str, Value]] | None:
        """Base rows whose columns of the CHECK are drawn from this way's domains."""
        shape = world.shape
        literals = (*shape.sure_without(self.check.name), *way)
        strategies: dict[str, SearchStrategy[Value]] = {}
        for column in shape.columns:
            if column.name not in frozen.columns:
                continue
            if self._null(world, column.name, way, strict=strict):
                strategies[column.name] = st.none()
                continue
            reach = shape.domain(column.name, literals, strict=strict)
            if reach.empty:
                return None
            if reach.null == "required":
                strategies[column.name] = st.none()
            elif reach.null == "allowed" and not column.not_null:
                strategies[column.name] = st.none() | reach.strategy
            else:
                strategies[column.name] = reach.strategy
        if len(strategies) == 1:
            ((name, strategy),) = strategies.items()
            return strategy.map(lambda value: {**world.base, name: value})
        return st.fixed_dictionaries(strategies).map(lambda values: {**world.base, **values})

    @staticmethod
    def _null(world: World, column: str, way: Iterable[Literal], *, strict: bool) -> bool:
        """Whether this way asks for NULL: other CHECKs, which NULL passes, are then no reason to find no value."""
        return world.shape.domain(column, way, strict=strict).null == "required"

    @staticmethod
    def _either(always: list[Change], drawn: list[SearchStrategy[Change]]) -> SearchStrategy[Change]:
        """Draw freely where the solver can, and fall back on rows that were evaluated."""
        return st.one_of(*drawn, st.sampled_from(always)) if drawn else st.sampled_from(always)

    def _violation(self, world: World, row: dict[str, Value]) -> Violation:
        return Violation(
            (world.insert(row),),
            guard=self._guard(world, row, False),
            sqlstates=frozenset([CHECK_VIOLATION]),
            constraint=self.check.name,
        )

    def _guard(self, world: World, row: dict[str, Value], want: bool | str) -> Callable[[], Statement]:
        return partial(_evaluation, world, inlined(self.check.expression, world.table), row, want)


def _evaluation(world: World, expression: str, row: dict[str, Value], want: bool | str) -> Statement:
    """A query that is true where the frozen expression, evaluated for the row, is as wanted."""
    quoted = {c: sql.Identifier(c).as_string() for c in row}
    columns = ", ".join(f"${n}::{world.shape.types[c]} AS {quoted[c]}" for n, c in enumerate(row, 1))
    test = "IS NOT FALSE" if want == "passes" else f"IS {want}".upper()
    alias = sql.Identifier(world.table.name.name).as_string()
    return Statement(f"SELECT ({expression}) {test} FROM (SELECT {columns}) AS {alias}", tuple(row.values()))


def promises(catalog: Catalog) -> Iterator[TableCheck]:
    """One for every CHECK of a table that PostgreSQL enforces."""
    for table in catalog.tables:
        for check in table.checks:
            if check.enforced:
                yield TableCheck(table.name, check)

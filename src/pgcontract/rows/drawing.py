"""Rows drawn for tests of people's own: one row with what must be there for it, written as a person would.

Nothing is drawn here but values of columns. Which rows there are is the database's to decide: whatever leaves this
module passed its CHECKs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgcontract.errors import UsageError
from pgcontract.model import Column, ForeignKey, Name, Table
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.shape import MOST_CANDIDATES, Shape, Unbuildable
from pgcontract.rows.statements import Row, Statement, Value
from pgcontract.rows.ways import key_of
from pgcontract.rows.world import Placed, World
from pgcontract.rows.worlds import Worlds
from pgcontract.values.types import UnknownType

Given = Mapping[Name, Row]
"""Values that rows of other tables must have."""

FEW: Final = 24
"""How many rows are looked at for one near a drawn row: another can be drawn as well."""
_CONSTANT: Final = re.compile(r"(?:'(?:[^']|'')*'|-?[0-9.]+|true|false|NULL)(?:::.*)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Planned:
    """A row, the rows that must be there before it, and the statements that insert them all, itself last.

    ``row`` has every column; ``written`` are those that its INSERT names. ``foreign``: one of them refers to a row of
    the caller's.
    """

    table: Name
    row: Row
    written: tuple[str, ...]
    around: tuple[Placed, ...]
    statements: tuple[Statement, ...]
    foreign: bool


@dataclass(frozen=True)
class Drawing:
    """Draws rows of one table. Raises Unbuildable where there can be none."""

    worlds: Worlds
    name: Name
    _shown: dict[Name, frozenset[str]] = field(default_factory=dict, compare=False)

    @cached_property
    def world(self) -> World:
        """The world of the table's plainest row."""
        return self.worlds.world(self.name)

    @cached_property
    def free(self) -> Mapping[str, SearchStrategy[Value]]:
        """What may stand in each column that neither a parent nor the database itself gives."""
        shape = self.world.shape
        bound = {c for fk in shape.table.foreign_keys for c in shape.sources(fk.columns)}
        columns = (c for c in shape.columns if c.name not in bound and not _is_given_by_database(shape, c))
        found = ((column.name, _values(shape, column)) for column in columns)
        return {name: strategy for name, strategy in found if strategy is not None}

    @cached_property
    def _plainest(self) -> Row:
        """The world's row, with plain values where others are measured by what a default gives at the time."""
        shape, base = self.world.shape, self.world.base
        bound = {c for fk in shape.table.foreign_keys for c in fk.columns if c in shape.names}
        moving = self._show(shape)
        measured = {c for one in shape.clauses.values() if one.columns & moving for c in one.columns}
        plain = {
            c: shape.domain(c, shape.sure).simplest
            for c in measured & shape.names - bound - shape.key_columns
            if base[c] is not None
        }
        return shape.find({**base, **plain}, fixed=frozenset(bound)) or base

    def planned(self, drawn: Row, given: Row, elsewhere: Given | None = None) -> Planned:
        """The row with the ``given`` values, near the ``drawn`` ones, and what must be there for it.

        ``elsewhere`` are values of the other rows. Raises Unbuildable where no such row passes the CHECKs, UsageError
        where a value belongs to a column that cannot have it.
        """
        world = self.world
        _writable(world.shape, given)
        bound = {c for fk in world.table.foreign_keys for c in fk.columns if c in world.shape.names}
        start = {**self._plainest, **drawn, **given}
        for fk in world.table.foreign_keys:
            if fk.references == self.name and _refers(world.base, fk, world.base):
                # it is its own parent, under whatever key it was given
                start |= {c: start[k] for c, k in zip(fk.columns, fk.keys, strict=True) if c not in given}
        fixed = frozenset(given) | bound
        row = world.shape.find(start, fixed=fixed, most=FEW if drawn else MOST_CANDIDATES)
        if row is None and drawn:
            # nothing near it passes: what was drawn is given up, and what was given stays
            return self.planned({}, given, elsewhere)
        if row is None:
            raise Unbuildable("no row with these values passes the CHECKs", where=f"{self.name}: {', '.join(given)}")
        around, foreign = self._around(given, elsewhere or {})
        written = self._written(
            row, {*given, *(c for c in drawn if row[c] == drawn[c])}, [placed for placed, _ in around]
        )
        insert = world.shape.insert({c: row[c] for c in written}, show=written)
        return Planned(self.name, row, written, *self._statements(around, insert), foreign)

    def refusal(self, planned: Planned) -> Refusal | None:
        """What refuses the row where the database is as its migrations leave it.

        A row that refers to one of its caller's cannot be tried.
        """
        if planned.foreign:
            return None
        # the rows around stay from one call to the next while they are the same
        *around, insert = planned.statements
        (found,) = self.worlds.oracle.tried(around, [[insert]])
        return found if isinstance(found, Refusal) else None

    def _around(self, given: Row, elsewhere: Given) -> tuple[list[tuple[Placed, Row]], bool]:
        """The world's rows that this one needs, and those that they need, with the values that each must have.

        A parent whose key was given is the caller's, which is told as well; one of whose key a part was given is made
        with that part.
        """
        needed: dict[int, dict[str, Value]] = {}
        foreign = False
        waiting: list[tuple[Table, Row, Row]] = [(self.world.table, self.world.base, given)]
        while waiting:
            table, values, its = waiting.pop()
            for fk in table.foreign_keys:
                passed = {k: its[c] for c, k in zip(fk.columns, fk.keys, strict=True) if c in its}
                if len(passed) == len(fk.columns) or None in passed.values():
                    foreign = foreign or None not in passed.values()
                    continue
                for n, placed in enumerate(self.world.placed):
                    if fk.references == placed.table and _refers(values, fk, placed.values):
                        _unmoved(fk, {*elsewhere.get(placed.table, {})} - {*passed})
                        met = needed.get(n)
                        wanted = {**(elsewhere.get(placed.table, {}) if met is None else met), **passed}
                        if met != wanted:
                            needed[n] = wanted
                            waiting.append((self.worlds.shape(placed.table).table, placed.values, wanted))
        return [(self.world.placed[n], needed[n]) for n in sorted(needed)], foreign

    def _written(self, row: Row, wanted: Iterable[str], around: Sequence[Placed]) -> tuple[str, ...]:
        """The columns that a person would write: none that the database gives by itself, unless others refer to it."""
        shape = self.world.shape
        named = {*wanted, *shape.explicit(row)}
        own = {c.name for c in shape.columns if _is_given_by_database(shape, c)} - self._show(shape) - {*wanted}
        children = [*((p.table, p.values) for p in around), (self.name, row)]
        for table, values in children:
            for fk in self.worlds.shape(table).table.foreign_keys:
                if fk.references == self.name and _refers(values, fk, row):
                    own -= set(fk.keys)
        shown = (named | self._show(shape)) - own
        return tuple(c.name for c in shape.columns if c.name in shown)

    def _show(self, shape: Shape) -> frozenset[str]:
        """Columns to be written although a default would do: it moves with time, and CHECKs compare others with it."""
        name = shape.table.name
        if name not in self._shown:
            together = {c for one in shape.clauses.values() if len(one.columns) > 1 for c in one.columns}
            moving = (c for c in shape.columns if c.default and not _CONSTANT.fullmatch(c.default))
            self._shown[name] = frozenset(c.name for c in moving if c.name in together)
        return self._shown[name]

    def _statements(
        self, around: Sequence[tuple[Placed, Row]], insert: Statement
    ) -> tuple[tuple[Placed, ...], tuple[Statement, ...]]:
        """The rows around with the values that they must have, and all statements."""
        changed = {placed.statement: self._changed(placed, given) for placed, given in around}
        surplus = {placed.statement for placed in self.world.placed} - set(changed)
        setup = [
            changed[statement].statement if statement in changed else statement
            for statement in self.world.setup
            if statement not in surplus
        ]
        missed = [placed for placed, given in around if given and changed[placed.statement].statement not in setup]
        if missed:
            raise UsageError(
                "Rows that need each other cannot be given values",
                where=str(missed[0].table),
                remedy="insert that row yourself, and give its key",
            )
        return tuple(changed.values()), (*setup, insert)

    def _changed(self, placed: Placed, given: Row) -> Placed:
        shape = self.worlds.shape(placed.table)
        show = self._show(shape)
        if not given:
            return Placed(placed.table, placed.values, shape.insert(placed.values, show=show)) if show else placed
        _writable(shape, given)
        fixed = {*given, *shape.key_columns, *(c for fk in shape.table.foreign_keys for c in fk.columns)}
        values = shape.find({**placed.values, **given}, fixed=frozenset(fixed) & shape.names)
        if values is None:
            raise Unbuildable("no row with these values passes the CHECKs", where=f"{placed.table}: {', '.join(given)}")
        return Placed(placed.table, values, shape.insert(values, show=[*show, *given]))


def _refers(child: Row, fk: ForeignKey, parent: Row) -> bool:
    values = tuple(child.get(c) for c in fk.columns)
    return None not in values and values == key_of(parent, fk)


def _unmoved(fk: ForeignKey, given: Iterable[str]) -> None:
    """Raises UsageError where a key was given to a parent alone, and not to the rows that refer to it."""
    moved = sorted(set(fk.keys) & set(given))
    if moved:
        raise UsageError(
            "Other rows refer to this column",
            where=f"{fk.references}.{moved[0]}",
            remedy=f"give the columns of {fk.name} to the row itself",
        )


def _is_given_by_database(shape: Shape, column: Column) -> bool:
    evaluated = shape.defaults.get(column.name)
    return column.identity is not None or (evaluated is not None and evaluated.volatile)


def _writable(shape: Shape, given: Iterable[str]) -> None:
    """Raises UsageError for what is no column, or generated."""
    for name in given:
        if name not in shape.names:
            known = shape.table.column(name) is not None
            raise UsageError(
                "A generated column cannot be given" if known else "The table has no such column",
                where=str(shape.table.name),
                seen=name,
                remedy=f"its columns are {', '.join(c.name for c in shape.columns)}",
            )


def _values(shape: Shape, column: Column) -> SearchStrategy[Value] | None:
    """The values of a column that pass the CHECKs which have but one way; None where none is known."""
    try:
        reach = shape.domain(column.name, shape.sure)
    except UnknownType:
        return None
    if reach.empty or reach.null == "required":
        return None
    strategy: SearchStrategy[Value] = reach.strategy
    return st.none() | strategy if reach.null == "allowed" and not column.not_null else strategy

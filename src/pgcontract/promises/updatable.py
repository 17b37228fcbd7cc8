"""Rows for views WITH CHECK OPTION: through the view goes what it would show, and nothing else, level by level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pgcontract import sql
from pgcontract.model import Catalog, Name, View
from pgcontract.promises.base import Change, Violation
from pgcontract.promises.reaching import nodes, tied_columns
from pgcontract.rows.shape import Clause, Shape, Unbuildable, clause
from pgcontract.rows.statements import Value, insert, update
from pgcontract.rows.worlds import World, Worlds
from pgcontract.values.terms import enum_name

CHECK_OPTION_VIOLATION = "44000"
MOST_OF_A_LEVEL = 6
NEVER_WRITTEN = frozenset(
    {"distinct_clause", "group_clause", "having_clause", "limit_count", "limit_offset", "with_clause", "window_clause"}
)
"""What no definition has through which PostgreSQL writes."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Changes through a view with a check option, or why there are none."""

    accepted: tuple[Change, ...] = ()
    refused: tuple[Violation, ...] = ()
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """A view on the way down to the table: its columns as the table calls them, and what it asks of the table's rows.

    ``checked``: whether a row that does not meet the condition is refused.
    """

    columns: Mapping[str, str]
    condition: str | None
    checked: bool


def checked(view: View, catalog: Catalog, worlds: Worlds) -> Checked:
    """Changes that the view's check option accepts and refuses. ``catalog`` is the contract's."""
    found = levels(view, catalog)
    if found is None:
        return Checked(missing="the definition is not of the kind through which PostgreSQL writes")
    table, down = found
    try:
        world = worlds.world(table)
    except Unbuildable as error:
        return Checked(missing=error.what)
    shape, fixed = world.shape, tied_columns(world.shape)
    asked = [(level, clause(level.condition, shape.table, want=True)) for level in down if level.condition]
    inside = shape.find(world.base, [one for _, one in asked], fixed=fixed)
    if inside is None:
        return Checked(missing="no row was found that the view would show")
    through = _Through(view, down[0].columns, world, inside)
    accepted = list(through.changes(inside))
    refused: list[Violation] = []
    for level, condition in asked:
        others = [one for other, one in asked if other is not level]
        for row in _outside(shape, inside, condition, others, fixed):
            changes = through.changes(row)
            if level.checked:
                refused += [Violation(c.act, c.setup, sqlstates=frozenset([CHECK_OPTION_VIOLATION])) for c in changes]
            else:
                accepted += changes
    missing = None if refused else "no row could be written through the view that it would not show"
    return Checked(tuple(accepted), tuple(refused), missing)


def _outside(
    shape: Shape, inside: Mapping[str, Value], condition: Clause, others: Sequence[Clause], fixed: frozenset[str]
) -> Iterator[dict[str, Value]]:
    """Rows that meet all but one condition."""
    wanted = [condition.wanting("fails"), *others]
    tried = [r for r in [shape.find(inside, wanted, fixed=fixed)] if r is not None]
    tried += islice(shape.candidates(inside, [condition.wanting("fails")], fixed), MOST_OF_A_LEVEL)
    good = shape.holds([*shape.clauses.values(), *wanted], tried)
    yield from (row for row, holds in zip(tried, good, strict=True) if holds)


@dataclass(frozen=True, slots=True)
class _Through:
    """Writes rows through a view: by INSERT, where it has all that a row needs; by UPDATE of a row that it shows."""

    view: View
    columns: Mapping[str, str]
    world: World
    inside: Mapping[str, Value]

    def changes(self, row: Mapping[str, Value]) -> Iterator[Change]:
        """Ways to write this row."""
        shape = self.world.shape
        names = {column: own for own, column in self.columns.items()}
        explicit = shape.explicit(row)
        if set(explicit) <= set(names):
            yield Change((insert(self.view.name, {names[c]: v for c, v in explicit.items()}),), self.world.setup)
        changed = {c: v for c, v in row.items() if v != self.inside[c] and c in shape.names}
        if changed and set(changed) <= set(names):
            key = shape.table.primary_key
            named = [c for c in (key.columns if key else ()) if c in names]
            types = {own: shape.types[column] for own, column in self.columns.items()}
            act = update(
                self.view.name,
                {names[c]: v for c, v in changed.items()},
                {names[c]: self.inside[c] for c in named},
                types,
            )
            yield Change((act,), (*self.world.setup, self.world.insert(self.inside)))


def levels(view: View, catalog: Catalog) -> tuple[Name, list[Level]] | None:
    """The table that a view writes to, and the views on the way, outermost first; None where it cannot."""
    views = {one.name: one for one in catalog.views}
    down: list[tuple[Mapping[str, str], Any, bool]] = []
    current, cascades = view, False
    while True:
        select = sql.parse(current.definition).stmts[0].stmt.select_stmt
        if not _is_simple(select):
            return None
        below = Name(select.from_clause[0].range_var.schemaname, select.from_clause[0].range_var.relname)
        targets = zip(current.columns, select.target_list, strict=False)
        plain = {
            column.name: target.res_target.val.column_ref.fields[-1].string.sval
            for column, target in targets
            if target.res_target.val.HasField("column_ref")
        }
        condition = select.where_clause if select.HasField("where_clause") else None
        down.append((plain, condition, cascades or current.check_option is not None))
        cascades = cascades or current.check_option == "CASCADED"
        if catalog.table(below) is not None:
            break
        if below not in views:
            return None
        current = views[below]
    return below, _in_the_table_s_words(down)


def _is_simple(select: Any) -> bool:
    """Whether a definition is of the kind through which PostgreSQL writes, as far as its form says."""
    if len(select.from_clause) != 1 or not select.from_clause[0].HasField("range_var"):
        return False
    given = {field.name for field, _ in select.ListFields()}
    return not given & NEVER_WRITTEN and enum_name(select, "op") == "SETOP_NONE"


def _in_the_table_s_words(down: Sequence[tuple[Mapping[str, str], Any, bool]]) -> list[Level]:
    """Each level's columns and condition, as the table calls its columns."""
    made: list[Level] = []
    lower: Mapping[str, str] | None = None
    for plain, condition, is_checked in reversed(down):
        names = plain if lower is None else {own: lower[c] for own, c in plain.items() if c in lower}
        text = None if condition is None else _renamed(condition, lower)
        made.append(Level(names, text, is_checked))
        lower = names
    return made[::-1]


def _renamed(condition: Any, lower: Mapping[str, str] | None) -> str:
    own = deepcopy(condition)
    for kind, node in nodes(own):
        if kind == "ColumnRef":
            name = node.fields[-1].string.sval
            del node.fields[:-1]
            node.fields[0].string.sval = name if lower is None else lower.get(name, name)
    return sql.deparse_expression(own)

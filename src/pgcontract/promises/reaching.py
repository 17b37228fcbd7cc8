"""Rows that reach a view: what its definition asks of single tables is solved, and tried on either side.

Conditions are read from the definition's tree; whether a row meets one is decided by the database, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pgcontract import sql
from pgcontract.model import Catalog, Name, Table, View
from pgcontract.rows.shape import Clause, Shape, Unbuildable, clause
from pgcontract.rows.statements import Row, Statement, Value, update
from pgcontract.rows.worlds import World, Worlds
from pgcontract.values.terms import enum_name

MOST_ROWS = 60
MOST_OF_A_SIDE = 6
MOST_OF_A_COLUMN = 5
MOST_PARENTS = 16
MOST_LEVELS = 16
OWN = 40
"""So many values of its own a table has, which stand in no other table's rows."""


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression over one table's columns. ``required``: a row for which it is not true reaches nothing."""

    table: Name
    expression: str
    required: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What a definition reads: tables, those of other views among them, and what it asks of each alone."""

    tables: tuple[Name, ...]
    conditions: tuple[Condition, ...]

    def of(self, table: Table, *, required: bool = False) -> list[Clause]:
        """The conditions on a table, to be met."""
        return [
            clause(c.expression, table, want=True)
            for c in self.conditions
            if c.table == table.name and (c.required or not required)
        ]


@dataclass(frozen=True, slots=True)
class Population:
    """Statements that make rows: ``before`` all of them must run, of ``rows`` any in their order.

    ``missing`` says why some table has none.
    """

    before: tuple[Statement, ...] = ()
    rows: tuple[Statement, ...] = ()
    missing: tuple[str, ...] = ()


def reading(definition: str, catalog: Catalog, seen: frozenset[Name] = frozenset()) -> Reading:
    """What a definition reads. Views in it are read in their turn."""
    tables: dict[Name, None] = {}
    conditions: dict[Condition, None] = {}
    views = {view.name: view for view in catalog.views}
    tree = sql.parse(definition).stmts[0].stmt
    for kind, node in nodes(tree):
        if kind == "RangeVar" and node.schemaname:
            name = Name(node.schemaname, node.relname)
            if catalog.table(name) is not None:
                tables[name] = None
            elif name in views and name not in seen:
                inner = reading(views[name].definition, catalog, seen | {name})
                tables |= dict.fromkeys(inner.tables)
                conditions |= dict.fromkeys(inner.conditions)
        elif kind == "SelectStmt":
            conditions |= dict.fromkeys(_of_select(node, views, catalog))
    return Reading(tuple(tables), tuple(conditions))


def named(definition: str) -> tuple[Name, ...]:
    """The relations that a definition names: tables, and views with whatever they read."""
    tree = sql.parse(definition).stmts[0].stmt
    found = (node for kind, node in nodes(tree) if kind == "RangeVar" and node.schemaname)
    return tuple(dict.fromkeys(Name(node.schemaname, node.relname) for node in found))


def population(readings: Sequence[Reading], worlds: Worlds) -> Population:
    """Rows for every table that is read, parents first; the first reading's conditions are met, all are tried."""
    tables = _parents_first(dict.fromkeys(t for one in readings for t in one.tables), worlds.catalog)
    before: dict[Statement, None] = {}
    rows: dict[Statement, None] = {}
    missing: list[str] = []
    known: dict[Name, list[Row]] = {}
    for name in tables:
        world = _world(name, tables, worlds)
        if isinstance(world, str):
            missing.append(world)
            continue
        before |= dict.fromkeys(world.setup)
        before |= dict.fromkeys(_ancestors(world, readings[0], worlds))
        made = _rows(world, readings, known, OWN * (len(known) + 1))
        good = world.shape.holds(list(world.shape.clauses.values()), made)
        kept = [row for row, holds in zip(made, good, strict=True) if holds]
        known[name] = list[Row](kept)
        rows |= dict.fromkeys(world.insert(row, returning=unless_there(world.table)) for row in kept)
    return _settled(Population(tuple(before), tuple(rows), tuple(missing)), worlds)


def nodes(node: Any) -> Iterator[tuple[str, Any]]:
    """Every message below a node, outermost first, by the name of its type."""
    for descriptor, value in node.ListFields():
        if descriptor.message_type is None:
            continue
        for child in [value] if hasattr(value, "ListFields") else value:
            yield child.DESCRIPTOR.name, child
            yield from nodes(child)


def _of_select(select: Any, views: Mapping[Name, View], catalog: Catalog) -> Iterator[Condition]:
    aliases = dict(_aliases(select.from_clause))
    asked: list[tuple[Any, bool]] = [(select.where_clause, True)] if select.HasField("where_clause") else []
    for kind, node in nodes(select):
        if kind == "JoinExpr" and node.HasField("quals"):
            asked.append((node.quals, True))
        if kind == "CaseWhen":
            asked.append((node.expr, False))
        if kind == "FuncCall" and node.HasField("agg_filter"):
            asked.append((node.agg_filter, False))
    for condition, required in asked:
        for leaf, needed in _leaves(condition, required=required):
            found = _single(leaf, aliases, views, catalog)
            if found is not None:
                yield Condition(found[0], found[1], needed)


def _aliases(items: Iterable[Any]) -> Iterator[tuple[str, Name]]:
    for item in items:
        if item.HasField("range_var"):
            one = item.range_var
            yield one.alias.aliasname or one.relname, Name(one.schemaname, one.relname)
        elif item.HasField("join_expr"):
            yield from _aliases([item.join_expr.larg, item.join_expr.rarg])


def _leaves(node: Any, *, required: bool) -> Iterator[tuple[Any, bool]]:
    """A condition's parts: what AND ties is as required as the whole, what OR or NOT does is not."""
    if not node.HasField("bool_expr"):
        yield node, required
        return
    conjunction = enum_name(node.bool_expr, "boolop") == "AND_EXPR"
    if not conjunction:
        yield node, required
    for part in node.bool_expr.args:
        yield from _leaves(part, required=required and conjunction)


def _single(
    node: Any, aliases: Mapping[str, Name], views: Mapping[Name, View], catalog: Catalog
) -> tuple[Name, str] | None:
    """The one table whose columns a condition speaks of, and the condition in that table's own words."""
    own = deepcopy(node)
    names: set[Name] = set()
    for kind, child in nodes(own):
        if kind == "SubLink":
            return None
        if kind == "ColumnRef":
            found = _column(child, aliases)
            origin = None if found is None else _origin(*found, views, catalog)
            if origin is None:
                return None
            names.add(origin[0])
            del child.fields[:-1]
            child.fields[0].string.sval = origin[1]
    return (names.pop(), sql.deparse_expression(own)) if len(names) == 1 else None


def _column(reference: Any, aliases: Mapping[str, Name]) -> tuple[Name, str] | None:
    """The relation and the column that a reference means."""
    parts = [field.string.sval for field in reference.fields]
    if len(parts) == 1 and len(aliases) == 1:
        parts.insert(0, next(iter(aliases)))
    return (aliases[parts[0]], parts[1]) if len(parts) == 2 and parts[0] in aliases else None


def _origin(
    relation: Name, column: str, views: Mapping[Name, View], catalog: Catalog, depth: int = 0
) -> tuple[Name, str] | None:
    """The table's column that a view shows as it is; None where it shows something else."""
    if catalog.table(relation) is not None:
        return relation, column
    if relation not in views or depth > MOST_LEVELS:
        return None
    view = views[relation]
    select = sql.parse(view.definition).stmts[0].stmt.select_stmt
    for shown, target in zip(view.columns, select.target_list, strict=False):
        value = target.res_target.val
        if shown.name == column and value.HasField("column_ref"):
            found = _column(value.column_ref, dict(_aliases(select.from_clause)))
            return None if found is None else _origin(*found, views, catalog, depth + 1)
    return None


def _parents_first(names: Iterable[Name], catalog: Catalog) -> list[Name]:
    ordered: dict[Name, None] = {}
    wanted = list(names)

    def add(name: Name, path: tuple[Name, ...]) -> None:
        table = catalog.table(name)
        if table is None or name in path:
            return
        for fk in table.foreign_keys:
            add(fk.references, (*path, name))
        if name in wanted:
            ordered[name] = None

    for name in wanted:
        add(name, ())
    return list(ordered)


def _world(name: Name, tables: Sequence[Name], worlds: Worlds) -> World | str:
    """The world of a table's rows, with parents in all tables that are read where that can be; or why not."""
    table = worlds.catalog.table(name)
    assert table is not None
    keys = frozenset(fk for fk in table.foreign_keys if fk.references in tables)
    reason = ""
    for foreign_keys in dict.fromkeys((keys, frozenset())):
        try:
            return worlds.world(name, foreign_keys)
        except Unbuildable as error:
            reason = error.what
    return reason


def tied_columns(shape: Shape) -> frozenset[str]:
    """Columns that tie a row to its parents."""
    return frozenset(c for fk in shape.table.foreign_keys for c in fk.columns)


def fixed_columns(shape: Shape) -> frozenset[str]:
    """Columns that tie rows together, or tell them apart."""
    return tied_columns(shape) | shape.key_columns


def _ancestors(world: World, first: Reading, worlds: Worlds) -> Iterator[Statement]:
    """The world's other rows, changed so that they do not keep its own from the view."""
    for placed in world.placed:
        shape = worlds.shape(placed.table)
        wanted = first.of(shape.table, required=True)
        key = shape.table.primary_key
        if not wanted or key is None:
            continue
        found = shape.find(placed.values, wanted, fixed=fixed_columns(shape))
        named = {c.name for c in shape.columns}
        changes = {c: v for c, v in (found or {}).items() if v != placed.values.get(c) and c in named}
        if changes:
            yield update(placed.table, changes, {c: placed.values[c] for c in key.columns}, shape.types)


def _rows(
    world: World, readings: Sequence[Reading], known: Mapping[Name, Sequence[Row]], first: int
) -> list[dict[str, Value]]:
    """Two rows that reach the view, what differs from them a little, and a child of each parent that is known."""
    shape = world.shape
    wanted = readings[0].of(world.table, required=True)
    fixed = fixed_columns(shape)
    pair: list[dict[str, Value]] = []
    for twin, own in enumerate((world.base, world.twin)):
        parents = [row for pairs in world.parents.values() for row in pairs[twin].items()]
        row = {**own, **dict(parents)}
        tries = (shape.find(row, wanted, fixed=columns) for columns in (fixed, tied_columns(shape)))
        pair.append(_filled(world, next((found for found in tries if found is not None), row), wanted, fixed))
    # the same once more: rows alike but for their keys are one to DISTINCT, and two to a count
    alike = [*pair, *_crossed(world, pair), *_children(world, pair[0], known), dict(world.base)]
    others = [
        (_told_apart(world, pair[0], wanted, first), shape.key_columns),
        *((row, frozenset[str]()) for row in alike),
        *_variants(world, pair[0], readings, fixed),
    ]
    fresh = (fresh_key(world, row, number, keep) for number, (row, keep) in enumerate(others, len(pair)))
    return [*pair, *islice(fresh, MOST_ROWS)]


def _filled(world: World, row: dict[str, Value], wanted: Sequence[Clause], fixed: frozenset[str]) -> dict[str, Value]:
    """The row with a value wherever it may have one: NULL is nothing to a sum, and to most conditions; so is zero."""
    current = row
    clauses = [*world.shape.clauses.values(), *wanted]
    for column in world.shape.columns:
        if column.name not in fixed and _neutral(current[column.name]):
            values = (v for v in world.values(column.name, current) if v is not None)
            tries = [{**current, column.name: value} for value in sorted(values, key=_neutral)]
            good = (one for one, holds in zip(tries, world.shape.holds(clauses, tries), strict=True) if holds)
            current = next(good, current)
    return current


def _neutral(value: Value) -> bool:
    return value is None or not set(value if isinstance(value, str) else value.decode(errors="replace")) - {"0", "."}


def _told_apart(world: World, row: dict[str, Value], wanted: Sequence[Clause], first: int) -> dict[str, Value]:
    """The row with values that stand in no other column, where that can be: columns that change places are seen."""
    shape, current = world.shape, row
    clauses = [*shape.clauses.values(), *wanted]
    free = [column for column in shape.columns if column.name not in tied_columns(shape)]
    for number, column in enumerate(free, first):
        value = shape.domain(column.name, shape.sure).fresh(number)
        changed = {**current, column.name: value}
        if value is not None and shape.holds(clauses, [changed])[0]:
            current = changed
    return current


def _crossed(world: World, pair: Sequence[dict[str, Value]]) -> Iterator[dict[str, Value]]:
    """Rows with parents of the one and of the other: among one's own, keys of two tables may be the same numbers."""
    current = pair[0]
    for fk in world.table.foreign_keys[:-1]:
        current = {**current, **{column: pair[1][column] for column in fk.columns}}
        yield current


def _children(world: World, row: dict[str, Value], known: Mapping[Name, Sequence[Row]]) -> Iterator[dict[str, Value]]:
    for fk in world.table.foreign_keys:
        for parent in list(known.get(fk.references, ()))[:MOST_PARENTS]:
            yield {**row, **{column: parent[key] for column, key in zip(fk.columns, fk.keys, strict=True)}}


def _variants(
    world: World, row: dict[str, Value], readings: Sequence[Reading], fixed: frozenset[str]
) -> Iterator[tuple[dict[str, Value], frozenset[str]]]:
    """Rows near one that reaches the view, each with the columns that it is about.

    They are on either side of each condition, and have other values in each column.
    """
    shape = world.shape
    conditions = {c.expression: c for one in readings for c in one.of(world.table)}
    for condition in conditions.values():
        for want in (True, "fails"):
            made = shape.candidates(row, [condition.wanting(want)], tied_columns(shape))
            yield from ((one, condition.columns) for one in islice(made, MOST_OF_A_SIDE))
    for column in shape.columns:
        if column.name not in fixed:
            for value in world.values(column.name, row)[:MOST_OF_A_COLUMN]:
                yield {**row, column.name: value}, frozenset()
    for column in shape.columns:
        if column.name in fixed - shape.key_columns and not column.not_null:
            yield {**row, column.name: None}, frozenset()


def fresh_key(world: World, row: dict[str, Value], number: int, keep: frozenset[str] = frozenset()) -> dict[str, Value]:
    """The row with another key, where its key is no parent's, and none of the columns to keep."""
    shape = world.shape
    made = dict(row)
    for column in shape.columns:
        if column.name in shape.key_columns - tied_columns(shape) - keep:
            value = shape.domain(column.name, shape.sure).fresh(number + 2)
            made[column.name] = made[column.name] if value is None else value
    return made


def unless_there(table: Table) -> str:
    """What makes an INSERT pass over a row whose key is in use, where PostgreSQL takes it."""
    deferrable = any(key.deferrable for key in table.keys) or any(one.deferrable for one in table.exclusions)
    return "" if deferrable or table.rules else " ON CONFLICT DO NOTHING"


def _settled(made: Population, worlds: Worlds) -> Population:
    """Without the rows that a trigger or an exclusion refuses."""
    before, rows = list(made.before), list(made.rows)
    for _ in range(len(before) + len(rows)):
        refusal = worlds.oracle.refusal([*before, *rows])
        if refusal is None:
            break
        del (before if refusal.position < len(before) else rows)[
            refusal.position if refusal.position < len(before) else refusal.position - len(before)
        ]
    return Population(tuple(before), tuple(rows), made.missing)

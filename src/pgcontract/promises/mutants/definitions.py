"""A view's definition with one small thing changed, on PostgreSQL's own parse tree."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from pgcontract import sql
from pgcontract.model import Catalog, Name, View
from pgcontract.promises.mutants.expressions import Change, changed, copied, replaced
from pgcontract.rows.statements import quote
from pgcontract.values.terms import enum_name

ZONE: Final = "MUTANT-14"
"""Fourteen hours before UTC, as POSIX writes it: no table of zones is asked."""
AGGREGATES: Final = {
    "min": "max",
    "max": "min",
    "sum": "max",
    "avg": "max",
    "bool_and": "bool_or",
    "bool_or": "bool_and",
    "every": "bool_or",
}
JOINS: Final = {
    "JOIN_LEFT": "JOIN_INNER",
    "JOIN_RIGHT": "JOIN_INNER",
    "JOIN_FULL": "JOIN_LEFT",
    "JOIN_INNER": "JOIN_LEFT",
}
MOST_LEVELS: Final = 16
NEVER_NULL: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
"""Operators that are not true where one side is NULL."""
REASONS: Final = {
    "change_join by a foreign key": "each row has its partner, by a foreign key over columns that are NOT NULL",
    "change_join by a condition": "a condition of WHERE is not true where there is no partner",
    "change_join by a join": "the join around it takes no row where there is no partner",
}
"""Joins that give the same rows as an outer and as an inner one."""
UNITS: Final = {"minute": "hour", "hour": "day", "day": "month", "week": "month", "month": "day", "year": "month"}
SETS: Final = {"SETOP_INTERSECT": "SETOP_EXCEPT", "SETOP_EXCEPT": "SETOP_INTERSECT"}


def definitions(view: View, catalog: Catalog) -> Iterator[tuple[str, str, str | None]]:
    """Every definition that is one change away: what is other in it, and why it gives the same rows if it does."""
    tree = sql.parse(view.definition)
    before = sql.deparse(tree)
    seen: dict[str, None] = {before: None}
    told: dict[str, int] = {}
    every = [(operator, sql.deparse(other)) for operator, other in changed(tree, _changer(catalog))]
    every += [("swap_columns", sql.deparse(other)) for other in _swapped(view, tree)]
    for operator, text in every:
        if text in seen:
            continue
        seen[text] = None
        what = f"{operator.partition(' by ')[0]} {_difference(before, text)}"
        told[what] = told.get(what, 0) + 1
        yield what if told[what] == 1 else f"{what} ({told[what]})", text, REASONS.get(operator)
    yield from ((f"change_constant {what}", text, None) for what, text in _constants(before))


def free(view: View, catalog: Catalog) -> bool:
    """Whether all conditions, also of the views that it reads, are NULL tests, for which a plan reckons no costs."""
    selects = [sql.parse(view.definition).stmts[0].stmt.select_stmt]
    views = {one.name: one for one in catalog.views}
    for select in selects:
        for item in select.from_clause:
            name = Name(item.range_var.schemaname, item.range_var.relname)
            if name in views and len(selects) < MOST_LEVELS:
                selects.append(sql.parse(views[name].definition).stmts[0].stmt.select_stmt)
    conditions = [select.where_clause for select in selects if select.HasField("where_clause")]
    return bool(conditions) and all(map(_free, conditions))


def _free(condition: Any) -> bool:
    match condition.WhichOneof("node"):
        case "bool_expr":
            return all(_free(part) for part in condition.bool_expr.args)
        case "null_test":
            return bool(condition.null_test.arg.HasField("column_ref"))
        case kind:
            return str(kind) == "column_ref"


def _difference(before: str, after: str) -> str:
    """``total > 10 to total >= 10``: what is other, with a word on either side."""
    one, other = before.split(), after.split()
    shortest = min(len(one), len(other))
    start = next((n for n in range(shortest) if one[n] != other[n]), shortest)
    rest = shortest - start
    end = next((n for n in range(rest) if one[-1 - n] != other[-1 - n]), rest)
    first = max(0, start - 1)
    return " to ".join(" ".join(words[first : len(words) - end + min(end, 1)]) for words in (one, other))


def _changer(catalog: Catalog) -> Change:
    def change(message: Any) -> Iterator[tuple[str, Any]]:
        yield from replaced(message)
        match message.DESCRIPTOR.name:
            case "SelectStmt":
                yield from _select(message)
                yield from _joined(message, catalog)
            case "FuncCall":
                yield from _call(message)

    return change


def _select(select: Any) -> Iterator[tuple[str, Any]]:
    for field, operator in (("where_clause", "drop_condition"), ("having_clause", "drop_condition")):
        if select.HasField(field):
            copy = copied(select)
            copy.ClearField(field)
            yield operator, copy
    if select.HasField("limit_count"):
        copy = copied(select)
        copy.ClearField("limit_count")
        copy.limit_option = "LIMIT_OPTION_DEFAULT"
        yield "drop_limit", copy
    copy = copied(select)
    if select.distinct_clause:
        del copy.distinct_clause[:]
        yield "drop_distinct", copy
    set_operation = enum_name(select, "op")
    if set_operation != "SETOP_NONE":
        copy.all = not select.all
        yield "toggle_all", copy
    if set_operation in SETS:
        copy = copied(select)
        copy.op = SETS[set_operation]
        yield "change_set_operation", copy


def _joined(select: Any, catalog: Catalog) -> Iterator[tuple[str, Any]]:
    """An outer join as an inner one, and the other way round."""
    for number, (join, around) in enumerate(_joins(select.from_clause)):
        other = JOINS.get(enum_name(join, "jointype"))
        if other is None or not join.HasField("quals"):
            continue
        copy = copied(select)
        list(_joins(copy.from_clause))[number][0].jointype = other
        operator = "change_join"
        if enum_name(join, "jointype") in ("JOIN_LEFT", "JOIN_INNER") and join.rarg.HasField("range_var"):
            alias = _alias(join.rarg.range_var)
            if _has_partner(join, catalog):
                operator += " by a foreign key"
            elif select.HasField("where_clause") and _refuses_null(select.where_clause, alias):
                operator += " by a condition"
            elif any(_refuses_null(quals, alias) for quals in around):
                operator += " by a join"
        yield operator, copy


def _joins(items: Any, around: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The joins, each with the conditions of those around it that its rows must meet to be seen."""
    for item in items:
        if not item.HasField("join_expr"):
            continue
        join = item.join_expr
        yield join, around
        own = (*around, join.quals) if join.HasField("quals") else around
        kept = enum_name(join, "jointype")
        yield from _joins([join.larg], around if kept in ("JOIN_LEFT", "JOIN_FULL") else own)
        yield from _joins([join.rarg], around if kept in ("JOIN_RIGHT", "JOIN_FULL") else own)


def _present(item: Any) -> Iterator[Any]:
    """The tables of which every row of a join has one."""
    if item.HasField("range_var"):
        yield item.range_var
    elif item.HasField("join_expr"):
        join, kept = item.join_expr, enum_name(item.join_expr, "jointype")
        yield from _present(join.larg) if kept in ("JOIN_INNER", "JOIN_LEFT") else ()
        yield from _present(join.rarg) if kept in ("JOIN_INNER", "JOIN_RIGHT") else ()


def _alias(table: Any) -> str:
    return str(table.alias.aliasname or table.relname)


def _compared(node: Any) -> Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """The comparisons that a condition ties by AND: the names on either side, where there are columns."""
    if node.HasField("bool_expr") and enum_name(node.bool_expr, "boolop") == "AND_EXPR":
        for part in node.bool_expr.args:
            yield from _compared(part)
    elif node.HasField("a_expr") and enum_name(node.a_expr, "kind") == "AEXPR_OP":
        sides = [
            tuple(f.string.sval for f in side.column_ref.fields) if side.HasField("column_ref") else ()
            for side in (node.a_expr.lexpr, node.a_expr.rexpr)
        ]
        yield sides[0], node.a_expr.name[-1].string.sval, sides[1]


def _has_partner(join: Any, catalog: Catalog) -> bool:
    """Whether each row of the first side of a join has one in the other, by a foreign key that is NOT NULL."""
    other = join.rarg.range_var
    present = {_alias(one): catalog.table(Name(one.schemaname, one.relname)) for one in _present(join.larg)}
    alias, parts = _alias(other), list(_compared(join.quals))
    pairs: set[tuple[str, str]] = set()
    owners: set[str] = set()
    for one, operator, two in parts:
        if operator != "=" or len(one) != len(two) or len(one) != len(("alias", "column")):
            return False
        mine, its = (one, two) if two[0] == alias else (two, one)
        pairs.add((mine[1], its[1]))
        owners.add(mine[0])
    child = present.get(owners.pop()) if len(owners) == 1 else None
    if child is None or len(pairs) != len(parts) or not pairs:
        return False
    required = {c.name for c in child.columns if c.not_null}
    return any(
        set(zip(fk.columns, fk.keys, strict=True)) == pairs
        and fk.references == Name(other.schemaname, other.relname)
        and (fk.enforced and fk.validated and set(fk.columns) <= required)
        for fk in child.foreign_keys
    )


def _refuses_null(condition: Any, alias: str) -> bool:
    return any(operator in NEVER_NULL and alias in (one[:1] + two[:1]) for one, operator, two in _compared(condition))


def _swapped(view: View, tree: Any) -> Iterator[Any]:
    """Two neighbours of one type among the columns that change places, but keep their names."""
    select = tree.stmts[0].stmt.select_stmt
    for number, (one, other) in enumerate(pairwise(view.columns)):
        if one.type == other.type and number + 1 < len(select.target_list):
            copy = copied(tree)
            targets = copy.stmts[0].stmt.select_stmt.target_list
            first, second = (targets[number + n].res_target for n in (0, 1))
            kept = copied(first.val)
            first.val.CopyFrom(second.val)
            second.val.CopyFrom(kept)
            yield copy


def _constants(text: str) -> Iterator[tuple[str, str]]:
    """A zone, or a unit of time, that is another wherever it stands: in columns, and in what they are grouped by."""
    tokens = sql.scan(text)
    found: dict[str, str] = {}
    for before, token in pairwise(tokens):
        if token.kind != "SCONST":
            continue
        if before.text.upper() == "ZONE":
            found[token.text] = quote(ZONE)
        elif token.text.strip("'") in UNITS:
            found[token.text] = quote(UNITS[token.text.strip("'")])
    for old, new in found.items():
        pieces, done = [], 0
        for token in tokens:
            if token.kind == "SCONST" and token.text == old:
                pieces += [text[done : token.start], new]
                done = token.end
        yield f"{old} to {new}", "".join([*pieces, text[done:]])


def _call(call: Any) -> Iterator[tuple[str, Any]]:
    name = call.funcname[-1].string.sval
    if name in AGGREGATES:
        copy = copied(call)
        copy.funcname[-1].string.sval = AGGREGATES[name]
        yield "change_aggregate", copy
    if name == "count" and call.args and not call.agg_distinct:
        copy = copied(call)
        del copy.args[:]
        copy.agg_star = True
        yield "change_aggregate", copy
    if call.HasField("agg_filter"):
        copy = copied(call)
        copy.ClearField("agg_filter")
        yield "drop_filter", copy
    if call.agg_distinct:
        copy = copied(call)
        copy.agg_distinct = False
        yield "drop_distinct", copy
    if name == "coalesce" and len(call.args) > 1:
        copy = copied(call)
        del copy.args[1:]
        yield "drop_argument", copy

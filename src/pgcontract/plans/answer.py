"""The query that tells which rows of which tables another query's answer is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pgcontract.sql import deparse, parse

AGGREGATES: Final = frozenset(
    ["count", "sum", "avg", "min", "max", "array_agg", "string_agg", "bool_and", "bool_or", "json_agg", "jsonb_agg"]
)


@dataclass(frozen=True, slots=True)
class AnswerQuery:
    """``text`` gives one column of row addresses a table, in the order of ``aliases``; it has the same parameters.

    ``ordered``: an index has to give its order.
    """

    text: str
    aliases: tuple[str, ...]
    ordered: bool = False


def answer_query(statement: str, *, sorted_afterwards: bool = False) -> AnswerQuery | None:
    """It, or None where the statement is none of the plain ones: one SELECT from tables that are joined.

    ``sorted_afterwards``: the order comes from no index, so that all rows are needed to know the first of them.
    """
    tree = parse(statement)
    raw = tree.stmts[0].stmt
    if raw.WhichOneof("node") != "select_stmt":
        return None
    select = raw.select_stmt
    aliases = [alias for item in select.from_clause for alias in _aliases(item)]
    if select.op > 1 or select.HasField("with_clause") or select.distinct_clause or not aliases or None in aliases:
        return None
    if select.group_clause or _aggregates(select.target_list) or sorted_afterwards:
        for clause in ("sort_clause", "limit_count", "limit_offset", "having_clause", "group_clause", "limit_option"):
            select.ClearField(clause)
        select.limit_option = parse("SELECT 1").stmts[0].stmt.select_stmt.limit_option
    del select.locking_clause[:]
    named = [alias for alias in aliases if alias is not None]
    targets = ", ".join(f'"{alias}".ctid AS c{number}' for number, alias in enumerate(named))
    del select.target_list[:]
    select.target_list.extend(parse(f"SELECT {targets}").stmts[0].stmt.select_stmt.target_list)
    return AnswerQuery(deparse(tree), tuple(named), ordered=bool(select.sort_clause))


def _aliases(item: Any) -> list[str | None]:
    kind = item.WhichOneof("node")
    if kind == "range_var":
        return [item.range_var.alias.aliasname or item.range_var.relname]
    if kind == "join_expr":
        # the rows of an outer join that are not there have no address, and take no page
        return [*_aliases(item.join_expr.larg), *_aliases(item.join_expr.rarg)]
    return [None]


def _aggregates(targets: Any) -> bool:
    for target in targets:
        waiting = [target]
        while waiting:
            message = waiting.pop()
            for field, value in message.ListFields():
                if field.name == "func_call" and value.funcname[-1].string.sval in AGGREGATES:
                    return True
                if field.message_type is not None:
                    waiting += [value] if hasattr(value, "ListFields") else list(value)
    return False

"""Rules changed by one small thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pgcontract import sql
from pgcontract.model import Name, Rule
from pgcontract.promises.definitions import create_rule, drop_rule
from pgcontract.promises.mutants.base import Mutant


def rule_mutants(table: Name, rule: Rule, *, view: bool) -> Iterator[Mutant]:
    """The rule gone, off, beside the write or in its place, for other rows, with one thing less to do.

    One that is off can only be on.
    """
    gone = drop_rule(table, rule)
    if rule.enabled == "DISABLED":
        yield Mutant("enable_rule", "", (gone, *create_rule(table, replace(rule, enabled="ORIGIN"))))
        return
    yield Mutant("drop_rule", "", (gone,))
    if not view:
        yield Mutant("disable_rule", "", (gone, *create_rule(table, replace(rule, enabled="DISABLED"))))
    for operator, what, definition in _definitions(rule.definition):
        yield Mutant(operator, what, (gone, *create_rule(table, replace(rule, definition=definition))))


def _definitions(definition: str) -> Iterator[tuple[str, str, str]]:
    """``(operator, what, definition)`` of the rules that are nearly this one."""
    for operator, what, tree, _ in _changed(definition):
        yield operator, what, sql.deparse(tree)


def _changed(definition: str) -> Iterator[tuple[str, str, Any, Any]]:
    def copy() -> tuple[Any, Any]:
        tree = sql.parse(definition)
        return tree, tree.stmts[0].stmt.rule_stmt

    _, rule = copy()
    tree, other = copy()
    other.instead = not rule.instead
    yield "change_instead", "ALSO" if rule.instead else "INSTEAD", tree, other
    if rule.HasField("where_clause"):
        tree, other = copy()
        other.ClearField("where_clause")
        yield "drop_condition", "", tree, other
        tree, other = copy()
        negated = sql.parse_expression(f"NOT COALESCE({sql.deparse_expression(rule.where_clause)}, FALSE)")
        other.where_clause.CopyFrom(negated)
        yield "negate_condition", "", tree, other
    for number in range(len(rule.actions)):
        tree, other = copy()
        del other.actions[number]
        yield "drop_action", str(number + 1), tree, other

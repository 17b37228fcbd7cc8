"""Rewrite rules: a write to a table or view is turned into what the frozen rule says, and no other write is."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from pgcontract import sql
from pgcontract.contract import clauses, rule_id
from pgcontract.model import Catalog, Name, Rule, Table, View
from pgcontract.promises.base import Cases, Direction
from pgcontract.promises.definitions import create_rule, drop_rule
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.rules import rule_mutants
from pgcontract.promises.passage import Passage, relation_of
from pgcontract.promises.reaching import Condition, Reading, named, nodes, reading
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.worlds import Worlds

WORKING = ("ORIGIN", "ALWAYS")
ROW_NAMES = frozenset({"new", "old"})


@dataclass(frozen=True, slots=True)
class Rewriting:
    """A rule of a table or view. ``reads`` are the tables that it, or the view, needs rows in."""

    table: Name
    rule: Rule
    reads: Reading

    kind = "rule"
    directions = (Direction.ACCEPTS,)

    @property
    def id(self) -> str:
        """``parents.logged``."""
        return rule_id(self.table, self.rule.name)

    @property
    def clause(self) -> str:
        """``CREATE RULE …``."""
        return clauses.rule(self.rule)

    def accepts(self, worlds: Worlds) -> Cases:
        """Writes of all kinds: what the rule says is done, and to what it does not speak of nothing."""
        gone = drop_rule(self.table, self.rule)
        other = () if self.rule.enabled in WORKING else create_rule(self.table, replace(self.rule, enabled="ORIGIN"))
        installed = (gone, *create_rule(self.table, self.rule))
        text = self.rule.definition
        return Passage("rule", self.table, text, self.reads, installed, (gone, *other)).cases(worlds)

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is forbidden: what it must leave alone is among the writes that are accepted."""
        raise AssertionError(self, worlds)

    def owns(self, refusal: Refusal) -> bool:
        """A rule raises nothing."""
        del refusal
        return False

    def present(self, worlds: Worlds) -> bool:
        """Whether the live table or view has a rule of this name."""
        live = relation_of(worlds.catalog, self.table)
        return live is not None and any(one.name == self.rule.name for one in live.rules)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """Gone, off, beside the write or in its place, for other rows, with less to do."""
        return rule_mutants(self.table, self.rule, view=catalog.table(self.table) is None)


def reads(relation: Table | View, definition: str, catalog: Catalog) -> Reading:
    """The tables that a rule needs rows in: its relation's and its actions'; and what it asks of rows."""
    own = reading(relation.definition, catalog) if isinstance(relation, View) else Reading((relation.name,), ())
    tables = [*own.tables, *(name for name in named(definition) if catalog.table(name) is not None)]
    asked = _asked(relation.name, definition) if isinstance(relation, Table) else ()
    return Reading(tuple(dict.fromkeys(tables)), (*own.conditions, *asked))


def _asked(table: Name, definition: str) -> Iterator[Condition]:
    """The rule's condition, as one on a row that is there, or is to come."""
    rule = sql.parse(definition).stmts[0].stmt.rule_stmt
    if not rule.HasField("where_clause"):
        return
    for part in map(deepcopy, _parts(rule.where_clause)):
        rows = {_bare(node) for kind, node in nodes(part) if kind == "ColumnRef"}
        if rows in ({"new"}, {"old"}) and not any(kind == "SubLink" for kind, _ in nodes(part)):
            yield Condition(table, sql.deparse_expression(part), required=False)


def _parts(condition: Any) -> Iterator[Any]:
    """A condition's parts, and the whole: each may be about one row alone."""
    yield condition
    if condition.HasField("bool_expr"):
        for part in condition.bool_expr.args:
            yield from _parts(part)


def _bare(reference: Any) -> str:
    """The row that a reference means, which is taken out of it."""
    first = reference.fields[0].string.sval
    if first in ROW_NAMES and len(reference.fields) > 1:
        del reference.fields[:1]
        return str(first)
    return ""


def promises(catalog: Catalog) -> Iterator[Rewriting]:
    """Every rule of every table and view, but the one that makes a view a view."""
    relations: tuple[Table | View, ...] = (*catalog.tables, *catalog.views)
    for relation in relations:
        for rule in relation.rules:
            yield Rewriting(relation.name, rule, reads(relation, rule.definition, catalog))

"""Standards for what a schema is made of: snake_case plurals, TEXT and TIMESTAMPTZ, constraints with names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pgcontract.migrations.texts import is_node
from pgcontract.sql import parse

_SNAKE: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
# words that are plurals, or have none, without an s
_PLURALS: Final = frozenset(
    ["media", "data", "metadata", "people", "children", "men", "women", "criteria", "feedback", "equipment", "staff"]
)
_SINGULARS: Final = ("ss", "us", "is")
_KEYS: Final = {"address", "status", "analysis", "basis", "bus", "bonus", "virus", "gas", "lens", "news"}
_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "varchar": ("text", "TEXT, with a CHECK where its length matters"),
    "bpchar": ("text", "TEXT, with a CHECK where its length matters"),
    "char": ("text", "TEXT, with a CHECK where its length matters"),
    "timestamp": ("timestamptz", "TIMESTAMPTZ"),
    "timetz": ("timestamptz", "TIMESTAMPTZ"),
    "money": ("numeric", "NUMERIC, or whole cents"),
    "float4": ("numeric", "NUMERIC"),
    "float8": ("numeric", "NUMERIC"),
    "json": ("jsonb", "JSONB"),
    "xml": ("jsonb", "JSONB or TEXT"),
}
# what else bears a name: what it is called, and where the tree has its name
_NAMED: Final[Mapping[str, tuple[str, Callable[[Any], str]]]] = {
    "index_stmt": ("index", lambda node: node.idxname),
    "create_trig_stmt": ("trigger", lambda node: node.trigname),
    "create_function_stmt": ("function", lambda node: node.funcname[-1].string.sval),
    "create_enum_stmt": ("type", lambda node: node.type_name[-1].string.sval),
    "view_stmt": ("view", lambda node: node.view.relname),
    "create_table_as_stmt": ("table", lambda node: node.into.rel.relname),
    "rename_stmt": ("new name", lambda node: node.newname),
}
_CONSTRAINTS: Final[Mapping[str, str]] = {
    "CONSTR_CHECK": "CHECK",
    "CONSTR_PRIMARY": "PRIMARY KEY",
    "CONSTR_UNIQUE": "UNIQUE",
    "CONSTR_FOREIGN": "FOREIGN KEY",
    "CONSTR_EXCLUSION": "EXCLUDE",
}


@dataclass(frozen=True, slots=True)
class Departure:
    """One departure from a standard: of which object, and what would be better."""

    rule: str
    subject: str
    message: str
    remedy: str


def departures(statement: str) -> tuple[Departure, ...]:
    """What one statement defines that is not as the standards ask. Raises SqlError where it does not parse."""
    return tuple(_of(parse(statement).stmts[0].stmt))


def plural(name: str) -> bool:
    """Whether the last word of a name is a plural, as far as its ending tells."""
    word = name.rpartition("_")[2]
    if word in _PLURALS:
        return True
    return word.endswith("s") and not word.endswith(_SINGULARS) and word not in _KEYS


def _of(node: Any) -> Iterator[Departure]:
    if is_node(node, "create_stmt"):
        yield from _table(node.create_stmt)
    elif is_node(node, "alter_table_stmt"):
        for command in node.alter_table_stmt.cmds:
            # the field is called by a word that Python keeps for itself
            yield from _element(node.alter_table_stmt.relation.relname, getattr(command.alter_table_cmd, "def"))
    elif is_node(node, "index_stmt") and not node.index_stmt.idxname:
        table = node.index_stmt.relation.relname
        yield Departure("named-constraints", table, f"an index of {table} has no name", "name it")
    else:
        for kind, (word, name_of) in _NAMED.items():
            if is_node(node, kind):
                name = name_of(getattr(node, kind))
                yield from _named(word, name, name)


def _table(create: Any) -> Iterator[Departure]:
    table = create.relation.relname
    yield from _named("table", table, table)
    if not plural(table) and not create.inh_relations:
        yield Departure("plural-tables", table, f"the table {table} is named in the singular", "name it in the plural")
    for element in create.table_elts:
        yield from _element(table, element)
    for constraint in create.constraints:
        yield from _constraint(table, "", constraint.constraint)


def _element(table: str, element: Any) -> Iterator[Departure]:
    if is_node(element, "column_def"):
        column = element.column_def
        subject = f"{table}.{column.colname}"
        if column.colname:
            yield from _named("column", column.colname, subject)
        names = [part.string.sval for part in column.type_name.names]
        rule, better = _TYPES.get(names[-1] if names else "", ("", ""))
        if rule and names[0] in {"pg_catalog", names[-1]}:
            yield Departure(rule, subject, f"{subject} is of type {names[-1]}", f"use {better}")
        for constraint in column.constraints:
            yield from _constraint(table, column.colname, constraint.constraint)
    elif is_node(element, "constraint"):
        yield from _constraint(table, "", element.constraint)


def _constraint(table: str, column: str, constraint: Any) -> Iterator[Departure]:
    kinds = constraint.DESCRIPTOR.fields_by_name["contype"].enum_type.values_by_number
    kind = _CONSTRAINTS.get(kinds[constraint.contype].name)
    if kind is None:
        return
    subject = f"{table}.{column}" if column else table
    if constraint.conname:
        yield from _named("constraint", constraint.conname, constraint.conname)
    else:
        yield Departure(
            "named-constraints", subject, f"a {kind} of {subject} has no name", "name it: CONSTRAINT name …"
        )


def _named(kind: str, name: str, subject: str) -> Iterator[Departure]:
    if not _SNAKE.fullmatch(name):
        yield Departure(
            "snake-case", subject, f"the {kind} {name} is not in snake_case", "use lower case and underscores"
        )

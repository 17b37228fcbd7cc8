"""Generated columns: an expression that speaks of one is rewritten to speak of what it is generated from.

What is said of a generated column is then said of columns that an INSERT may give, and the solver can aim at it.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from pgcontract.model import Column, Table
from pgcontract.sql import Node, parse_expression, scan

_PREFIX = len("SELECT ")
"""libpg_query counts bytes from the statement's start, and ``parse_expression`` puts this before an expression."""


def expression_of(column: Column) -> str:
    """A generated column's value as an expression over the other columns, of the column's type."""
    return f"(({column.generated})::{column.type})"


def inlined(expression: str, table: Table) -> str:
    """The expression with what they are generated from in the place of generated columns.

    Raises SqlError where the expression does not parse.
    """
    generated = {c.name: expression_of(c) for c in table.columns if c.generated is not None}
    if not generated:
        return expression
    text = expression.encode()
    ends = {len(expression[: t.start].encode()): len(expression[: t.end].encode()) for t in scan(expression)}
    for start, name in sorted(_references(parse_expression(expression)), reverse=True):
        if name in generated:
            text = text[:start] + generated[name].encode() + text[ends[start] :]
    return text.decode()


def named(expression: str, table: Table) -> frozenset[str]:
    """The table's columns that an expression speaks of."""
    names = {c.name for c in table.columns}
    return frozenset(name for _, name in _references(parse_expression(expression)) if name in names)


def sources(table: Table, column: str) -> frozenset[str]:
    """The columns that a generated column is made from; of any other column, itself."""
    found = table.column(column)
    if found is None or found.generated is None:
        return frozenset([column])
    return named(found.generated, table)


def is_null(column: str) -> str:
    """A condition that is true where the column is NULL."""
    return f"{sql.Identifier(column).as_string()} IS NULL"


def _references(node: Node) -> Iterator[tuple[int, str]]:
    """``(byte offset, name)`` of every plain column that is named within a parse tree."""
    if node.DESCRIPTOR.name == "ColumnRef":
        if len(node.fields) == 1 and node.fields[0].HasField("string"):
            yield node.location - _PREFIX, node.fields[0].string.sval
        return
    for field, value in node.ListFields():
        if field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                yield from _references(part)

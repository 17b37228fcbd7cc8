"""View definitions, so written that 15 and 18 say the same. No I/O.

Up to 15 a view's range table held OLD and NEW, too, so that ruleutils saw more than one relation and qualified every
column of the outermost SELECT; from 16 on it does so only where the FROM holds more than one. Sub-SELECTs, set
operations and joins are qualified by all of them. The qualifier is cut out of the server's own text, whose layout
and meaning stay as they are.

One difference is left: a relation or alias called ``old`` or ``new`` is ``old_1`` or ``new_1`` on 15.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pgcontract import sql
from pgcontract.errors import CatalogError


def normalised(definition: str) -> str:
    """``pg_get_viewdef``'s text without the qualifiers that only 15 prints, and without the final semicolon."""
    text = definition.strip().removesuffix(";")
    try:
        tree = sql.parse(text)
    except sql.SqlError as error:
        raise CatalogError("A view's definition cannot be parsed.", where=error.where, seen=error.seen) from error
    outermost = tree.stmts[0].stmt.select_stmt
    # JOIN, or a comma, makes more than one relation; a set operation has no FROM of its own.
    if len(outermost.from_clause) != 1 or outermost.from_clause[0].HasField("join_expr"):
        return text
    cuts = set(_qualified(outermost))
    if not cuts:
        return text
    tokens = sql.scan(text)
    kept = []
    position = byte = 0
    for number, token in enumerate(tokens):
        byte += len(text[tokens[number - 1].start if number else 0 : token.start].encode())
        if byte in cuts:
            kept.append(text[position : token.start])
            position = tokens[number + 2].start  # past the name and the dot
    return "".join((*kept, text[position:]))


def _qualified(node: Any) -> Iterator[int]:
    """Byte offsets of `relation.column` references outside of sub-SELECTs."""
    for descriptor, value in node.ListFields():
        if descriptor.message_type is None:
            continue
        for child in value if hasattr(value, "__len__") and not hasattr(value, "ListFields") else (value,):
            yield from _in_message(child)


def _in_message(child: Any) -> Iterator[int]:
    name = child.DESCRIPTOR.name
    if name == "SelectStmt":
        return
    if name == "ColumnRef":
        # `relation.*` and a lone column stay as they are.
        if len(child.fields) == 2 and child.fields[1].HasField("string"):
            yield child.location
        return
    yield from _qualified(child)

"""Rows and the statements that change them, as values: what is sent, and the same as SQL to paste into psql.

A value is PostgreSQL's own text input, or None for NULL, or bytes where the point is that it is no valid text. It is
sent as a parameter of unknown type, so that PostgreSQL infers the column's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from psycopg import sql

from pgcontract.model import Name
from pgcontract.sql import scan

Value = str | bytes | None
Row = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Statement:
    """``text`` holds ``$1`` … ``$n`` for ``values``; identifiers in it were quoted by ``psycopg.sql``.

    ``afresh``: it is never prepared. What a rule turns into nothing is not planned anew when the rule is another.
    """

    text: str
    values: tuple[Value, ...] = ()
    afresh: bool = False

    def __str__(self) -> str:
        return paste(self)


def identifier(name: Name) -> sql.Identifier:
    """A qualified name, quoted."""
    return sql.Identifier(name.namespace, name.name)


OVERRIDING = "OVERRIDING SYSTEM VALUE "
"""What an INSERT says to give an identity column that is GENERATED ALWAYS a value of its own."""


@cache
def _insert_text(table: Name, columns: tuple[str, ...], returning: str, overriding: str) -> str:
    if not columns:
        return sql.SQL("INSERT INTO {} DEFAULT VALUES").format(identifier(table)).as_string() + returning
    composed = sql.SQL("INSERT INTO {} ({}) " + overriding + "VALUES ({})").format(
        identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(sql.SQL(f"${n}") for n in range(1, len(columns) + 1)),
    )
    return composed.as_string() + returning


def insert(
    table: Name, row: Row, *, returning: str = "", extra: tuple[Value, ...] = (), overriding: bool = False
) -> Statement:
    """INSERT one row; ``returning`` starts with `` RETURNING`` and may use parameters after the row's own.

    ``overriding``: a value is given to an identity column that is GENERATED ALWAYS.
    """
    text = _insert_text(table, tuple(row), returning, OVERRIDING if overriding else "")
    return Statement(text, (*row.values(), *extra))


def shifted(statement: Statement, by: int) -> str:
    """The statement's text with the numbers of its parameters raised, to stand in another one behind ``by`` others."""
    pieces: list[str] = []
    done = 0
    for token in scan(statement.text) if by else ():
        if token.kind == "PARAM":
            pieces += [statement.text[done : token.start], f"${int(token.text[1:]) + by}"]
            done = token.end
    return "".join([*pieces, statement.text[done:]])


def together(statements: Sequence[Statement]) -> Statement:
    """One statement that does them all: foreign keys are looked at when it ends."""
    texts, values = [], list[Value]()
    for statement in statements:
        texts.append(shifted(statement, len(values)))
        values += statement.values
    first = ", ".join(f"row_{n} AS ({text})" for n, text in enumerate(texts[:-1], 1))
    return Statement(f"WITH {first} {texts[-1]}" if first else texts[-1], tuple(values))


def where(
    row: Row, types: Mapping[str, str], *, start: int = 1, alias: str | None = None
) -> tuple[str, tuple[Value, ...]]:
    """A condition that is true for rows that hold these values, compared as PostgreSQL prints them.

    ``types`` gives each column's type as ``format_type`` prints it. Text is compared, because not every type has an
    equality, and because it is what a client sees.
    """
    parts: list[str] = []
    values: list[Value] = []
    for column, value in row.items():
        name = (sql.Identifier(alias, column) if alias else sql.Identifier(column)).as_string()
        if value is None:
            parts.append(f"{name} IS NULL")
        else:
            parts.append(f"{name}::text = (${start + len(values)}::{types[column]})::text")
            values.append(value)
    return " AND ".join(parts) or "true", tuple(values)


def delete(table: Name, key: Row, types: Mapping[str, str]) -> Statement:
    """DELETE the rows that hold these values."""
    condition, values = where(key, types)
    return Statement(f"DELETE FROM {identifier(table).as_string()} WHERE {condition}", values)


def update(table: Name, changes: Row, key: Row, types: Mapping[str, str]) -> Statement:
    """UPDATE the rows that hold ``key`` to ``changes``."""
    assignments = ", ".join(f"{sql.Identifier(c).as_string()} = ${n}" for n, c in enumerate(changes, 1))
    condition, values = where(key, types, start=len(changes) + 1)
    return Statement(
        f"UPDATE {identifier(table).as_string()} SET {assignments} WHERE {condition}", (*changes.values(), *values)
    )


def quote(value: Value) -> str:
    """A value as an SQL literal, the same on any server whose strings conform to the standard."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return "E'" + "".join(f"\\x{b:02x}" for b in value) + "'"
    if any(ord(c) < ord(" ") and c not in "\n\t" for c in value):
        return "E'" + "".join(_escape(c) for c in value) + "'"
    return "'" + value.replace("'", "''") + "'"


def _escape(character: str) -> str:
    if character in "'\\":
        return character * 2
    return f"\\x{ord(character):02x}" if ord(character) < ord(" ") else character


def paste(statement: Statement) -> str:
    """The statement with its values in it, as SQL to paste into psql."""
    if not statement.values:
        return statement.text
    pieces: list[str] = []
    done = 0
    for token in scan(statement.text):
        if token.kind == "PARAM":
            pieces += [statement.text[done : token.start], quote(statement.values[int(token.text[1:]) - 1])]
            done = token.end
    return "".join([*pieces, statement.text[done:]])

"""Changes of rows as data: what a history is made of, and what it is cut down to; each is one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from psycopg import sql

from pgcontract.model import Table
from pgcontract.rows.statements import Row, Statement, Value, identifier

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Conflict:
    """ON CONFLICT: ``target`` is quoted SQL; ``columns`` are taken from what was to be inserted, none for nothing.

    ``keys`` are the columns that the target compares.
    """

    target: str
    columns: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows of one table in one statement. They give the same columns."""

    table: Table
    rows: tuple[Row, ...]
    conflict: Conflict | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Rows by their keys (None: all), and what becomes of them: the same for all, or of each by its key."""

    table: Table
    keys: tuple[Row, ...] | None
    values: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """Rows by their keys; None for all of them."""

    table: Table
    keys: tuple[Row, ...] | None


@dataclass(frozen=True, slots=True)
class Both:
    """Two changes by one statement, which sees the rows as they were before either."""

    first: Insert | Update | Delete
    second: Insert | Update | Delete


Change = Insert | Update | Delete | Both


def parts(change: Change) -> tuple[Insert | Update | Delete, ...]:
    """The one or two changes that a statement makes."""
    return (change.first, change.second) if isinstance(change, Both) else (change,)


def key_columns(table: Table) -> tuple[str, ...]:
    """The columns that tell a row from any other: the primary key, a key without NULLs, or all of them."""
    if table.primary_key is not None and not table.primary_key.without_overlaps:
        return table.primary_key.columns
    required = {c.name for c in table.columns if c.not_null}
    keys = (k.columns for k in table.keys if set(k.columns) <= required and not k.without_overlaps)
    return next(keys, tuple(c.name for c in table.columns))


def key_of(table: Table, row: Row) -> dict[str, Value]:
    """What tells this row from any other."""
    return {c: row[c] for c in key_columns(table)}


def statement(change: Change) -> Statement:
    """The one statement that makes the change."""
    values: list[Value] = []
    if not isinstance(change, Both):
        return Statement(_text(change, values), tuple(values))
    first = _text(change.first, values)
    return Statement(f"WITH first AS ({first}) {_text(change.second, values)}", tuple(values))


def _text(change: Insert | Update | Delete, values: list[Value]) -> str:
    match change:
        case Insert():
            return _insert(change, values)
        case Update():
            return _update(change, values)
        case Delete(table, keys):
            return f"DELETE FROM {_name(table)}{_where(table, keys, values)}"


def _insert(change: Insert, values: list[Value]) -> str:
    columns = tuple(change.rows[0])
    text = f"INSERT INTO {_name(change.table)}"
    if columns:
        always = {c.name for c in change.table.columns if c.identity == "ALWAYS"}
        text += f" ({_list(columns)})" + (" OVERRIDING SYSTEM VALUE" if always & set(columns) else "")
        text += " VALUES " + ", ".join(_tuple([row[c] for c in columns], values) for row in change.rows)
    else:
        text += " DEFAULT VALUES"
    if change.conflict is None:
        return text
    taken = ", ".join(f"{_quoted(c)} = EXCLUDED.{_quoted(c)}" for c in change.conflict.columns)
    action = f"UPDATE SET {taken}" if taken else "NOTHING"
    return f"{text} ON CONFLICT {change.conflict.target} DO {action}"


def _update(change: Update, values: list[Value]) -> str:
    table, keys = change.table, change.keys
    if keys is None or len(change.values) == 1:
        assigned = ", ".join(f"{_quoted(c)} = {_parameter(v, values)}" for c, v in change.values[0].items())
        return f"UPDATE {_name(table)} SET {assigned}{_where(table, keys, values)}"
    types = {c.name: c.type for c in table.columns}
    given = {f"key_{n}": c for n, c in enumerate(keys[0], 1)}
    wanted = {f"value_{n}": c for n, c in enumerate(change.values[0], 1)}
    rows = ", ".join(
        "(" + ", ".join(f"{_parameter(v, values)}::{types[c]}" for c, v in (*key.items(), *one.items())) + ")"
        for key, one in zip(keys, change.values, strict=True)
    )
    assigned = ", ".join(f"{_quoted(c)} = given.{n}" for n, c in wanted.items())
    same = " AND ".join(_same(f"changed.{_quoted(c)}", f"given.{n}", table) for n, c in given.items())
    return (
        f"UPDATE {_name(table)} AS changed SET {assigned}"
        f" FROM (VALUES {rows}) AS given ({', '.join((*given, *wanted))}) WHERE {same}"
    )


def _where(table: Table, keys: Sequence[Row] | None, values: list[Value]) -> str:
    if keys is None:
        return ""
    columns = tuple(keys[0])
    if _comparable(table):
        if len(columns) == 1:
            if len(keys) == 1:
                return f" WHERE {_quoted(columns[0])} = {_parameter(keys[0][columns[0]], values)}"
            return f" WHERE {_quoted(columns[0])} IN {_tuple([key[columns[0]] for key in keys], values)}"
        if len(keys) == 1:
            return " WHERE " + " AND ".join(f"{_quoted(c)} = {_parameter(v, values)}" for c, v in keys[0].items())
        rows = ", ".join(_tuple(list(key.values()), values) for key in keys)
        return f" WHERE ({_list(columns)}) IN ({rows})"
    types = {c.name: c.type for c in table.columns}
    alternatives = (
        " AND ".join(_same(_quoted(c), f"{_parameter(v, values)}::{types[c]}", table) for c, v in key.items())
        for key in keys
    )
    return " WHERE " + " OR ".join(f"({one})" for one in alternatives)


def _comparable(table: Table) -> bool:
    """Whether what tells rows apart is a key, which has an equality and no NULLs."""
    return len(key_columns(table)) < len(table.columns) or table.primary_key is not None


def _same(one: str, other: str, table: Table) -> str:
    # not every type has an equality, and NULL is to equal NULL
    return f"{one} = {other}" if _comparable(table) else f"{one}::text IS NOT DISTINCT FROM ({other})::text"


def _parameter(value: Value, values: list[Value]) -> str:
    values.append(value)
    return f"${len(values)}"


def _tuple(row: Sequence[Value], values: list[Value]) -> str:
    return "(" + ", ".join(_parameter(value, values) for value in row) + ")"


def _list(columns: Sequence[str]) -> str:
    return ", ".join(_quoted(c) for c in columns)


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def _name(table: Table) -> str:
    return identifier(table.name).as_string()


def smaller(change: Change) -> Iterator[Change]:
    """The same change without one of its rows, columns or halves, the greatest cuts first."""
    match change:
        case Both(first, second):
            yield from (first, second)
            yield from (Both(one, second) for one in _smaller(first))
            yield from (Both(first, one) for one in _smaller(second))
        case _:
            yield from _smaller(change)


def _smaller(change: Insert | Update | Delete) -> Iterator[Insert | Update | Delete]:
    match change:
        case Insert():
            yield from _smaller_insert(change)
        case Update():
            yield from _smaller_update(change)
        case Delete(table, keys):
            yield from (Delete(table, fewer) for fewer in _without_one(keys or ()) if fewer)


def _smaller_insert(change: Insert) -> Iterator[Insert | Update]:
    table, rows, conflict = change.table, change.rows, change.conflict
    if conflict is not None:
        yield Insert(table, rows)
        if (
            conflict.columns
            and conflict.keys
            and len(rows) == 1
            and {*conflict.keys, *conflict.columns} <= set(rows[0])
        ):
            # what it comes to where the row is there
            key, taken = ({c: rows[0][c] for c in columns} for columns in (conflict.keys, conflict.columns))
            yield Update(table, (key,), (taken,))
    yield from (Insert(table, few, conflict) for few in _without_one(rows) if few)
    for column in reversed(list(rows[0])):
        yield Insert(table, tuple(_without(row, column) for row in rows), conflict)
    if conflict is not None and len(conflict.columns) > 1:
        fewer = _without_one(conflict.columns)
        yield from (Insert(table, rows, Conflict(conflict.target, few, conflict.keys)) for few in fewer)


def _smaller_update(change: Update) -> Iterator[Update]:
    table, keys, values = change.table, change.keys, change.values
    each = len(values) > 1
    if keys is not None:
        for fewer, changed in zip(
            _without_one(keys), _without_one(values) if each else [values] * len(keys), strict=True
        ):
            if fewer:
                yield Update(table, fewer, changed)
    if each:
        yield from (Update(table, keys, (value,)) for value in values)
    if len(values[0]) > 1:
        yield from (Update(table, keys, tuple(_without(row, column) for row in values)) for column in values[0])


def _without(row: Row, column: str) -> Row:
    return {c: v for c, v in row.items() if c != column}


def _without_one(items: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    return (items[:n] + items[n + 1 :] for n in reversed(range(len(items))))

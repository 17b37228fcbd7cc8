"""The values that a system gives for its columns (``[values]``), as the database itself takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from pgcontract.errors import UsageError
from pgcontract.model import Catalog, Column, Name, Table, id_part
from pgcontract.sql import SqlError, parse_expression
from pgcontract.values.given import MOST, Given, matching

PLACE = "[values] of {}"


def with_examples(
    catalog: Catalog, values: Mapping[str, Given], connection: psycopg.Connection[Any], where: str
) -> Catalog:
    """The catalog with the values of each column that something is given for; nothing is written.

    Raises UsageError, naming ``where``: no such table or column, a value that the type refuses, no such regular
    expression, an expression that fails.
    """
    if not values:
        return catalog
    found: dict[tuple[Name, str], tuple[str, ...]] = {}
    with connection.transaction(force_rollback=True):
        for key, given in values.items():
            for table, column, one in _columns(catalog, key, given, where):
                place = f"{PLACE.format(where)}: {table.name}.{id_part(column.name)}"
                found[table.name, column.name] = _values(connection, column, one, place)
    return replace(catalog, examples=found)


def _columns(catalog: Catalog, key: str, given: Given, where: str) -> Iterator[tuple[Table, Column, Given]]:
    """The columns that a key names, by ``table.column`` or, for examples of rows, by ``table``."""
    if given.rows:
        table = next((t for t in catalog.tables if key in (str(t.name), f"{t.name.namespace}.{t.name.name}")), None)
        if table is None:
            raise UsageError("[values] gives rows of a table that is not there", where=where, seen=key)
        for name in dict.fromkeys(name for row in given.rows for name in row):
            texts = tuple(row[name] for row in given.rows if name in row)
            yield table, _plain(table.column(name), f"{key}.{name}", where), Given(examples=texts)
        return
    for table in catalog.tables:
        for column in table.columns:
            names = {f"{table.name}.{id_part(column.name)}", f"{table.name}.{column.name}"}
            if key in names | {f"{table.name.namespace}.{name}" for name in names}:
                yield table, _plain(column, key, where), given
                return
    _plain(None, key, where)


def _plain(column: Column | None, key: str, where: str) -> Column:
    if column is None:
        remedy = "name it as table.column, or schema.table.column"
        raise UsageError("[values] names a column that is not there", where=where, seen=key, remedy=remedy)
    if column.generated is not None:
        raise UsageError("[values] names a generated column", where=where, seen=key, remedy="leave it out")
    return column


def _values(connection: psycopg.Connection[Any], column: Column, given: Given, place: str) -> tuple[str, ...]:
    if given.expression is not None:
        return _of_expression(connection, column, given.expression, place)
    texts = given.examples if given.regex is None else _of_regex(connection, given.regex, place)
    kept = []
    for text in texts:
        try:
            kept.append(_one(connection, sql.SQL("%s::text::" + column.type), [text]))
        except psycopg.Error as error:
            if given.regex is None:
                raise UsageError(
                    "An example is no value of the column's type",
                    where=place,
                    seen=f"{text!r}: {error.diag.message_primary}",
                    remedy=f"write it as PostgreSQL reads a value of {column.type}",
                ) from error
    if not kept:
        raise UsageError(
            "No text that matches the regular expression is a value of the column's type",
            where=place,
            seen=given.regex,
            remedy="give examples instead",
        )
    return tuple(dict.fromkeys(kept))


def _one(connection: psycopg.Connection[Any], expression: sql.Composable, values: Sequence[str]) -> str:
    """An expression's value as text. What it does besides is undone, and an error leaves nothing behind."""
    with connection.transaction(force_rollback=True):
        row = connection.execute(sql.SQL("SELECT ({})::text").format(expression), values).fetchone()
    assert row is not None
    return str(row[0])


def _of_regex(connection: psycopg.Connection[Any], regex: str, place: str) -> tuple[str, ...]:
    try:
        _one(connection, sql.SQL("'' ~ %s::text"), [regex])
    except psycopg.Error as error:
        raise UsageError(
            "This is no regular expression", where=place, seen=f"{regex}: {error.diag.message_primary}"
        ) from error
    found = matching(regex)
    if not found:
        raise UsageError(
            "No text was found that matches the regular expression",
            where=place,
            seen=regex,
            remedy="write it more simply, or give examples",
        )
    return found


def _of_expression(connection: psycopg.Connection[Any], column: Column, text: str, place: str) -> tuple[str, ...]:
    try:
        parse_expression(text)
    except SqlError as error:
        raise UsageError(
            "An expression of [values] does not parse",
            where=place,
            seen=f"{text}: {error.message}",
            remedy="write an SQL expression in n, a number that counts from 1",
        ) from error
    query = f"SELECT (({text})::{column.type})::text FROM pg_catalog.generate_series(1, {MOST}) AS numbers (n)"
    try:
        with connection.transaction(force_rollback=True), connection.cursor() as cursor:
            # as bytes and without parameters: a % in it means itself
            rows = cursor.execute(query.encode()).fetchall()
    except psycopg.Error as error:
        raise UsageError(
            "An expression of [values] fails",
            where=place,
            seen=f"{text}: {error.diag.message_primary}",
            remedy="write an SQL expression in n, a number that counts from 1",
        ) from error
    kept = dict.fromkeys(str(value) for row in rows if (value := row[0]) is not None)
    if not kept:
        raise UsageError("An expression of [values] gives NULL alone", where=place, seen=text)
    return tuple(kept)

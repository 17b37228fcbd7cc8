"""The values with which a hot query is executed: those of a large, a middling and a small parent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg import sql

from pgcontract.queries import Parameter, Query, QueryError
from pgcontract.sql import scan

SIZES: Final = ("large", "middling", "small")
Row = tuple[str | None, ...]

# the first, the middle and the last row of what stands inside, in its order
_CHOSEN = """
    SELECT {columns}
    FROM (SELECT row_number() OVER () AS n, count(*) OVER () AS total, found.* FROM ({inside}) AS found) AS numbered
    WHERE n IN (1, (total + 1) / 2, total)
    ORDER BY n
"""
_SAMPLE = """
    sample AS (
      SELECT row_number() OVER () AS n, {column}::TEXT AS text
      FROM {table}
      WHERE {column} IS NOT NULL{condition}
      LIMIT 1000
    )
"""
_TAKEN: Final = {
    # what people look for is rare: the two words of a row that the fewest others have
    "words": rf"""
        WITH {_SAMPLE},
        words AS (
          SELECT DISTINCT n, found[1] AS word
          FROM sample
          CROSS JOIN LATERAL regexp_matches(lower(text), '\w{{{{5,}}}}', 'g') AS found
        ),
        known AS (SELECT word, count(*) AS rows FROM words GROUP BY word)
        SELECT string_agg(word, ' ' ORDER BY place ASC) AS c0
        FROM (
          SELECT n, word, row_number() OVER (PARTITION BY n ORDER BY rows ASC, word ASC) AS place
          FROM words
          JOIN known USING (word)
        ) AS placed
        WHERE place <= 2
        GROUP BY n
        ORDER BY n ASC
    """,
    # a dozen characters from within
    "parts": rf"""
        WITH {_SAMPLE}
        SELECT '%' || translate(substr(text, 1 + length(text) / 4, 12), '\%_', '') || '%' AS c0
        FROM sample
        WHERE length(text) >= 8
        ORDER BY n ASC
    """,
    "elements": """
        SELECT element::TEXT AS c0
        FROM {table}
        CROSS JOIN LATERAL unnest({column}) AS element
        WHERE element IS NOT NULL{condition}
        GROUP BY element
        ORDER BY count(*) DESC, element::TEXT ASC
    """,
}


def values_of(connection: psycopg.Connection[Any], query: Query) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The values of each size, where the data has any; sizes with the same values are one.

    Raises QueryError where a source cannot be asked.
    """
    chosen: list[list[str | None]] = [[] for _ in SIZES]
    for parameter in query.parameters:
        number = parameter.number
        if len(chosen[0]) >= number:
            continue  # it came with an earlier one of its table
        together = _together(query, parameter)
        depends = any(_speaks(one.source.text) for one in together)
        rows: list[Row] = []
        for place, values in enumerate(chosen):
            if depends or place == 0:
                rows = _asked(connection, query, together, values)
            row: Row = (None,) * len(together) if not rows else rows[0 if depends else min(place, len(rows) - 1)]
            values.extend(row)
    found: dict[tuple[str, ...], str] = {}
    for size, values in zip(SIZES, chosen, strict=True):
        complete = tuple(value for value in values if value is not None)
        if len(complete) == len(query.parameters):
            found.setdefault(complete, size)
    return tuple((size, values) for values, size in found.items())


def literals(query: Query, values: Sequence[str]) -> str:
    """The values as EXECUTE takes them, in parentheses; empty where there are none."""
    if not values:
        return ""
    return f"({', '.join(literal(v, p.type) for v, p in zip(values, query.parameters, strict=True))})"


def _together(query: Query, parameter: Parameter) -> list[Parameter]:
    """Parameters that follow each other and come from columns of one table: they are taken from the same rows."""
    found = [parameter]
    if parameter.source.kind == "column":
        for after in query.parameters[parameter.number :]:
            if after.source.kind != "column" or after.source.table != parameter.source.table:
                break
            found.append(after)
    return found


def _speaks(text: str) -> bool:
    return any(token.kind == "PARAM" for token in scan(text))


def _asked(
    connection: psycopg.Connection[Any], query: Query, together: Sequence[Parameter], values: Sequence[str | None]
) -> list[Row]:
    first = together[0].source
    known = dict(enumerate(values, 1))
    if any(
        known[int(token.text[1:])] is None
        for one in together
        for token in scan(one.source.text)
        if token.kind == "PARAM"
    ):
        return []
    if first.kind in _TAKEN:
        column, table = sql.Identifier(first.column).as_string(), sql.Identifier(*first.table.split(".")).as_string()
        condition = f" AND ({_filled(first.text, query, known)})" if first.text else ""
        inside = _TAKEN[first.kind].format(column=column, table=table, condition=condition)
    elif first.kind == "column":
        columns = [sql.Identifier(one.source.column).as_string() for one in together]
        conditions = [f"{column} IS NOT NULL" for column in columns]
        conditions += [f"({_filled(one.source.text, query, known)})" for one in together if one.source.text]
        keys = ", ".join(columns)
        texts = ", ".join(f"{column}::TEXT ASC" for column in columns)
        table = sql.Identifier(*first.table.split(".")).as_string()
        inside = (
            f"SELECT {', '.join(f'{column}::TEXT AS c{n}' for n, column in enumerate(columns))} FROM {table}"
            f" WHERE {' AND '.join(conditions)} GROUP BY {keys} ORDER BY count(*) DESC, {texts}"
        )
    else:
        text = first.text if first.kind == "select" else f"SELECT {first.text}"
        inside = f"SELECT v::TEXT AS c0 FROM ({_filled(text, query, known)}) AS one (v)"
    chosen = _CHOSEN.format(columns=", ".join(f"c{n}" for n in range(len(together))), inside=inside)
    try:
        return connection.execute(chosen.encode()).fetchall()
    except psycopg.Error as error:
        raise QueryError(
            f"The source of ${together[0].number} cannot be asked.",
            where=str(query.path),
            seen=str(error).strip().splitlines()[0],
            remedy="Correct it: it may name tables and columns that are not there.",
        ) from error


def _filled(text: str, query: Query, known: dict[int, str | None]) -> str:
    """A text with values in the place of its parameters."""
    done, at = "", 0
    for token in scan(text):
        if token.kind == "PARAM":
            number = int(token.text[1:])
            value = known[number]
            assert value is not None
            done += text[at : token.start] + literal(value, query.parameters[number - 1].type)
            at = token.end
    return done + text[at:]


def literal(value: str, type_: str) -> str:
    """A value as SQL."""
    return f"{sql.Literal(value).as_string()}::{type_}"

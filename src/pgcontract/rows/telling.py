"""Rows told to people: what a statement inserts, column by column, and which values of it matter."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import Final

from pgcontract.model import Step
from pgcontract.rows.statements import OVERRIDING, Statement, Value, paste, quote
from pgcontract.sql import SqlError, scan

LONGEST: Final = 72
"""Characters of a value that are told; more say how many there are."""
_NAME: Final = r'"(?:[^"]|"")*"'
_INSERT: Final = re.compile(
    rf"INSERT INTO ({_NAME}\.{_NAME}) \(({_NAME}(?:, {_NAME})*)\) (?:{OVERRIDING})?VALUES \(\$1(?:, \$\d+)*\)"
)


def step(statement: Statement) -> Step:
    """A statement as SQL, and where it inserts one row, that row."""
    found = _inserted(statement.text)
    if found is None:
        return Step(paste(statement))
    table, columns = found
    values = (value if isinstance(value, str | None) else quote(value) for value in statement.values)
    return Step(paste(statement), table, dict(zip(columns, values, strict=False)))


def values_told(statements: Iterable[Statement], columns: Collection[str]) -> str | None:
    """``price = '-0.01', discount = NULL``: the named columns of the last row that is inserted; None for no such row.

    Columns that are not given get their defaults.
    """
    rows = [(found[1], s.values) for s in statements if (found := _inserted(s.text)) is not None]
    if not rows:
        return None
    row = dict(zip(*rows[-1], strict=False))
    return ", ".join(f"{c} = {_short(row[c]) if c in row else 'DEFAULT'}" for c in columns) or None


def columns_named(clause: str, columns: Collection[str]) -> tuple[str, ...]:
    """The columns that a clause of SQL names, in the table's order."""
    words = set(_words(clause))
    return tuple(column for column in columns if column in words)


def _words(clause: str) -> Iterator[str]:
    try:
        tokens = scan(clause)
    except SqlError:
        return
    for token in tokens:
        text = token.text
        yield text[1:-1].replace('""', '"') if text.startswith('"') else text


def _short(value: Value) -> str:
    told = quote(value)
    return told if len(told) <= LONGEST else f"{told[:LONGEST]}… ({len(value or ''):,} long)"


@cache
def _inserted(text: str) -> tuple[str, tuple[str, ...]] | None:
    """The table and the columns of a statement that ``insert`` made."""
    found = _INSERT.match(text)
    if found is None:
        return None
    names = tuple(_bare(name) for name in re.findall(_NAME, found[2]))
    return ".".join(_bare(name) for name in re.findall(_NAME, found[1])).removeprefix("public."), names


def _bare(quoted: str) -> str:
    return quoted[1:-1].replace('""', '"')

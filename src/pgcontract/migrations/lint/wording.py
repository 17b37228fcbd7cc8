"""Standards for how SQL is written: what a scanner sees, functions' bodies included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from pgcontract.sql import Token, scan

# keywords that are never names here
# fmt: off
_KEYWORDS: Final = frozenset([
    "ADD", "AFTER", "ALL", "ALTER", "AND", "ANY", "ARRAY", "AS", "ASC", "BEFORE", "BEGIN", "BETWEEN", "BY",
    "CASCADE", "CASE", "CHECK", "COALESCE", "COLUMN", "CONFLICT", "CONSTRAINT", "CREATE", "CROSS", "DECLARE",
    "DEFAULT", "DEFERRABLE", "DELETE", "DESC", "DISTINCT", "DO", "DROP", "EACH", "ELSE", "END", "EXCEPT", "EXECUTE",
    "EXISTS", "EXTENSION", "FALSE", "FILTER", "FOR", "FOREIGN", "FROM", "FULL", "FUNCTION", "GRANT", "GREATEST",
    "GROUP", "HAVING", "ILIKE", "IN", "INDEX", "INITIALLY", "INNER", "INSERT", "INTERSECT", "INTERVAL", "INTO", "IS",
    "JOIN", "LATERAL", "LEAST", "LEFT", "LIKE", "LIMIT", "MATERIALIZED", "NOT", "NULL", "NULLIF", "NULLS", "OFFSET",
    "ON", "OR", "ORDER", "OVER", "PARTITION", "PRIMARY", "REFERENCES", "REFERENCING", "RETURNING", "RETURNS",
    "REVOKE", "RIGHT", "ROW", "SELECT", "SET", "TABLE", "THEN", "TO", "TRIGGER", "TRUE", "TRUNCATE", "UNION",
    "UNIQUE", "UPDATE", "USING", "VALUES", "VIEW", "WHEN", "WHERE", "WITH",
])
# fmt: on
_AFTER_AN_ORDER: Final = frozenset(
    ["LIMIT", "OFFSET", "FETCH", "FOR", "UNION", "EXCEPT", "INTERSECT", "LOOP", "INTO", "ROWS", "RANGE", "ON"]
)
_AFTER_A_FROM: Final = _AFTER_AN_ORDER | {"WHERE", "GROUP", "HAVING", "ORDER", "WINDOW", "RETURNING", "SET", "VALUES"}
_OPENING, _CLOSING = frozenset("(["), frozenset(")]")
_DIRECTION: Final = re.compile(r"\b(ASC|DESC)( NULLS (FIRST|LAST))?$")
_BODY: Final = re.compile(r"(\$\w*\$)(.*)\1", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One departure from a standard. ``start`` is its character in the text."""

    rule: str
    message: str
    start: int


def mistakes(text: str) -> tuple[Mistake, ...]:
    """What in a text is not as the standards ask. Raises SqlError where the text cannot be scanned."""
    tokens = _words(text, 0)
    found = [
        Mistake("keyword-case", f"{token.text}: keywords are upper case", token.start)
        for token in tokens
        if token.text.upper() in _KEYWORDS and not token.text.isupper()
    ]
    for before, token in pairwise(tokens):
        if token.text == "*" and before.text.upper() in {"SELECT", "DISTINCT", "RETURNING", ",", "."}:
            found.append(Mistake("named-columns", f"{before.text} *: columns are named", token.start))
    for items in _clauses(tokens, "ORDER BY", _AFTER_AN_ORDER):
        for item in items:
            end = " ".join(token.text.upper() for token in item)
            if item and not _DIRECTION.search(end):
                found.append(Mistake("explicit-order", f"ORDER BY {end}: ASC or DESC is said", item[0].start))
    found += [
        Mistake("explicit-joins", f"FROM …, {items[1][0].text}: joins say ON or USING", items[1][0].start)
        for items in _clauses(tokens, "FROM", _AFTER_A_FROM)
        if len(items) > 1 and items[1]
    ]
    found += [
        Mistake("explicit-joins", "NATURAL: joins say ON or USING", token.start)
        for token in tokens
        if token.text.upper() == "NATURAL"
    ]
    return tuple(found)


def _words(text: str, offset: int) -> list[Token]:
    """All tokens but comments; a dollar-quoted text's own stand in its place."""
    found: list[Token] = []
    for token in scan(text):
        start = offset + token.start
        if quoted := _BODY.fullmatch(token.text):
            found += _words(quoted[2], start + len(quoted[1]))
        elif token.kind not in {"SQL_COMMENT", "C_COMMENT"}:
            found.append(Token(token.kind, token.text, start, offset + token.end, token.keyword))
    return found


def _clauses(tokens: list[Token], begin: str, ends: frozenset[str]) -> Iterator[list[list[Token]]]:
    """What follows each ``begin`` (``ORDER BY``, ``FROM``) on its own level, cut at its commas."""
    texts = [token.text.upper() for token in tokens]
    first, *rest = begin.split()
    for start, text in enumerate(texts):
        # IS DISTINCT FROM is a comparison
        if text != first or texts[start + 1 : start + 1 + len(rest)] != rest or texts[start - 1] == "DISTINCT":
            continue
        items: list[list[Token]] = [[]]
        depth = 0
        for token in tokens[start + 1 + len(rest) :]:
            if depth == 0 and (token.text == ";" or token.text in _CLOSING or token.text.upper() in ends):
                break
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
            if depth == 0 and token.text == ",":
                items.append([])
            else:
                items[-1].append(token)
        yield items

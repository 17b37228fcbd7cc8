"""Qualified names and index keys as text, and back. No I/O.

``public.messages`` always shows its schema; parts are quoted where a dot, a quote or an outer space would make them
ambiguous, exactly as in ids.
"""

from __future__ import annotations

import re

from pgcontract.model import IndexKey, Name, id_part

_PART = re.compile(r'"((?:[^"]|"")+|)"|([^."]+)', re.DOTALL)
_IDENTIFIER = re.compile(r'(?P<plain>[a-z_][a-z0-9_$]*)|"(?P<quoted>(?:[^"]|"")+)"', re.DOTALL)


def dotted(*parts: str) -> str:
    """Parts joined by dots, quoted where needed."""
    return ".".join(map(id_part, parts))


def parts_of(text: str) -> tuple[str, ...]:
    """The parts of a dotted text. Raises ValueError where it is none."""
    parts: list[str] = []
    position = 0
    while True:
        match = _PART.match(text, position)
        if match is None:
            raise ValueError(text)
        quoted, plain = match.groups()
        parts.append(plain if quoted is None else quoted.replace('""', '"'))
        position = match.end()
        if position == len(text):
            return tuple(parts)
        if text[position] != ".":
            raise ValueError(text)
        position += 1


def qualified(name: Name) -> str:
    """``public.messages``."""
    return dotted(name.namespace, name.name)


def name_of(text: str) -> Name:
    """The name that ``qualified`` wrote. Raises ValueError."""
    parts = parts_of(text)
    if len(parts) != 2:
        raise ValueError(text)
    return Name(*parts)


def column_of(expression: str) -> str | None:
    """The column's own name, where an index key's expression is a lone identifier."""
    match = _IDENTIFIER.fullmatch(expression)
    if match is None:
        return None
    return match["plain"] or match["quoted"].replace('""', '"')


def key_text(key: IndexKey) -> str | None:
    """A key as CREATE INDEX writes it (``sent_at DESC``), or None where that would lose something."""
    order = " DESC" if key.descending else ""
    nulls = "" if key.nulls_first == key.descending else " NULLS FIRST" if key.nulls_first else " NULLS LAST"
    operator = f" WITH {key.operator}" if key.operator is not None else ""
    text = f"{key.expression}{order}{nulls}{operator}"
    return text if key_of(text) == key else None


def key_of(text: str) -> IndexKey:
    """The key that ``key_text`` wrote."""
    expression, found, operator = text.rpartition(" WITH ")
    if not found:
        expression = text
    nulls_first: bool | None = None
    for suffix, first in ((" NULLS FIRST", True), (" NULLS LAST", False)):
        if expression.endswith(suffix):
            expression, nulls_first = expression.removesuffix(suffix), first
            break
    descending = expression.endswith(" DESC")
    expression = expression.removesuffix(" DESC")
    return IndexKey(
        expression=expression,
        column=column_of(expression),
        descending=descending,
        nulls_first=descending if nulls_first is None else nulls_first,
        operator=operator if found else None,
    )

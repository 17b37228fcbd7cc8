"""What SQL texts say without being run: searches that leave their configuration to a setting, tables they fill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pgcontract.sql import SqlError, Token, parsed_statements, scan

# with one argument, each of them takes default_text_search_config
_FUNCTIONS: Final = frozenset(
    {"to_tsvector", "to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery"}
)
_COMMENTS: Final = frozenset({"SQL_COMMENT", "C_COMMENT"})


def unnamed_searches(texts: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the texts in which a search names no configuration. What cannot be read is passed over."""
    return tuple(name for name, text in texts.items() if _is_unnamed(text))


def filled_tables(text: str) -> tuple[str, ...]:
    """The tables into which the text's own statements insert rows that it spells out, each once."""
    try:
        statements = parsed_statements(text)
    except SqlError:
        return ()
    names: dict[str, None] = {}
    for _, raw in statements:
        if raw.stmt.HasField("insert_stmt"):
            names[raw.stmt.insert_stmt.relation.relname] = None
    return tuple(names)


def spelt_out(text: str) -> tuple[tuple[str, int], ...]:
    """The tables into which a VALUES list is inserted, each time with its line: a SELECT may find nothing, rightly."""
    try:
        statements = parsed_statements(text)
    except SqlError:
        return ()
    return tuple(
        (raw.stmt.insert_stmt.relation.relname, statement.line)
        for statement, raw in statements
        if raw.stmt.HasField("insert_stmt") and raw.stmt.insert_stmt.select_stmt.select_stmt.values_lists
    )


def _is_unnamed(text: str) -> bool:
    try:
        tokens = [token for token in scan(text) if token.kind not in _COMMENTS]
    except SqlError:
        return False
    for place, token in enumerate(tokens[:-1]):
        called = token.text.lower() in _FUNCTIONS and tokens[place + 1].text == "("
        if called and _arguments(tokens[place + 2 :]) == 1:
            return True
    return False


def _arguments(tokens: list[Token]) -> int:
    """How many arguments stand before the parenthesis that closes the call."""
    depth, commas, empty = 0, 0, True
    for text in _texts(tokens):
        if text in {"(", "["}:
            depth += 1
        elif text in {")", "]"}:
            if depth == 0:
                return 0 if empty else commas + 1
            depth -= 1
        elif text == "," and depth == 0:
            commas += 1
        empty = False
    # cut off: nothing can be said
    return 0


def _texts(tokens: list[Token]) -> Iterator[str]:
    return (token.text for token in tokens)

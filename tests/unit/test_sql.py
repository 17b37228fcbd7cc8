"""The parser's door: what it gives, and where it says that an error is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pgcontract import sql as door
from pgcontract.sql import (
    SqlError,
    deparse,
    deparse_expression,
    line_of,
    parse,
    parse_expression,
    parsed_statements,
    scan,
    split,
    without_values,
)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("SELEC 1", 1, 1),
        ("SELECT 1;\n\n  CREATE TABEL t ()", 3, 10),
        ("SELECT 'é😀' ; -- ünï\nSELEC 1", 2, 1),
        ("SELECT 'é😀', 'open", 1, 14),
        ("/* é😀 */ $$open", 1, 10),
        ("/* é */ /* open", 1, 9),
        ("SELECT 1 +", 1, 11),
        ("SELECT 1;\r\nSELEC 2", 2, 1),
    ],
)
def test_an_error_stands_at_its_character_not_at_its_byte(text: str, line: int, column: int) -> None:
    """Line and column count characters from 1, also behind characters of several bytes."""
    with pytest.raises(SqlError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_a_nul_is_refused_because_the_parser_would_stop_reading_there() -> None:
    """Everything behind a NUL would be dropped without a word."""
    with pytest.raises(SqlError, match="NUL") as caught:
        parse("SELECT 1;\nSELECT\0 nonsense")
    assert (caught.value.line, caught.value.column) == (2, 7)


def test_statements_are_split_where_postgresql_splits_them() -> None:
    """Semicolons in strings, dollar quotes, comments and SQL bodies end nothing; lines are those of the text."""
    text = (
        "/* é; */ SELECT ';é';\n\n-- c;\nSELECT $$;$$;;\n"
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;\n  SELECT 4 "
    )
    statements = split(text)
    assert [s.text for s in statements] == [
        "SELECT ';é'",
        "SELECT $$;$$",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
        "SELECT 4",
    ]
    assert [s.line for s in statements] == [1, 4, 5, 6]
    assert [text[s.start : s.end] for s in statements] == [s.text for s in statements]
    assert split("-- nothing\n") == ()


def test_tokens_carry_their_text_and_character_offsets() -> None:
    """A comment inside a string or a function's body is no token of its own."""
    text = "SELECT 'é😀 -- no' -- yes\n, $$ -- no $$ /* /* nested */ */"
    comments = [token for token in scan(text) if token.kind.endswith("COMMENT")]
    assert [token.text for token in comments] == ["-- yes", "/* /* nested */ */"]
    assert all(text[token.start : token.end] == token.text for token in scan(text))
    assert scan("select")[0].keyword
    assert not scan("shop")[0].keyword


@pytest.mark.parametrize(
    "text",
    [
        "a ~ 'x'::text AND (b IS NULL OR c = ANY(ARRAY['a'::text, 'b'::text]))",
        "char_length(name) >= 1 AND char_length(name) <= 255",
        "CASE WHEN a THEN 1 ELSE 2 END",
        "(SELECT 1)",
        "(a IS NULL) = (b IS NULL)",
        "x.y",
    ],
)
def test_an_expression_comes_back_as_it_was(text: str) -> None:
    """Parsing what was deparsed gives the same text again."""
    once = deparse_expression(parse_expression(text))
    assert once == deparse_expression(parse_expression(once)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a, b",
        "a FROM t",
        "a AS b",
        "a b",
        "a; SELECT 1",
        "a WHERE b",
        "a UNION SELECT b",
        "DISTINCT a",
        "a LIMIT 1",
        "*",
        "a INTO t",
        "1 +",
        "a)",
        "VALUES (1)",
    ],
)
def test_what_is_more_or_less_than_one_expression_is_refused(text: str) -> None:
    """Nothing that a SELECT can hold besides is lost in silence."""
    with pytest.raises(SqlError):
        parse_expression(text)


def test_a_character_that_is_nothing_in_sql_is_a_token_all_the_same() -> None:
    """What people read is scanned as well: a clause that holds any name."""
    assert [(token.kind, token.text) for token in scan("a {b")] == [("IDENT", "a"), ("ASCII_123", "{"), ("IDENT", "b")]


def test_a_comment_may_end_an_expression() -> None:
    """Its end is the end of the text."""
    assert deparse_expression(parse_expression("a > 1 -- really")) == "a > 1"


def test_a_tree_is_deparsed() -> None:
    """In the library's own spelling."""
    assert deparse(parse("select   1 ;")) == "SELECT 1"


def test_lines_count_from_one() -> None:
    """An offset just behind a line break is on the next line."""
    assert [line_of("a\nb", offset) for offset in (0, 1, 2)] == [1, 1, 2]


def test_the_parser_is_loaded_by_its_first_use_only() -> None:
    """Loading it takes longer than everything else that a command does before it starts."""
    code = "import sys, pgcontract.sql, pgcontract.migrations; sys.exit('postgast' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


ODD = (
    "",
    " ; ;; ",
    "SELECT 1;\n -- c\n SELECT 'é😀' ;; \n /* a é */ SELECT 3 -- x\n",
    "CREATE FUNCTION f() RETURNS INT LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 4",
    "DO $a$ BEGIN PERFORM $$;$$; END $a$; SELECT 1",
)


@pytest.mark.parametrize("text", ODD)
def test_the_two_ways_to_split_agree(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With trees and without; and where the bare library cannot be found, too."""
    expected = tuple(statement for statement, _ in parsed_statements(text))
    assert split(text) == expected
    monkeypatch.setattr(door, "_bare_library", lambda: None)
    assert split(text) == expected


@pytest.mark.parametrize("text", ["SELECT 'é' FROMM x y", "SELECT 'open", "SELECT 1;\n\nSELEC 2"])
def test_the_two_ways_to_split_refuse_alike(text: str) -> None:
    """At the same place, with the same words."""
    with pytest.raises(SqlError) as bare:
        split(text)
    with pytest.raises(SqlError) as whole:
        parse(text)
    assert str(bare.value) == str(whole.value)


def test_a_statement_is_told_without_its_values() -> None:
    """What was cut off within a string cannot be told at all."""
    assert without_values("UPDATE a SET b = 'x' WHERE c = 12") == "UPDATE a SET b = $1 WHERE c = $2"
    assert without_values("UPDATE a SET b = 'x WHE") is None

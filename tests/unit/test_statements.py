"""Statements as parameters, and as text to paste."""

from __future__ import annotations

import pytest

from pgcontract.model import Name
from pgcontract.rows.statements import Statement, Value, insert, paste, quote

NASTY = Name('we"ird.schema', 'tab"le; DROP TABLE users; --')


def test_identifiers_are_quoted_and_values_stay_parameters() -> None:
    """No name and no value becomes SQL."""
    statement = insert(NASTY, {'co"l': "'; DROP TABLE users; --"})
    assert statement.text == 'INSERT INTO "we""ird.schema"."tab""le; DROP TABLE users; --" ("co""l") VALUES ($1)'
    assert statement.values == ("'; DROP TABLE users; --",)


def test_a_pasted_statement_holds_its_values_as_literals() -> None:
    """Only parameters are replaced: a dollar in a name or a string is none."""
    statement = Statement("""SELECT $1, '$1', "$1", $2""", ("it's", None))
    assert paste(statement) == """SELECT 'it''s', '$1', "$1", NULL"""


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "NULL"),
        ("", "''"),
        ("a\\b", "'a\\b'"),
        ("line\nbreak", "'line\nbreak'"),
        ("bell\x07'\\", "E'bell\\x07''\\\\'"),
        (b"\xff", "E'\\xff'"),
    ],
)
def test_literals_mean_the_same_in_psql(value: Value, literal: str) -> None:
    """Strings conform to the standard unless a control character or a byte forces the escaped form."""
    assert quote(value) == literal

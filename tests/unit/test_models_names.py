"""What classes, fields and members are called."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcontract.model import Name
from pgcontract.models import names


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("users", "user"),
        ("categories", "category"),
        ("addresses", "address"),
        ("statuses", "status"),
        ("status", "status"),
        ("boxes", "box"),
        ("branches", "branch"),
        ("databases", "database"),
        ("houses", "house"),
        ("people", "person"),
        ("media", "media"),
        ("analysis", "analysis"),
        ("gas", "ga"),
        ("is", "is"),
    ],
)
def test_a_row_is_one_of_what_its_table_is_a_plural_of(plural: str, one: str) -> None:
    """By rules of English that can be foreseen; they are no dictionary."""
    assert names.singular(plural) == one


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("oauth_tokens", "OauthToken"),
        ("OAuthTokens", "OAuthToken"),
        ("odd table'; DROP", "OddTableDROP"),
        ("2fa_codes", "N2faCode"),
        ("🦄", "Unnamed"),
    ],
)
def test_a_class_is_called_after_its_table(table: str, expected: str) -> None:
    """In Python's way of writing."""
    assert names.class_name(table, row=True) == expected


def test_classes_of_tables_that_are_called_alike_differ() -> None:
    """By the plural, by the schema, by a number at last."""
    things = [("public", "user"), ("public", "users"), ("a", "logs"), ("b", "logs"), ("c", "x-y"), ("c", "x_y")]
    called = [names.Called(Name(*thing), row=True) for thing in things]
    assert names.free_classes(called, ()) == ["User", "Users", "ALog", "BLog", "XY", "XY2"]


@given(st.lists(st.text(min_size=1, max_size=8), unique=True))
def test_fields_and_members_are_identifiers_and_differ(given_names: list[str]) -> None:
    """Whatever columns and labels are called; who needs no other name keeps his."""
    for made in (names.free_fields(given_names, ("COLUMNS",)), names.free_members(given_names)):
        assert len(set(made)) == len(made) == len(given_names)
        assert all(name.isidentifier() and not keyword.iskeyword(name) for name in made)
    fields = names.free_fields(given_names, ())
    for column, field in zip(given_names, fields, strict=True):
        kept = column.isidentifier() and column.isascii() and not column.startswith("__")
        if kept and not keyword.iskeyword(column):
            assert field == column


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name", "name"),
        ("select", '"select"'),
        ("left", '"left"'),
        ("Mixed", '"Mixed"'),
        ("a b", '"a b"'),
        ('quo"ted', "U&\"quo!0022ted\" UESCAPE '!'"),
        ("100%", "U&\"100!0025\" UESCAPE '!'"),
        ("a!b", "U&\"a!0021b\" UESCAPE '!'"),
        ("🦄", "U&\"!+01f984\" UESCAPE '!'"),
    ],
)
def test_columns_are_written_so_that_nothing_in_them_is_taken_for_a_placeholder(name: str, expected: str) -> None:
    """Neither psycopg's nor Python's."""
    assert names.quoted(name) == expected


@given(st.text())
def test_a_literal_is_the_text(text: str) -> None:
    """On one line, whatever is in it."""
    shown = names.literal(text)
    assert eval(shown) == text
    assert len(shown.splitlines()) == 1

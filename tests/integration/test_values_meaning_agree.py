"""Functions and operators against a real server: what Python makes of a value is what PostgreSQL makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import pytest

from pgcontract.sql import parse_expression
from pgcontract.values.meaning import Doubt, Meaning
from pgcontract.values.terms import term
from pgcontract.values.types import space
from tests.integration.fix_values import CATALOG, Judge

TEXTS: Final = ("", "a", " a ", "abc", "aé", "😀b", "A-b", "  ", "a,b", "aaa", "\ta")
NUMBERS: Final = ("0", "1", "-1", "2", "7", "-7", "100", "2147483647", "-2147483648")
DECIMALS: Final = ("0", "0.5", "-0.5", "1.5", "-1.5", "2.49", "99999999.99", "-3", "NaN")
EXPRESSIONS: Final[dict[str, tuple[Sequence[str], tuple[str, ...]]]] = {
    "text": (
        TEXTS,
        (
            *(f'"left"(x, {n})' for n in (-2, -1, 0, 1, 2, 9)),
            *(f'"right"(x, {n})' for n in (-2, -1, 0, 1, 2, 9)),
            *(f"substr(x, {n})" for n in (-1, 0, 1, 2, 9)),
            *(f"substring(x, {n}, {m})" for n in (-1, 0, 1, 2) for m in (0, 1, 3)),
            *(
                "btrim(x)",
                "ltrim(x)",
                "rtrim(x)",
                "btrim(x, 'a ')",
                "ltrim(x, 'ab')",
                "rtrim(x, '')",
                "TRIM(BOTH FROM x)",
            ),
            *("char_length(x)", "length(x)", "octet_length(x)", "bit_length(x)", "reverse(x)", "lower(x)", "upper(x)"),
            *(
                "strpos(x, 'b')",
                "strpos(x, '')",
                "POSITION(('a') IN (x))",
                "replace(x, 'a', 'xy')",
                "replace(x, '', 'y')",
            ),
            *("x || 'z'", "nullif(x, 'a')", "coalesce(x, 'b')", "(x)::character varying(2)", "(x)::public.citext"),
        ),
    ),
    "integer": (
        NUMBERS,
        (
            *("x % 3", "x / 3", "x / -3", "x * 2", "x - 1", "x + 1", "- x", "+ x", "abs(x)", "mod(x, 4)", "mod(x, -4)"),
            *("(x)::numeric", "(x)::bigint", "(x)::text", "(x)::numeric(12,2)", "coalesce(x, 3)", "(x)::numeric / 1"),
        ),
    ),
    "numeric(10,2)": (
        DECIMALS,
        (
            *(
                "floor(x)",
                "ceil(x)",
                "ceiling(x)",
                "round(x)",
                "trunc(x)",
                "abs(x)",
                "- x",
                "x * 2",
                "x - 0.5",
                "x % 2",
            ),
            *("(x)::integer", "mod(x, 1)", "(x)::numeric(10,1)", "(x)::bigint"),
        ),
    ),
    "date": (("2024-02-29", "0001-01-01", "0044-03-15 BC", "infinity"), ("(x)::timestamp without time zone", "x")),
    "timestamp with time zone": (
        ("2024-02-29 23:59:59.5+00", "1999-12-31 00:00:00+00", "0044-03-15 12:00:00+00 BC"),
        ("(x)::date",),
    ),
    "uuid": (("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000001"), ("(x)::text",)),
    "text[]": (
        ("{}", "{a}", "{a,NULL}", '{"a b","",c}', "{NULL}"),
        (
            *("cardinality(x)", "array_length(x, 1)", "array_upper(x, 1)", "array_ndims(x)", "array_position(x, 'a')"),
            *("array_position(x, NULL)", "array_to_string(x, '-')"),
        ),
    ),
    "jsonb": (
        ("{}", "[1, 2]", "null", '"a"', "1.5", "true", "[]"),
        ("jsonb_typeof(x)",),
    ),
}
CASES: Final = tuple((t, e) for t, (_, es) in EXPRESSIONS.items() for e in es)


def read(type_text: str, literal: str | None) -> Any:
    """As the solver reads a literal of the result's type."""
    reader = space(type_text, CATALOG).read
    assert reader is not None
    return None if literal is None else reader(literal)


@pytest.mark.parametrize(("type_text", "expression"), CASES)
def test_values_are_what_postgresql_makes_of_them(values_judge: Judge, type_text: str, expression: str) -> None:
    """For every value: the same, or no answer is given where the server refuses or its locale decides."""
    meaning = Meaning("x", type_text, CATALOG, lambda inner: space(inner, CATALOG))
    compiled = meaning.compile(term(parse_expression(expression), ["x"]))
    for literal in (*EXPRESSIONS[type_text][0], None):
        try:
            value = compiled.evaluate(read(type_text, literal))
        except Doubt:
            continue
        result, result_type = values_judge.result(type_text, expression, literal)
        expected = read(result_type, result)
        assert (Fraction(value) if isinstance(value, int | Fraction) else value) == expected, (literal, result)
        assert (value is None) is (result is None)

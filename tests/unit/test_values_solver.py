"""Domains without a server: what a person would expect to be tried. That it is true is an integration test."""

from __future__ import annotations

from typing import Final

import pytest

from pgcontract.model import Catalog, Check, Column, Enum, Name
from pgcontract.model import Domain as DomainType
from pgcontract.values.domains import Domain, domain
from pgcontract.values.expressions import Literal, atoms, branches, parse_check

CATALOG: Final = Catalog(
    enums=(Enum(Name("public", "job_status"), ("PENDING", "RUNNING", "DONE")),),
    domains=(DomainType(Name("public", "positive"), "integer", not_null=True, checks=(Check("c", "VALUE > 0"),)),),
)
WAYS: Final = "VALUE = 'all' OR length(VALUE) = 12"
NAMES: Final = ("x", "y")
EMAIL: Final = r"x ~ '^[^@\s]+@[^@\s]+\.[^@\s]+$'"


def solved(type_text: str, expression: str, *, truth: bool = True, passing: bool = False) -> Domain:
    """The domain of x for the one way there is."""
    ways = branches(parse_check(expression, NAMES), truth)
    assert len(ways) == 1
    return domain(Column("x", type_text), ways[0], CATALOG, passing=passing)


@pytest.mark.parametrize(
    ("type_text", "expression", "simplest"),
    [
        ("text", "x = ANY (ARRAY['draft', 'open'])", "draft"),
        ("text", EMAIL, "a@a.a"),
        ("text", "char_length(x) >= 3", "aaa"),
        ("text", "x <> ''", "a"),
        ("text", "x ~ '^[A-Z]{3}$'", "AAA"),
        ("integer", "x > 5", "6"),
        ("integer", "x >= 0", "0"),
        ("numeric(10,2)", "x > 0", "1"),
        ("numeric(10,2)", "x > 0 AND x < 1", "0.01"),
        ("date", "x > '2024-02-28'", "2024-02-29"),
        ("timestamp with time zone", "x > '2024-01-01 00:00:00+00'", "2024-01-02 00:00:00+00"),
        ("boolean", "x", "true"),
        ("public.job_status", "x <> 'PENDING'", "RUNNING"),
        ("jsonb", "jsonb_typeof(x) = 'array'", "[]"),
        ("text[]", "cardinality(x) >= 2", "{a,a}"),
        ("public.positive", "x > 10", "11"),
    ],
)
def test_the_simplest_value_is_what_a_person_would_write(type_text: str, expression: str, simplest: str) -> None:
    """First in the boundaries as well."""
    found = solved(type_text, expression)
    assert found.exact
    assert found.simplest == simplest == found.boundaries[0]


@pytest.mark.parametrize(
    ("type_text", "expression", "truth", "ends"),
    [
        ("text", "char_length(x) <= 255", True, {"a" * 255, "\U0001f600" * 255, ""}),
        ("text", "char_length(x) <= 255", False, {"a" * 256, "\U0001f600" * 256}),
        ("integer", "x BETWEEN 1 AND 5", True, {"1", "2", "4", "5"}),
        ("integer", "x >= 1", False, {"0", "-2147483648"}),
        ("numeric(10,2)", "x > 0", True, {"0.01", "99999999.99"}),
        ("numeric(10,2)", "x >= 0", False, {"-0.01", "-99999999.99"}),
        (
            "timestamp with time zone",
            "x > '2024-01-01 00:00:00+00'",
            True,
            {"2024-01-01 00:00:00.000001+00", "infinity"},
        ),
        ("text", "x IN ('a', 'b')", True, {"a", "b"}),
        ("text", EMAIL, False, {"", "@a.a", "a@a.", "a@a.a\n"}),
        ("text", f"{EMAIL} AND char_length(x) <= 20", True, {"a@a.a", "a" * 16 + "@a.a"}),
        ("text[]", "cardinality(x) <= 3", False, {"{a,a,a,a}"}),
    ],
)
def test_both_ends_are_tried(type_text: str, expression: str, truth: bool, ends: set[str]) -> None:
    """And what lies beside them."""
    assert ends <= set(solved(type_text, expression, truth=truth).boundaries)


def test_null_is_excluded_by_what_it_makes_unknown() -> None:
    """A literal is to be true or false; a CHECK, which passes on NULL, says so."""
    assert solved("integer", "x > 0").null == "excluded"
    assert solved("integer", "x > 0", passing=True).null == "allowed"
    assert solved("integer", "x > 0", passing=True).boundaries[-1] is None
    assert solved("integer", "x IS DISTINCT FROM 1").null == "allowed"
    assert domain(Column("x", "integer"), (), CATALOG).null == "allowed"
    assert domain(Column("x", "public.positive"), (), CATALOG).null == "excluded"


def test_null_alone_is_no_empty_domain() -> None:
    """IS NULL asks for it."""
    found = solved("integer", "x IS NULL")
    assert (found.null, found.empty, found.simplest, found.boundaries) == ("required", False, None, (None,))


@pytest.mark.parametrize(
    ("type_text", "expression"),
    [
        ("integer", "x > 5 AND x < 6"),
        ("text", "x = 'a' AND x = 'b'"),
        ("text", "char_length(x) > 5 AND char_length(x) < 3"),
        ("boolean", "x AND x = false"),
        ("public.job_status", "x = 'DONE' AND x = 'PENDING'"),
        ("integer", "x IS NULL AND x = 1"),
        ("smallint", "x > 32767"),
    ],
)
def test_a_contradiction_is_proven(type_text: str, expression: str) -> None:
    """No value, and no doubt about it."""
    found = solved(type_text, expression)
    assert found.empty
    assert found.exact


@pytest.mark.parametrize(
    ("type_text", "expression"),
    [
        ("text", "char_length(btrim(x)) <= 5 AND char_length(x) = 9"),
        ("text", "octet_length(x) >= 10 AND char_length(x) <= 5"),
        ("text", "lower(x) = 'a' AND x <> 'a'"),
        ("timestamp with time zone", "x::date <= '2024-01-01' AND x > '2024-01-01 05:00:00+00'"),
        ("numeric", "x > 0.0000001 AND x < 0.0000003"),
        ("double precision", "x > 0.1 AND x < 0.10000001"),
    ],
)
def test_what_is_only_hard_is_not_taken_for_a_contradiction(type_text: str, expression: str) -> None:
    """A value is found, or it is not said that there is none."""
    found = solved(type_text, expression)
    assert not (found.empty and found.exact)


def test_what_is_not_understood_leaves_hints() -> None:
    """Constants with their neighbours, for whoever searches on."""
    literal = (Literal(atoms(parse_check("public.score(x) + y > 41", NAMES))[0], truth=True),)
    found = domain(Column("x", "integer"), literal, CATALOG)
    assert not found.exact
    assert not found.empty
    assert {"40", "41", "42"} <= set(found.hints)


def test_literals_of_other_columns_are_ignored() -> None:
    """They say nothing of this one."""
    literals = branches(parse_check("x > 5 AND y < 3", NAMES), truth=True)[0]
    found = domain(Column("x", "integer"), literals, CATALOG)
    assert found.exact
    assert found.simplest == "6"


@pytest.mark.parametrize(
    ("type_text", "expression", "longest"),
    [
        ("character(1)", "upper(x) IN ('M', 'F')", 1),
        ("character varying(2)", "upper(x) = ANY (ARRAY['AB', 'CDE'])", 2),
        ("character(2)", "x ~ '^[a-z]+$'", 2),
        ("character varying(2)", "x IN ('AB', 'CDE')", 2),
        ("character(3)", "x <> 'abcd'", 3),
    ],
)
def test_no_value_is_longer_than_its_type_takes(type_text: str, expression: str, longest: int) -> None:
    """Although a condition, to which it would be cast, would hold for what is left of it."""
    domain = solved(type_text, expression)
    assert domain.boundaries
    assert max(len(value) for value in domain.boundaries if value is not None) <= longest


def test_fresh_values_are_distinct_and_inside() -> None:
    """E-mail addresses of a bounded length, as many as are asked for."""
    found = solved("text", f"{EMAIL} AND char_length(x) <= 8 AND x = lower(x)")
    fresh = [f for n in range(2000) if (f := found.fresh(n)) is not None]
    assert len(set(fresh)) == 2000
    assert fresh[0] == "a@a.a"
    assert max(map(len, fresh)) <= 8


def test_fresh_values_of_a_finite_domain_end() -> None:
    """None is the answer from then on."""
    found = solved("integer", "x BETWEEN 1 AND 3")
    assert [found.fresh(n) for n in range(4)] == ["1", "2", "3", None]


def test_the_same_question_is_answered_once() -> None:
    """Domains are asked for again and again."""
    assert solved("text", EMAIL) is solved("text", EMAIL)


def test_each_way_to_pass_a_domain_is_proposed() -> None:
    """What is within one of several ways is no fact of all values, and is found nevertheless."""
    catalog = Catalog(domains=(DomainType(Name("public", "any_id"), "text", checks=(Check("c", WAYS),)),))
    found = domain(Column("x", "public.any_id"), (), catalog)
    assert found.boundaries[:2] == ("all", "a" * 12)
    fresh = [found.fresh(n) for n in range(3)]
    assert len(set(fresh)) == 3
    assert all(value is not None and len(value) == 12 for value in fresh)

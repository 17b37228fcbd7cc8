"""Types' spaces without a server: what holds for all of them."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from pgcontract.model import Catalog, Check, Column, Composite, Domain, Enum, Name
from pgcontract.values.types import UnknownType, space

CATALOG: Final = Catalog(
    enums=(Enum(Name("public", "job_status"), ("PENDING", "RUNNING")),),
    domains=(
        Domain(Name("public", "positive"), "integer", checks=(Check("c", "VALUE > 0"),)),
        Domain(Name("public", "known"), "public.positive", not_null=True),
    ),
    composites=(Composite(Name("public", "pair"), (Column("a", "integer"), Column("b", "text"))),),
)
TYPES: Final = (
    *("integer", "numeric(10,2)", "numeric", "double precision", "text", "character varying(5)", "character(3)"),
    *("date", "timestamp with time zone", "time without time zone", "interval", "uuid", "jsonb", "bytea", "inet"),
    *("text[]", "int4range", "public.job_status", "public.pair", "public.positive", "public.known[]"),
)


@pytest.mark.parametrize("type_text", TYPES)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_value_holds_what_postgresql_cannot_store(type_text: str, data: st.DataObject) -> None:
    """No NUL, no half of a surrogate pair."""
    value = data.draw(space(type_text, CATALOG).strategy)
    assert "\0" not in value
    value.encode()


@pytest.mark.parametrize("type_text", TYPES)
def test_fresh_values_are_distinct(type_text: str) -> None:
    """As texts at least; that PostgreSQL tells them apart is an integration test."""
    values = space(type_text, CATALOG)
    fresh = [f for n in range(1000) if (f := values.fresh(n)) is not None]
    assert len(set(fresh)) == len(fresh)
    assert values.boundaries.count(values.simplest) == 1


@pytest.mark.parametrize(
    ("type_text", "simplest"),
    [
        ("integer", "0"),
        ("numeric(10,2)", "0"),
        ("text", ""),
        ("date", "2000-01-01"),
        ("timestamp with time zone", "2000-01-01 00:00:00+00"),
        ("uuid", "00000000-0000-0000-0000-000000000000"),
        ("jsonb", "{}"),
        ("text[]", "{}"),
        ("public.positive", "1"),
    ],
)
def test_draws_shrink_to_what_is_simple(type_text: str, simplest: str) -> None:
    """The smallest draw is the simplest value there is."""
    found = find(space(type_text, CATALOG).strategy, lambda _: True, settings=settings(database=None))
    assert found == simplest


def test_a_domain_s_values_pass_its_checks() -> None:
    """Its own and those of the domain that it is made of."""
    known = space("public.known", CATALOG)
    assert known.simplest == "1"
    assert not known.nullable
    assert all(int(b) > 0 for b in known.boundaries)
    assert not any("NULL" in b for b in space("public.known[]", CATALOG).boundaries)


@pytest.mark.parametrize("type_text", ["public.nothing", "nothing", "public.nothing[]", "gtsvector", ""])
def test_a_type_that_is_not_known_is_an_error_with_a_remedy(type_text: str) -> None:
    """It names the type."""
    with pytest.raises(UnknownType) as error:
        space(type_text, CATALOG)
    assert error.value.seen == type_text
    assert error.value.remedy


def test_what_is_refused_is_said_why() -> None:
    """A length that is one too long, and bytes that are no UTF-8."""
    refused = {r.sqlstate: r.literal for r in space("character varying(5)", CATALOG).refused}
    assert refused["22021"] == b"\xff"
    assert any(r.literal == "aaaaaa" for r in space("character varying(5)", CATALOG).refused)


def test_a_finite_type_ends() -> None:
    """There are no more than its values."""
    labels = space("public.job_status", CATALOG)
    assert [labels.fresh(n) for n in range(3)] == ["PENDING", "RUNNING", None]
    assert space("boolean", CATALOG).fresh(2) is None
    assert space("character(1)", CATALOG).fresh(10**6) is None

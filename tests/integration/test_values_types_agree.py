"""Types' spaces against a real server: what is said to be accepted is, and what is said to be refused is."""

from __future__ import annotations

from typing import Final, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from pgcontract.values.types import Refused, space
from tests.integration.fix_values import CATALOG, Judge

pytestmark = pytest.mark.thorough

TYPES: Final = (
    *("smallint", "integer", "bigint", "oid", "xid", "real", "double precision", "money", "boolean"),
    *("numeric", "numeric(10,2)", "numeric(5,0)", "numeric(3,5)", "numeric(3,-2)", "numeric(1,0)", "numeric(1,1)"),
    *("text", "name", '"char"', "bytea", "character varying", "character varying(50)", "character varying(1)"),
    *("character(1)", "character(5)", "bit(1)", "bit(8)", "bit varying", "bit varying(5)"),
    *("date", "timestamp without time zone", "timestamp with time zone", "timestamp(3) with time zone"),
    *("timestamp(0) without time zone", "time without time zone", "time(0) without time zone"),
    *("time with time zone", "time(2) with time zone", "interval", "interval(3)", "interval day to second(3)"),
    *("interval year", "interval month", "interval day", "interval hour to minute", "interval year to month"),
    *("json", "jsonb", "jsonpath", "xml", "tsvector", "tsquery"),
    *("uuid", "inet", "cidr", "macaddr", "macaddr8"),
    *("regclass", "regtype", "regproc", "regprocedure", "regoper", "regoperator", "regrole", "regnamespace"),
    *("regcollation", "regconfig", "regdictionary", "pg_lsn", "tid", "xid8", "pg_snapshot", "refcursor"),
    *("point", "line", "lseg", "box", "path", "polygon", "circle"),
    *("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"),
    *("int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange"),
    *("integer[]", "text[]", "boolean[]", "jsonb[]", "box[]", "date[]", "uuid[]", "numeric(10,2)[]", "bytea[]"),
    *("character varying(3)[]", "timestamp with time zone[]", "tstzrange[]", "inet[]", "interval[]"),
    *("public.job_status", "public.job_status[]", '"My schema"."Mood ""of"" day"', "public.positive"),
    *("public.pair", "public.pair[]", "public.floatrange", "public.floatmultirange", "public.citext"),
    *(
        "public.citext[]",
        "public.hstore",
        "public.ltree",
        "public.positive[]",
        "public.percentage",
        "public.code",
        "public.percentage[]",
    ),
)
T = TypeVar("T")
DRAWS: Final = 25


def drawn(strategy: SearchStrategy[T], count: int) -> list[T]:
    """So many draws, the same ones in every run."""
    found: list[T] = []

    @seed(1)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(strategy)
    def draw(value: T) -> None:
        found.append(value)

    draw()
    return found


@pytest.mark.parametrize("type_text", TYPES)
def test_every_boundary_and_draw_is_stored(values_judge: Judge, type_text: str) -> None:
    """No boundary, drawn or fresh value is refused, of a domain neither."""
    insert = values_judge.stores(type_text)
    values = space(type_text, CATALOG)
    fresh = [f for n in range(50) if (f := values.fresh(n)) is not None]
    tried = dict.fromkeys((values.simplest, *values.boundaries, *fresh, *drawn(values.strategy, DRAWS)))
    assert [(t, state) for t in tried if (state := insert(t)) is not None] == []


@pytest.mark.parametrize("type_text", TYPES)
def test_what_is_refused_fails_with_its_sqlstate(values_judge: Judge, type_text: str) -> None:
    """Each refused literal, listed or drawn, meets exactly the SQLSTATE that it names."""
    insert = values_judge.stores(type_text)
    values = space(type_text, CATALOG)
    more: list[Refused] = [] if values.drawn_refused is None else drawn(values.drawn_refused, DRAWS)
    refused = [*values.refused, *more]
    assert [(r, state) for r in refused if (state := insert(r.literal)) != r.sqlstate] == []


@pytest.mark.parametrize("type_text", TYPES)
def test_fresh_values_are_distinct_for_postgresql(values_judge: Judge, type_text: str) -> None:
    """``fresh`` is injective on what PostgreSQL prints, and goes on until the type has no more values."""
    insert = values_judge.stores(type_text)
    values = space(type_text, CATALOG)
    fresh = [f for n in range(100) if (f := values.fresh(n)) is not None]
    assert [state for f in fresh if (state := insert(f)) is not None] == []
    assert insert.distinct() == len(fresh)
    assert len(fresh) == 100 or fresh == [values.fresh(n) for n in range(len(fresh))]

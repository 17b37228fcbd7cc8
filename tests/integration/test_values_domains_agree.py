"""Domains against a real server: PostgreSQL evaluates what the solver claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from pgcontract.model import Column
from pgcontract.values.domains import Domain, domain
from pgcontract.values.expressions import Atom, Literal, atoms, branches, parse_check
from tests.integration.fix_values import CATALOG, Judge

pytestmark = pytest.mark.thorough

CHECKS: Final[dict[str, tuple[str, ...]]] = {
    "text": (
        "((x)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
        "(x = ANY (ARRAY['draft'::text, 'it''s'::text, ''::text]))",
        "(x <> ALL (ARRAY['draft'::text, 'open'::text]))",
        "x IN ('a', 'b')",
        "x NOT IN ('a', 'b')",
        "(char_length(x) <= 255)",
        "((char_length(x) >= 3) AND (char_length(x) <= 50))",
        "(length(TRIM(BOTH FROM x)) > 0)",
        "(char_length(btrim(x)) >= 2) AND (char_length(x) < 10)",
        "(octet_length(x) <= 7)",
        "(char_length(lower(x)) = 5)",
        "(x <> ''::text)",
        "(TRIM(BOTH FROM x) <> ''::text)",
        "(btrim(x) = x)",
        "((x = btrim(x)) AND (x <> ''::text) AND (char_length(x) <= 30))",
        "(x = lower(x))",
        "(x = upper(x)) AND (char_length(x) = 3)",
        "(lower(x) = ANY (ARRAY['a'::text, 'b'::text]))",
        r"(x ~ '^[^@\s]+@[^@\s]+\.[^@\s]+$'::text)",
        r"((x ~ '^[^@\s]+@[^@\s]+\.[^@\s]+$'::text) AND (char_length(x) <= 20) AND (x = lower(x)))",
        r"(x ~* '^[A-Z0-9._%+-]+@[A-Z0-9.-]+\.[A-Z]{2,}$'::text)",
        "(x ~ '^[A-Z]{3}$'::text)",
        r"(x ~ '^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$'::text)",
        r"(x ~ '^(\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}|\$argon2id?\$v=\d+\$m=\d+,t=\d\$[A-Za-z0-9+/]+\$.+)$'::text)",
        r"(x ~ '^-----BEGIN PGP MESSAGE-----\n.*\n-----END PGP MESSAGE-----\s*$'::text)",
        r"(x ~ '^[[:alpha:]][[:alnum:]_]*$'::text)",
        r"(x ~ '^\w+$'::text)",
        r"(x !~ '\s'::text)",
        r"(x ~ '^a.c$'::text)",
        r"(x ~ '\mfoo\M'::text)",
        r"(x ~ '(?i)^https?://'::text)",
        r"(x ~ '^(\+\d{1,3} )?\d{3,4}(-\d{2}){2}$'::text)",
        r"(x ~ '^#([0-9a-f]{3}|[0-9a-f]{6})$'::text)",
        r"(x ~ '^[a-z0-9]+(-[a-z0-9]+)*$'::text) AND char_length(x) BETWEEN 3 AND 63",
        r"(x ~ 'b|^$'::text)",
        r"(x ~ '(a)\1'::text)",
        r"(x ~ '^(?!admin)[a-z]+$'::text)",
        r"(x ~ '[]x^-]'::text)",
        r"(x ~ '^[^]a]$'::text)",
        r"(x ~ '(?n)^a$'::text)",
        r"(x ~ '^\x41\u00e9?$'::text)",
        r"(x ~ '***=a.b'::text)",
        "(x ~~ 'ab%'::text)",
        "(x ~~ '_\\_%c'::text)",
        "(x !~~ '%@%'::text)",
        "(x ~~* 'HTTP%'::text)",
        "('a'::text < x COLLATE \"C\")",
        "((\"left\"(x, 1) = 'a'::text) AND (\"right\"(x, 2) = 'bc'::text))",
        "(POSITION(('@'::text) IN (x)) > 1)",
        "(strpos(x, ' '::text) = 0)",
        "(substr(x, 1, 2) = 'ab'::text)",
        "starts_with(x, '/'::text)",
        "(x IS NULL) OR (x <> ''::text)",
        "(x IS DISTINCT FROM 'a'::text)",
        "(COALESCE(x, ''::text) <> ''::text)",
        "(NULLIF(x, ''::text) IS NOT NULL)",
        "(replace(x, '-'::text, ''::text) ~ '^\\d{5}$'::text)",
        "((x || 'a'::text) = 'ba'::text)",
        "(x = ANY ('{a,b,\"c d\"}'::text[]))",
        r"(x ~ similar_to_escape('(a|b)[0-9]%_\.c'::text))",
        "(x ~~ like_escape('a#%%'::text, '#'::text))",
        "(x ~~* ANY (ARRAY['a%'::text, '%b'::text]))",
        "(x ~ ('^'::text || 'ab'::text))",
    ),
    "character varying(50)": (
        "((x)::text ~ '^[a-z0-9_]+$'::text) AND (length((x)::text) >= 3)",
        "(length((x)::text) > 10)",
        "((x)::text <> ''::text)",
        "((x)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text]))",
    ),
    "character(2)": (
        "(x = upper((x)::text)::bpchar)",
        "(x ~ '^[A-Z]{2}$'::text)",
        "(x = ANY (ARRAY['de'::bpchar, 'f'::bpchar]))",
        "(char_length(x) = 2)",
        "((x)::text <> ''::text)",
    ),
    "public.citext": (
        "(x = 'abc'::public.citext)",
        "(x OPERATOR(public.<>) ''::public.citext)",
        "(x OPERATOR(public.~) '^[a-c]+$'::public.citext)",
        "(x OPERATOR(public.=) ANY (ARRAY['a'::public.citext, 'b'::public.citext]))",
        "(x OPERATOR(public.~~) 'a%'::public.citext)",
        "(x ~ '^[a-z]+$'::public.citext)",
        "((x)::text ~ '^[a-z]+$'::text)",
        "(x = ANY (ARRAY['Draft'::public.citext, 'Open'::public.citext]))",
        "(char_length((x)::text) <= 5)",
    ),
    "integer": (
        "(x >= 0)",
        "((x >= 1) AND (x <= 5))",
        "(x > '-5'::integer)",
        "(x = ANY (ARRAY[1, 2, 3]))",
        "(x <> 0)",
        "((x % 2) = 0)",
        "(mod(x, 1000) = 7)",
        "((0 < x) AND (x < 100))",
        "((x)::numeric >= 0.5)",
        "((x + 1) > 5)",
        "(abs(x) <= 180)",
        "((x IS NULL) OR (x > 10))",
        "((x < 0) OR (x > 10))",
        "NOT (x BETWEEN 3 AND 9)",
        "(COALESCE(x, 0) >= 0)",
        "((x)::double precision > (1.5)::double precision)",
        "(x = 5) IS TRUE",
        "((x > 3) IS NOT TRUE)",
        "(x)::text ~ '^1'::text",
        "(- x > 3)",
    ),
    "smallint": ("((x >= 1) AND (x <= 12))", "(x > 32766)"),
    "bigint": ("(x > 0)", "(x <= '9223372036854775806'::bigint)"),
    "numeric(10,2)": (
        "((x >= (0)::numeric) AND (x <= 99999.99))",
        "(x > (0)::numeric)",
        "(x = 0.01)",
        "(x < 0.005)",
        "(x > 99999999.98)",
        "(floor(x) = x)",
        "(x = round(x))",
    ),
    "numeric": (
        "((x >= (0)::numeric) AND (x <= 1))",
        "(x > (0)::numeric)",
        "(x <> 'NaN'::numeric)",
        "((x > '-Infinity'::numeric) AND (x < 'Infinity'::numeric))",
        "((x >= '-90'::integer::numeric) AND (x <= (90)::numeric))",
    ),
    "double precision": (
        "((x >= ('-90'::integer)::double precision) AND (x <= (90)::double precision))",
        "(x > (0)::double precision)",
        "(x <> 'NaN'::double precision)",
        "(x < (0.1)::double precision)",
        "((x >= (0.3)::double precision) AND (x <= (0.30005)::double precision))",
    ),
    "real": ("(x >= (0)::double precision)", "((x >= (0.0)::double precision) AND (x <= (1.0)::double precision))"),
    "money": ("(x > (0)::money)",),
    "boolean": ("x", "(NOT x)", "(x = true)", "(x IS NOT TRUE)", "(x IS TRUE)", "(x IS NOT UNKNOWN)", "(x <> false)"),
    "date": (
        "(x >= '2000-01-01'::date)",
        "((x > '2024-02-28'::date) AND (x < '2024-03-01'::date))",
        "isfinite(x)",
        "(x < 'infinity'::date)",
        "(x >= '2000-01-01 12:00:00'::timestamp without time zone)",
        "(EXTRACT(day FROM x) = (1)::numeric)",
        "(date_trunc('month'::text, (x)::timestamp with time zone) = x)",
        "(x > '0044-03-15 BC'::date)",
    ),
    "timestamp with time zone": (
        "(x > '2024-01-01 00:00:00+00'::timestamp with time zone)",
        "(x <= '2024-01-01 02:00:00+02'::timestamp with time zone)",
        "(x <= now())",
        "((x)::date = '2024-01-01'::date)",
        "(isfinite(x) AND (x >= '1970-01-01 00:00:00+00'::timestamp with time zone))",
    ),
    "timestamp(0) without time zone": ("(x > '2024-01-01 00:00:00'::timestamp without time zone)",),
    "time without time zone": (
        "(x >= '09:00:00'::time without time zone) AND (x < '17:00:00'::time without time zone)",
    ),
    "interval": ("(x > '00:00:00'::interval)", "(x <= '1 day'::interval)"),
    "uuid": (
        "(x <> '00000000-0000-0000-0000-000000000000'::uuid)",
        "(x = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid)",
        "((x)::text ~ '^[0-9a-f]{8}-'::text)",
    ),
    "public.job_status": (
        "(x <> 'RUNNING'::public.job_status)",
        "(x = ANY (ARRAY['PENDING'::public.job_status, 'RUNNING'::public.job_status]))",
        "(x > 'PENDING'::public.job_status)",
        "((x)::text = 'PENDING'::text)",
    ),
    "jsonb": (
        "(jsonb_typeof(x) = 'object'::text)",
        "(jsonb_typeof(x) = ANY (ARRAY['array'::text, 'null'::text]))",
        "(x <> '{}'::jsonb)",
        "(x = '[]'::jsonb)",
        "((x ->> 'kind'::text) IS NOT NULL)",
        "(x ? 'a'::text)",
        "(jsonb_array_length(x) <= 2)",
        "(length((x)::text) <= 1000)",
        "(jsonb_typeof((x -> 'a'::text)) = 'string'::text)",
    ),
    "text[]": (
        "(cardinality(x) <= 3)",
        "(array_length(x, 1) >= 1)",
        "(array_position(x, NULL::text) IS NULL)",
        "(x <@ ARRAY['a'::text, 'b'::text])",
        "('a'::text = ANY (x))",
        "('a'::text <> ALL (x))",
        "(x <> '{}'::text[])",
        "((array_ndims(x) = 1) AND (cardinality(x) = 2))",
        "(x && ARRAY['a'::text])",
        "(x @> ARRAY['a'::text, 'b'::text])",
        "(char_length(array_to_string(x, ','::text)) <= 500)",
        "((cardinality(x) > 0) AND (array_position(x, ''::text) IS NULL) AND (array_position(x, NULL::text) IS NULL))",
    ),
    "integer[]": ("(0 < ALL (x))", "(cardinality(x) = 3)", "(x[1] = 1)"),
    "inet": ("(family(x) = 4)", "(x <> '127.0.0.1'::inet)", "(x << '10.0.0.0/8'::inet)"),
    "bytea": ("(octet_length(x) <= 16)", "(length(x) = 32)", "(x <> '\\x'::bytea)"),
    "int4range": ("(NOT isempty(x))", "(lower(x) >= 0)"),
    "public.positive": ("(VALUE_OF_X >= 10)", "(VALUE_OF_X < 5)", "((VALUE_OF_X)::integer <> 1)"),
    "public.code": ("((VALUE_OF_X)::text <> 'AA-0'::text)",),
}
DRAWS: Final = 25
CASES: Final = tuple((t, e.replace("VALUE_OF_X", "x")) for t, es in CHECKS.items() for e in es)
SAMPLED: Final = [
    pytest.param(*case, marks=() if number % 4 == 0 else pytest.mark.thorough) for number, case in enumerate(CASES)
]


@dataclass(frozen=True)
class Solved:
    """One way to make an expression true or false, and the domain that was found for it."""

    literals: tuple[Literal, ...]
    domain: Domain

    @property
    def expression(self) -> str:
        """All literals as one expression, true where all of them are as they should be."""
        return " AND ".join(f"(({lit.atom.text}) IS {lit.truth})" for lit in self.literals) or "true"


def solved(type_text: str, expression: str, *, truth: bool) -> list[Solved]:
    """A domain for each way."""
    condition = parse_check(expression, ["x"])
    ways = branches(condition, truth)
    return [Solved(way, domain(Column("x", type_text), way, CATALOG)) for way in ways]


def drawn(found: Domain, count: int) -> list[str | None]:
    """So many draws, the same ones in every run."""
    values: list[str | None] = []

    @seed(1)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(found.strategy)
    def draw(value: str | None) -> None:
        values.append(value)

    draw()
    return values


def wrong(judge: Judge, type_text: str, one: Solved, values: Sequence[str | None]) -> list[tuple[str | None, str]]:
    """The values for which PostgreSQL does not find all the literals as they should be."""
    tried = list(dict.fromkeys(values))
    truths = judge.truths(type_text, one.expression, tried)
    return [(v, one.expression) for v, t in zip(tried, truths, strict=True) if t is not True]


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize(("type_text", "expression"), SAMPLED)
def test_what_is_exact_is_true(values_judge: Judge, type_text: str, expression: str, truth: bool) -> None:
    """Boundaries, draws and fresh values of an exact domain make each literal what it is to be; NULL agrees, too.

    None of the type's own boundaries and draws satisfies what was proven to be contradictory.
    """
    for one in solved(type_text, expression, truth=truth):
        found = one.domain
        if not found.exact:
            continue
        if found.empty:
            everything = domain(Column("x", type_text), (), CATALOG)
            values = [*everything.boundaries, *drawn(everything, DRAWS)]
            assert True not in values_judge.truths(type_text, one.expression, values)
            continue
        fresh = [f for n in range(30) if (f := found.fresh(n)) is not None]
        assert wrong(values_judge, type_text, one, [*found.boundaries, *drawn(found, DRAWS), *fresh]) == []
        assert len(set(fresh)) == len(fresh)
        if found.null == "excluded" and not type_text.startswith("public.p"):
            assert values_judge.truths(type_text, one.expression, [None]) != [True]


INEXACT: Final = {
    # of these one side has no value at all, which is not proven
    "((x)::text ~ '^[0-9a-f]{8}-'::text)",
    "(array_length(x, 1) >= 1)",
    # of these it has one, and it is not found
    "(x ~ '(a)\\1'::text)",
    "((array_ndims(x) = 1) AND (cardinality(x) = 2))",
    # the meaning of these is left to the database
    "('a'::text < x COLLATE \"C\")",
    "(x <= now())",
    "(EXTRACT(day FROM x) = (1)::numeric)",
    "(date_trunc('month'::text, (x)::timestamp with time zone) = x)",
    "((x ->> 'kind'::text) IS NOT NULL)",
    "(jsonb_typeof((x -> 'a'::text)) = 'string'::text)",
    "(x[1] = 1)",
    "(length((x)::text) <= 1000)",
    "(family(x) = 4)",
    "(x <> '127.0.0.1'::inet)",
    "(x << '10.0.0.0/8'::inet)",
    "(NOT isempty(x))",
    "(lower(x) >= 0)",
    "(x > '00:00:00'::interval)",
    "(x <= '1 day'::interval)",
}


@pytest.mark.parametrize(("type_text", "expression"), CASES)
def test_only_what_is_known_to_be_hard_is_left_to_the_database(type_text: str, expression: str) -> None:
    """Every other CHECK of the list is understood whole, in both directions, and has a value in each."""
    ways = [one for truth in (True, False) for one in solved(type_text, expression, truth=truth)]
    if expression in INEXACT:
        assert not all(one.domain.exact for one in ways)
    else:
        assert [str(one.literals) for one in ways if not one.domain.exact] == []


TOGETHER: Final = tuple(t for t, es in CHECKS.items() if len(es) > 3)


@pytest.mark.thorough
@pytest.mark.parametrize("type_text", TOGETHER)
def test_literals_of_several_checks_hold_together(values_judge: Judge, type_text: str) -> None:
    """Two or three atoms on one column, each with either truth: what is exact is true of every value."""
    pool = [a for e in CHECKS[type_text] for a in atoms(parse_check(e, ["x"]))]

    @seed(2)
    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.sampled_from(pool), st.booleans()), min_size=2, max_size=3, unique_by=lambda p: p[0]))
    def holds(chosen: list[tuple[Atom, bool]]) -> None:
        literals = tuple(Literal(atom, truth) for atom, truth in chosen)
        one = Solved(literals, domain(Column("x", type_text), literals, CATALOG))
        if one.domain.exact and not one.domain.empty:
            fresh = [f for n in range(5) if (f := one.domain.fresh(n)) is not None]
            values = [*one.domain.boundaries, *drawn(one.domain, 10), *fresh]
            assert wrong(values_judge, type_text, one, values) == []

    holds()

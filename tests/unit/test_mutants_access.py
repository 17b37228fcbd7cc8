"""Mutants of views, privileges, policies, sequences and types: what is changed, and as which SQL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pgcontract.model import (
    Catalog,
    Column,
    Composite,
    DefaultPrivilege,
    Domain,
    ForeignKey,
    Grant,
    Name,
    Policy,
    RangeType,
    Sequence,
    Table,
    View,
)
from pgcontract.mutation.ready import behaviour
from pgcontract.promises import promises
from pgcontract.promises.base import Cases, Change, Mutable, Roled
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.definitions import definitions, free
from pgcontract.promises.mutants.views import redefined
from pgcontract.rows.statements import Statement

USERS = Table(Name("public", "users"), (Column("id", "integer", not_null=True), Column("name", "text")))
ORDERS = Table(
    Name("public", "orders"),
    (Column("id", "integer", not_null=True), Column("user_id", "integer", not_null=True), Column("total", "numeric")),
    foreign_keys=(ForeignKey("fk_user", ("user_id",), USERS.name, ("id",)),),
)
TABLES = Catalog(tables=(ORDERS, USERS))
JOINED = "SELECT o.id FROM public.orders o {} JOIN public.users u ON u.id = o.user_id {}"


def view(definition: str, *columns: tuple[str, str], materialized: bool = False) -> View:
    """A view of these columns."""
    made = tuple(Column(name, type_) for name, type_ in columns)
    return View(Name("public", "shown"), definition, made, materialized=materialized)


def changes(definition: str, *columns: tuple[str, str]) -> dict[str, str]:
    """Every other definition, by what is other in it."""
    return {what: text for what, text, _ in definitions(view(definition, *columns), TABLES)}


def made(catalog: Catalog) -> dict[str, Mutant]:
    """All mutants of a catalog by their promise and their name."""
    found = ((id_, p) for id_, p in promises(catalog) if isinstance(p, Mutable))
    return {f"{id_} {mutant}": mutant for id_, p in found for mutant in p.mutants(catalog)}


def ddl(mutant: Mutant) -> str:
    """Its statements."""
    return "; ".join(statement.text for statement in mutant.ddl)


@pytest.mark.parametrize(
    ("definition", "what", "text"),
    [
        ("SELECT id FROM t WHERE a > 3", "drop_condition", "SELECT id FROM t"),
        ("SELECT id FROM t WHERE a > 3", "relax_bound", "SELECT id FROM t WHERE a >= 3"),
        ("SELECT DISTINCT id FROM t", "drop_distinct", "SELECT id FROM t"),
        ("SELECT id FROM t UNION ALL SELECT id FROM u", "toggle_all", "SELECT id FROM t UNION SELECT id FROM u"),
        ("SELECT min(a) AS id FROM t", "change_aggregate", "SELECT max(a) AS id FROM t"),
        ("SELECT count(a) AS id FROM t", "change_aggregate", "SELECT count(*) AS id FROM t"),
        ("SELECT a AS id FROM t LIMIT 3", "drop_limit", "SELECT a AS id FROM t"),
        ("SELECT sum(a) FILTER (WHERE b) AS id FROM t", "drop_filter", "SELECT sum(a) AS id FROM t"),
    ],
)
def test_a_definition_is_changed_by_one_small_thing(definition: str, what: str, text: str) -> None:
    """Conditions, DISTINCT, sets, aggregates, filters and limits."""
    found = changes(definition, ("id", "integer"))
    assert text in [made for told, made in found.items() if told.startswith(what)]


def test_columns_change_places_where_their_types_allow_it() -> None:
    """Neighbours of one type, and they keep their names."""
    found = changes("SELECT a, b, c FROM t", ("a", "text"), ("b", "text"), ("c", "integer"))
    swapped = [text for what, text in found.items() if what.startswith("swap_columns")]
    assert swapped == ["SELECT b, a, c FROM t"]


def test_a_zone_is_another_wherever_it_stands() -> None:
    """In the columns and in what they are grouped by, or the definition would be none."""
    found = changes("SELECT (a AT TIME ZONE 'UTC') AS a FROM t GROUP BY a AT TIME ZONE 'UTC'", ("a", "timestamp"))
    (text,) = [text for what, text in found.items() if what.startswith("change_constant")]
    assert text.count("'MUTANT-14'") == 2
    assert "UTC" not in text


@pytest.mark.parametrize(
    ("join", "where", "same"),
    [
        ("", "", True),
        ("LEFT", "", True),
        ("LEFT", "WHERE u.name = 'x'", True),
        ("LEFT", "WHERE u.name IS NULL", True),
    ],
)
def test_a_join_by_a_required_foreign_key_is_the_same_either_way(join: str, where: str, same: bool) -> None:
    """Each row has its partner."""
    found = list(definitions(view(JOINED.format(join, where), ("id", "integer")), TABLES))
    assert [reason is not None for what, _, reason in found if what.startswith("change_join")] == [same]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        # rows without a user meet no condition of the join around
        ("LEFT JOIN", "JOIN", [False, True]),
        ("JOIN", "JOIN", [False, True]),
        # which keeps them
        ("LEFT JOIN", "LEFT JOIN", [False, False]),
        ("LEFT JOIN", "FULL JOIN", [False, False]),
    ],
)
def test_a_join_within_another_may_be_the_same_either_way(first: str, second: str, same: list[bool]) -> None:
    """Where the other one takes no row without a partner; the outermost join is told first."""
    orders = replace(ORDERS, columns=(ORDERS.columns[0], Column("user_id", "integer"), ORDERS.columns[2]))
    joined = f"public.orders o {first} public.users u ON u.id = o.user_id {second} public.orders x ON x.user_id = u.id"
    found = definitions(view(f"SELECT o.id FROM {joined}", ("id", "integer")), Catalog(tables=(orders, USERS)))
    assert [reason is not None for what, _, reason in found if what.startswith("change_join")] == same


@pytest.mark.parametrize(("kept", "same"), [("LEFT", True), ("RIGHT", False)])
def test_a_partner_is_found_through_a_join_that_keeps_the_row(kept: str, same: bool) -> None:
    """A row that may be missing has none."""
    joined = f"public.orders o {kept} JOIN public.users w ON w.name = 'x' JOIN public.users u ON u.id = o.user_id"
    found = definitions(view(f"SELECT o.id FROM {joined}", ("id", "integer")), TABLES)
    assert next(reason is not None for what, _, reason in found if what.startswith("change_join")) == same


@pytest.mark.parametrize(("where", "same"), [("", False), ("WHERE u.name = 'x'", True), ("WHERE u.id IS NULL", False)])
def test_a_join_by_a_column_that_may_be_null_is_another(where: str, same: bool) -> None:
    """But for where a condition is true of partners alone."""
    orders = replace(ORDERS, columns=(ORDERS.columns[0], Column("user_id", "integer"), ORDERS.columns[2]))
    found = definitions(view(JOINED.format("LEFT", where), ("id", "integer")), Catalog(tables=(orders, USERS)))
    assert [reason is not None for what, _, reason in found if what.startswith("change_join")] == [same]


@pytest.mark.parametrize(
    ("where", "costs_nothing"),
    [("a IS NULL", True), ("a IS NULL OR b", True), ("a = 1", False), ("a IS NULL AND b = 1", False)],
)
def test_what_a_plan_asks_before_any_function(where: str, costs_nothing: bool) -> None:
    """NULL tests alone."""
    assert free(view(f"SELECT id FROM t WHERE {where}", ("id", "integer")), TABLES) is costs_nothing


def test_a_materialised_view_is_made_anew_with_its_privileges() -> None:
    """Whatever default privileges give to a new one."""
    text = "; ".join(s.text for s in redefined(view("SELECT 1 AS a", ("a", "integer"), materialized=True), "SELECT 2"))
    assert "CREATE MATERIALIZED VIEW" in text
    assert "aclexplode" in text
    assert text.endswith('DROP MATERIALIZED VIEW "public"."pgcontract replaced"')


GRANTS = Catalog(
    namespaces=("public",),
    tables=(USERS,),
    grants=(
        Grant("TABLE", "users", "app", ("SELECT", "UPDATE"), grantable=("UPDATE",)),
        Grant("COLUMN", "users.name", "reader", ("SELECT",)),
        Grant("SCHEMA", "public", "PUBLIC", ("USAGE",), revoked=True),
        Grant("DATABASE", "database", "app", ("CONNECT",)),
    ),
    default_privileges=(DefaultPrivilege("TABLE", "app", ("SELECT",), "public"),),
)


def test_privileges_less_and_more() -> None:
    """Each that is held, each that is not, the option to pass it on, and everybody."""
    found = made(GRANTS)
    assert ddl(found["grant app on users revoke SELECT"]) == 'REVOKE SELECT ON TABLE "public"."users" FROM "app"'
    assert ddl(found["grant app on users grant_more DELETE"]) == 'GRANT DELETE ON TABLE "public"."users" TO "app"'
    assert ddl(found["grant app on users revoke GRANT OPTION FOR UPDATE"]).startswith("REVOKE GRANT OPTION FOR UPDATE")
    assert ddl(found["grant app on users grant_more SELECT WITH GRANT OPTION"]).endswith("WITH GRANT OPTION")
    assert ddl(found["grant app on users grant_more SELECT to PUBLIC"]).endswith("TO PUBLIC")
    assert ddl(found["revoke PUBLIC on schema public grant_more USAGE"]) == 'GRANT USAGE ON SCHEMA "public" TO PUBLIC'
    assert 'SELECT ("name")' in ddl(found["grant reader on users.name revoke SELECT"])
    assert "current_database()" in ddl(found["grant app on database revoke CONNECT"])
    assert "FOR ROLE %I IN SCHEMA" in ddl(found["grant app on later tables in public revoke SELECT"])


def test_roles_are_those_of_the_server() -> None:
    """The contract's own name is another's where a run's roles carry a suffix."""
    named = dict(promises(GRANTS))["grant app on users"]
    assert isinstance(named, Roled)
    live = named.of_roles({"app": "app_1"})
    assert live.id == "grant app_1 on users"
    assert isinstance(live, Mutable)
    assert all('"app_1"' in ddl(m) or "PUBLIC" in ddl(m) for m in live.mutants(GRANTS))


POLICY = Policy("own", "SELECT", roles=("app",), using="(owner = CURRENT_USER)")
NOTES = Table(Name("public", "notes"), (Column("id", "integer"),), policies=(POLICY,), row_security=True)


def test_policies_for_others_and_of_other_rows() -> None:
    """Other commands with the conditions that they take; row security off."""
    found = made(Catalog(tables=(NOTES,)))
    assert "DISABLE ROW LEVEL SECURITY" in ddl(found["notes.row_security disable_row_security"])
    assert ddl(found["notes.own change_command own INSERT"]).endswith("WITH CHECK ((owner = CURRENT_USER))")
    assert ddl(found["notes.own drop_condition own USING true"]).endswith("USING (true)")
    assert "TO PUBLIC" in ddl(found["notes.own change_roles own to PUBLIC"])
    assert {m.operator for m in found.values()} >= {"drop_policy", "toggle_permissive", "toggle_force"}


def test_what_restricts_nothing_is_the_same_for_anybody() -> None:
    """A restrictive policy that is always true."""
    policy = replace(POLICY, permissive=False, using="true")
    found = made(Catalog(tables=(replace(NOTES, policies=(policy,)),)))
    assert found["notes.own change_command own ALL"].equivalent is not None
    assert found["notes.own toggle_permissive own"].equivalent is None


def test_a_sequence_keeps_its_start_within_its_bounds() -> None:
    """No bound is moved beyond it, nor beyond the type; a type that bounds nothing is the same as another."""
    one = Sequence(Name("public", "s"), "smallint", start=5, min_value=5, max_value=20)
    found = made(Catalog(sequences=(one,)))
    moved = {str(m) for m in found.values() if m.operator in ("relax_bound", "tighten_bound")}
    assert moved == {"relax_bound MINVALUE 4", "relax_bound MAXVALUE 21", "tighten_bound MAXVALUE 19"}
    assert found["s change_type integer"].equivalent is not None
    whole = made(Catalog(sequences=(replace(one, max_value=2**15 - 1),)))
    assert whole["s change_type integer"].equivalent is None
    assert "s relax_bound MAXVALUE 32768" not in whole


def test_types_of_the_schema_s_own() -> None:
    """A domain with its columns, a composite's attributes, a range's subtype."""
    domain = Domain(Name("public", "code"), "character varying(4)", default="'x'::character varying")
    table = Table(Name("public", "t"), (Column("c", "public.code"),))
    composite = Composite(Name("public", "pair"), (Column("a", "integer"),))
    span = RangeType(Name("public", "span"), "integer", Name("public", "spans"), difference="public.diff")
    found = made(Catalog(domains=(domain,), composites=(composite,), ranges=(span,), tables=(table,)))
    widened = ddl(found["code widen_type code character varying(5)"])
    assert 'ALTER TABLE "public"."t" ALTER COLUMN "c" TYPE "public"."code"' in widened
    assert {"pair add_attribute mutant", "pair drop_attribute a", "pair widen_type a bigint"} <= set(found)
    assert "code drop_default code" in found
    assert found["span drop_difference public.diff"].equivalent is not None
    assert "subtype = bigint" in ddl(found["span widen_type span bigint"])


def test_what_the_catalog_records_is_no_behaviour() -> None:
    """A question that drift asks as well kills nothing; cases of nothing else say so."""
    fact, deed = Change((Statement("SELECT true"),), recorded=True), Change((Statement("SELECT 1"),))
    assert behaviour(Cases((fact, deed))).always == (deed,)
    assert behaviour(Cases((fact,))).missing is not None

"""analytics_events by month: what of the contract it keeps, where rows and queries go, what dropping a month costs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from pgcontract.catalog import read_catalog
from pgcontract.contract import Contract, drift, read
from pgcontract.ephemeral import ServerChoice, staged, template_of
from pgcontract.migrations import runner_of
from pgcontract.queries import read_query
from pgcontract.server import Server
from pgcontract.system import System
from pgcontract.verify import Plan, verify
from tests.contract.fix_social_selling import SHOP
from tests.integration.fix_migrations import SOCIAL_SELLING

VARIANT = SOCIAL_SELLING / "variants" / "analytics_events_by_month" / "014-analytics-events-by-month.sql"
FROZEN = read(SOCIAL_SELLING / "contract.toml")
CHANGED = {
    "analytics_events": "the table changed from TABLE analytics_events"
    " to TABLE analytics_events PARTITION BY RANGE (occurred_at)",
    "analytics_events.pk_analytics_events": "the primary key changed from PRIMARY KEY (id)"
    " to PRIMARY KEY (id, occurred_at)",
}
ADDED = {
    "make_analytics_months(first_day date, last_day date)",
    "drop_analytics_months(keep_from date)",
    "revoke PUBLIC on function make_analytics_months(first_day date, last_day date)",
    "revoke PUBLIC on function drop_analytics_months(keep_from date)",
    "grant social_selling_app on analytics_events_other",
}
CONCERNED = ("analytics_events", "analytics_daily_summary", "refresh_analytics_daily_summary()")
USER = "00000000-0000-0000-0000-00000000000a"
MANY = 20_000
# so many events of the month that begins on a day, one after the other in its first 28 days
EVENTS = """
    INSERT INTO analytics_events (user_id, event_type, event_category, value, occurred_at)
    SELECT '00000000-0000-0000-0000-00000000000a', 'sale', 'sales', 10,
      (%(day)s || ' 00:00:00+00')::TIMESTAMPTZ + n * (INTERVAL '28 days' / %(rows)s)
    FROM generate_series(0, %(rows)s - 1) AS n
"""
PLACES = "SELECT tableoid::REGCLASS::TEXT, count(*) FROM analytics_events GROUP BY 1 ORDER BY 1"


@pytest.fixture(scope="module")
def by_month(tmp_path_factory: pytest.TempPathFactory) -> System:
    """The system as its README says: a copy, with the variant as one more migration."""
    root = tmp_path_factory.mktemp("by_month") / "social_selling"
    shutil.copytree(SOCIAL_SELLING, root, ignore=shutil.ignore_patterns("variants"))
    shutil.copy(VARIANT, root / "migrations")
    return System.load(root)


@pytest.fixture
def dsn(by_month: System, quiet_server: Server) -> Iterator[str]:
    """A database with the variant's schema, and a user in it."""
    with quiet_server.clone(quiet_server.template(template_of(by_month))) as clone:
        with psycopg.connect(clone.dsn) as connection:
            connection.execute(SHOP.encode())
        yield clone.dsn


@pytest.fixture
def months(dsn: str) -> Iterator[psycopg.Connection]:
    """The same with partitions for a year, in a session that prepares nothing by itself."""
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        assert made(connection, "2024-01-01", "2024-12-31") == 12
        yield connection


def made(connection: psycopg.Connection, first: str, last: str) -> int:
    """How many partitions were made for the months between two days."""
    row = connection.execute("SELECT make_analytics_months(%s, %s)", (first, last)).fetchone()
    assert row is not None
    return int(row[0])


def explained(connection: psycopg.Connection, statement: str, *values: object) -> dict[str, Any]:
    """How a statement was executed."""
    options = "EXPLAIN (ANALYZE, BUFFERS, WAL, TIMING OFF, FORMAT JSON) "
    row = connection.execute((options + statement).encode(), values or None).fetchone()
    assert row is not None
    found: dict[str, Any] = row[0][0]["Plan"]
    return found


def pages(plan: dict[str, Any]) -> int:
    """Those that were touched, in whatever relation."""
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def read_from(plan: dict[str, Any]) -> set[str]:
    """The partitions that were read: what the plan names and was never executed does not count."""
    children = [name for child in plan.get("Plans", ()) for name in read_from(child)]
    own = [plan["Relation Name"]] if plan.get("Actual Loops") and "Relation Name" in plan else []
    return {name.removeprefix("analytics_events_") for name in (*own, *children)}


def test_what_changes_of_the_contract_is_this(by_month: System, pgcontract_server: Server) -> None:
    """Two promises; what is added are two functions of the owner's and the partition for all other times."""
    with staged(by_month, pgcontract_server, ServerChoice()) as stage:
        found = drift(FROZEN.catalog, stage.read_catalog())
    assert {d.promise_id: str(d).partition(": ")[2] for d in found if d.change != "added"} == CHANGED
    others = {d.promise_id for d in found if d.change == "added"}
    own = {id_ for id_ in others if id_.partition(".")[0] == "analytics_events_other"}
    assert others - own == ADDED


@pytest.mark.thorough
def test_every_other_promise_of_events_and_their_sums_is_proven(by_month: System, pgcontract_server: Server) -> None:
    """By the frozen contract's own cases."""
    with staged(by_month, pgcontract_server, ServerChoice()) as stage:
        result = verify(stage, FROZEN, Plan(10, only=CONCERNED, workers=1))
    assert {v.id for v in result.verdicts if v.verdict != "proven"} == set(CHANGED)
    assert len(result.of("proven")) > 40


@pytest.mark.thorough
def test_every_promise_of_the_system_is_proven(by_month: System, pgcontract_server: Server) -> None:
    """But for those two; and of the contract that is frozen anew, all that it says of events."""
    with staged(by_month, pgcontract_server, ServerChoice()) as stage:
        before = verify(stage, FROZEN, Plan(25))
        own = (*CONCERNED, "analytics_events_other")
        anew = verify(stage, Contract(by_month.name, stage.read_catalog()), Plan(25, only=own))
    assert {v.id for v in before.verdicts if v.verdict != "proven"} == set(CHANGED)
    assert [v.id for v in anew.verdicts if v.verdict != "proven"] == []
    assert anew.kept


def test_rows_survive_the_way_there_and_back(
    by_month: System, social_selling_database: str, social_selling: psycopg.Connection
) -> None:
    """Months that hold rows get a partition; the way back gives the frozen catalog, without any drift."""
    rows = "SELECT array_agg(t::TEXT ORDER BY id) FROM (SELECT * FROM analytics_events) AS t"
    summary = "SELECT array_agg(s::TEXT ORDER BY date) FROM analytics_daily_summary AS s"
    social_selling.execute(SHOP.encode())
    for day in ("2025-01-01", "2025-03-01"):
        social_selling.execute(EVENTS, {"day": day, "rows": 30})
    social_selling.execute("UPDATE analytics_events SET occurred_at = '2225-01-01Z' WHERE occurred_at = '2025-03-01Z'")
    social_selling.execute("SELECT refresh_analytics_daily_summary()")
    before = [social_selling.execute(query).fetchone() for query in (rows, summary)]
    runner_of(social_selling_database, by_month).up()
    assert [social_selling.execute(query).fetchone() for query in (rows, summary)] == before
    assert social_selling.execute(PLACES).fetchall() == [
        ("analytics_events_2025_01", 30),
        ("analytics_events_2025_03", 29),
        ("analytics_events_other", 1),
    ]
    runner_of(social_selling_database, by_month).down()
    assert [social_selling.execute(query).fetchone() for query in (rows, summary)] == before
    live = read_catalog(social_selling, ignore=[by_month.tracking_table])
    assert list(drift(FROZEN.catalog, live)) == []


@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo", "Pacific/Kiritimati"])
def test_an_event_goes_to_its_month_in_every_time_zone(months: psycopg.Connection, zone: str) -> None:
    """The month of UTC: of bounds, of what is inserted and of what moves."""
    months.execute("SELECT set_config('TimeZone', %s, false)", (zone,))
    assert made(months, "2025-01-31", "2025-03-01") == 3
    assert made(months, "2025-01-31", "2025-03-01") == 0
    for when, place in (
        ("2024-01-31 23:59:59.999999+00", "2024_01"),
        ("2024-02-01 00:00:00+00", "2024_02"),
        ("2025-03-31 23:59:59+00", "2025_03"),
        ("2025-04-01 00:00:00+00", "other"),
        ("-infinity", "other"),
        ("infinity", "other"),
    ):
        found = months.execute(
            "INSERT INTO analytics_events (user_id, event_type, event_category, occurred_at)"
            " VALUES (%s, 'sale', 'sales', %s) RETURNING tableoid::REGCLASS::TEXT",
            (USER, when),
        ).fetchone()
        assert found == (f"analytics_events_{place}",), when
    months.execute("UPDATE analytics_events SET occurred_at = '2024-05-05 00:00:00+00'")
    assert months.execute(PLACES).fetchall() == [("analytics_events_2024_05", 6)]


def test_a_month_that_is_made_late_gets_its_events(months: psycopg.Connection) -> None:
    """Out of the partition for all other times; what belongs to another month stays there."""
    for day in ("2025-01-01", "2025-02-01", "2025-03-01"):
        months.execute(EVENTS, {"day": day, "rows": 10})
    assert months.execute(PLACES).fetchall() == [("analytics_events_other", 30)]
    assert made(months, "2025-02-03", "2025-02-04") == 1
    assert months.execute(PLACES).fetchall() == [("analytics_events_2025_02", 10), ("analytics_events_other", 20)]


@pytest.mark.thorough
def test_who_writes_events_of_another_month_does_not_wait_for_a_new_one(months: psycopg.Connection, dsn: str) -> None:
    """A month is attached beside them; who writes users or accounts waits until it is done, and so must be brief."""
    with psycopg.connect(dsn) as maker, psycopg.connect(dsn, autocommit=True) as writer:
        writer.execute("SET lock_timeout = '1s'")
        assert made(maker, "2025-01-01", "2025-01-01") == 1
        writer.execute(EVENTS, {"day": "2024-05-01", "rows": 1})
        with pytest.raises(psycopg.errors.LockNotAvailable):
            writer.execute("UPDATE users SET name = 'Ana Maria'")
    assert months.execute(PLACES).fetchall() == [("analytics_events_2024_05", 1)]


def test_only_months_that_are_over_are_dropped(months: psycopg.Connection) -> None:
    """Those before the day's month; never what belongs to no month."""
    for day in ("1999-12-01", "2024-01-01", "2024-02-01", "2024-03-01"):
        months.execute(EVENTS, {"day": day, "rows": 5})
    assert months.execute("SELECT drop_analytics_months('2024-03-31')").fetchone() == (2,)
    assert months.execute(PLACES).fetchall() == [("analytics_events_2024_03", 5), ("analytics_events_other", 5)]
    assert months.execute("SELECT drop_analytics_months('2024-03-31')").fetchone() == (0,)


def test_the_application_neither_makes_nor_drops_months(months: psycopg.Connection) -> None:
    """Both are the owner's."""
    asked = "SELECT has_function_privilege('social_selling_app', oid, 'EXECUTE') FROM pg_proc WHERE proname LIKE %s"
    assert months.execute(asked, ("%_analytics_months",)).fetchall() == [(False,), (False,)]


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_the_dashboard_reads_the_months_that_are_asked_for(months: psycopg.Connection, mode: str) -> None:
    """Where a query has no end, also what belongs to no month; where it has one, the month alone."""
    for month in range(1, 13):
        months.execute(EVENTS, {"day": f"2024-{month:02}-01", "rows": 500})
    months.execute("VACUUM (ANALYZE) analytics_events")
    months.execute("SELECT set_config('plan_cache_mode', %s, false)", (mode,))
    query = read_query(SOCIAL_SELLING / "queries" / "dashboard_events.sql").text
    months.execute(f"PREPARE since (UUID, TIMESTAMPTZ) AS {query}".encode())
    until = query.replace("GROUP BY", "AND occurred_at < $3 GROUP BY")
    months.execute(f"PREPARE between (UUID, TIMESTAMPTZ, TIMESTAMPTZ) AS {until}".encode())
    for statement, expected in (
        (f"EXECUTE since('{USER}', '2024-11-10Z')", {"2024_11", "2024_12", "other"}),
        (f"EXECUTE since('{USER}', '2024-12-01Z')", {"2024_12", "other"}),
        (f"EXECUTE between('{USER}', '2024-03-01Z', '2024-04-01Z')", {"2024_03"}),
        (f"EXECUTE between('{USER}', '2024-03-31 23:00Z', '2024-04-01 01:00Z')", {"2024_03", "2024_04"}),
    ):
        plan = explained(months, statement)
        assert plan["Actual Rows"] == 1
        assert read_from(plan) == expected, json.dumps(plan)


def test_a_query_that_names_no_time_pays_for_every_month(months: psycopg.Connection) -> None:
    """One descent a month: what partitions cost, told so that nobody is surprised."""
    for month in range(1, 13):
        months.execute(EVENTS, {"day": f"2024-{month:02}-01", "rows": 500})
    months.execute("VACUUM (ANALYZE) analytics_events")
    # partitions are small here: for this many rows, a few pages would be read from end to end
    months.execute("SET enable_seqscan = off")
    query = read_query(SOCIAL_SELLING / "queries" / "entity_events.sql").text
    months.execute(f"PREPARE entity (TEXT, UUID) AS {query}".encode())
    plans = [explained(months, f"EXECUTE entity('post', '{USER}')") for _ in range(2)]
    assert len(read_from(plans[1])) == 13
    assert 13 <= pages(plans[1]) <= 2 * 13


def cost(connection: psycopg.Connection, statement: str) -> tuple[int, int]:
    """Pages that a statement touches, those of catalogs included, and bytes that it logs, its commit's included."""
    ends = "SELECT pg_current_wal_insert_lsn() - '0/0'"
    before = connection.execute(ends.encode()).fetchone()
    touched = pages(explained(connection, statement))
    after = connection.execute(ends.encode()).fetchone()
    assert before is not None
    assert after is not None
    return touched, int(after[0] - before[0])


def test_a_month_goes_at_the_same_cost_whatever_it_holds(months: psycopg.Connection) -> None:
    """Pages and log of a hundred rows and of two hundred times as many; deleting those takes more than ten times it."""
    rows = {"2024-01-01": 100, "2024-02-01": 100, "2024-03-01": MANY, "2024-04-01": 0, "2024-05-01": MANY}
    for day, many in rows.items():
        if many:
            months.execute(EVENTS, {"day": day, "rows": many})
    months.execute("VACUUM (ANALYZE) analytics_events")
    # pages are logged whole when they are changed for the first time after a checkpoint
    months.execute("CHECKPOINT")
    dropped = {day: cost(months, f"SELECT drop_analytics_months('{day}')") for day in sorted(rows)[1:]}
    # the day is one of the month after; the first one of all warms the catalog's caches
    few, *others = [dropped[day] for day in ("2024-03-01", "2024-04-01", "2024-05-01")]
    deleted = cost(months, "DELETE FROM analytics_events WHERE occurred_at < '2024-06-01Z'")
    told = f"few {few}, many and none {others}, deleted {deleted}"
    print(f"\npages and bytes of log: {told}")  # noqa: T201 - docs/scaling.md cites them
    for touched, logged in others:
        assert 0.7 * few[0] < touched < 1.3 * few[0], told
        assert 0.7 * few[1] < logged < 1.3 * few[1], told
    assert deleted[0] > 10 * few[0], told
    assert deleted[1] > 10 * few[1], told

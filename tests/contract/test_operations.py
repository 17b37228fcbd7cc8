"""docs/operations.md: every statement on it runs on this major, and does what the page says."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from pgcontract.catalog import read_catalog
from pgcontract.cli import main
from pgcontract.contract import drift, read
from pgcontract.migrations import seed
from pgcontract.migrations.lint.wording import mistakes
from pgcontract.sql import split
from pgcontract.system import System
from tests.contract.fix_systems import ROOT
from tests.integration.fix_migrations import SOCIAL_SELLING

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SYSTEM = System.load(SOCIAL_SELLING)
ALONE = re.compile(r"\bVACUUM \(|\bCONCURRENTLY\b")
# what a healthy database with some rows has nothing to say to
SILENT = ("pg_blocking_pids", "NOT indisvalid", "pg_prepared_xacts")
ROWS = """
    INSERT INTO client_accounts (user_id, platform, platform_account_id, username)
    SELECT id, 'instagram', '1', 'demo' FROM users;
    INSERT INTO conversations (client_account_id, platform_conversation_id, participant_platform_id)
    SELECT id, '1', 'p' FROM client_accounts;
    INSERT INTO messages (conversation_id, platform_message_id, sender_type, content, sent_at)
    SELECT id, 'm' || n, 'customer', 'bom dia', now() FROM conversations CROSS JOIN generate_series(1, 50) AS n;
    INSERT INTO analytics_events (user_id, event_type, event_category, value, occurred_at)
    SELECT id, 'sale', 'sales', 10, '2024-12-31 00:00:00Z'::TIMESTAMPTZ + n * INTERVAL '12 hours'
    FROM users CROSS JOIN generate_series(1, 200) AS n;
    SELECT refresh_analytics_daily_summary();
    SELECT pg_stat_force_next_flush();
"""


def blocks(language: str) -> list[tuple[str, str]]:
    """The page's code in a language, with the heading that each block stands under."""
    found = []
    heading = ""
    for part in re.finditer(r"^## ([^\n]+)$|^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        heading = part[1] or heading
        if part[2] == language:
            found.append((heading, part[3]))
    return found


def block(heading: str, holding: str) -> str:
    (found,) = [text for under, text in blocks("sql") if under == heading and holding in text]
    return found


@pytest.fixture
def shop(social_selling_database: str) -> Iterator[psycopg.Connection]:
    """A shop with some business, in a database that stands for `shop`."""
    seed(social_selling_database, SYSTEM)
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        connection.execute(ROWS.encode())
        yield connection


def test_the_page_is_read() -> None:
    """It has statements, and the tests below find them."""
    assert len(blocks("sql")) == PAGE.count("```sql\n") > 15


@pytest.mark.parametrize("text", [pytest.param(text, id=heading) for heading, text in blocks("sql")])
def test_every_statement_of_the_page_runs(shop: psycopg.Connection, text: str) -> None:
    """Each in its turn; a query of the page has something to say; roles are rolled back."""
    assert mistakes(text) == ()
    here = text.replace("DATABASE shop", f"DATABASE {shop.info.dbname}")
    with shop.transaction(force_rollback=True) if not ALONE.search(text) else shop.cursor():
        for statement in split(here):
            cursor = shop.execute(statement.text.encode())
            if statement.text.startswith(("SELECT", "EXPLAIN")) and not any(word in text for word in SILENT):
                assert cursor.fetchall(), statement.text


def test_roles_of_the_page_reach_rows_and_statistics_only(shop: psycopg.Connection) -> None:
    """The web's role is the application's; the monitor sees other sessions and no row."""
    here = block("Before the first user", "shop_web").replace("DATABASE shop", f"DATABASE {shop.info.dbname}")
    with shop.transaction(force_rollback=True):
        shop.execute(here.encode())
        asked = "SELECT has_table_privilege(%s, 'users', %s), pg_has_role(%s, 'pg_read_all_stats', 'USAGE')"
        for role, privilege, expected in (
            ("shop_web", "SELECT", (True, False)),
            ("shop_web", "TRUNCATE", (False, False)),
            ("shop_monitor", "SELECT", (False, True)),
        ):
            assert shop.execute(asked, (role, privilege, role)).fetchone() == expected


def test_an_index_that_was_never_used_is_listed_and_one_that_was_is_not(shop: psycopg.Connection) -> None:
    """By the statistics of this database."""
    shop.execute("SET enable_seqscan = off")
    shop.execute("SELECT id FROM products WHERE tags @> ARRAY['x']")
    shop.execute("SELECT pg_stat_force_next_flush()")
    listed = {row[1] for row in shop.execute(block("Indexes", "idx_scan = 0").encode())}
    assert "idx_products_metadata" in listed
    assert not listed & {"idx_products_tags", "idx_users_email"}


def test_whoever_waits_is_shown_with_whom_they_wait_for(shop: psycopg.Connection, social_selling_database: str) -> None:
    """Two writers of one conversation."""
    asked = block("Locks", "pg_blocking_pids").encode()
    with (
        psycopg.connect(social_selling_database) as second,
        ThreadPoolExecutor(1) as pool,
        # ends first, so that whoever waits does not wait for ever
        psycopg.connect(social_selling_database) as first,
    ):
        pids = second.info.backend_pid, first.info.backend_pid
        first.execute("UPDATE conversations SET participant_username = 'a'")
        waiting = pool.submit(second.execute, "UPDATE conversations SET participant_username = 'b'")
        rows: list[tuple[object, ...]] = []
        while not rows:
            assert not waiting.done()
            rows = shop.execute(asked).fetchall()
    assert [(row[0], row[2]) for row in rows] == [pids]


def test_a_partitioned_table_keeps_rows_and_promises(shop: psycopg.Connection, social_selling_database: str) -> None:
    """All but the primary key's; a month is found in its own partition, and the summary says what it said."""
    summary = "SELECT * FROM analytics_daily_summary ORDER BY date, client_account_id"
    before = shop.execute(summary).fetchall()
    (last,) = [path for path in SYSTEM.sources() if path.name == "010-create-analytics.sql"]
    text = last.read_text(encoding="utf-8")
    rest = text[text.index("CREATE INDEX") : text.index("-- ROLLBACK")]
    with shop.transaction():
        shop.execute((block("Partitions and archives", "PARTITION BY") + rest).encode())
    assert shop.execute("SELECT count(*) FROM analytics_events").fetchone() == (200,)
    assert shop.execute("SELECT count(*) FROM analytics_events_2025_02").fetchone() == (56,)
    shop.execute("SELECT refresh_analytics_daily_summary()")
    assert shop.execute(summary).fetchall() == before
    plan = shop.execute(
        "EXPLAIN SELECT id FROM analytics_events"
        " WHERE occurred_at >= '2025-01-03 00:00:00+00' AND occurred_at < '2025-01-04 00:00:00+00'"
    ).fetchall()
    assert "analytics_events_2025_01" in str(plan)
    assert "analytics_events_2025_02" not in str(plan)
    with psycopg.connect(social_selling_database) as connection:
        live = read_catalog(connection, ignore=[SYSTEM.tracking_table])
    lost = {d.promise_id for d in drift(read(SYSTEM.contract).catalog, live) if d.change != "added"}
    assert lost == {"analytics_events", "analytics_events.pk_analytics_events"}


def test_what_is_archived_is_neither_lost_nor_doubled(shop: psycopg.Connection) -> None:
    """Events, and the sums of their days."""
    both = (
        "SELECT sum(event_count) FROM (SELECT event_count FROM analytics_daily_summary UNION ALL"
        " SELECT event_count FROM analytics_daily_archive) AS days"
    )
    shop.execute(block("Partitions and archives", "WITH moved").encode())
    shop.execute("SELECT refresh_analytics_daily_summary()")
    assert shop.execute("SELECT count(*) FROM analytics_events_archive").fetchone() == (63,)
    assert shop.execute("SELECT count(*) FROM analytics_events").fetchone() == (137,)
    assert shop.execute(both).fetchone() == (200,)


def test_a_restored_database_is_compared_by_the_page_s_commands(
    social_selling_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both end with 0 where it is whole, and with 1 where something was lost."""
    commands = [
        shlex.split(line.replace("$RESTORED", social_selling_database).replace("schema/", f"{ROOT}/schema/"))
        for heading, text in blocks("sh")
        for line in text.splitlines()
        if heading == "Backups" and line.startswith("pgcontract ")
    ]

    def run(words: list[str]) -> object:
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code

    assert [run(words) for words in commands] == [0, 0]
    with psycopg.connect(social_selling_database) as connection:
        connection.execute("ALTER TABLE users DROP CONSTRAINT chk_users_email_shape")
    assert [run(words) for words in commands] == [0, 1]
    assert "chk_users_email_shape" in capsys.readouterr().out

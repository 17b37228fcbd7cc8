"""The runner on real servers: what it applies and undoes, what it refuses, and what a failure leaves."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from pgcontract.errors import MigrationError, ServerError, UsageError
from pgcontract.migrations import Event, MigrationFailed, Runner, runner_of
from pgcontract.system import System
from tests.integration.fix_migrations import Write

TWO = {
    "001-first.sql": "CREATE TABLE first ();\n-- ROLLBACK\nDROP TABLE first;\n",
    "002-second.sql": "CREATE TABLE second ();\n-- ROLLBACK\nDROP TABLE second;\n",
}
THIRD = {"003-third.sql": "CREATE TABLE third ();\n-- ROLLBACK\nDROP TABLE third;\n"}


def tables(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        query = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
        return [name for (name,) in connection.execute(query)]


def test_up_and_down_apply_and_undo_one_section_each(empty_database: str, write: Write) -> None:
    """On the way up no rollback section is executed; on the way down the latest comes first."""
    events: list[Event] = []
    runner = Runner(empty_database, write(TWO), on_event=events.append)
    result = runner.up()
    assert [name for name, _ in result.done] == ["001-first", "002-second"]
    assert (result.total, result.executed, result.pending) == (2, 2, 0)
    assert tables(empty_database) == ["first", "migrations", "second"]
    assert runner.up().done == ()
    assert [name for name, _ in runner.down().done] == ["002-second"]
    assert tables(empty_database) == ["first", "migrations"]
    assert [name for name, _ in runner.down(1).done] == ["001-first"]
    assert runner.down().done == ()
    assert tables(empty_database) == ["migrations"]
    kinds = [(event.kind, event.name) for event in events]
    assert kinds[:2] == [("applying", "001-first"), ("applied", "001-first")]
    assert kinds[-2:] == [("undoing", "001-first"), ("undone", "001-first")]


def specified_up(dsn: str, folder: Path) -> None:
    """What the specification of social_selling has for a runner: every .sql file, whole, in the order of names."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for path in sorted(folder.glob("*.sql")):
            connection.execute(path.read_bytes())


def test_the_specified_runner_s_defect_rollback_sections_on_the_way_up(empty_database: str, write: Write) -> None:
    """It undoes what it has just made; this runner leaves the section alone."""
    folder = write(TWO)
    specified_up(empty_database, folder)
    assert tables(empty_database) == []
    Runner(empty_database, folder).up()
    assert tables(empty_database) == ["first", "migrations", "second"]


@pytest.mark.parametrize("environment", ["", "production"])
def test_the_specified_runner_s_defect_the_seed_is_taken_for_a_migration(
    empty_database: str, write: Write, monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    """In production, too. This runner refuses such a folder before it applies anything, and runs no seed on its own."""
    monkeypatch.setenv("PGCONTRACT_ENV", environment)
    files = {"001-first.sql": "CREATE TABLE first (id INT);\n-- ROLLBACK\n"}
    folder = write({**files, "seed-dev-data.sql": "INSERT INTO first VALUES (1);"})
    specified_up(empty_database, folder)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        assert connection.execute("SELECT id FROM first").fetchall() == [(1,)]
        connection.execute("DROP TABLE first")
    with pytest.raises(MigrationError) as caught:
        Runner(empty_database, folder).up()
    assert caught.value.seen == "seed-dev-data.sql"
    assert tables(empty_database) == []
    # where seeds belong: beside the folder of migrations
    (folder / "seed-dev-data.sql").rename(folder.parent / "seed.sql")
    assert runner_of(empty_database, System.load(folder.parent)).up().executed == 1
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT id FROM first").fetchall() == []


def test_up_stops_at_the_number_it_is_given(empty_database: str, write: Write) -> None:
    """A number that no file has is a mistake."""
    runner = Runner(empty_database, write(TWO))
    assert runner.up(to=1).pending == 1
    assert tables(empty_database) == ["first", "migrations"]
    with pytest.raises(UsageError):
        runner.up(to=7)


def test_status_tells_each_migration_and_changes_nothing(empty_database: str, write: Write) -> None:
    """Pending, applied (when, by whom, how long), edited, missing."""
    folder = write(TWO)
    runner = Runner(empty_database, folder)
    assert [entry.state for entry in runner.status().entries] == ["pending", "pending"]
    assert tables(empty_database) == []
    runner.up()
    (folder / "001-first.sql").write_text("SELECT 1;\n-- ROLLBACK\n-- none\n")
    (folder / "002-second.sql").unlink()
    write(THIRD)
    status = runner.status()
    assert [(e.name, e.state) for e in status.entries] == [
        ("001-first", "edited"),
        ("002-second", "missing"),
        ("003-third", "pending"),
    ]
    assert (status.total, status.executed, status.pending) == (3, 2, 1)
    assert all(e.applied_at and e.applied_by and e.duration is not None for e in status.entries[:2])


FAILURES = {
    "with a position": ("SELECT 'é😀';\n\nCREATE TABLE t ();\nSELECT\n  nonsense;", 3, 5, "42703", "SELECT"),
    "without a position": ("CREATE TABLE t ();\n\nSELECT 1;\n\nCREATE TABLE t ();", 3, 5, "42P07", "CREATE TABLE t ()"),
    "inside a function": ("CREATE TABLE t ();\nDO $$ BEGIN\n PERFORM 1/0;\nEND $$;", 2, 2, "22012", "DO $$ BEGIN"),
    "in a comment's company": ("-- a; b\n/* c; */ CREATE TABLE t ();\nSELECT 1/0;", 2, 3, "22012", "SELECT 1/0"),
    "what cannot run in a transaction": ("CREATE TABLE t ();\nVACUUM;", 2, 2, "25001", "VACUUM"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_names_file_line_and_statement_and_leaves_nothing(
    empty_database: str, write: Write, name: str
) -> None:
    """The migrations before it stay, nothing of it does, and once it is mended `up` goes on from there."""
    sql, ordinal, line, sqlstate, statement = FAILURES[name]
    folder = write({**TWO, "003-bad.sql": f"{sql}\n-- ROLLBACK\n-- none\n"})
    with pytest.raises(MigrationFailed) as caught:
        Runner(empty_database, folder).up()
    error = caught.value
    assert (error.ordinal, error.line, error.sqlstate, error.statement) == (ordinal, line, sqlstate, statement)
    assert error.where == f"{folder / '003-bad.sql'}:{line} (statement {ordinal})"
    assert tables(empty_database) == ["first", "migrations", "second"]
    assert Runner(empty_database, folder).status().pending == 1
    write({"003-bad.sql": "CREATE TABLE t ();\n-- ROLLBACK\nDROP TABLE t;\n"})
    assert Runner(empty_database, folder).up().pending == 0


def test_a_rollback_that_fails_names_the_line_of_the_file(empty_database: str, write: Write) -> None:
    """Not that of its section; and the migration is still there."""
    folder = write({"001-a.sql": "CREATE TABLE a ();\n\n-- ROLLBACK\nDROP TABLE a;\nDROP TABLE absent;\n"})
    runner = Runner(empty_database, folder)
    runner.up()
    with pytest.raises(MigrationFailed) as caught:
        runner.down()
    assert (caught.value.ordinal, caught.value.line) == (2, 5)
    assert tables(empty_database) == ["a", "migrations"]
    assert runner.status().executed == 1


def test_what_was_deferred_fails_at_commit(empty_database: str, write: Write) -> None:
    """It belongs to no statement, and leaves nothing either."""
    sql = (
        "CREATE TABLE a (id INT PRIMARY KEY, b INT REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);\n"
        "INSERT INTO a VALUES (1, 2);\n-- ROLLBACK\nDROP TABLE a;\n"
    )
    with pytest.raises(MigrationFailed) as caught:
        Runner(empty_database, write({"001-a.sql": sql})).up()
    assert (caught.value.ordinal, caught.value.sqlstate) == (0, "23503")
    assert tables(empty_database) == ["migrations"]


def test_a_row_s_values_are_not_told(empty_database: str, write: Write) -> None:
    """The server's details hold them; the message does not."""
    sql = (
        "CREATE TABLE a (b TEXT UNIQUE);\nINSERT INTO a VALUES ('hunter2'), ('hunter2');\n-- ROLLBACK\nDROP TABLE a;\n"
    )
    with pytest.raises(MigrationFailed) as caught:
        Runner(empty_database, write({"001-a.sql": sql})).up()
    assert "Key (b)" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said", "allowed"),
    [
        ({"001-first.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"}, "edited", "edited"),
        ({"001-first.sql": None}, "missing", "missing"),
        ({"0000-late.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"}, "older than one", "out-of-order"),
    ],
)
def test_history_that_has_changed_is_refused_unless_it_is_allowed(
    empty_database: str, write: Write, change: dict[str, str | None], said: str, allowed: str
) -> None:
    """Edited, missing and out-of-order files stop `up` before it applies anything."""
    folder = write(TWO)
    Runner(empty_database, folder).up()
    for name, text in change.items():
        (folder / name).unlink(missing_ok=True)
        if text is not None:
            (folder / name).write_text(text)
    write(THIRD)
    runner = Runner(empty_database, folder)
    with pytest.raises(MigrationError, match=said):
        runner.up()
    assert "third" not in tables(empty_database)
    assert runner.up(allow=[allowed]).pending == 0  # type: ignore[list-item]  # the parameter holds one of the three
    assert "third" in tables(empty_database)


def test_line_ends_are_no_edit(empty_database: str, write: Write) -> None:
    """A checkout with CRLF is the same migration."""
    folder = write(TWO)
    Runner(empty_database, folder).up()
    write({name: text.replace("\n", "\r\n") for name, text in TWO.items()})
    assert Runner(empty_database, folder).up().done == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [("002-second.sql", "SELECT 1;\n-- ROLLBACK\n"), ("002-second.sql", "SELECT 2;\n-- ROLLBACK\n-- other\n")],
    ids=["nothing to run", "edited"],
)
def test_down_touches_nothing_where_one_of_its_steps_cannot_be_undone(
    empty_database: str, write: Write, name: str, text: str
) -> None:
    """Nor the steps before that one."""
    silent = {"002-second.sql": "SELECT 1;\n-- ROLLBACK\n"}
    folder = write({**TWO, **silent, **THIRD})
    runner = Runner(empty_database, folder)
    runner.up()
    write({name: text})
    with pytest.raises(MigrationError):
        runner.down(3)
    assert tables(empty_database) == ["first", "migrations", "third"]


def test_down_undoes_as_many_as_were_asked_for_or_none(empty_database: str, write: Write) -> None:
    """Who asks for more than are applied has miscounted, or looks at another database: that is told, with how many."""
    runner = Runner(empty_database, write(TWO))
    with pytest.raises(UsageError) as none:
        runner.down(1)
    assert (none.value.seen, none.value.remedy) == ("1, and none is applied", None)
    runner.up()
    with pytest.raises(UsageError) as raised:
        runner.down(3)
    assert raised.value.seen == "3, and 2 are applied"
    assert raised.value.remedy == "undo 2 or fewer, or all with --to 0"
    assert tables(empty_database) == ["first", "migrations", "second"]
    runner.down(1)
    with pytest.raises(UsageError, match="Fewer migrations are applied than are to be undone") as raised:
        runner.down(2)
    assert raised.value.remedy == "undo 1 or fewer, or all with --to 0"


def test_down_needs_the_file(empty_database: str, write: Write) -> None:
    """What cannot be read cannot be undone; nor can less than one step be."""
    folder = write(TWO)
    runner = Runner(empty_database, folder)
    runner.up()
    (folder / "002-second.sql").unlink()
    with pytest.raises(MigrationError, match="missing"):
        runner.down()
    with pytest.raises(UsageError):
        runner.down(0)


def test_what_a_file_sets_ends_with_it(empty_database: str, write: Write) -> None:
    """Search path, role and settings; the record is written by who migrates, wherever the file has gone."""
    first = (
        "CREATE SCHEMA elsewhere;\nCREATE ROLE somebody_of_this_test;\n"
        "SET search_path = elsewhere;\nSET work_mem = '1MB';\n"
        "SET ROLE somebody_of_this_test;\n-- ROLLBACK\nDROP SCHEMA elsewhere;\nDROP ROLE somebody_of_this_test;\n"
    )
    second = (
        "CREATE TABLE second AS SELECT current_setting('work_mem') AS w, current_user::TEXT AS u;\n"
        "-- ROLLBACK\nDROP TABLE second;\n"
    )
    runner = Runner(empty_database, write({"001-a.sql": first, "002-b.sql": second}))
    try:
        runner.up()
        assert tables(empty_database) == ["migrations", "second"]
        with psycopg.connect(empty_database) as connection:
            assert connection.execute("SELECT w <> '1MB' AND u = session_user FROM second").fetchone() == (True,)
    finally:
        runner.down(2)


def test_settings_reach_the_files(empty_database: str, write: Write) -> None:
    """With spaces and backslashes, and after a file that resets everything, too."""
    value = "a b\\c"
    sql = "RESET ALL;\nCREATE TABLE %s AS SELECT current_setting('shop.name') AS v;\n-- ROLLBACK\nDROP TABLE %s;\n"
    folder = write({"001-a.sql": sql % ("a", "a"), "002-b.sql": sql % ("b", "b")})
    Runner(empty_database, folder, settings={"shop.name": value}).up()
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT a.v, b.v FROM a, b").fetchone() == (value, value)


def test_init_runs_once_a_database_before_the_first_migration(
    empty_database: str, write: Write, tmp_path: Path
) -> None:
    """A failure in it leaves no tracking table, so that it runs again."""
    init = tmp_path / "01-init.sql"
    init.write_text("CREATE TABLE init ();\nSELECT 1/0;\n")
    runner = Runner(empty_database, write(TWO), init=[init])
    with pytest.raises(MigrationFailed) as caught:
        runner.up()
    assert caught.value.where == f"{init}:2 (statement 2)"
    assert tables(empty_database) == []
    init.write_text("CREATE TABLE init ();\n")
    runner.up(to=1)
    runner.up()
    assert tables(empty_database) == ["first", "init", "migrations", "second"]


def test_the_tracking_table_is_out_of_everybodys_reach(empty_database: str, write: Write) -> None:
    """Default privileges, and a later GRANT on all tables, are taken back; what an owner granted by hand stays."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("ALTER DATABASE " + connection.info.dbname + " SET search_path = public")
        connection.execute("CREATE ROLE app_of_this_test; CREATE ROLE auditor_of_this_test")
        try:
            connection.execute("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO app_of_this_test, PUBLIC")
            runner = Runner(empty_database, write(TWO))
            runner.up(to=1)
            connection.execute("GRANT SELECT ON migrations TO auditor_of_this_test")
            write(
                {"003-third.sql": "GRANT ALL ON ALL TABLES IN SCHEMA public TO app_of_this_test;\n-- ROLLBACK\n-- no\n"}
            )
            runner.up()
            for role, allowed in (("app_of_this_test", False), ("auditor_of_this_test", True)):
                query = "SELECT has_table_privilege(%s, 'public.migrations', 'SELECT')"
                assert connection.execute(query, (role,)).fetchone() == (allowed,)
            assert connection.execute(
                "SELECT has_table_privilege('app_of_this_test', 'second', 'SELECT')"
            ).fetchone() == (True,)
        finally:
            connection.execute("DROP OWNED BY app_of_this_test, auditor_of_this_test")
            connection.execute("DROP ROLE app_of_this_test, auditor_of_this_test")


@pytest.mark.parametrize(
    ("ddl", "tool"),
    [
        ("CREATE TABLE migrations (id SERIAL, name TEXT, run_on TIMESTAMP)", "node-pg-migrate"),
        ("CREATE TABLE migrations (version VARCHAR PRIMARY KEY)", "dbmate"),
        ("CREATE TABLE migrations (id SERIAL, name TEXT, file TEXT, executed_at TIMESTAMP)", "executed_at"),
        ("CREATE TABLE migrations (flock TEXT, heading TEXT)", "something else"),
        ("CREATE VIEW migrations AS SELECT 1 AS one", "no table"),
    ],
)
def test_a_table_of_another_tool_is_left_as_it_is(empty_database: str, write: Write, ddl: str, tool: str) -> None:
    """It is recognised by its columns, by every command, and nothing is applied."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(ddl)
    runner = Runner(empty_database, write(TWO))
    for command in (runner.up, runner.down, runner.status):
        with pytest.raises(MigrationError) as caught:
            command()
        assert tool in caught.value.what
    assert "first" not in tables(empty_database)


def test_a_migration_that_was_started_and_not_finished_stops_everything(empty_database: str, write: Write) -> None:
    """Its record says so; whoever wrote it must look first."""
    runner = Runner(empty_database, write(TWO))
    runner.up(to=1)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("UPDATE migrations SET state = 'started'")
    for command in (runner.up, runner.down):
        with pytest.raises(MigrationError, match="never finished"):
            command()
    assert runner.status().entries[0].state == "started"


def test_two_runners_wait_for_each_other(empty_database: str, write: Write) -> None:
    """Eight at once: each migration is applied once, and none of them fails."""
    folder = write({**TWO, **THIRD})
    start = threading.Barrier(8)

    def up(_: int) -> int:
        start.wait(timeout=30)
        return len(Runner(empty_database, folder).up().done)

    with ThreadPoolExecutor(8) as pool:
        applied = list(pool.map(up, range(8)))
    assert sorted(applied) == [0] * 7 + [3]


def test_whoever_waits_too_long_is_told_who_has_the_lock(empty_database: str, write: Write) -> None:
    """And nothing has happened; once the other has gone, it goes on."""
    folder = write(TWO)
    reached, go_on = threading.Event(), threading.Event()

    def stop_in_the_middle(event: Event) -> None:
        if event.kind == "applied" and not reached.is_set():
            reached.set()
            go_on.wait(timeout=30)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(Runner(empty_database, folder, on_event=stop_in_the_middle).up)
        try:
            assert reached.wait(timeout=30)
            with pytest.raises(MigrationError) as caught:
                Runner(empty_database, folder, lock_seconds=0.2).up()
            assert "pgcontract migrate" in (caught.value.seen or "")
        finally:
            go_on.set()
        assert len(first.result(timeout=30).done) == 2


def test_a_migration_that_lets_go_of_the_lock_is_found_out(empty_database: str, write: Write) -> None:
    """Nobody can say who has migrated meanwhile."""
    sql = "SELECT pg_advisory_unlock_all();\n-- ROLLBACK\n-- none\n"
    with pytest.raises(MigrationError, match="lock was gone"):
        Runner(empty_database, write({"001-a.sql": sql})).up()


def test_a_session_that_is_ended_leaves_nothing_half_done(empty_database: str, write: Write) -> None:
    """pg_terminate_backend in the middle of a migration: what was before stays, and the next run ends clean."""
    sql = "CREATE TABLE half ();\nSELECT pg_terminate_backend(pg_backend_pid());\nSELECT 1;\n-- ROLLBACK\n-- none\n"
    folder = write({**TWO, "003-bad.sql": sql})
    with pytest.raises(ServerError) as caught:
        Runner(empty_database, folder).up()
    assert "003-bad.sql" in (caught.value.where or "")
    assert tables(empty_database) == ["first", "migrations", "second"]
    write({"003-bad.sql": THIRD["003-third.sql"]})
    assert Runner(empty_database, folder, lock_seconds=2).up().pending == 0


def test_a_user_without_rights_is_told(empty_database: str, write: Write) -> None:
    """Who may connect and nothing else gets a message, whatever it is that is refused first."""
    folder = write(TWO)
    Runner(empty_database, folder).up(to=1)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest_of_this_test LOGIN")
        try:
            guest = Runner(empty_database, folder, settings={"role": "guest_of_this_test"})
            for command in (guest.up, guest.status):
                with pytest.raises(MigrationError) as caught:
                    command()
                assert (caught.value.remedy or "").startswith("migrate as the owner of the schema; to look only")
        finally:
            connection.execute("DROP ROLE guest_of_this_test")


@pytest.mark.parametrize(
    ("dsn", "error"),
    [
        ("host=/nowhere dbname=shop user=me password=hunter2", ServerError),
        ("postgresql://me:hunter2@127.0.0.1:1/shop", ServerError),
        ("postgresql://me:hunter2@[bad/shop", UsageError),
        ("password=hunter2 nonsense", UsageError),
    ],
)
def test_a_dsn_that_leads_nowhere_is_told_without_its_password(write: Write, dsn: str, error: type[Exception]) -> None:
    """Host, port, database and user are."""
    with pytest.raises(error) as caught:
        Runner(dsn, write(TWO)).up()
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)


def test_files_are_checked_before_anything_is_executed(empty_database: str, write: Write) -> None:
    """A mistake in the last file keeps the first from being applied."""
    folder = write({**TWO, "003-bad.sql": "SELEC 1;\n-- ROLLBACK\n-- none\n"})
    with pytest.raises(MigrationError, match="does not parse"):
        Runner(empty_database, folder).up()
    assert tables(empty_database) == []


@pytest.mark.parametrize(
    ("statement", "secret"),
    [
        ("CREATE ROLE postgres LOGIN PASSWORD 'hunter2';", "hunter2"),
        ("INSERT INTO pg_catalog.pg_class (relpages) VALUES ('alice@example.org');", "alice"),
        ("SELECT 'card 4111'::INTEGER;", "4111"),
    ],
)
def test_a_failing_statement_is_told_without_its_values(
    write: Write, empty_database: str, statement: str, secret: str
) -> None:
    """Neither in the message, nor in what is shown of the file: both end up in logs."""
    folder = write({"001-bad.sql": f"{statement}\n-- ROLLBACK\nSELECT 1;\n"})
    with pytest.raises(MigrationFailed) as caught:
        Runner(empty_database, folder).up()
    assert secret not in str(caught.value)
    assert caught.value.line == 1

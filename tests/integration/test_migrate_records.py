"""Adopting a database, accepting an edit, planning, going down to a number, waiting for locks, and what is logged."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from pgcontract.errors import MigrationError, UsageError
from pgcontract.migrations import Event, MigrationFailed, Runner
from tests.integration.fix_migrations import Write

THREE = {f"{n:03}-m{n}.sql": f"CREATE TABLE t{n} (v TEXT);\n-- ROLLBACK\nDROP TABLE t{n};\n" for n in range(1, 4)}


def execute(dsn: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_plan_applies_nothing_and_refuses_what_up_would(empty_database: str, write: Write) -> None:
    """It reads only, and waits for nobody."""
    folder = write(THREE)
    runner = Runner(empty_database, folder)
    assert [migration.name for migration in runner.plan()] == ["001-m1", "002-m2", "003-m3"]
    assert [migration.name for migration in runner.plan(2)] == ["001-m1", "002-m2"]
    assert execute(empty_database, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []
    runner.up(2)
    assert [migration.name for migration in runner.plan()] == ["003-m3"]
    write({"001-m1.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    with pytest.raises(MigrationError, match="edited"):
        runner.plan()
    write({**THREE, "003-m3.sql": "SELEC;\n-- ROLLBACK\n-- none\n"})
    with pytest.raises(MigrationError, match="does not parse"):
        runner.plan()


def test_down_to_a_number_leaves_that_one(empty_database: str, write: Write) -> None:
    """0 undoes everything; a number that was never applied is a mistake."""
    runner = Runner(empty_database, write(THREE))
    runner.up()
    with pytest.raises(UsageError):
        runner.down(to=7)
    assert [name for name, _ in runner.down(to=1).done] == ["003-m3", "002-m2"]
    assert runner.down(to=1).done == ()
    assert runner.down(to=0).executed == 0


@pytest.mark.parametrize("change", ["edited", "missing", "out-of-order"])
def test_a_refusal_names_the_option_that_overrides_it(empty_database: str, write: Write, change: str) -> None:
    """Each has one of its own."""
    folder = write(THREE)
    Runner(empty_database, folder).up()
    if change == "edited":
        write({"001-m1.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    elif change == "missing":
        (folder / "001-m1.sql").unlink()
    else:
        write({"0000-late.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    with pytest.raises(MigrationError) as caught:
        Runner(empty_database, folder).up()
    assert f"--allow-{change}" in (caught.value.remedy or "")


def test_an_edit_is_accepted_only_by_name(empty_database: str, write: Write) -> None:
    """Then the file as it is now is what was applied; one that was not edited is a mistake, and accepts nothing."""
    folder = write(THREE)
    runner = Runner(empty_database, folder)
    runner.up()
    write({name: f"-- said better\n{text}" for name, text in THREE.items()})
    for numbers in ([9], [1, 9]):
        with pytest.raises(UsageError):
            runner.accept(numbers)
    assert runner.accept([1, 2]) == ("001-m1", "002-m2")
    assert [entry.state for entry in runner.status().entries] == ["applied", "applied", "edited"]
    with pytest.raises(UsageError, match="as it was applied"):
        runner.accept([1])
    runner.accept([3])
    assert runner.up().done == ()


def test_a_database_without_records_is_adopted(empty_database: str, write: Write) -> None:
    """Nothing runs; what comes later does. A second time is refused."""
    folder = write(THREE)
    execute(empty_database, "CREATE TABLE t1 (v TEXT); CREATE TABLE t2 (v TEXT)")
    runner = Runner(empty_database, folder)
    with pytest.raises(UsageError):
        runner.baseline(9)
    adopted = runner.baseline(2)
    assert (adopted.names, adopted.tool) == (("001-m1", "002-m2"), None)
    assert [entry.state for entry in runner.status().entries] == ["baseline", "baseline", "pending"]
    assert [name for name, _ in runner.up().done] == ["003-m3"]
    with pytest.raises(MigrationError, match="already"):
        runner.baseline()
    assert runner.down(to=0).executed == 0


OTHERS = {
    "node-pg-migrate": (
        "pgmigrations",
        (
            "CREATE TABLE pgmigrations (id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL, run_on TIMESTAMP NOT NULL);"
            "INSERT INTO pgmigrations (name, run_on) VALUES ('001-m1', '2024-01-02'), ('002-m2', '2024-01-03')"
        ),
    ),
    "dbmate": (
        "schema_migrations",
        (
            "CREATE TABLE schema_migrations (version VARCHAR(128) PRIMARY KEY);"
            "INSERT INTO schema_migrations VALUES ('001'), ('002')"
        ),
    ),
    "file_runner": (
        "migrations",
        (
            "CREATE TABLE migrations (id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE,"
            " file VARCHAR(255) NOT NULL, executed_at TIMESTAMP DEFAULT NOW());"
            "INSERT INTO migrations (name, file) VALUES ('001-m1.sql', '001-m1.sql'), ('002-m2.sql', '002-m2.sql')"
        ),
    ),
}


@pytest.mark.parametrize("ours", ["same name", "another name"])
@pytest.mark.parametrize("tool", OTHERS)
def test_another_tools_table_is_adopted_and_its_rows_are_kept(
    empty_database: str, write: Write, tool: str, ours: str
) -> None:
    """Where ours needs its name, theirs is kept under another; `up` alone refuses and names the command."""
    table, ddl = OTHERS[tool]
    execute(empty_database, ddl)
    rows = execute(empty_database, f"SELECT * FROM {table}")
    execute(empty_database, "CREATE TABLE t1 (v TEXT); CREATE TABLE t2 (v TEXT)")
    runner = Runner(empty_database, write(THREE), tracking_table=table if ours == "same name" else "history")
    if ours == "same name":
        with pytest.raises(MigrationError) as caught:
            runner.up()
        assert "migrate baseline" in (caught.value.remedy or "")
    adopted = runner.baseline()
    assert adopted.names == ("001-m1", "002-m2")
    assert (adopted.tool, str(adopted.table)) == (tool, table)
    kept = str(adopted.kept_as) if ours == "same name" else table
    assert (kept != table) == (ours == "same name")
    assert execute(empty_database, f"SELECT * FROM {kept}") == rows
    assert [name for name, _ in runner.up().done] == ["003-m3"]
    if tool == "node-pg-migrate":
        assert str(runner.status().entries[0].applied_at).startswith("2024-01-02")


def test_what_another_tool_has_applied_and_nobody_knows_is_named(empty_database: str, write: Write) -> None:
    """A number says how far the database is; a table that no tool is known to make is never touched."""
    table, ddl = OTHERS["dbmate"]
    execute(empty_database, f"{ddl}; INSERT INTO {table} VALUES ('20240101')")
    runner = Runner(empty_database, write(THREE), tracking_table=table)
    with pytest.raises(MigrationError) as caught:
        runner.baseline()
    assert caught.value.seen == "20240101"
    assert "--to" in (caught.value.remedy or "")
    assert runner.baseline(1).names == ("001-m1",)
    execute(empty_database, "CREATE TABLE history (flock TEXT)")
    with pytest.raises(MigrationError, match="something else"):
        Runner(empty_database, write(THREE), tracking_table="history").baseline(1)


@pytest.mark.parametrize("by_file", [False, True], ids=["option", "the file's own"])
def test_a_lock_that_is_waited_for_too_long_ends_with_who_holds_it(
    empty_database: str, write: Write, *, by_file: bool
) -> None:
    """Process, program, user, and what it last asked, without values; nothing of the migration is left."""
    setting = "SET lock_timeout = '600ms';\n" if by_file else ""
    text = (
        f"{setting}CREATE TABLE u ();\nALTER TABLE t1 ADD COLUMN w INT;\n-- ROLLBACK\nALTER TABLE t1 DROP COLUMN w;\n"
    )
    folder = write({**THREE, "004-wait.sql": text})
    events: list[Event] = []
    runner = Runner(
        empty_database, folder, lock_timeout=None if by_file else 0.6, statement_timeout=30, on_event=events.append
    )
    runner.up(3)
    with psycopg.connect(empty_database, application_name="the-till") as holder:
        holder.execute("INSERT INTO t1 VALUES ('hunter2')")
        with pytest.raises(MigrationFailed) as caught:
            runner.up()
        error = caught.value
        assert (error.sqlstate, error.ordinal) == ("55P03", 3 if by_file else 2)
        for word in (f"process {holder.info.backend_pid}", "the-till", "INSERT INTO t1 VALUES ($1)"):
            assert word in str(error)
        assert "hunter2" not in str(error)
    waiting = [event for event in events if event.kind == "waiting"]
    assert [event.name for event in waiting] == ["004-wait"]
    assert "the-till" in waiting[0].detail
    assert runner.up().pending == 0


def test_a_statement_that_takes_too_long_is_ended(empty_database: str, write: Write) -> None:
    """Files may set another limit for themselves."""
    folder = write({"001-slow.sql": "SELECT pg_sleep(20);\n-- ROLLBACK\n-- none\n"})
    with pytest.raises(MigrationFailed) as caught:
        Runner(empty_database, folder, statement_timeout=0.2).up()
    assert caught.value.sqlstate == "57014"
    write({"001-slow.sql": "SET statement_timeout = 0;\nSELECT pg_sleep(0.3);\n-- ROLLBACK\n-- none\n"})
    assert Runner(empty_database, folder, statement_timeout=0.2).up().pending == 0


def test_logs_hold_names_and_no_values(empty_database: str, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    """Neither rows, nor passwords, whatever fails."""
    text = "INSERT INTO t1 VALUES ('hunter2');\nCREATE UNIQUE INDEX u ON t1 (v);\n-- ROLLBACK\nDELETE FROM t1;\n"
    double = "INSERT INTO t1 VALUES ('hunter2');\n-- ROLLBACK\n-- none\n"
    folder = write({**THREE, "004-row.sql": text, "005-double.sql": double})
    dsn = f"{empty_database}&password=hunter2" if "?" in empty_database else f"{empty_database}?password=hunter2"
    with caplog.at_level(logging.DEBUG):
        with pytest.raises(MigrationFailed) as caught:
            Runner(dsn, folder, settings={"my.secret": "hunter2"}).up()
        Runner(dsn, folder).down(to=0)
    assert caught.value.ordinal == 1
    told = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert "004-row" in told
    assert "hunter2" not in told


def test_waiting_for_another_runner_does_not_hold_a_snapshot(empty_database: str, write: Write) -> None:
    """CREATE INDEX CONCURRENTLY would wait for it, and the runner for the index, for ever."""
    text = "-- no-transaction\nCREATE INDEX CONCURRENTLY t1_v ON t1 (v);\n-- ROLLBACK\nDROP INDEX t1_v;\n"
    folder = write({**THREE, "004-index.sql": text})
    start = threading.Barrier(4)

    def up(_: int) -> int:
        start.wait(timeout=30)
        return len(Runner(empty_database, folder, lock_seconds=30).up().done)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(up, range(4))) == [0, 0, 0, 4]


def test_an_unreadable_file_stops_everything(empty_database: str, write: Write, tmp_path: Path) -> None:
    """A folder in a file's place, for one that root cannot read either."""
    folder = write(THREE)
    (folder / "004-folder.sql").mkdir()
    with pytest.raises(MigrationError, match="cannot be read") as caught:
        Runner(empty_database, folder).up()
    assert "004-folder.sql" in (caught.value.where or "")
    assert tmp_path.exists()
    assert execute(empty_database, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


def test_a_failed_up_does_not_hide_another_tools_table(empty_database: str, write: Write) -> None:
    """It leaves an empty table of ours; what the other tool has not applied is not recorded."""
    execute(empty_database, OTHERS["node-pg-migrate"][1])
    execute(empty_database, "CREATE TABLE t1 (v TEXT); CREATE TABLE t2 (v TEXT)")
    runner = Runner(empty_database, write(THREE))
    with pytest.raises(MigrationError):
        runner.up()
    adopted = runner.baseline()
    assert (adopted.names, adopted.tool) == (("001-m1", "002-m2"), "node-pg-migrate")
    assert [name for name, _ in runner.up().done] == ["003-m3"]

"""Adopting a database, accepting an edit, planning, going down to a number, waiting for locks, and what is logged."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from pgcontract.errors import MigrationError, PgContractError, ServerError, UsageError
from pgcontract.migrations import Event, MigrationFailed, Runner
from pgcontract.migrations.creating import create
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


def test_a_migration_whose_file_is_gone_is_forgotten_only_by_name(empty_database: str, write: Write) -> None:
    """Its record goes, and nothing else; one that has a file, under any name, or is half there, stays."""
    folder = write(THREE)
    runner = Runner(empty_database, folder)
    runner.up()
    (folder / "002-m2.sql").unlink()
    (folder / "001-m1.sql").rename(folder / "001-renamed.sql")
    for name, told in (
        ("003-m3", "The file of this migration is there"),
        ("001-m1", "The file of an applied migration was renamed"),
        ("002", "No migration of that name is recorded"),
        ("1-m1'; DROP TABLE migrations", "No migration of that name is recorded"),
    ):
        with pytest.raises(PgContractError, match=told):
            runner.forget(["002-m2", name])
    assert {entry.state for entry in runner.status().entries} == {"renamed", "missing", "applied"}
    (folder / "001-renamed.sql").rename(folder / "001-m1.sql")
    with pytest.raises(MigrationError) as missing:
        runner.up()
    assert "pgcontract migrate repair --forget 002-m2" in (missing.value.remedy or "")
    with pytest.raises(MigrationError) as not_undone:
        runner.down(2)
    assert "pgcontract migrate repair --forget 002-m2" in (not_undone.value.remedy or "")
    assert runner.forget(["002-m2", "002-m2"]) == ("002-m2",)
    assert [entry.state for entry in runner.status().entries] == ["applied", "applied"]
    assert execute(empty_database, "SELECT to_regclass('t2') IS NOT NULL") == [(True,)]
    assert runner.up().done == ()
    assert [name for name, _ in runner.down(2).done] == ["003-m3", "001-m1"]


def test_what_was_left_unfinished_is_not_forgotten_but_cleared(empty_database: str, write: Write) -> None:
    """Clearing drops the INVALID index that it may have left."""
    folder = write({"001-a.sql": "-- no-transaction\nCREATE TABLE a ();\nSELECT 1/0;\n-- ROLLBACK\nDROP TABLE a;\n"})
    runner = Runner(empty_database, folder)
    with pytest.raises(MigrationFailed):
        runner.up()
    (folder / "001-a.sql").rename(folder / "002-b.sql")
    write({"002-b.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    with pytest.raises(UsageError, match="not finished") as caught:
        runner.forget(["001-a"])
    assert "pgcontract migrate repair --clear 1" in (caught.value.remedy or "")
    runner.clear(1)


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


def test_a_database_with_nothing_in_it_is_not_adopted_by_mistake(empty_database: str, write: Write) -> None:
    """All migrations would count as applied; with a number it is a person's word."""
    runner = Runner(empty_database, write(THREE))
    with pytest.raises(MigrationError, match="nothing in this database") as caught:
        runner.baseline()
    assert "migrate up" in (caught.value.remedy or "")
    assert runner.status().executed == 0
    assert runner.baseline(1).names == ("001-m1",)


def test_a_migration_that_is_still_to_be_written_is_not_applied(empty_database: str, write: Write) -> None:
    """What is written into it later would be an edit of what was applied, and never run."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    path = create(folder, "add-notes")
    with pytest.raises(MigrationError, match="still to be written") as caught:
        Runner(empty_database, folder).up()
    assert caught.value.where == str(path)
    assert Runner(empty_database, folder).status().executed == 0
    path.write_text("-- Nothing changes.\n\n-- ROLLBACK\n-- and so there is nothing to undo\n")
    assert Runner(empty_database, folder).up().executed == 2


def test_a_statement_that_takes_too_long_is_ended(empty_database: str, write: Write) -> None:
    """Files may set another limit for themselves."""
    folder = write({"001-slow.sql": "SELECT pg_sleep(20);\n-- ROLLBACK\n-- none\n"})
    with pytest.raises(MigrationFailed) as caught:
        Runner(empty_database, folder, statement_timeout=0.2).up()
    assert caught.value.sqlstate == "57014"
    write({"001-slow.sql": "SET statement_timeout = 0;\nSELECT pg_sleep(0.3);\n-- ROLLBACK\n-- none\n"})
    assert Runner(empty_database, folder, statement_timeout=0.2).up().pending == 0


def test_what_the_environment_sets_for_sessions_holds(
    empty_database: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PGOPTIONS is libpq's own way to set a timeout, a role or a path; the runner's own settings come on top."""
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=200ms -c lock_timeout=7s")
    folder = write({"001-slow.sql": "SELECT pg_sleep(20);\n-- ROLLBACK\n-- none\n"})
    with pytest.raises(MigrationFailed) as caught:
        Runner(empty_database, folder).up()
    assert caught.value.sqlstate == "57014"
    asked = "DO $$ BEGIN ASSERT current_setting('lock_timeout') = '7s'; END $$;\n"
    write({"001-slow.sql": f"{asked}SELECT pg_sleep(0.3);\n-- ROLLBACK\n-- none\n"})
    assert Runner(empty_database, folder, statement_timeout=10).up().pending == 0


def test_a_part_of_the_dsn_that_cannot_be_read_is_told(write: Write) -> None:
    """As what it is, and where: the driver itself refuses it, before it asks anybody."""
    with pytest.raises(ServerError, match="No connection") as caught:
        Runner("host=/nowhere connect_timeout=soon", write(THREE)).status()
    assert "'soon'" in (caught.value.seen or "")


def test_a_session_that_only_reads_is_told_to_go_elsewhere(empty_database: str, write: Write) -> None:
    """It is no migration's fault."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    with pytest.raises(MigrationError) as caught:
        Runner(empty_database, folder, settings={"default_transaction_read_only": "on"}).up()
    assert "primary" in (caught.value.remedy or "")


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


def test_a_gap_in_the_numbers_is_told_and_stops_nothing(empty_database: str, write: Write) -> None:
    """By `up`, by a plan and by `status`; one that a missing file has left is none."""
    folder = write({name: text for name, text in THREE.items() if name != "002-m2.sql"})
    events: list[Event] = []
    runner = Runner(empty_database, folder, on_event=events.append)
    told = [("003-m3", "no migration bears the number 2")]
    assert len(runner.plan()) == 2
    assert [(event.name, event.detail) for event in events if event.kind == "gap"] == told
    events.clear()
    assert runner.up().pending == 0
    assert [(event.name, event.detail) for event in events if event.kind == "gap"] == told
    assert list(runner.status().gaps) == told
    write({"006-m6.sql": "SELECT 6;\n-- ROLLBACK\n-- none\n", "002-m2.sql": THREE["002-m2.sql"]})
    runner.up(allow=["out-of-order"])
    assert [text for _, text in runner.status().gaps] == ["no migration bears the number 4 to 5"]
    (folder / "002-m2.sql").unlink()
    assert [name for name, _ in runner.status().gaps] == ["006-m6"]


@pytest.mark.parametrize("new", ["002-better", "004-m2"])
def test_a_file_that_was_renamed_is_not_applied_again(empty_database: str, write: Write, new: str) -> None:
    """Whatever is allowed; it is known by its text, and takes its old name, or `repair` takes the new one."""
    folder = write(THREE)
    runner = Runner(empty_database, folder)
    runner.up(2)
    (folder / "002-m2.sql").rename(folder / f"{new}.sql")
    for command in (
        runner.up,
        runner.plan,
        runner.down,
        lambda: runner.up(allow=["missing", "out-of-order", "edited"]),
    ):
        with pytest.raises(MigrationError, match="renamed") as caught:
            command()
        assert caught.value.where == str(folder / f"{new}.sql")
        assert "002-m2" in (caught.value.seen or "")
        assert "repair --accept 2" in (caught.value.remedy or "")
    status = runner.status()
    states = {entry.name: (entry.state, entry.recorded_as) for entry in status.entries}
    assert states == {"001-m1": ("applied", None), new: ("renamed", "002-m2"), "003-m3": ("pending", None)}
    assert (status.total, status.executed, status.pending, status.sound) == (3, 2, 1, False)
    assert runner.accept([2]) == (new,)
    assert {entry.name: entry.state for entry in runner.status().entries}[new] == "applied"
    result = runner.up(allow=["out-of-order"])
    assert [name for name, _ in result.done] == ["003-m3"]
    assert runner.down(to=0).executed == 0
    assert execute(empty_database, "SELECT relname FROM pg_class WHERE relname ~ '^t[0-9]$'") == []


def test_a_new_file_with_a_text_that_was_applied_before_is_no_renamed_one(empty_database: str, write: Write) -> None:
    """As long as the old one is there; and a missing one with another text stays missing."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n", "002-b.sql": "SELECT 2;\n-- ROLLBACK\n-- none\n"})
    runner = Runner(empty_database, folder)
    runner.up()
    write({"003-c.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    assert [entry.state for entry in runner.status().entries] == ["applied", "applied", "pending"]
    (folder / "002-b.sql").unlink()
    assert [entry.state for entry in runner.status().entries] == ["applied", "missing", "pending"]
    with pytest.raises(UsageError):
        runner.accept([2])

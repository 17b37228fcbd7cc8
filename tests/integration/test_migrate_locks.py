"""Migrations that wait for a lock: who holds it is told, and what to do, however short the wait was."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import psycopg
import pytest

from pgcontract.migrations import Event, MigrationFailed, Runner
from tests.integration.fix_migrations import Write

pytestmark = pytest.mark.thorough

ONE = {"001-m1.sql": "CREATE TABLE t1 (v TEXT);\n-- ROLLBACK\nDROP TABLE t1;\n"}
THREE = {f"{n:03}-m{n}.sql": f"CREATE TABLE t{n} (v TEXT);\n-- ROLLBACK\nDROP TABLE t{n};\n" for n in range(1, 4)}


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


@pytest.mark.parametrize("milliseconds", [1, 20, 60])
@pytest.mark.parametrize("by_file", [False, True], ids=["option", "the file's own"])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t1 ADD COLUMN w INT",
        'CREATE INDEX i ON "public".T1 (v)',
        "DROP INDEX t1_v",
        "UPDATE t1 SET v = 'card 4111'",
        "DO $$ BEGIN EXECUTE 'DROP TABLE t1'; END $$",
        "LOCK TABLE t1 IN ACCESS EXCLUSIVE MODE NOWAIT",
    ],
)
def test_a_wait_that_is_too_short_to_be_seen_ends_with_who_holds_the_lock(
    empty_database: str, write: Write, statement: str, milliseconds: int, *, by_file: bool
) -> None:
    """Process, program, user, since when, no values; the remedy does not blame the file."""
    first = ONE["001-m1.sql"].replace(";\n--", "; CREATE INDEX t1_v ON t1 (v); INSERT INTO t1 VALUES ('a');\n--", 1)
    setting = f"SET lock_timeout = '{milliseconds}ms';\n" if by_file else ""
    folder = write({"001-m1.sql": first, "002-wait.sql": f"{setting}{statement};\n-- ROLLBACK\n-- none\n"})
    runner = Runner(empty_database, folder, lock_timeout=None if by_file else milliseconds / 1000)
    runner.up(1)
    with psycopg.connect(empty_database, application_name="the-till") as holder:
        holder.execute("UPDATE t1 SET v = 'hunter2'")
        with pytest.raises(MigrationFailed) as caught:
            runner.up()
        error = caught.value
        assert error.sqlstate == "55P03"
        for word in (f"process {holder.info.backend_pid}", "the-till", f"user {holder.info.user}", "since 20"):
            assert word in str(error)
        assert "hunter2" not in str(error)
        assert "correct the file" not in (error.remedy or "")
        assert "pg_terminate_backend" in (error.remedy or "")
        assert "run again" in (error.remedy or "")
    assert runner.up().pending == 0


def test_a_wait_at_commit_ends_with_who_holds_the_lock(empty_database: str, write: Write) -> None:
    """A deferred foreign key, whose parent somebody is changing: no statement of the file says so."""
    first = (
        "CREATE TABLE a (id INT PRIMARY KEY);\nINSERT INTO a VALUES (1);\n"
        "CREATE TABLE b (id INT REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);\n-- ROLLBACK\nDROP TABLE b, a;\n"
    )
    folder = write({"001-a.sql": first, "002-b.sql": "INSERT INTO b VALUES (1);\n-- ROLLBACK\nDELETE FROM b;\n"})
    runner = Runner(empty_database, folder, lock_timeout=0.05)
    runner.up(1)
    with psycopg.connect(empty_database, application_name="the-till") as holder:
        holder.execute("UPDATE a SET id = 2")
        with pytest.raises(MigrationFailed, match="the-till") as caught:
            runner.up()
        holder.rollback()
    assert (caught.value.sqlstate, caught.value.ordinal) == ("55P03", 0)
    assert "pg_terminate_backend" in (caught.value.remedy or "")
    assert runner.up().pending == 0


def test_where_nobody_can_be_found_the_remedy_is_still_to_wait(empty_database: str, write: Write) -> None:
    """An advisory lock belongs to nothing that a statement names."""
    folder = write({"001-lock.sql": "SET lock_timeout = '5ms';\nSELECT pg_advisory_lock(7);\n-- ROLLBACK\n-- none\n"})
    with psycopg.connect(empty_database) as holder:
        holder.execute("SELECT pg_advisory_lock(7)")
        with pytest.raises(MigrationFailed) as caught:
            Runner(empty_database, folder).up()
    assert (caught.value.sqlstate, caught.value.holders) == ("55P03", "")
    assert "run again later" in (caught.value.remedy or "")


def test_outside_a_transaction_the_remedy_is_to_wait_and_go_on(empty_database: str, write: Write) -> None:
    """What has finished is not run again, and nothing is to be corrected."""
    text = "-- no-transaction\nSET lock_timeout = '20ms';\nVACUUM FULL t1;\n-- ROLLBACK\n-- none\n"
    folder = write({**ONE, "002-vacuum.sql": text})
    runner = Runner(empty_database, folder)
    runner.up(1)
    with psycopg.connect(empty_database, application_name="the-till") as holder:
        holder.execute("SELECT v FROM t1")
        with pytest.raises(MigrationFailed, match="the-till") as caught:
            runner.up()
    remedy = caught.value.remedy or ""
    assert "pg_terminate_backend" in remedy
    assert "goes on from there" in remedy
    assert "correct" not in remedy
    assert runner.up().pending == 0


def test_a_statement_that_takes_too_long_does_not_blame_the_file(empty_database: str, write: Write) -> None:
    """It had too little time."""
    folder = write({"001-slow.sql": "SELECT pg_sleep(20);\n-- ROLLBACK\n-- none\n"})
    with pytest.raises(MigrationFailed) as caught:
        Runner(empty_database, folder, statement_timeout=0.1).up()
    assert "--statement-timeout" in (caught.value.remedy or "")


def test_a_wait_is_told_once_on_the_terminal(empty_database: str, write: Write) -> None:
    """By the command, and not by the log as well, where nobody has asked for one."""
    folder = write({**ONE, "002-wait.sql": "ALTER TABLE t1 ADD COLUMN w INT;\n-- ROLLBACK\n-- none\n"})
    Runner(empty_database, folder).up(1)
    command = [sys.executable, "-m", "pgcontract", "migrate", "up", str(folder), "--dsn", empty_database]
    with psycopg.connect(empty_database, application_name="the-till") as holder:
        holder.execute("SELECT v FROM t1")
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
        ) as running:
            threading.Timer(1.5, holder.rollback).start()
            _, told = running.communicate(timeout=30)
    lines = told.splitlines()
    assert [line.startswith("waiting     002-wait for a lock held by process") for line in lines] == [True], lines

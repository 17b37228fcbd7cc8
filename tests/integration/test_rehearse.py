"""The rehearsal of migrations: clean systems, and each thing that it is there to find, planted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from pgcontract.cli.migrate import app
from pgcontract.errors import MigrationError, PgContractError, UsageError
from pgcontract.migrations.files import load_directory
from pgcontract.rehearse import blocks, rehearse_on
from pgcontract.server import Server, Template
from pgcontract.system import System
from tests.contract.fix_systems import PATHS
from tests.integration.fix_migrations import Write
from tests.integration.fix_rehearse import FIRST, PEOPLE, failures, lock_on, planted, rehearsed, second
from tests.integration.fix_server import TEST_MAJOR

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_every_system_is_clean(quiet_server: Server, path: Path) -> None:
    """Each rollback leads back to the step before, and up again to the same; locks are on tables that were there."""
    system = System.load(path)
    assert system.migrations is not None
    result = rehearse_on(quiet_server, system)
    assert result.clean, [step.failures for step in result.steps]
    assert [step.name for step in result.steps] == [m.name for m in load_directory(system.migrations)]
    assert all(step.up_seconds and step.down_seconds and step.again_seconds for step in result.steps)
    assert result.steps[0].locks == ()
    assert all(0 < lock.seconds <= (step.up_seconds or 0) for step in result.steps for lock in step.locks)
    left = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
    with psycopg.connect(quiet_server.address.dsn(), autocommit=True) as connection:
        ours = f"pgcontract_c_{quiet_server._databases.run}_"
        assert connection.execute(left, (ours,)).fetchall() == []


def test_a_rollback_that_forgets_something_is_shown_and_the_next_is_not_blamed(
    pgcontract_server: Server, write: Write
) -> None:
    """What it left is named as drift names it; the third migration is rehearsed on a sound schema."""
    files = second(
        "ALTER TABLE people ADD COLUMN age INT; CREATE INDEX idx_people_name ON people (name);",
        "ALTER TABLE people DROP COLUMN age;",
    )
    third: dict[str, str | bytes] = {
        "003-next.sql": "ALTER TABLE people ADD COLUMN city TEXT;\n-- ROLLBACK\nALTER TABLE people DROP COLUMN city;\n"
    }
    result = rehearsed(pgcontract_server, write(files | third))
    assert not result.clean
    assert result.left_out == ()
    _, forgetful, after = result.steps
    # the index is left, and so it cannot be made again
    assert failures(forgetful) == [
        "its rollback does not lead back to what was there before",
        "up fails after its rollback",
    ]
    (detail,) = forgetful.failures[0].details
    assert "idx_people_name" in detail
    assert "was added" in detail
    assert after.failures == ()


LEFT_OUT = (
    ("CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple);", "plain: the text search configuration was added"),
    ("COMMENT ON TABLE people IS 'who they are';", "table public.people: the comment was added"),
    ("CREATE STATISTICS both_names ON name, nickname FROM people;", "public.both_names: the statistics object"),
    ("CREATE CAST (text AS bigint) WITH INOUT;", "the cast was added"),
    (
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = %L', current_database(), '7MB'); END $$;",
        "work_mem: the setting of the database was added",
    ),
)


def test_what_contracts_leave_out_is_not_forgotten_either(pgcontract_server: Server, write: Write) -> None:
    """A rollback that leaves a comment, statistics, a cast, a search configuration or a setting is a bad one."""
    files: dict[str, str | bytes] = {
        f"{number:03}-leaves.sql": f"{up}\n-- ROLLBACK\n-- nothing to undo\n"
        for number, (up, _) in enumerate(LEFT_OUT, 2)
    }
    result = rehearsed(pgcontract_server, write({"001-people.sql": FIRST} | files))
    assert result.left_out == ()
    for step, (_, what) in zip(result.steps[1:], LEFT_OUT, strict=True):
        assert step.failures[0].what == "its rollback does not lead back to what was there before"
        (detail,) = step.failures[0].details
        assert what in detail


def test_a_rollback_that_fails_names_its_line(pgcontract_server: Server, write: Write) -> None:
    """And what comes after it is rehearsed on what up has made."""
    step = planted(pgcontract_server, write, "ALTER TABLE people ADD COLUMN age INT;", "\nDROP TABLE nobody;")
    assert failures(step) == ["its rollback fails"]
    assert "002-planted.sql:4 (statement 1)" in step.failures[0].details[1]
    assert step.down_seconds is None
    assert step.again_seconds is None


def test_an_empty_rollback_section_is_a_failure_and_a_comment_is_none(pgcontract_server: Server, write: Write) -> None:
    """Nothing at all is a file that was never finished; a comment is an author's word."""
    assert failures(planted(pgcontract_server, write, "SELECT 1;", "")) == ["there is nothing in its rollback section"]
    assert failures(planted(pgcontract_server, write, "SELECT 1;", "-- nothing to undo")) == []


def test_after_a_migration_that_cannot_be_applied_the_rest_is_left_out(pgcontract_server: Server, write: Write) -> None:
    """It is named with the statement; those after it are named, too."""
    files = second("SELECT 1;\nSELECT 1/0;")
    result = rehearsed(pgcontract_server, write(files | {"003-next.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"}))
    assert failures(result.steps[-1]) == ["up fails"]
    assert "002-planted.sql:2 (statement 2)" in result.steps[-1].failures[0].details[1]
    assert result.left_out == ("003-next",)
    assert not result.clean


def test_access_exclusive_on_a_table_that_was_there_is_shown_with_its_line(
    pgcontract_server: Server, write: Write
) -> None:
    """From the statement that takes it to the end of the transaction: a slow statement after it makes it worse."""
    up = "SELECT pg_sleep(0.05);\nALTER TABLE people ADD COLUMN age INT;\nSELECT pg_sleep(0.2);"
    step = planted(pgcontract_server, write, up, "ALTER TABLE people DROP COLUMN age;")
    assert step.failures == ()
    lock = lock_on(step)
    assert (lock.mode, lock.blocks, lock.line) == ("ACCESS EXCLUSIVE", "reads and writes", 2)
    assert step.up_seconds is not None
    assert 0.2 <= lock.seconds <= step.up_seconds - 0.05
    assert step.rewritten == ()
    assert [lock.mode for lock in step.undo_locks] == ["ACCESS EXCLUSIVE"]


LOCKING = (
    ("SELECT FROM people", "ACCESS SHARE", "nothing"),
    ("SELECT FROM people FOR UPDATE", "ROW SHARE", "nothing"),
    ("UPDATE people SET nickname = name", "ROW EXCLUSIVE", "nothing"),
    ("ALTER TABLE people ALTER COLUMN name SET STATISTICS 200", "SHARE UPDATE EXCLUSIVE", "nothing"),
    ("CREATE INDEX i ON people (name)", "SHARE", "writes"),
    ("CREATE TABLE pets (owner BIGINT REFERENCES people)", "SHARE ROW EXCLUSIVE", "writes"),
    ("LOCK TABLE people IN EXCLUSIVE MODE", "EXCLUSIVE", "writes"),
    ("TRUNCATE people CASCADE", "ACCESS EXCLUSIVE", "reads and writes"),
)


def test_what_a_lock_is_said_to_block_is_blocked(pgcontract_server: Server, write: Write) -> None:
    """Each mode, as PostgreSQL grants it; and whether another session can read and write is tried."""
    files: dict[str, str | bytes] = {
        f"{number:03}-locks.sql": f"{statement};\n-- ROLLBACK\n-- none\n"
        for number, (statement, _, _) in enumerate(LOCKING, 2)
    }
    result = rehearsed(pgcontract_server, write({"001-people.sql": FIRST} | files))
    for step, (statement, mode, blocked) in zip(result.steps[1:], LOCKING, strict=True):
        assert (lock_on(step).mode, lock_on(step).blocks, blocks(mode)) == (mode, blocked, blocked), statement
        assert _refused(pgcontract_server, statement) == blocked


def _refused(server: Server, statement: str) -> str:
    """What another session cannot do while a transaction holds what the statement took."""
    refused = []
    with (
        server.clone(server.template(_people())) as clone,
        psycopg.connect(clone.dsn) as holder,
        psycopg.connect(clone.dsn, autocommit=True) as other,
    ):
        holder.execute(statement.encode())
        other.execute("SET lock_timeout = '50ms'")
        for what, tried in (("reads", "SELECT FROM people"), ("writes", "INSERT INTO people (name) VALUES ('x')")):
            try:
                other.execute(tried.encode())
            except psycopg.errors.LockNotAvailable:
                refused.append(what)
    return " and ".join(refused) or "nothing"


def _people() -> Template:
    def apply(dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(FIRST.partition("-- ROLLBACK")[0].encode())

    return Template("tests: rehearse: people", apply)


REWRITING = (
    ("ALTER TABLE people ALTER COLUMN id TYPE NUMERIC USING id::NUMERIC", True),
    ("ALTER TABLE people ADD COLUMN made TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()", True),
    ("ALTER TABLE people ADD COLUMN seen TIMESTAMPTZ NOT NULL DEFAULT now()", False),
    ("ALTER TABLE people ALTER COLUMN nickname SET NOT NULL", False),
    ("TRUNCATE people", True),
)


def test_a_migration_that_rewrites_a_table_is_told_from_one_that_does_not(
    pgcontract_server: Server, write: Write
) -> None:
    """The table has another file afterwards; an identity column, which keeps its type, is left out."""
    files: dict[str, str | bytes] = {
        f"{number:03}-changes.sql": f"{statement};\n-- ROLLBACK\n-- none\n"
        for number, (statement, _) in enumerate(REWRITING, 2)
    }
    plain = FIRST.replace(" GENERATED ALWAYS AS IDENTITY", "")
    result = rehearsed(pgcontract_server, write({"001-people.sql": plain} | files))
    for step, (statement, rewritten) in zip(result.steps[1:], REWRITING, strict=True):
        assert (PEOPLE in step.rewritten) is rewritten, statement


def test_an_index_that_is_made_concurrently_blocks_nobody(pgcontract_server: Server, write: Write) -> None:
    """Its locks are gone before the session could be asked: another one looks on."""
    up = "-- no-transaction\nCREATE INDEX CONCURRENTLY idx_people_name ON people (name);"
    step = planted(pgcontract_server, write, up, "DROP INDEX CONCURRENTLY idx_people_name;", rows=20_000)
    assert step.failures == ()
    assert not step.in_transaction
    assert (lock_on(step).mode, lock_on(step).blocks) == ("SHARE UPDATE EXCLUSIVE", "nothing")
    assert lock_on(step).line == 2
    assert step.filled is not None
    assert step.filled.rows == {PEOPLE: 20_000}


def test_a_migration_without_a_transaction_that_fails_in_the_middle_is_found(
    pgcontract_server: Server, write: Write
) -> None:
    """What it has done by then stays; it cannot be gone on from."""
    up = "-- no-transaction\nCREATE INDEX CONCURRENTLY a ON people (name);\nCREATE INDEX CONCURRENTLY b ON people (no);"
    step = planted(pgcontract_server, write, up, "DROP INDEX CONCURRENTLY a;")
    assert failures(step) == ["up fails"]
    assert "002-planted.sql:3" in step.failures[0].details[1]


def test_a_role_that_a_migration_makes_is_made_again_after_its_rollback_only(
    pgcontract_server: Server, write: Write
) -> None:
    """Roles belong to the whole server: no two databases of a rehearsal hold the migration at the same time."""
    name = f"rehearsed_{os.getpid()}"
    up = f"CREATE ROLE {name};\nGRANT SELECT ON people TO {name};\nALTER TABLE people ADD COLUMN age INT;"
    down = f"ALTER TABLE people DROP COLUMN age;\nREVOKE SELECT ON people FROM {name};\nDROP ROLE {name};"
    try:
        step = planted(pgcontract_server, write, up, down, rows=10)
    finally:
        with psycopg.connect(pgcontract_server.address.dsn(), autocommit=True) as connection:
            connection.execute(f"DROP ROLE IF EXISTS {name}".encode())
    assert step.failures == ()
    assert step.filled is not None
    assert step.filled.down_seconds is not None


def run(*words: str | Path) -> tuple[int, str]:
    """The command's exit code and what it printed. Raises what it raises."""
    result = CliRunner().invoke(app, ["rehearse", *map(str, words)])
    if isinstance(result.exception, PgContractError):
        raise result.exception
    return result.exit_code, result.stdout if "-" in words else result.output


def test_the_command_prints_one_table_then_what_failed_and_writes_json(write: Write, tmp_path: Path) -> None:
    """Exit 0 where all is clean, 1 where something failed; the JSON says the same."""
    folder = write(second("ALTER TABLE people ADD COLUMN age INT NOT NULL;", "ALTER TABLE people DROP COLUMN age;"))
    file = tmp_path / "rehearsal.json"
    code, output = run(folder, "--pg", str(TEST_MAJOR), "--json", file)
    assert code == 0, output
    lines = output.splitlines()
    assert lines[0].split() == ["migration", "up", "down", "lock", "on", "blocks", "for"]
    assert "ACCESS EXCLUSIVE" in lines[2]
    assert "reads and writes" in lines[2]
    assert lines[-1].startswith(
        f"✓ {folder}: 2 of 2 migrations rehearsed without a failure, on PostgreSQL {TEST_MAJOR}"
    )
    code, output = run(folder, "--pg", str(TEST_MAJOR), "--rows", "20", "--json", file)
    assert code == 1, output
    assert "refused" in output
    assert "failed 002-planted: up fails on populated tables\n    The file failed:" in output
    written = json.loads(file.read_text())
    assert (written["format"], written["rows"], written["clean"]) == (1, 20, False)
    _, planted_one = written["migrations"]
    assert planted_one["locks"][0]["blocks"] == "reads and writes"
    assert planted_one["populated"]["rows"] == {"people": 20}
    assert planted_one["failures"][0]["what"] == "up fails on populated tables"
    code, output = run(folder, "--pg", str(TEST_MAJOR), "--json", "-")
    assert (code, json.loads(output)["clean"]) == (0, True)


def test_bad_input_ends_before_any_server_is_started(write: Write, tmp_path: Path) -> None:
    """A single file, an empty or absent folder, a file that is wrong, fewer than no rows."""
    (tmp_path / "schema.sql").write_text("CREATE TABLE t ();")
    (tmp_path / "empty" / "migrations").mkdir(parents=True)
    (tmp_path / "bare").mkdir()
    for path in (tmp_path / "schema.sql", tmp_path / "absent"):
        with pytest.raises(UsageError):
            run(path)
    for name in ("empty", "bare"):
        with pytest.raises(MigrationError, match="no migrations"):
            run(tmp_path / name)
    with pytest.raises(MigrationError, match="no line"):
        run(write({"001-a.sql": "SELECT 1;"}))
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    assert run(folder, "--rows", "-1")[0] == 2
    with pytest.raises(UsageError, match="one system's"):
        run("--json", tmp_path / "all.json")
    with pytest.raises(UsageError, match="cannot be written"):
        # before the rehearsal: no such server can be started
        run(folder, "--pg", "14", "--json", tmp_path / "absent" / "file.json")

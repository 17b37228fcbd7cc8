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
from pgcontract.model import Name
from pgcontract.rehearse import Lock, Rehearsal, Step, blocks, rehearse_on
from pgcontract.rehearse.kept import Fate, judged
from pgcontract.rehearse.running import only_defines
from pgcontract.server import Server, Template
from pgcontract.system import System
from tests.contract.fix_systems import PATHS
from tests.integration.fix_migrations import Write
from tests.integration.fix_server import TEST_MAJOR

pytestmark = pytest.mark.thorough

PEOPLE = Name("public", "people")
FIRST = """
CREATE TABLE people (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  name TEXT NOT NULL,
  nickname TEXT,
  CONSTRAINT pk_people PRIMARY KEY (id)
);
-- ROLLBACK
DROP TABLE people;
"""


def second(up: str, down: str = "-- nothing to undo") -> dict[str, str | bytes]:
    """A table in the first migration, and what is planted in the second."""
    return {"001-people.sql": FIRST, "002-planted.sql": f"{up}\n-- ROLLBACK\n{down}\n"}


def rehearsed(server: Server, folder: Path, *, rows: int = 0) -> Rehearsal:
    return rehearse_on(server, System.load(folder), rows=rows)


def planted(server: Server, write: Write, up: str, down: str = "-- nothing to undo", *, rows: int = 0) -> Step:
    """What is found of the second migration; the first is clean."""
    result = rehearsed(server, write(second(up, down)), rows=rows)
    first, step = result.steps
    assert first.failures == ()
    assert first.locks == ()
    return step


def failures(step: Step) -> list[str]:
    return [failure.what for failure in step.failures]


def lock_on(step: Step, name: Name = PEOPLE) -> Lock:
    (found,) = [lock for lock in step.locks if lock.table == name]
    return found


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


@pytest.mark.parametrize("path", [p for p in PATHS if p.name != "messenger"], ids=lambda path: path.name)
def test_rows_survive_every_migration_of_the_systems(pgcontract_server: Server, path: Path) -> None:
    """Rows written under the schema before each migration are there after it, and after its rollback."""
    result = rehearse_on(pgcontract_server, System.load(path), rows=200)
    assert result.clean, [step.failures for step in result.steps]
    tried = [step.filled for step in result.steps if step.filled is not None and any(step.filled.rows.values())]
    assert len(tried) == len(result.steps) - 1
    assert all(filled.not_filled == {} and filled.changed == () and filled.up_seconds for filled in tried)


def test_a_migration_that_refuses_rows_of_the_schema_before_it_is_named(pgcontract_server: Server) -> None:
    """The second migration of messenger adds limits, which rows under the first need not keep: it would stop there."""
    (path,) = [path for path in PATHS if path.name == "messenger"]
    result = rehearse_on(pgcontract_server, System.load(path), rows=100)
    _, integrity = result.steps
    assert failures(integrity) == ["up fails on populated tables"]
    assert "SQLSTATE 23514" in integrity.failures[0].details[0]
    assert lock_on(integrity, Name("public", "users")).blocks == "reads and writes"


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


def test_a_migration_that_loses_rows_is_found(pgcontract_server: Server, write: Write) -> None:
    """Rows that it deletes are counted, by the key: others that it inserts do not make up for them."""
    up = "DELETE FROM people WHERE id % 2 = 0;\nINSERT INTO people (name) SELECT 'new' FROM generate_series(1, 200);"
    step = planted(pgcontract_server, write, up, rows=100)
    assert failures(step) == ["rows do not survive"]
    assert step.filled is not None
    assert step.filled.rows == {PEOPLE: 100}
    assert step.failures[0].details == ("people: 50 of 100 rows are gone after it",)


def test_a_cascade_that_is_seen_on_rows_only_is_found(pgcontract_server: Server, write: Write) -> None:
    """On empty tables the DELETE locks one of them; on full ones the other loses its rows, too."""
    pets = (
        "CREATE TABLE pets (id BIGINT PRIMARY KEY, owner BIGINT NOT NULL REFERENCES people ON DELETE CASCADE);"
        "\n-- ROLLBACK\nDROP TABLE pets;\n"
    )
    files = {"001-people.sql": FIRST, "002-pets.sql": pets, "003-purge.sql": "DELETE FROM people;\n-- ROLLBACK\n--\n"}
    result = rehearsed(pgcontract_server, write(files), rows=50)
    purge = result.steps[-1]
    assert {lock.table.name for lock in purge.locks} == {"people", "pets"}
    (failure,) = purge.failures
    assert "pets: 50 of 50 rows are gone after it" in failure.details


def test_a_column_that_the_rollback_brings_back_empty_is_a_loss(pgcontract_server: Server, write: Write) -> None:
    """A dropped column is judged after the rollback, and so is a dropped table."""
    step = planted(
        pgcontract_server,
        write,
        "ALTER TABLE people DROP COLUMN name;",
        "ALTER TABLE people ADD COLUMN name TEXT NOT NULL DEFAULT '';",
        rows=100,
    )
    told = [detail for failure in step.failures for detail in failure.details if "brings the column back" in detail]
    assert len(told) == 1
    assert told[0].startswith("people: name has another value in ")
    dropped = planted(pgcontract_server, write, "DROP TABLE people;", FIRST.partition("-- ROLLBACK")[0], rows=100)
    assert dropped.failures[-1].details == ("people: 100 of 100 rows are gone after its rollback",)


def test_a_column_that_is_renamed_and_renamed_back_loses_nothing(pgcontract_server: Server, write: Write) -> None:
    """Neither does a table: what both have by name is compared, and in the end all of it is back."""
    step = planted(
        pgcontract_server,
        write,
        "ALTER TABLE people RENAME COLUMN nickname TO alias;\nALTER TABLE people RENAME TO persons;",
        "ALTER TABLE persons RENAME TO people;\nALTER TABLE people RENAME COLUMN alias TO nickname;",
        rows=100,
    )
    assert step.failures == ()
    assert step.filled is not None
    assert (step.filled.lost, step.filled.changed) == ((), ())


def test_values_that_a_migration_changes_are_told_and_are_no_failure(pgcontract_server: Server, write: Write) -> None:
    """Which column and in how many rows; migrations do that on purpose."""
    step = planted(pgcontract_server, write, "UPDATE people SET name = 'x' || name;", rows=100)
    assert step.failures == ()
    assert step.filled is not None
    assert step.filled.changed == ("people: name has another value in 100 of 100 rows after it",)


def test_a_migration_that_fails_on_populated_tables_only_is_found(pgcontract_server: Server, write: Write) -> None:
    """A new column that is NOT NULL without a default is added to an empty table without a word."""
    step = planted(
        pgcontract_server,
        write,
        "ALTER TABLE people ADD COLUMN age INT;\nALTER TABLE people ALTER COLUMN age SET NOT NULL;",
        "ALTER TABLE people DROP COLUMN age;",
        rows=10,
    )
    assert failures(step) == ["up fails on populated tables"]
    assert "SQLSTATE 23502" in step.failures[0].details[0]
    assert "002-planted.sql:2 (statement 2)" in step.failures[0].details[1]
    assert step.up_seconds is not None
    assert step.again_seconds is not None
    assert step.filled is not None
    assert step.filled.up_seconds is None


def test_a_rollback_that_fails_on_populated_tables_only_is_found(pgcontract_server: Server, write: Write) -> None:
    """Rows that up allows and that the schema before refuses."""
    step = planted(
        pgcontract_server,
        write,
        "ALTER TABLE people ALTER COLUMN name DROP NOT NULL;\nUPDATE people SET name = NULL;",
        "ALTER TABLE people ALTER COLUMN name SET NOT NULL;",
        rows=10,
    )
    assert failures(step) == ["its rollback fails on populated tables"]


def test_time_on_populated_tables_grows_with_the_rows_and_the_lock_with_it(
    pgcontract_server: Server, write: Write
) -> None:
    """Who only looks at empty tables does not see what stops production."""
    # a millisecond a row: to be told from an empty table on every machine
    up = "ALTER TABLE people ADD CONSTRAINT chk_slow CHECK (pg_sleep(0.001) IS NOT NULL);"
    step = planted(pgcontract_server, write, up, "ALTER TABLE people DROP CONSTRAINT chk_slow;", rows=500)
    assert step.failures == ()
    assert step.filled is not None
    assert step.filled.rows == {PEOPLE: 500}
    assert step.filled.up_seconds is not None
    assert step.up_seconds is not None
    assert step.up_seconds < 0.5 <= lock_on(step).seconds <= step.filled.up_seconds


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


def test_what_may_touch_rows_of_other_tables_is_tried_on_all_of_them(write: Write) -> None:
    """Statements that define things touch what they lock; whatever else there is may do more on full tables."""
    for text, answer in {
        "ALTER TABLE people ADD COLUMN a INT; CREATE INDEX i ON people (a); GRANT SELECT ON people TO PUBLIC;": True,
        "CREATE TABLE a (b INT REFERENCES people); COMMENT ON TABLE a IS 'x'; DROP TABLE a;": True,
        "DO $$ BEGIN END $$;": False,
        "SELECT f();": False,
        "CREATE TABLE a AS SELECT * FROM people;": False,
        "ALTER TABLE people ADD COLUMN a INT; UPDATE people SET a = 1;": False,
    }.items():
        (_, migration) = load_directory(write(second(text)))
        assert only_defines(migration) is answer, text


def test_what_rows_have_come_to_is_judged_without_a_database() -> None:
    """Rows gone are lost; values of a column that stayed are changed; those of one that was away are lost."""
    everything = frozenset({"id", "name"})
    fine = {PEOPLE: Fate(10, 0, everything)}
    assert judged(fine, fine) == ((), ())
    assert judged(fine, None) == ((), ())
    assert judged({PEOPLE: Fate(10, 3, everything)}, None)[0] == ("people: 3 of 10 rows are gone after it",)
    # once is enough
    assert len(judged({PEOPLE: Fate(10, 3, everything)}, {PEOPLE: Fate(10, 3, everything)})[0]) == 1
    assert judged(fine, {PEOPLE: Fate(10, None)})[0] == ("people: 10 of 10 rows are gone after its rollback",)
    differing = {PEOPLE: Fate(10, 0, everything, {"name": 4})}
    assert judged({PEOPLE: Fate(10, 0, frozenset({"id"}))}, differing)[0]
    assert judged({PEOPLE: Fate(10, None)}, differing)[0]
    assert judged(differing, fine) == ((), ("people: name has another value in 4 of 10 rows after it",))
    assert judged(fine, differing) == ((), ("people: name has another value in 4 of 10 rows after its rollback",))
    keyless = {PEOPLE: Fate(10, 0, everything, unlike=2)}
    assert "2 of 10" in judged(keyless, fine)[1][0]


def run(*words: str | Path) -> tuple[int, str]:
    """The command's exit code and what it printed. Raises what it raises."""
    result = CliRunner().invoke(app, ["rehearse", *map(str, words)])
    if isinstance(result.exception, PgContractError):
        raise result.exception
    return result.exit_code, result.output


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
        run(folder, "--pg", str(TEST_MAJOR), "--json", tmp_path / "absent" / "file.json")

"""Databases that another tool has migrated: recognised by its table, refused until they are adopted, never written."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from pgcontract.doctor import examine
from pgcontract.errors import MigrationError, UsageError
from pgcontract.migrations import Runner
from pgcontract.system import System
from tests.integration.fix_migrations import Write

THREE = {f"{n:03}-m{n}.sql": f"CREATE TABLE t{n} (v TEXT);\n-- ROLLBACK\nDROP TABLE t{n};\n" for n in range(1, 4)}
# those whose tables list what they have applied: the table, what it is made of, and how it is called
OTHERS = {
    "node-pg-migrate": (
        "pgmigrations",
        (
            "CREATE TABLE pgmigrations (id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL, run_on TIMESTAMP NOT NULL);"
            "INSERT INTO pgmigrations (name, run_on) VALUES ('001-m1', '2024-01-02'), ('002-m2', '2024-01-03')"
        ),
        "node-pg-migrate",
    ),
    "dbmate": (
        "schema_migrations",
        (
            "CREATE TABLE schema_migrations (version VARCHAR(128) PRIMARY KEY);"
            "INSERT INTO schema_migrations VALUES ('001'), ('002')"
        ),
        "dbmate or Rails",
    ),
    "the documents' runner": (
        "migrations",
        (
            "CREATE TABLE migrations (id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE,"
            " file VARCHAR(255) NOT NULL, executed_at TIMESTAMP DEFAULT NOW());"
            "INSERT INTO migrations (name, file) VALUES ('001-m1.sql', '001-m1.sql'), ('002-m2.sql', '002-m2.sql')"
        ),
        "a runner that records (executed_at, file, id, name)",
    ),
}
# those whose tables do not say which files that is
UNLISTED = {
    "golang-migrate": (
        "schema_migrations",
        (
            "CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, dirty BOOLEAN NOT NULL);"
            "INSERT INTO schema_migrations VALUES (2, false)"
        ),
    ),
    "Alembic": (
        "alembic_version",
        (
            "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);"
            "INSERT INTO alembic_version VALUES ('ae1027a6acf')"
        ),
    ),
    "Flyway": (
        "flyway_schema_history",
        (
            "CREATE TABLE flyway_schema_history (installed_rank INT PRIMARY KEY, version VARCHAR(50), description TEXT,"
            " type TEXT, script TEXT, checksum INT, installed_by TEXT, installed_on TIMESTAMP, execution_time INT,"
            " success BOOLEAN)"
        ),
    ),
    "yoyo": (
        "_yoyo_migration",
        "CREATE TABLE _yoyo_migration (migration_hash VARCHAR(64), migration_id TEXT, applied_at_utc TIMESTAMP)",
    ),
    "goose": (
        "goose_db_version",
        "CREATE TABLE goose_db_version (id SERIAL, version_id BIGINT, is_applied BOOLEAN, tstamp TIMESTAMP)",
    ),
    "Sqitch": (
        "sqitch.changes",
        (
            "CREATE SCHEMA sqitch; CREATE TABLE sqitch.changes (change_id TEXT, script_hash TEXT, change TEXT,"
            " project TEXT, note TEXT, committed_at TIMESTAMPTZ, committer_name TEXT, committer_email TEXT,"
            " planned_at TIMESTAMPTZ, planner_name TEXT, planner_email TEXT)"
        ),
    ),
}


def execute(dsn: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def tables(dsn: str) -> set[str]:
    query = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname !~ '^(pg_|information_)'"
    return {str(name).removeprefix("public.") for (name,) in execute(dsn, query)}


@pytest.mark.parametrize("ours", ["same name", "another name"])
@pytest.mark.parametrize("tool", OTHERS)
def test_another_tools_table_is_adopted_and_its_rows_are_kept(
    empty_database: str, write: Write, tool: str, ours: str
) -> None:
    """Where ours needs its name, theirs is kept under another; `up` alone refuses and names the command."""
    table, ddl, called = OTHERS[tool]
    execute(empty_database, ddl)
    rows = execute(empty_database, f"SELECT * FROM {table}")
    execute(empty_database, "CREATE TABLE t1 (v TEXT); CREATE TABLE t2 (v TEXT)")
    there = tables(empty_database)
    runner = Runner(empty_database, write(THREE), tracking_table=table if ours == "same name" else "history")
    for command in (runner.up, runner.plan, runner.status, runner.down):
        with pytest.raises(MigrationError) as caught:
            command()
        assert called in caught.value.what
        assert caught.value.where == table
        assert "pgcontract migrate baseline" in (caught.value.remedy or "")
    assert tables(empty_database) == there
    adopted = runner.baseline()
    assert adopted.names == ("001-m1", "002-m2")
    assert (adopted.tool, str(adopted.table)) == (called, table)
    kept = str(adopted.kept_as) if ours == "same name" else table
    assert (kept != table) == (ours == "same name")
    assert execute(empty_database, f"SELECT * FROM {kept}") == rows
    assert [name for name, _ in runner.up().done] == ["003-m3"]
    if tool == "node-pg-migrate":
        assert str(runner.status().entries[0].applied_at).startswith("2024-01-02")


@pytest.mark.parametrize("tool", UNLISTED)
def test_where_a_table_lists_no_files_a_number_says_how_far_the_database_is(
    empty_database: str, write: Write, tool: str
) -> None:
    """The tool is named all the same, and its table is left as it is."""
    table, ddl = UNLISTED[tool]
    execute(empty_database, f"{ddl}; CREATE TABLE t1 (v TEXT); CREATE TABLE t2 (v TEXT)")
    rows, there = execute(empty_database, f"SELECT * FROM {table}"), tables(empty_database)
    runner = Runner(empty_database, write(THREE))
    for command in (runner.up, runner.status, runner.baseline):
        with pytest.raises(MigrationError, match=tool) as caught:
            command()
        assert "pgcontract migrate baseline --to N" in (caught.value.remedy or "")
    assert tables(empty_database) == there
    adopted = runner.baseline(2)
    assert (adopted.tool, str(adopted.table), adopted.kept_as) == (tool, table, None)
    assert [name for name, _ in runner.up().done] == ["003-m3"]
    assert execute(empty_database, f"SELECT * FROM {table}") == rows


def test_another_applications_table_is_no_obstacle_once_that_is_said(empty_database: str, write: Write) -> None:
    """`baseline --to 0` records nothing; what belongs to a new database runs then."""
    execute(empty_database, OTHERS["dbmate"][1])
    init = write({}).parent / "01-init.sql"
    init.write_text("CREATE TABLE init ();\n")
    runner = Runner(empty_database, write(THREE), init=[init])
    with pytest.raises(MigrationError) as caught:
        runner.up()
    assert "--to 0" in (caught.value.remedy or "")
    assert runner.baseline(0).names == ()
    assert len(runner.up().done) == 3
    assert {"init", "t1", "schema_migrations", "migrations"} <= tables(empty_database)
    assert execute(empty_database, "SELECT version FROM schema_migrations ORDER BY version") == [("001",), ("002",)]
    # after everything was undone, nobody else's table stands in the way again
    runner.down(to=0)
    assert runner.plan()


def test_an_empty_table_of_ours_does_not_hide_another_tools(empty_database: str, write: Write) -> None:
    """What the other tool has not applied is not recorded."""
    runner = Runner(empty_database, write(THREE))
    runner.baseline(0)
    execute(empty_database, f"{OTHERS['node-pg-migrate'][1]}; CREATE TABLE t1 (v TEXT); CREATE TABLE t2 (v TEXT)")
    adopted = runner.baseline()
    assert (adopted.names, adopted.tool) == (("001-m1", "002-m2"), "node-pg-migrate")
    assert [name for name, _ in runner.up().done] == ["003-m3"]


def test_a_table_that_only_bears_the_name_is_nobodys(empty_database: str, write: Write) -> None:
    """One column more, and it is not that tool's; the application may have such a table."""
    execute(
        empty_database, "CREATE TABLE schema_migrations (version TEXT, note TEXT); CREATE VIEW pgmigrations AS SELECT"
    )
    assert Runner(empty_database, write(THREE)).up().pending == 0


def test_a_tracking_table_elsewhere_does_not_hide_the_other_tool(empty_database: str, write: Write) -> None:
    """Ours in a schema of its own, theirs where that tool puts it."""
    execute(empty_database, f"CREATE SCHEMA ops; {OTHERS['node-pg-migrate'][1]}")
    runner = Runner(empty_database, write(THREE), tracking_table="ops.history")
    with pytest.raises(MigrationError, match="node-pg-migrate"):
        runner.up()
    execute(empty_database, "CREATE TABLE t1 (v TEXT); CREATE TABLE t2 (v TEXT)")
    assert str(runner.baseline().table) == "pgmigrations"


@pytest.mark.parametrize(("version", "name"), [("20240131123000", "20240131123000-m"), ("20240131", "20240131-m")])
def test_versions_that_are_dates_and_times_are_numbers(
    empty_database: str, write: Write, version: str, name: str
) -> None:
    """Fourteen digits, as of dbmate and Rails: files bear them, are found by them, and leave no gaps."""
    later = f"{int(version) + 86_400}-later.sql"
    folder = write({f"{name}.sql": THREE["001-m1.sql"], later: THREE["002-m2.sql"]})
    execute(
        empty_database,
        "CREATE TABLE schema_migrations (version VARCHAR PRIMARY KEY); CREATE TABLE t1 (v TEXT);"
        f"INSERT INTO schema_migrations VALUES ('{version}')",
    )
    runner = Runner(empty_database, folder)
    assert runner.baseline().names == (name,)
    assert [done for done, _ in runner.up().done] == [Path(later).stem]
    assert runner.status().gaps == ()
    assert runner.down(to=int(version)).executed == 1


def test_what_another_tool_has_applied_and_nobody_knows_is_named(empty_database: str, write: Write) -> None:
    """A number says how far the database is; a table that no tool is known to make is never touched."""
    table, ddl, _ = OTHERS["dbmate"]
    execute(empty_database, f"{ddl}; INSERT INTO {table} VALUES ('20240101')")
    runner = Runner(empty_database, write(THREE), tracking_table=table)
    with pytest.raises(MigrationError) as caught:
        runner.baseline()
    assert caught.value.seen == "20240101"
    assert "--to" in (caught.value.remedy or "")
    with pytest.raises(UsageError):
        runner.baseline(9)
    assert runner.baseline(1).names == ("001-m1",)
    execute(empty_database, "CREATE TABLE history (flock TEXT)")
    with pytest.raises(MigrationError, match="something else"):
        Runner(empty_database, write(THREE), tracking_table="history").baseline(1)


def test_the_doctor_names_the_other_tool(empty_database: str, write: Write) -> None:
    """Also where its table does not bear the name of ours; and what to do."""
    execute(empty_database, OTHERS["node-pg-migrate"][1])
    found = examine(empty_database, System.load(write(THREE)), "here")
    (check,) = [check for check in found.checks if check.name == "migrations"]
    assert check.ok is False
    assert "node-pg-migrate" in check.seen
    assert "pgmigrations" in check.seen
    assert "migrate baseline" in (check.remedy or "")

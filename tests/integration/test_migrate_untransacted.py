"""Files marked `-- no-transaction`: started is recorded first, what failed is gone on with, INVALID indexes go."""

from __future__ import annotations

import psycopg
import pytest

from pgcontract.errors import MigrationError, UsageError
from pgcontract.migrations import MigrationFailed, Runner
from tests.integration.fix_migrations import Write

TABLE = {"001-table.sql": "CREATE TABLE t (id INT, v INT);\n-- ROLLBACK\nDROP TABLE t;\n"}
INDEX = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_v ON t (v);\n-- ROLLBACK\nDROP INDEX CONCURRENTLY t_v;\n"
MARKED = {"002-index.sql": f"-- no-transaction\n{INDEX}"}


def indexes(dsn: str) -> dict[str, bool]:
    """The indexes of `t`, and whether each is valid."""
    with psycopg.connect(dsn) as connection:
        query = "SELECT indexrelid::regclass::TEXT, indisvalid FROM pg_index WHERE indrelid = to_regclass('t')"
        return dict(connection.execute(query).fetchall())


def execute(dsn: str, sql: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.encode())


def test_a_marked_file_runs_outside_a_transaction_both_ways(empty_database: str, write: Write) -> None:
    """Up and down; an unmarked one is told what to do, and leaves nothing."""
    folder = write({**TABLE, "002-index.sql": INDEX})
    runner = Runner(empty_database, folder)
    with pytest.raises(MigrationFailed) as caught:
        runner.up()
    assert caught.value.sqlstate == "25001"
    assert "-- no-transaction" in (caught.value.remedy or "")
    write(MARKED)
    assert runner.up().pending == 0
    assert indexes(empty_database) == {"t_v": True}
    assert [entry.state for entry in runner.status().entries] == ["applied", "applied"]
    assert [name for name, _ in runner.down(to=0).done] == ["002-index", "001-table"]
    assert runner.status().executed == 0


def test_an_invalid_index_is_dropped_and_built_again(empty_database: str, write: Write) -> None:
    """IF NOT EXISTS would skip over it; meanwhile the record says started, and down refuses."""
    runner = Runner(empty_database, write({**TABLE, **MARKED}))
    runner.up(to=1)
    execute(empty_database, "INSERT INTO t VALUES (1, 1), (2, 1)")
    with pytest.raises(MigrationFailed) as caught:
        runner.up()
    assert (caught.value.sqlstate, caught.value.line, caught.value.ordinal) == ("23505", 2, 1)
    assert indexes(empty_database) == {"t_v": False}
    status = runner.status()
    assert [(entry.state, entry.duration is None) for entry in status.entries][1] == ("started", True)
    assert status.pending == 1
    with pytest.raises(MigrationError, match="never finished"):
        runner.down()
    execute(empty_database, "DELETE FROM t WHERE id = 2")
    assert [name for name, _ in runner.up().done] == ["002-index"]
    assert indexes(empty_database) == {"t_v": True}


def test_statements_that_have_finished_are_not_run_again(empty_database: str, write: Write) -> None:
    """It goes on at the one that failed; settings are made again, in the new session."""
    text = (
        "-- no-transaction\nSET my.factor = '3';\nINSERT INTO t VALUES (1, 10);\n"
        "INSERT INTO t SELECT 2, current_setting('my.factor')::INT / (SELECT count(*)::INT - 1 FROM t);\n"
        "VACUUM t;\n-- ROLLBACK\nDELETE FROM t;\n"
    )
    runner = Runner(empty_database, write({**TABLE, "002-rows.sql": text}))
    with pytest.raises(MigrationFailed) as caught:
        runner.up()
    assert (caught.value.ordinal, caught.value.line, caught.value.sqlstate) == (3, 4, "22012")
    execute(empty_database, "INSERT INTO t VALUES (0, 0)")
    runner.up()
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT id, v FROM t ORDER BY id").fetchall() == [(0, 0), (1, 10), (2, 3)]


def test_an_index_that_was_built_before_the_runner_died_is_not_built_twice(empty_database: str, write: Write) -> None:
    """Ours is known by its age; one that was there before is the author's mistake."""
    text = "-- no-transaction\nCREATE INDEX CONCURRENTLY t_v ON t (v);\n-- ROLLBACK\n-- none\n"
    runner = Runner(empty_database, write({**TABLE, "002-index.sql": text}))
    runner.up(to=1)
    execute(empty_database, "CREATE INDEX t_v ON t (id)")
    with pytest.raises(MigrationFailed) as caught:
        runner.up()
    assert caught.value.sqlstate == "42P07"
    # again, too
    with pytest.raises(MigrationFailed):
        runner.up()
    # what a runner leaves that is killed between the index and its record
    execute(empty_database, "DROP INDEX t_v")
    execute(empty_database, "CREATE INDEX CONCURRENTLY t_v ON t (v)")
    assert runner.up().pending == 0


def test_an_edit_of_a_started_file_needs_a_repair(empty_database: str, write: Write) -> None:
    """`clear` drops the INVALID index and forgets the migration; what is not unfinished is not cleared."""
    folder = write({**TABLE, **MARKED})
    runner = Runner(empty_database, folder)
    runner.up(to=1)
    execute(empty_database, "INSERT INTO t VALUES (1, 1), (2, 1)")
    with pytest.raises(MigrationFailed):
        runner.up()
    write({"002-index.sql": MARKED["002-index.sql"].replace("UNIQUE ", "").replace("t_v", "t_values")})
    with pytest.raises(MigrationError, match="edited") as caught:
        runner.up(allow=["edited"])
    assert "repair --clear 2" in (caught.value.remedy or "")
    with pytest.raises(UsageError):
        runner.clear(1)
    cleared = runner.clear(2)
    assert (cleared.name, cleared.dropped, cleared.finished) == ("002-index", ("public.t_v",), 0)
    assert indexes(empty_database) == {}
    runner.up()
    assert indexes(empty_database) == {"t_values": True}


def test_a_rollback_that_failed_half_way_is_gone_on_with(empty_database: str, write: Write) -> None:
    """Meanwhile `up` refuses, and names the command."""
    text = (
        "-- no-transaction\nCREATE INDEX CONCURRENTLY t_v ON t (v);\nCREATE TABLE u ();\n"
        "-- ROLLBACK\nDROP INDEX CONCURRENTLY t_v;\nDROP TABLE u;\n"
    )
    runner = Runner(empty_database, write({**TABLE, "002-both.sql": text}))
    runner.up()
    execute(empty_database, "CREATE VIEW w AS SELECT FROM u")
    with pytest.raises(MigrationFailed) as caught:
        runner.down()
    assert (caught.value.ordinal, caught.value.line) == (2, 6)
    assert [entry.state for entry in runner.status().entries] == ["applied", "undoing"]
    assert not runner.status().sound
    with pytest.raises(MigrationError, match="half there") as refused:
        runner.up()
    assert "migrate down" in (refused.value.remedy or "")
    execute(empty_database, "DROP VIEW w")
    assert [name for name, _ in runner.down().done] == ["002-both"]
    assert indexes(empty_database) == {}


def test_what_a_reindex_leaves_is_dropped(empty_database: str, write: Write) -> None:
    """A copy of the index that never became valid; the index itself stays."""
    text = "-- no-transaction\nREINDEX INDEX CONCURRENTLY t_v;\n-- ROLLBACK\n-- none\n"
    runner = Runner(empty_database, write({**TABLE, "002-reindex.sql": text}))
    runner.up(to=1)
    # an index whose expression can be made to fail
    execute(
        empty_database,
        "CREATE TABLE broken (); CREATE FUNCTION f(v INT) RETURNS INT IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN"
        " ASSERT NOT EXISTS (SELECT FROM public.broken); RETURN v; END $$; INSERT INTO t VALUES (1, 1);"
        " CREATE INDEX t_v ON t (f(v)); INSERT INTO broken DEFAULT VALUES",
    )
    with pytest.raises(MigrationFailed):
        runner.up()
    assert indexes(empty_database) == {"t_v": True, "t_v_ccnew": False}
    execute(empty_database, "DELETE FROM broken")
    assert runner.up().pending == 0
    assert indexes(empty_database) == {"t_v": True}


def test_whoever_the_file_becomes_the_record_is_written_by_who_migrates(empty_database: str, write: Write) -> None:
    """And its search path hides nothing."""
    text = (
        "-- no-transaction\nCREATE SCHEMA s;\nSET search_path = s;\nCREATE ROLE clerk_of_this_test;\n"
        "GRANT ALL ON SCHEMA s TO clerk_of_this_test;\nSET ROLE clerk_of_this_test;\nCREATE TABLE mine ();\n"
        "VACUUM mine;\n"
        "-- ROLLBACK\nDROP SCHEMA s CASCADE;\nDROP ROLE clerk_of_this_test;\n"
    )
    runner = Runner(empty_database, write({**TABLE, "002-role.sql": text}))
    try:
        runner.up()
        with psycopg.connect(empty_database) as connection:
            query = "SELECT tableowner FROM pg_tables WHERE schemaname = 's'"
            assert connection.execute(query).fetchall() == [("clerk_of_this_test",)]
    finally:
        runner.down(to=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("CREATE TABLE u ();\n-- no-transaction\n-- ROLLBACK\n-- none\n", "nearly the line"),
        ("-- NO TRANSACTION\nVACUUM;\n-- ROLLBACK\n-- none\n", "nearly the line"),
        ("-- no-transaction\nCREATE INDEX CONCURRENTLY ON t (v);\n-- ROLLBACK\n-- none\n", "needs a name"),
        ("-- no-transaction\nBEGIN;\nSELECT 1;\n-- ROLLBACK\n-- none\n", "begin or end a transaction"),
    ],
)
def test_what_is_wrong_with_such_a_file_is_told_before_it_runs(
    empty_database: str, write: Write, text: str, said: str
) -> None:
    """A mark that stands too late or is misspelt, an index that nobody could find again, a BEGIN."""
    runner = Runner(empty_database, write({**TABLE, "002-bad.sql": text}))
    with pytest.raises(MigrationError, match=said):
        runner.up()
    assert all(entry.state in {"pending", "applied"} for entry in runner.status().entries)


def test_a_mark_inside_a_string_is_none(empty_database: str, write: Write) -> None:
    """The file runs in a transaction."""
    text = "CREATE TABLE u AS SELECT '\n-- no-transaction\n' AS a;\nSELECT 1/0;\n-- ROLLBACK\nDROP TABLE u;\n"
    runner = Runner(empty_database, write({**TABLE, "002-string.sql": text}))
    with pytest.raises(MigrationFailed):
        runner.up()
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT to_regclass('u')").fetchone() == (None,)

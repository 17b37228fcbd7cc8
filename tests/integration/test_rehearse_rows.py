"""The rehearsal on populated tables: rows that must survive each migration and its rollback."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.migrations.files import load_directory
from pgcontract.model import Name
from pgcontract.populate import NoRoom
from pgcontract.rehearse import rehearse_on
from pgcontract.rehearse.kept import Fate, judged
from pgcontract.rehearse.running import only_defines
from pgcontract.server import Server
from pgcontract.system import System
from tests.contract.fix_systems import PATHS
from tests.integration.fix_migrations import Write
from tests.integration.fix_rehearse import FIRST, PEOPLE, failures, lock_on, planted, rehearsed, second

pytestmark = pytest.mark.thorough


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


def test_a_migration_that_loses_rows_is_found(pgcontract_server: Server, write: Write) -> None:
    """Rows that it deletes are counted, by the key: others that it inserts do not make up for them."""
    up = "DELETE FROM people WHERE id % 2 = 0;\nINSERT INTO people (name) SELECT 'new' FROM generate_series(1, 200);"
    step = planted(pgcontract_server, write, up, rows=100)
    assert failures(step) == ["rows do not survive"]
    assert step.filled is not None
    assert step.filled.rows == {PEOPLE: 100}
    assert step.failures[0].details == ("people: 50 of 100 rows are gone after it",)


def test_rows_for_which_there_is_no_room_end_the_rehearsal(pgcontract_server: Server, write: Write) -> None:
    """Before any is written, and not as a rehearsal without a failure."""
    with pytest.raises(NoRoom):
        planted(pgcontract_server, write, "ALTER TABLE people ADD COLUMN age INTEGER;", rows=10**13)


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

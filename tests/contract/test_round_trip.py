"""`up`, `down` to nothing, and `up` again, one migration at a time: each system is what it was at the same step."""

from __future__ import annotations

import psycopg

from pgcontract.catalog import read_catalog
from pgcontract.contract import drift, headlines, read
from pgcontract.migrations import Runner, runner_of
from pgcontract.migrations.files import load_directory
from pgcontract.model import Catalog, Name
from pgcontract.system import DEFAULT_TRACKING_TABLE, System
from tests.contract.fix_systems import Census, census

Step = tuple[Catalog, Census]


def state(dsn: str, tracking: Name) -> Step:
    """What the catalog says, grants and default privileges included; and, read in another way, what is there."""
    with psycopg.connect(dsn) as connection:
        said = read_catalog(connection, ignore=[tracking], roles={})
    # the tracking table comes with the first step and stays
    return said, {key: acl for key, acl in census(dsn).items() if tracking.name not in key[1]}


def initialise(dsn: str, system: System) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for path in system.init:
            connection.execute(path.read_bytes())


def steps_up(runner: Runner, dsn: str, system: System) -> list[Step]:
    """Apply every migration alone; the states before the first one and after each."""
    assert system.migrations is not None
    states = [state(dsn, system.tracking_table)]
    for migration in load_directory(system.migrations):
        assert [name for name, _ in runner.up(to=migration.number).done] == [migration.name]
        states.append(state(dsn, system.tracking_table))
    return states


def test_every_step_down_leads_back_to_the_step_before_and_up_again_to_the_same(
    empty_database: str, system: System
) -> None:
    """What init/ made stays and is all that is left at the end; at the top stands what contract.toml says."""
    initialise(empty_database, system)
    runner = runner_of(empty_database, system)
    first = steps_up(runner, empty_database, system)
    assert drift(read(system.contract).catalog, first[-1][0]) == ()
    for before in reversed(first[:-1]):
        (undone,) = runner.down().done
        found = state(empty_database, system.tracking_table)
        assert headlines(drift(before[0], found[0])) == (), f"left by {undone[0]}"
        assert found == before, f"left by {undone[0]}"
    assert {kind for kind, _ in first[0][1]} <= {"extension", "default acl", "database", "schema", "database setting"}
    runner.up()
    assert state(empty_database, system.tracking_table) == first[-1]


FORGOTTEN = {
    "a table": "CREATE TABLE left_over (id INT)",
    "a column": "ALTER TABLE left_over ADD COLUMN name TEXT",
    "a constraint": "ALTER TABLE left_over ADD CONSTRAINT chk_left_over CHECK (id > 0)",
    "an index": "CREATE INDEX idx_left_over ON left_over (id)",
    "an enum": "CREATE TYPE mood AS ENUM ('ok')",
    "a label": "ALTER TYPE mood ADD VALUE 'better'",
    "a domain": "CREATE DOMAIN positive AS INT CHECK (VALUE > 0)",
    "a sequence": "CREATE SEQUENCE numbers",
    "a function": "CREATE FUNCTION stamp() RETURNS TRIGGER AS 'BEGIN RETURN NEW; END' LANGUAGE plpgsql",
    "a body": "CREATE OR REPLACE FUNCTION stamp() RETURNS TRIGGER AS 'BEGIN RETURN OLD; END' LANGUAGE plpgsql",
    "a trigger": "CREATE TRIGGER stamps BEFORE UPDATE ON left_over FOR EACH ROW EXECUTE FUNCTION stamp()",
    "a trigger switched off": "ALTER TABLE left_over DISABLE TRIGGER stamps",
    "a materialised view": "CREATE MATERIALIZED VIEW summary AS SELECT COUNT(*) FROM left_over",
    "a schema": "CREATE SCHEMA elsewhere",
    "an extension": "CREATE EXTENSION cube",
    "a grant": "GRANT SELECT ON left_over TO pg_monitor",
    "a grant on the database": "GRANT TEMPORARY ON DATABASE {database} TO pg_monitor",
    "a grant on the schema": "GRANT CREATE ON SCHEMA public TO pg_monitor",
    "default privileges": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_monitor",
    "a setting": "ALTER DATABASE {database} SET work_mem = '7MB'",
}


def test_whatever_a_rollback_could_forget_would_be_seen(empty_database: str) -> None:
    """One thing after the other: each changes what two states are compared by."""
    seen = state(empty_database, DEFAULT_TRACKING_TABLE)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        for what, statement in FORGOTTEN.items():
            connection.execute(statement.format(database=connection.info.dbname).encode())
            before, seen = seen, state(empty_database, DEFAULT_TRACKING_TABLE)
            assert seen != before, what

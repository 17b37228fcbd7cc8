"""The summary of the optimizer's database, claim by claim: what it says is there is there, and works as it says.

README's table leads from each claim to its test, or to the reason why there is none.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from pgcontract.cli.migrate import app
from pgcontract.errors import MigrationError, UsageError
from pgcontract.migrations import Runner
from tests.contract.fix_optimizer import OPTIMIZER, SYSTEM, Desk, number

MIGRATIONS = ["001-initial-schema", "002-job-status", "003-worker-queue", "004-credits"]
README = (OPTIMIZER / "README.md").read_text(encoding="utf-8")


@dataclass
class Shell:
    """What the document calls `npm run migrate` and psql."""

    dsn: str

    def migrate(self, *words: str) -> str:
        command, *rest = words
        result = CliRunner().invoke(app, [command, str(OPTIMIZER), *rest])
        assert result.exit_code == 0, result.output
        return result.output

    def psql(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def tables(self) -> set[object]:
        query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        return {name for (name,) in self.psql(query)}


@pytest.fixture
def shell(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """An empty database that DATABASE_URL names."""
    monkeypatch.setenv("DATABASE_URL", empty_database)
    return Shell(empty_database)


# 1. Migration system configuration


def test_migrations_use_the_database_that_database_url_names(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an option; where nothing names one, there is none to migrate."""
    assert shell.migrate("up").splitlines()[-1] == "Total: 4 | Executed: 4 | Pending: 0"
    assert "plans" in shell.tables()
    for name in [name for name in os.environ if name == "DATABASE_URL" or name.startswith("PG")]:
        monkeypatch.delenv(name)
    refused = CliRunner().invoke(app, ["up", str(OPTIMIZER)])
    assert isinstance(refused.exception, UsageError)


def test_migrations_stand_in_their_folder_and_are_tracked_in_pgmigrations(shell: Shell) -> None:
    """By name, in their order, and in no other table."""
    shell.migrate("up")
    assert [path.stem for path in sorted((OPTIMIZER / "migrations").iterdir())] == MIGRATIONS
    assert shell.psql("SELECT name FROM pgmigrations ORDER BY applied_at ASC") == [(name,) for name in MIGRATIONS]
    assert "migrations" not in shell.tables()


def test_the_order_of_migrations_is_checked(empty_database: str, tmp_path: Path) -> None:
    """One that comes after a later one has been applied is refused, and nothing is executed."""
    folder = tmp_path / "migrations"
    assert SYSTEM.migrations is not None
    shutil.copytree(SYSTEM.migrations, folder)
    late = (folder / "003-worker-queue.sql").read_bytes()
    (folder / "003-worker-queue.sql").unlink()
    runner = Runner(empty_database, folder, tracking_table=SYSTEM.tracking_table, init=SYSTEM.init)
    runner.up()
    (folder / "003-worker-queue.sql").write_bytes(late)
    with pytest.raises(MigrationError) as caught:
        runner.up()
    assert "003-worker-queue" in str(caught.value.where)
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT to_regprocedure('claim_items(integer)')").fetchone() == (None,)


# 2. Initial database migration


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("job_status", ["PENDING", "RUNNING", "DONE", "FAILED", "CANCELED"]),
        ("item_status", ["PENDING", "RUNNING", "DONE", "FAILED"]),
    ],
)
def test_enum_types(optimizer: psycopg.Connection, name: str, labels: list[str]) -> None:
    """These labels in this order, and no others."""
    rows = optimizer.execute(
        "SELECT enumlabel FROM pg_enum WHERE enumtypid = %s::regtype ORDER BY enumsortorder", (name,)
    ).fetchall()
    assert [label for (label,) in rows] == labels


def test_tables_created(shell: Shell) -> None:
    """Five, by the first migration, and the tracking table; their columns: test_optimizer_schema."""
    shell.migrate("up", "--to", "1")
    assert shell.tables() == {"plans", "app_instances", "jobs", "job_items", "publish_logs", "pgmigrations"}


def test_plans_are_seeded_with_the_migration(shell: Shell) -> None:
    """Seed data is included in it for immediate use: dollars and credits a month as the document lists them."""
    shell.migrate("up", "--to", "1")
    assert shell.psql("SELECT name, price_cents / 100, monthly_credits FROM plans ORDER BY price_cents ASC") == [
        ("Free", 0, 100),
        ("Starter", 9, 1_000),
        ("Pro", 19, 5_000),
        ("Scale", 49, 25_000),
    ]


def test_app_instances_have_a_foreign_key_to_plans(desk: Desk) -> None:
    """A plan that is not there is refused."""
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught:
        desk.run("INSERT INTO app_instances (instance_id, site_host, plan_id, credits_total) VALUES ('x', 'h', 'x', 1)")
    assert caught.value.diag.constraint_name == "fk_app_instances_plan"


def test_automatic_credit_reset_date_calculation(desk: Desk) -> None:
    """An installation that says nothing about it gets the first day of next month; times: test_optimizer_schema."""
    rows = desk.run(
        "SELECT credits_reset_on = date_trunc('month', now() AT TIME ZONE 'UTC') + INTERVAL '1 month' FROM"
        " app_instances"
    )
    assert rows == [(True,)]


CASCADES = {
    "jobs to app_instances": "DELETE FROM app_instances",
    "job_items to jobs": "DELETE FROM jobs",
    "publish_logs to app_instances": "DELETE FROM app_instances",
}


@pytest.mark.parametrize("what", CASCADES)
def test_foreign_keys_delete_with_cascade(desk: Desk, what: str) -> None:
    """The children are gone with their parent."""
    desk.job(1, "PENDING")
    desk.run(
        "INSERT INTO publish_logs (instance_id, product_id, attribute, applied_value) VALUES ('shop', 'p', 'a', '')"
    )
    desk.run(CASCADES[what])
    child = what.split(" ", maxsplit=1)[0]
    assert desk.run(f"SELECT COUNT(*) FROM {child}") == [(0,)]


INDEXES = {
    "idx_app_instances_site_host": r"\(site_host\)",
    "idx_app_instances_credits_reset": r"\(credits_reset_on\)",
    "idx_jobs_instance_status": r"\(instance_id, status\)",
    "idx_jobs_created_at": r"\(created_at DESC\)",
    "idx_job_items_job_id": r"\(job_id\b",
    "idx_job_items_status": r"WHERE .*PENDING.*RUNNING",
    "idx_job_items_product": r"\(product_id\)",
    "idx_publish_logs_instance": r"\(instance_id, applied_at",
    "idx_publish_logs_product": r"\(product_id\)",
}


@pytest.mark.parametrize("name", INDEXES)
def test_performance_indexes(optimizer: psycopg.Connection, name: str) -> None:
    """Composite, descending and partial where the document says so."""
    row = optimizer.execute("SELECT pg_get_indexdef(%s::regclass)", (name,)).fetchone()
    assert row is not None
    assert re.search(INDEXES[name], row[0])
    assert ("WHERE" in row[0]) == (name == "idx_job_items_status")


# Requirements satisfied


def test_requirement_13_1_postgresql_with_the_five_tables(optimizer: psycopg.Connection) -> None:
    """Each of them can be read."""
    for table in ("app_instances", "plans", "jobs", "job_items", "publish_logs"):
        optimizer.execute(f"SELECT FROM {table}".encode())


@pytest.mark.parametrize(
    ("insert", "name"),
    [
        ("INSERT INTO jobs (instance_id, source_scope) VALUES ('nobody', 'ALL')", "fk_jobs_instance"),
        (
            "INSERT INTO job_items (job_id, product_id, attribute) VALUES (gen_random_uuid(), 'p', 'a')",
            "fk_job_items_job",
        ),
    ],
)
def test_requirement_13_2_foreign_key_constraints(desk: Desk, insert: str, name: str) -> None:
    """Between jobs and app_instances, and between job_items and jobs."""
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught:
        desk.run(insert)
    assert caught.value.diag.constraint_name == name


def test_requirement_13_3_cascade_delete(desk: Desk) -> None:
    """Along two keys at once: an installation's jobs and their items."""
    desk.job(1, "PENDING", "DONE")
    desk.run("DELETE FROM app_instances")
    assert desk.run("SELECT (SELECT COUNT(*) FROM jobs), (SELECT COUNT(*) FROM job_items)") == [(0, 0)]


def test_requirement_13_4_enum_types(desk: Desk) -> None:
    """The columns are of them: anything else is no value."""
    desk.job(1, "PENDING")
    for table in ("jobs", "job_items"):
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            desk.run(f"UPDATE {table} SET status = 'done'")
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        desk.run("UPDATE job_items SET status = 'CANCELED'")


@pytest.mark.parametrize(
    ("column", "document", "taken"),
    [
        ("source_ids", '["a", {"id": 1}]', True),
        ("source_ids", '{"a": 1}', False),
        ("attributes", '["title", "description"]', True),
        ("attributes", '{"title": {"length": 60}}', True),
        ("attributes", '"title"', False),
    ],
)
def test_requirement_13_5_jsonb_columns(desk: Desk, column: str, document: str, *, taken: bool) -> None:
    """Flexible, and found by what is in them; source_ids are a list, attributes one or an object."""
    desk.job(1)
    update = f"UPDATE jobs SET {column} = %s"
    if taken:
        desk.run(update, document)
        assert desk.run(f"SELECT COUNT(*) FROM jobs WHERE {column} @> %s", document) == [(1,)]
    else:
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            desk.run(update, document)
        assert caught.value.diag.constraint_name == f"chk_jobs_{column}"


# 6. Documentation, and how to use


def test_rollback_undoes_the_last_migration_and_all_of_them(shell: Shell) -> None:
    """`migrate:down` one by one, to nothing but the tracking table; `migrate` again brings everything back."""
    shell.migrate("up")
    for name in reversed(MIGRATIONS):
        assert name in shell.migrate("down")
    assert shell.tables() == {"pgmigrations"}
    assert shell.psql("SELECT typname FROM pg_type WHERE typname ~ '(job|item)_status'") == []
    assert shell.migrate("up").splitlines()[-1] == "Total: 4 | Executed: 4 | Pending: 0"


def test_status_lists_the_applied_migrations(shell: Shell) -> None:
    """Whether they have been applied, and which."""
    assert shell.migrate("status").count("pending") >= len(MIGRATIONS)
    shell.migrate("up")
    assert all(name in shell.migrate("status") for name in MIGRATIONS)


def test_the_readme_holds_what_the_document_s_did() -> None:
    """How to migrate, the schema in a picture, its indexes and its constraints."""
    for command in ("pgcontract migrate up", "pgcontract migrate down", "pgcontract verify"):
        assert command in README
    picture = re.search(r"```mermaid\nerDiagram\n(.*?)```", README, re.DOTALL)
    assert picture is not None
    for line in ("plans ||--o{ app_instances", "app_instances ||--o{ jobs", "jobs ||--o{ job_items"):
        assert line in picture[1]
    assert "app_instances ||--o{ publish_logs" in picture[1]


def test_immediate_use_after_the_migration(optimizer: psycopg.Connection) -> None:
    """An installation, a job with items, their work and its log need no other preparation."""
    optimizer.execute(
        "INSERT INTO app_instances (instance_id, site_host, plan_id, credits_total)"
        " SELECT 'shop', 'shop.example.com', id, monthly_credits FROM plans WHERE name = 'Free'"
    )
    optimizer.execute("INSERT INTO jobs (id, instance_id, source_scope) VALUES (%s, 'shop', 'ALL')", (number(1),))
    optimizer.execute("INSERT INTO job_items (job_id, product_id, attribute) SELECT id, 'mug', 'title' FROM jobs")
    assert optimizer.execute("SELECT spend_credits('shop', 1)").fetchone() == (True,)
    assert optimizer.execute("SELECT finish_item(id, updated_at, 'Blue Mug') FROM claim_items()").fetchone() == (True,)
    optimizer.execute(
        "INSERT INTO publish_logs (instance_id, product_id, attribute, applied_value)"
        " SELECT 'shop', product_id, attribute, after_value FROM job_items"
    )
    row = optimizer.execute("SELECT status::TEXT, applied_value FROM jobs CROSS JOIN publish_logs").fetchone()
    assert row == ("DONE", "Blue Mug")

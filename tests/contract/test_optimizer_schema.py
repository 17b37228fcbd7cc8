"""What optimizer promises beyond what one constraint can say; its triggers and its queue have modules of their own."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
import pytest

from pgcontract.migrations import prepare, seed
from pgcontract.queries import queries_of
from tests.contract.fix_optimizer import OPTIMIZER, SYSTEM, Desk, number

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "plans": {"id": "text", "name": "text", "price_cents": "integer", "monthly_credits": "integer"},
    "app_instances": {
        "instance_id": "text",
        "site_host": "text",
        "access_token": "text",
        "refresh_token": "text",
        "token_expires_at": "timestamp with time zone",
        "plan_id": "text",
        "credits_total": "integer",
        "credits_used_month": "integer",
        "credits_reset_on": "date",
        "created_at": "timestamp with time zone",
        "updated_at": "timestamp with time zone",
    },
    "jobs": {
        "id": "uuid",
        "instance_id": "text",
        "status": "job_status",
        "source_scope": "text",
        "source_ids": "jsonb",
        "attributes": "jsonb",
        "target_lang": "text",
        "user_prompt": "text",
        "created_at": "timestamp with time zone",
        "started_at": "timestamp with time zone",
        "finished_at": "timestamp with time zone",
        "error": "text",
    },
    "job_items": {
        "id": "uuid",
        "job_id": "uuid",
        "product_id": "text",
        "attribute": "text",
        "before_value": "text",
        "after_value": "text",
        "status": "item_status",
        "error": "text",
        "created_at": "timestamp with time zone",
        "updated_at": "timestamp with time zone",
    },
    "publish_logs": {
        "id": "uuid",
        "instance_id": "text",
        "product_id": "text",
        "attribute": "text",
        "applied_value": "text",
        "applied_at": "timestamp with time zone",
    },
}
INDEXES = {
    "idx_app_instances_site_host": "app_instances USING btree (site_host)",
    "idx_app_instances_credits_reset": "app_instances USING btree (credits_reset_on)",
    "idx_app_instances_plan_id": "app_instances USING btree (plan_id)",
    "idx_jobs_instance_status": "jobs USING btree (instance_id, status)",
    "idx_jobs_created_at": "jobs USING btree (created_at DESC)",
    "idx_job_items_job_id": "job_items USING btree (job_id, status, created_at)",
    "idx_job_items_status": (
        "job_items USING btree (status, created_at)"
        " WHERE (status = ANY (ARRAY['PENDING'::item_status, 'RUNNING'::item_status]))"
    ),
    "idx_job_items_product": "job_items USING btree (product_id)",
    "idx_publish_logs_instance": "publish_logs USING btree (instance_id, applied_at DESC)",
    "idx_publish_logs_product": "publish_logs USING btree (product_id)",
}
ZONES = ("UTC", "Pacific/Kiritimati", "Pacific/Niue", "America/Sao_Paulo", "Asia/Kathmandu")


def test_the_tables_have_the_documents_columns_and_no_others(optimizer: psycopg.Connection) -> None:
    """In its order; the types are this project's standards."""
    rows = optimizer.execute(
        """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'pgmigrations'
        ORDER BY a.attnum
        """
    ).fetchall()
    found: dict[str, dict[str, str]] = {table: {} for table, _, _ in rows}
    for table, column, kind in rows:
        found[table][column] = kind
    assert {table: list(columns.items()) for table, columns in found.items()} == {
        table: list(columns.items()) for table, columns in COLUMNS.items()
    }


def test_the_indexes_are_the_documents_nine_and_one_for_plans(optimizer: psycopg.Connection) -> None:
    """With these keys and predicates; no other but those of constraints."""
    rows = optimizer.execute(
        """
        SELECT i.relname, replace(pg_get_indexdef(i.oid), 'CREATE INDEX ' || i.relname || ' ON public.', '')
        FROM pg_index AS x
        JOIN pg_class AS i ON i.oid = x.indexrelid AND i.relnamespace = 'public'::regnamespace
        JOIN pg_class AS c ON c.oid = x.indrelid AND c.relname <> 'pgmigrations'
        WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = x.indexrelid AND contype IN ('p', 'u'))
        """
    ).fetchall()
    assert dict(rows) == INDEXES


def test_every_index_is_named_by_a_hot_query() -> None:
    """And no query names one that is not there."""
    named = {name for query in queries_of(OPTIMIZER / "queries") for name in query.uses}
    assert {name for name in named if not name.startswith("pk_")} == set(INDEXES)


def test_every_foreign_key_has_an_index_that_its_deletes_can_use(optimizer: psycopg.Connection) -> None:
    """Its first column is the key's, and it covers every row."""
    rows = optimizer.execute(
        """
        SELECT c.conname, EXISTS (
          SELECT FROM pg_index AS i
          WHERE i.indrelid = c.conrelid AND i.indpred IS NULL AND i.indkey[0] = c.conkey[1]
        )
        FROM pg_constraint AS c
        WHERE c.contype = 'f'
        """
    ).fetchall()
    assert len(rows) == 4
    assert all(served for _, served in rows)


def test_everything_is_named_by_one_scheme(optimizer: psycopg.Connection) -> None:
    """pk_, uq_, fk_ and chk_ with their table."""
    rows = optimizer.execute(
        """
        SELECT conname, CASE contype WHEN 'p' THEN 'pk' WHEN 'u' THEN 'uq' WHEN 'f' THEN 'fk' ELSE 'chk' END || '_'
          || conrelid::regclass::TEXT
        FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f', 'c')
          AND conrelid::regclass::TEXT <> 'pgmigrations'
        """
    ).fetchall()
    assert len(rows) > 30
    assert [name for name, prefix in rows if not name.startswith(prefix)] == []


def test_the_migrations_bring_the_plans(optimizer: psycopg.Connection) -> None:
    """Four, with the document's prices and credits; their names and ids are the same on every database."""
    rows = optimizer.execute("SELECT id, name, price_cents, monthly_credits FROM plans ORDER BY price_cents").fetchall()
    assert rows == [
        ("free", "Free", 0, 100),
        ("starter", "Starter", 900, 1_000),
        ("pro", "Pro", 1_900, 5_000),
        ("scale", "Scale", 4_900, 25_000),
    ]


def test_a_plan_in_use_cannot_be_deleted_and_one_that_is_not_can(desk: Desk) -> None:
    """By name, whoever asks; what uses it can go."""
    with pytest.raises((psycopg.errors.ForeignKeyViolation, psycopg.errors.RestrictViolation)) as caught:
        desk.run("DELETE FROM plans")
    assert caught.value.diag.constraint_name == "fk_app_instances_plan"
    desk.run("DELETE FROM plans WHERE id <> 'free'")
    desk.run("DELETE FROM app_instances")
    desk.run("DELETE FROM plans")


@pytest.mark.parametrize(
    ("now", "first"),
    [
        ("2025-01-01 00:00:00Z", "2025-02-01"),
        ("2025-01-31 23:59:59.999999Z", "2025-02-01"),
        ("2025-02-01 00:00:00Z", "2025-03-01"),
        ("2024-02-29 12:00:00Z", "2024-03-01"),
        ("2025-04-30 23:59:59Z", "2025-05-01"),
        ("2025-12-31 23:59:59.999999Z", "2026-01-01"),
        ("2026-01-01 00:00:00Z", "2026-02-01"),
        ("2025-03-01 03:00:00+14", "2025-03-01"),
        ("2025-02-28 20:00:00-11", "2025-04-01"),
    ],
)
def test_credits_are_reset_on_the_first_day_of_the_next_month(
    optimizer: psycopg.Connection, now: str, first: str
) -> None:
    """By the calendar of UTC, whatever the session's: the default's own expression at a given time."""
    row = optimizer.execute(
        """
        SELECT pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attrdef AS d
        JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE d.adrelid = 'app_instances'::regclass AND a.attname = 'credits_reset_on'
        """
    ).fetchone()
    assert row is not None
    assert row[0].count("now()") == 1
    expression = row[0].replace("now()", f"'{now}'::TIMESTAMPTZ")
    for zone in ZONES:
        optimizer.execute("SELECT set_config('timezone', %s, FALSE)", (zone,))
        assert optimizer.execute(f"SELECT ({expression})::TEXT".encode()).fetchone() == (first,)


@pytest.mark.parametrize("zone", ZONES)
def test_the_reset_date_is_the_default_in_every_session(desk: Desk, zone: str) -> None:
    """What an insert that says nothing stores is the first of a month, later than today, by at most a month."""
    desk.session.execute("SELECT set_config('timezone', %s, FALSE)", (zone,))
    desk.run("INSERT INTO app_instances (instance_id, site_host, plan_id, credits_total) VALUES ('x', 'h', 'pro', 1)")
    rows = desk.run(
        "SELECT extract(DAY FROM credits_reset_on)::INT, credits_reset_on > (now() AT TIME ZONE 'UTC')::DATE,"
        " (credits_reset_on - INTERVAL '1 month')::DATE <= (now() AT TIME ZONE 'UTC')::DATE"
        " FROM app_instances WHERE instance_id = 'x'"
    )
    assert rows == [(1, True, True)]


@pytest.mark.parametrize("column", ["access_token", "refresh_token"])
def test_tokens_are_stored_encrypted_and_come_back(desk: Desk, column: str) -> None:
    """What pgcrypto armours is taken; plaintext, JWTs and bare base64 are not."""
    update = f"UPDATE app_instances SET {column} = "
    for length in (0, 1, 5000):
        secret = "x" * length
        desk.run(update + "armor(pgp_sym_encrypt(%s, 'key'))", secret)
        assert desk.run(f"SELECT pgp_sym_decrypt(dearmor({column}), 'key') FROM app_instances") == [(secret,)]
    ((armoured,),) = desk.run(f"SELECT {column} FROM app_instances")
    for plain in ("", "OAUTH2.eyJraWQi", "aGVsbG8=", "-----BEGIN PGP MESSAGE-----", f"{armoured}x", f" {armoured}"):
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            desk.run(update + "%s", plain)
        assert caught.value.diag.constraint_name == f"chk_app_instances_{column}"


def test_deleting_an_installation_takes_all_that_is_its_own_along(desk: Desk) -> None:
    """Jobs, their items, its log; not another's, not the plan."""
    desk.run("INSERT INTO app_instances (instance_id, site_host, plan_id, credits_total) VALUES ('x', 'h', 'pro', 1)")
    desk.job(1, "DONE", "FAILED")
    desk.job(2, "PENDING")
    desk.run("UPDATE jobs SET instance_id = 'x' WHERE id = %s", number(2))
    desk.run(
        "INSERT INTO publish_logs (instance_id, product_id, attribute, applied_value)"
        " SELECT instance_id, 'mug', 'title', 'Mug' FROM app_instances"
    )
    desk.run("DELETE FROM app_instances WHERE instance_id = 'shop'")
    left = "SELECT (SELECT COUNT(*) FROM jobs), (SELECT COUNT(*) FROM job_items), (SELECT COUNT(*) FROM publish_logs)"
    assert desk.run(left) == [(1, 1, 1)]
    assert desk.run("SELECT COUNT(*) FROM plans") == [(4,)]


FORBIDDEN = {
    "DDL": "CREATE TABLE t ()",
    "a schema": "CREATE SCHEMA s",
    "altering": "ALTER TABLE jobs ADD COLUMN x INT",
    "dropping": "DROP TABLE jobs",
    "a label": "ALTER TYPE job_status ADD VALUE 'X'",
    "TRUNCATE": "TRUNCATE publish_logs",
    "TEMP": "CREATE TEMPORARY TABLE t ()",
    "the tracking table": "SELECT FROM pgmigrations",
    "a trigger's function": "SELECT follow_items()",
    "switching triggers off": "SET session_replication_role = replica",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_application_may_not(desk: Desk, what: str) -> None:
    """Everything but reading and writing rows, and the queue's and the credits' functions, is refused."""
    desk.session.execute("SET ROLE optimizer_app")
    with pytest.raises(psycopg.Error) as caught:
        desk.session.execute(FORBIDDEN[what].encode())
    assert caught.value.sqlstate == "42501"


def test_the_application_works_with_rows_and_functions(desk: Desk) -> None:
    """Of later tables, too; the triggers and the functions do their work under its rights."""
    desk.session.execute("CREATE TABLE later (id INT)")
    desk.session.execute("SET ROLE optimizer_app")
    for table in (*COLUMNS, "later"):
        desk.run(f"SELECT FROM {table} FOR UPDATE")
        privileges = desk.run(
            "SELECT has_table_privilege(%s, 'INSERT') AND has_table_privilege(%s, 'DELETE')", table, table
        )
        assert privileges == [(True,)]
    desk.job(1, "PENDING", "PENDING", "PENDING")
    (first, second, _) = desk.run("SELECT id, updated_at FROM claim_items(3)")
    assert desk.run("SELECT finish_item(%s, %s, 'Mug')", *first) == [(True,)]
    assert desk.run("SELECT fail_item(%s, extend_claim(%s, %s), 'no')", second[0], *second) == [(True,)]
    assert desk.run("SELECT requeue_items('0'), spend_credits('shop', 1), reset_credits()") == [(1, True, 0)]
    desk.run("UPDATE jobs SET status = 'CANCELED'")
    assert sorted(desk.statuses(1)) == ["DONE", "FAILED", "FAILED"]


def test_nothing_is_granted_to_public(optimizer: psycopg.Connection) -> None:
    """No table, no function of the schema's own, not the schema, not the database."""
    rows = optimizer.execute(
        """
        SELECT 'relation', relname::TEXT FROM pg_class, aclexplode(relacl)
        WHERE grantee = 0 AND relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT 'function', proname FROM pg_proc, aclexplode(COALESCE(proacl, acldefault('f', proowner)))
        WHERE grantee = 0 AND pronamespace = 'public'::regnamespace
          AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
        UNION ALL
        SELECT 'schema', nspname FROM pg_namespace, aclexplode(nspacl) WHERE grantee = 0 AND nspname = 'public'
        UNION ALL
        SELECT 'database', datname FROM pg_database, aclexplode(COALESCE(datacl, acldefault('d', datdba)))
        WHERE grantee = 0 AND datname = current_database()
        """
    ).fetchall()
    assert rows == []


def test_functions_that_the_application_calls_have_a_path_of_their_own(optimizer: psycopg.Connection) -> None:
    """And the rights of who calls them: a table of the caller's cannot stand in for the schema's."""
    rows = optimizer.execute(
        """
        SELECT proname, prosecdef, proconfig
        FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype
          AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
        """
    ).fetchall()
    assert {name for name, _, _ in rows} == {
        *("claim_items", "finish_item", "fail_item", "extend_claim", "requeue_items", "spend_credits", "reset_credits")
    }
    assert {(definer, tuple(config)) for _, definer, config in rows} == {(False, ("search_path=pg_catalog, pg_temp",))}


def test_triggers_work_whatever_the_session_s_path(desk: Desk) -> None:
    """They name the schema's tables in full."""
    desk.job(1, "PENDING")
    desk.session.execute("SET search_path = ''")
    desk.session.execute("UPDATE public.job_items SET status = 'RUNNING'")
    desk.session.execute("UPDATE public.jobs SET status = 'CANCELED'")
    desk.session.execute("UPDATE public.app_instances SET plan_id = 'pro'")
    desk.session.execute("RESET search_path")
    assert desk.statuses(1) == ["FAILED"]


def test_a_role_that_was_there_is_left_as_it_is(empty_database: str) -> None:
    """The scripts take another name from their setting, and alter nothing about a role that they find."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE ROLE somebodys_optimizer LOGIN CREATEDB CONNECTION LIMIT 3")
        try:
            prepare(empty_database, SYSTEM, roles={"app": "somebodys_optimizer"})
            row = connection.execute(
                "SELECT rolcanlogin, rolcreatedb, rolconnlimit FROM pg_roles WHERE rolname = 'somebodys_optimizer'"
            ).fetchone()
            assert row == (True, True, 3)
            row = connection.execute(
                "SELECT has_table_privilege('somebodys_optimizer', 'jobs', 'UPDATE'),"
                " has_function_privilege('somebodys_optimizer', 'claim_items(integer)', 'EXECUTE'),"
                " has_table_privilege('somebodys_optimizer', 'pgmigrations', 'SELECT')"
            ).fetchone()
            assert row == (True, True, False)
        finally:
            connection.execute("DROP OWNED BY somebodys_optimizer; DROP ROLE somebodys_optimizer")


def test_the_seed_shows_a_shop_at_work(optimizer_database: str) -> None:
    """One installation with a job in each of four states, their items, and what was published."""
    seed(optimizer_database, SYSTEM)
    with psycopg.connect(optimizer_database) as connection:
        rows = connection.execute(
            "SELECT jobs.status::TEXT, array_agg(job_items.status::TEXT ORDER BY job_items.id)"
            " FROM jobs JOIN job_items ON job_items.job_id = jobs.id GROUP BY jobs.id ORDER BY jobs.id"
        ).fetchall()
        assert rows == [
            ("DONE", ["DONE", "DONE"]),
            ("RUNNING", ["DONE", "RUNNING", "PENDING"]),
            ("CANCELED", ["DONE", "FAILED"]),
            ("PENDING", ["PENDING"]),
        ]
        logs = connection.execute("SELECT product_id, applied_value FROM publish_logs ORDER BY id").fetchall()
        assert logs == [("mug", "Blue Mug"), ("teapot", "Little Teapot")]
        assert connection.execute("SELECT plan_id, credits_total FROM app_instances").fetchall() == [("starter", 1000)]

"""What the infrastructure document and the report say of setting the database up: init/, migrations, their command."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from pgcontract.catalog import read_catalog
from pgcontract.migrations import runner_of
from pgcontract.model import Catalog, Index
from pgcontract.sql import split
from pgcontract.system import System
from tests.integration.fix_migrations import SOCIAL_SELLING, Write

SYSTEM = System.load(SOCIAL_SELLING)
EXTENSIONS = ["pg_stat_statements", "pg_trgm", "pgcrypto", "uuid-ossp"]

# as the report lists them, with the table that each is for
MIGRATIONS = {
    "001-initial-schema": "users",
    "002-create-refresh-tokens": "refresh_tokens",
    "003-create-client-accounts": "client_accounts",
    "004-create-oauth-tokens": "oauth_tokens",
    "005-create-products": "products",
    "006-create-product-links": "product_links",
    "007-create-conversations": "conversations",
    "008-create-messages": "messages",
    "009-create-message-products": "message_products",
    "010-create-analytics": "analytics_events",
    "011-create-instagram-media": "instagram_media",
    "012-create-notifications": "notifications",
    "013-create-message-triggers": None,
}


def initialise(connection: psycopg.Connection) -> None:
    for path in SYSTEM.init:
        connection.execute(path.read_bytes())


def catalog(dsn: str) -> Catalog:
    with psycopg.connect(dsn) as connection:
        return read_catalog(connection, ignore=[SYSTEM.tracking_table])


def test_init_installs_the_four_extensions_and_may_run_again(empty_database: str) -> None:
    """Before any migration, in the schema that everything else is in."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        for _ in range(2):
            initialise(connection)
        rows = connection.execute(
            "SELECT extname, extnamespace::REGNAMESPACE::TEXT FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1"
        ).fetchall()
    assert rows == [(name, "public") for name in EXTENSIONS]


def test_init_says_which_extensions_are_missing(empty_database: str) -> None:
    """The check at its end looks for itself."""
    (check,) = [s.text for s in split(SYSTEM.init[0].read_text()) if s.text.startswith("DO")]
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pgcrypto")
        with pytest.raises(psycopg.errors.UndefinedObject) as caught:
            connection.execute(check.encode())
        assert caught.value.diag.message_primary == "extensions are missing: pg_stat_statements, pg_trgm, uuid-ossp"
        initialise(connection)
        connection.execute(check.encode())


def test_each_extension_does_what_it_is_there_for(social_selling: psycopg.Connection) -> None:
    """Identifiers, encryption, parts of words, and statements that are counted."""
    mine = "SELECT count(*) AS counted_by_this_test FROM users"
    social_selling.execute(mine.encode())
    row = social_selling.execute(
        "SELECT uuid_generate_v4() <> uuid_generate_v4(), pgp_sym_decrypt(pgp_sym_encrypt('token', 'key'), 'key'),"
        " similarity('caneca', 'canecas') > 0.5,"
        " (SELECT sum(calls) FROM pg_stat_statements WHERE query = %s AND dbid ="
        " (SELECT oid FROM pg_database WHERE datname = current_database()))",
        (mine,),
    ).fetchone()
    assert row == (True, "token", True, 1)


def test_init_makes_the_application_s_role_without_any_power(empty_database: str) -> None:
    """It cannot log in, create, bypass or replicate; of objects made later it reaches rows, and no function."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        initialise(connection)
        row = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolcanlogin, rolreplication, rolbypassrls"
            " FROM pg_roles WHERE rolname = 'social_selling_app'"
        ).fetchone()
        assert row == (False,) * 6
        connection.execute("CREATE TABLE later (id INT GENERATED ALWAYS AS IDENTITY)")
        connection.execute("CREATE FUNCTION later() RETURNS INT LANGUAGE sql AS 'SELECT 1'")
        asked = (
            "SELECT array_agg(p ORDER BY p) FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',"
            " 'REFERENCES', 'TRIGGER']) AS p WHERE has_table_privilege('social_selling_app', 'later', p)"
        )
        assert connection.execute(asked.encode()).fetchone() == (["DELETE", "INSERT", "SELECT", "UPDATE"],)
        functions = "SELECT has_function_privilege('social_selling_app', 'later()', 'EXECUTE')"
        assert connection.execute(functions).fetchone() == (False,)


def test_every_migration_of_the_report_makes_its_table_and_no_other(empty_database: str) -> None:
    """In the report's order, under its names."""
    runner = runner_of(empty_database, SYSTEM)
    before: set[str] = set()
    for number, (name, table) in enumerate(MIGRATIONS.items(), start=1):
        assert [done for done, _ in runner.up(to=number).done] == [name]
        after = {t.name.name for t in catalog(empty_database).tables}
        assert after - before == ({table} if table else set())
        before = after
    assert [entry.name for entry in runner.status().entries] == list(MIGRATIONS)


def test_the_initial_migration_makes_users_with_indexes_function_and_trigger(empty_database: str) -> None:
    """The address among the living, creation, last login and tier; and the stamp of updated_at."""
    runner_of(empty_database, SYSTEM).up(to=1)
    found = catalog(empty_database)
    (users,) = found.tables
    assert [(f.name.name, f.returns) for f in found.functions] == [("update_updated_at_column", "trigger")]
    assert [(t.name, t.timing, t.events) for t in users.triggers] == [
        ("update_users_updated_at", "BEFORE", ("UPDATE",))
    ]

    def told(index: Index) -> tuple[str, str, bool, str | None]:
        (key,) = index.keys
        return index.name, key.expression, index.unique, index.predicate

    assert {told(index) for index in users.indexes} == {
        ("idx_users_email", "email", True, "(deleted_at IS NULL)"),
        ("idx_users_created_at", "created_at", False, None),
        ("idx_users_last_login_at", "last_login_at", False, None),
        ("idx_users_subscription_tier", "subscription_tier", False, None),
    }


def test_a_new_file_is_the_next_migration(empty_database: str, write: Write) -> None:
    """Nothing else has to be told; it is pending, then applied, then the first to be undone."""
    folder: Path = write({p.name: p.read_bytes() for p in sorted((SOCIAL_SELLING / "migrations").iterdir())})
    init = folder.parent / "init"
    init.mkdir()
    for path in SYSTEM.init:
        (init / path.name).write_bytes(path.read_bytes())
    runner = runner_of(empty_database, System.load(folder.parent))
    assert runner.up().executed == 13
    added = "ALTER TABLE users ADD nickname TEXT;\n-- ROLLBACK\nALTER TABLE users DROP nickname;\n"
    write({"014-add-nickname.sql": added})
    status = runner.status()
    assert (status.total, status.executed, status.pending) == (14, 13, 1)
    assert [name for name, _ in runner.up().done] == ["014-add-nickname"]
    assert [name for name, _ in runner.down().done] == ["014-add-nickname"]


def test_the_tracking_table_remembers_what_was_executed(empty_database: str) -> None:
    """It is made by the first `up`, with name and time; `down` takes its row away."""
    runner = runner_of(empty_database, SYSTEM)
    runner.up()
    asked = "SELECT name FROM migrations WHERE applied_at BETWEEN now() - INTERVAL '1 hour' AND now() ORDER BY name ASC"
    with psycopg.connect(empty_database, autocommit=True) as connection:
        assert [name for (name,) in connection.execute(asked)] == list(MIGRATIONS)
        runner.down(2)
        assert [name for (name,) in connection.execute(asked)] == list(MIGRATIONS)[:-2]

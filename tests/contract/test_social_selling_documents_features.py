"""The features that the report and the specification list, where no other module shows them by behaviour."""

from __future__ import annotations

import re

import psycopg
import pytest

from pgcontract.contract import read
from pgcontract.model import Index, Table
from pgcontract.system import System
from tests.integration.fix_migrations import SOCIAL_SELLING

CATALOG = read(System.load(SOCIAL_SELLING).contract).catalog
HASH = "$2b$12$" + "a" * 53
ANA = "00000000-0000-0000-0000-00000000000a"
SINGULAR = {"users": "user", "client_accounts": "client_account", "products": "product", "messages": "message"}
SINGULAR |= {"conversations": "conversation"}


@pytest.fixture
def shop(social_selling: psycopg.Connection) -> psycopg.Connection:
    """A user with an account."""
    social_selling.execute(
        "INSERT INTO users (id, email, password_hash, name) VALUES (%s, 'ana@example.com', %s, 'Ana')", (ANA, HASH)
    )
    social_selling.execute(
        "INSERT INTO client_accounts (user_id, platform, platform_account_id, username)"
        " VALUES (%s, 'instagram', '1', 'ana')",
        (ANA,),
    )
    return social_selling


def indexes() -> list[tuple[Table, Index]]:
    return [(table, index) for table in CATALOG.tables for index in table.indexes]


def test_tables_are_plural_and_keys_are_named_by_their_parent() -> None:
    """A primary key is id; a foreign key ends in the parent's name in the singular and _id."""
    for table in CATALOG.tables:
        assert table.name.name.endswith("s") or table.name.name == "instagram_media"
        assert table.primary_key is not None
        assert table.primary_key.columns == ("id",)
        for key in table.foreign_keys:
            of_the_parent = dict(zip(key.keys, key.columns, strict=True))
            assert of_the_parent["id"] == f"{SINGULAR[key.references.name]}_id"


def test_primary_keys_are_random_uuids(shop: psycopg.Connection) -> None:
    """Of every table, by default."""
    for table in CATALOG.tables:
        column = table.column("id")
        assert column is not None
        assert (column.type, column.default) == ("uuid", "gen_random_uuid()")
    row = shop.execute("SELECT substr(id::TEXT, 15, 1) FROM client_accounts").fetchone()
    assert row == ("4",)


def test_every_time_is_an_instant(shop: psycopg.Connection) -> None:
    """TIMESTAMPTZ throughout: written with one offset, it is the same moment in UTC, whatever the session's zone."""
    times = [c.type for t in CATALOG.tables for c in t.columns if c.name.endswith("_at") or "time" in c.type]
    assert set(times) == {"timestamp with time zone"}
    assert len(times) > 30
    shop.execute("SET timezone = 'America/Sao_Paulo'")
    shop.execute("UPDATE users SET last_login_at = '2025-06-01 09:00:00', last_login_ip = '::1'")
    shop.execute("SET timezone = 'UTC'")
    assert shop.execute("SELECT last_login_at::TEXT FROM users").fetchone() == ("2025-06-01 12:00:00+00",)


def test_metadata_is_jsonb_that_can_be_asked_for_a_part(shop: psycopg.Connection) -> None:
    """On every table of which the documents say so; an object, empty at first."""
    with_metadata = {t.name.name: c for t in CATALOG.tables for c in t.columns if c.name == "metadata"}
    assert set(with_metadata) == {
        *("analytics_events", "client_accounts", "conversations", "instagram_media", "messages", "notifications"),
        "products",
    }
    assert {(c.type, c.not_null, c.default) for c in with_metadata.values()} == {("jsonb", True, "'{}'::jsonb")}
    shop.execute('UPDATE client_accounts SET metadata = \'{"bio": {"links": ["a", "b"]}, "verified": true}\'')
    for part, found in (('{"bio": {"links": ["b"]}}', 1), ('{"verified": false}', 0)):
        row = shop.execute("SELECT count(*) FROM client_accounts WHERE metadata @> %s::JSONB", (part,)).fetchone()
        assert row == (found,)


def test_arrays_and_json_that_are_searched_have_gin_indexes() -> None:
    """Tags and attributes of products."""
    plain = {(t.name.name, i.keys[0].column) for t, i in indexes() if i.method == "gin" and i.keys[0].column}
    assert plain == {("products", "tags"), ("products", "metadata"), ("messages", "content")}


def test_full_text_search_is_portuguese(shop: psycopg.Connection) -> None:
    """On products' names and descriptions and on text messages, by an index each: any form of a word is found."""
    searched = {
        (t.name.name, match[1], i.predicate)
        for t, i in indexes()
        if (match := re.search(r"to_tsvector\('portuguese'::regconfig, (\w+)\)", i.keys[0].expression))
    }
    assert searched == {
        ("products", "name", None),
        ("products", "description", None),
        ("messages", "content", "(message_type = 'text'::text)"),
    }
    shop.execute("INSERT INTO products (user_id, name) VALUES (%s, 'Canecas azuis')", (ANA,))
    for words, found in (("caneca", 1), ("CANECAS", 1), ("as canecas", 1), ("prato", 0)):
        row = shop.execute(
            "SELECT count(*) FROM products"
            " WHERE to_tsvector('portuguese', name) @@ websearch_to_tsquery('portuguese', %s)",
            (words,),
        ).fetchone()
        assert row == (found,), words


def test_partial_indexes_hold_living_and_open_rows_only() -> None:
    """Every index over a table with soft deletes that is for look-ups of the living says so."""
    partial = {i.name: i.predicate for _, i in indexes() if i.predicate}
    living = {name for name, predicate in partial.items() if predicate == "(deleted_at IS NULL)"}
    assert living == {
        *("idx_users_email", "idx_client_accounts_platform_account", "idx_client_accounts_user_platform"),
        *("idx_client_accounts_status", "idx_client_accounts_last_sync"),
        *("idx_products_user_available", "idx_products_category"),
    }
    assert partial["idx_conversations_active"] == "(status = 'open'::text)"
    assert (
        partial["idx_oauth_tokens_expires_at"] == partial["idx_oauth_tokens_client_account"] == "(revoked_at IS NULL)"
    )
    assert partial["idx_refresh_tokens_token_hash"] == "(revoked_at IS NULL)"


def test_soft_deletes_keep_the_row_and_all_that_hangs_on_it(shop: psycopg.Connection) -> None:
    """Of users, accounts and products: deleted_at is all that changes, and nothing cascades."""
    soft = {t.name.name for t in CATALOG.tables if t.column("deleted_at")}
    assert soft == {"users", "client_accounts", "products"}
    before = shop.execute("SELECT id, email, password_hash, name FROM users").fetchall()
    shop.execute("UPDATE users SET deleted_at = now()")
    assert shop.execute("SELECT id, email, password_hash, name FROM users").fetchall() == before
    assert shop.execute("SELECT count(*) FROM client_accounts WHERE deleted_at IS NULL").fetchone() == (1,)


def test_addresses_are_verified_and_passwords_reset_by_tokens(shop: psycopg.Connection) -> None:
    """A reset's token comes with its end and goes with it; a verified address is one that was not at first."""
    assert shop.execute("SELECT email_verified FROM users").fetchone() == (False,)
    shop.execute("UPDATE users SET email_verification_token = repeat('v', 255)")
    shop.execute("UPDATE users SET email_verified = TRUE, email_verification_token = NULL")
    shop.execute("UPDATE users SET password_reset_token = 'r', password_reset_expires = now() + INTERVAL '1 hour'")
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        shop.execute("UPDATE users SET password_reset_expires = NULL")
    assert caught.value.diag.constraint_name == "chk_users_password_reset"
    shop.execute("UPDATE users SET password_reset_token = NULL, password_reset_expires = NULL")


def test_deleting_a_user_leaves_nothing_of_theirs(shop: psycopg.Connection) -> None:
    """Every table is reached from users along keys that cascade."""
    reached = {"users"}
    while (
        grown := {
            table.name.name
            for table in CATALOG.tables
            for key in table.foreign_keys
            if key.references.name in reached and key.on_delete == "CASCADE"
        }
        - reached
    ):
        reached |= grown
    assert reached == {table.name.name for table in CATALOG.tables}
    shop.execute("DELETE FROM users")
    assert shop.execute("SELECT count(*) FROM client_accounts").fetchone() == (0,)

"""The specification's "Testing Procedure", step by step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg
import pytest
from typer.testing import CliRunner

from pgcontract.cli.migrate import app
from tests.integration.fix_migrations import SOCIAL_SELLING

TABLES = [
    "analytics_events",
    "client_accounts",
    "conversations",
    "instagram_media",
    "message_products",
    "messages",
    "notifications",
    "oauth_tokens",
    "product_links",
    "products",
    "refresh_tokens",
    "users",
]

# the specification's indexes that are there under their own names; README says what became of the others
INDEXES = [
    "idx_users_email",
    "idx_users_created_at",
    "idx_users_subscription_tier",
    "idx_refresh_tokens_user_id",
    "idx_refresh_tokens_expires_at",
    "idx_refresh_tokens_token_hash",
    "idx_client_accounts_platform_account",
    "idx_client_accounts_status",
    "idx_client_accounts_last_sync",
    "idx_client_accounts_user_platform",
    "idx_oauth_tokens_client_account",
    "idx_oauth_tokens_user_id",
    "idx_oauth_tokens_expires_at",
    "idx_products_category",
    "idx_products_tags",
    "idx_products_name_search",
    "idx_products_description_search",
    "idx_products_user_available",
    "idx_product_links_client_account",
    "idx_product_links_instagram_media",
    "idx_product_links_short_link",
    "idx_product_links_product_clicks",
    "idx_conversations_platform",
    "idx_conversations_status",
    "idx_conversations_active",
    "idx_messages_platform_id",
    "idx_messages_sent_at",
    "idx_messages_is_read",
    "idx_messages_conversation_sent",
    "idx_messages_content_search",
    "idx_message_products_product",
    "idx_analytics_client_account",
    "idx_analytics_event_type",
    "idx_analytics_occurred_at",
    "idx_analytics_entity",
    "idx_analytics_user_date_category",
    "idx_analytics_daily_unique",
    "idx_analytics_daily_date",
    "idx_instagram_media_client_account",
    "idx_instagram_media_platform_id",
    "idx_notifications_user_id",
    "idx_notifications_is_read",
]

# where the specification writes 'hash', which is none
HASH = "$2b$12$" + "a" * 53


@dataclass
class Shell:
    """What the specification calls `npm run migrate` and `psql -c`."""

    dsn: str

    def migrate(self, *words: str) -> str:
        command, *rest = words
        result = CliRunner().invoke(app, [command, str(SOCIAL_SELLING), *rest, "--dsn", self.dsn])
        assert result.exit_code == 0, result.output
        return result.output

    def psql(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def relations(self, kind: str) -> set[object]:
        query = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = "
        return {name for (name,) in self.psql(query + f"'{kind}'")}


def test_the_ten_steps_of_the_testing_procedure(empty_database: str) -> None:
    """Each step does what the specification expects.

    Substituted: 'hash' is no hash of a password and would be refused, so a bcrypt one stands there (step 5); step 2's
    list has the tracking table besides the twelve; step 3's indexes are those that README's table of decisions keeps.
    """
    shell = Shell(empty_database)

    # 1. Run all migrations
    assert shell.migrate("up").splitlines()[-1] == "Total: 13 | Executed: 13 | Pending: 0"

    # 2. Verify all tables created: all 12 tables listed
    assert shell.relations("r") == {*TABLES, "migrations"}
    assert "analytics_daily_summary" in shell.relations("m")

    # 3. Check indexes: all indexes created
    assert set(INDEXES) <= shell.relations("i")

    # 4. Test foreign key constraints: foreign key constraint violation
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught:
        shell.psql(
            "INSERT INTO client_accounts (user_id, platform, platform_account_id, username)"
            " VALUES ('00000000-0000-0000-0000-000000000000', 'instagram', '123', 'test')"
        )
    assert caught.value.diag.constraint_name == "fk_client_accounts_user"

    # 5. Test triggers: created_at = updated_at
    with pytest.raises(psycopg.errors.CheckViolation):
        shell.psql("INSERT INTO users (email, password_hash, name) VALUES ('test@example.com', 'hash', 'Test')")
    shell.psql(f"INSERT INTO users (email, password_hash, name) VALUES ('test@example.com', '{HASH}', 'Test')")
    stamps = "SELECT created_at, updated_at FROM users WHERE email = 'test@example.com'"
    ((created, updated),) = shell.psql(stamps)
    assert created == updated

    # 6. Update and check trigger: updated_at > created_at
    shell.psql("UPDATE users SET name = 'Updated' WHERE email = 'test@example.com'")
    ((created, updated),) = shell.psql(stamps)
    assert isinstance(created, datetime)
    assert isinstance(updated, datetime)
    assert updated > created

    # 7. Test rollback: last migration rolled back
    assert "013-create-message-triggers" in shell.migrate("down", "1")
    functions = "SELECT count(*) FROM pg_proc WHERE proname IN ('increment_unread_count', 'decrement_unread_count')"
    assert shell.psql(functions) == [(0,)]

    # 8. Re-run migrations: migration re-applied successfully
    assert shell.migrate("up").splitlines()[-1] == "Total: 13 | Executed: 13 | Pending: 0"
    assert shell.psql(functions) == [(2,)]

    # 9. Load seed data: test data created
    assert "Seeded" in shell.migrate("seed")
    assert shell.psql("SELECT name, email_verified FROM users WHERE email = 'demo@socialselling.com'") == [
        ("Demo User", True)
    ]

    # 10. Verify seed data: 20 products
    assert shell.psql("SELECT COUNT(*) FROM products") == [(20,)]

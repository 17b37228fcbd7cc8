"""What social_selling promises beyond what one constraint can say; its triggers have a module of their own."""

from __future__ import annotations

import psycopg
import pytest

from pgcontract.migrations import prepare
from pgcontract.system import System
from tests.integration.fix_migrations import SOCIAL_SELLING

SYSTEM = System.load(SOCIAL_SELLING)
HASH = "$2b$12$" + "a" * 53
PROFILE = """
    INSERT INTO users (id, email, password_hash, name)
    VALUES ('00000000-0000-0000-0000-00000000000a', 'ana@example.com', %(hash)s, 'Ana'),
           ('00000000-0000-0000-0000-00000000000b', 'bia@example.com', %(hash)s, 'Bia');
    INSERT INTO client_accounts (id, user_id, platform, platform_account_id, username)
    VALUES ('00000000-0000-0000-0000-0000000000aa', '00000000-0000-0000-0000-00000000000a', 'instagram', '1', 'ana'),
           ('00000000-0000-0000-0000-0000000000bb', '00000000-0000-0000-0000-00000000000b', 'whatsapp', '1', 'bia');
    INSERT INTO products (id, user_id, name)
    VALUES ('00000000-0000-0000-0000-0000000aaaaa', '00000000-0000-0000-0000-00000000000a', 'Canecas azuis');
"""
ANA, BIA = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
ACCOUNT_OF_ANA, ACCOUNT_OF_BIA = "00000000-0000-0000-0000-0000000000aa", "00000000-0000-0000-0000-0000000000bb"
PRODUCT_OF_ANA = "00000000-0000-0000-0000-0000000aaaaa"


@pytest.fixture
def shop(social_selling: psycopg.Connection) -> psycopg.Connection:
    """Two users with an account each, and a product."""
    social_selling.execute(PROFILE.replace("%(hash)s", f"'{HASH}'").encode())
    return social_selling


def test_every_foreign_key_has_an_index_that_its_deletes_can_use(social_selling: psycopg.Connection) -> None:
    """Its first columns are columns of the key, and it covers every row."""
    rows = social_selling.execute(
        """
        SELECT c.conname
        FROM pg_constraint AS c
        WHERE c.contype = 'f' AND NOT EXISTS (
          SELECT FROM pg_index AS i
          WHERE i.indrelid = c.conrelid AND i.indpred IS NULL AND i.indkey[0] = ANY (c.conkey)
        )
        """
    ).fetchall()
    assert rows == []


def test_no_index_is_the_beginning_of_another(social_selling: psycopg.Connection) -> None:
    """On the same rows, in the same order; unique ones are rules, not only look-ups."""
    rows = social_selling.execute(
        """
        SELECT a.indexrelid::regclass::TEXT, b.indexrelid::regclass::TEXT
        FROM pg_index AS a
        JOIN pg_index AS b ON b.indrelid = a.indrelid AND b.indexrelid <> a.indexrelid
        JOIN pg_class AS c ON c.oid = a.indrelid AND c.relnamespace = 'public'::regnamespace
        WHERE NOT a.indisunique AND a.indexprs IS NULL AND b.indexprs IS NULL
          AND pg_get_expr(a.indpred, a.indrelid) IS NOT DISTINCT FROM pg_get_expr(b.indpred, b.indrelid)
          AND (b.indkey::TEXT || ' ') LIKE (a.indkey::TEXT || ' %')
        """
    ).fetchall()
    assert rows == []


def test_everything_is_named_by_one_scheme(social_selling: psycopg.Connection) -> None:
    """pk_, uq_, fk_ and chk_ with their table, except for the names that the documents give."""
    given = {"unique_message_product", "chk_subscription_tier", "chk_platform", "chk_status", "chk_conversation_status"}
    given |= {"chk_sender_type", "chk_message_type", "chk_media_type"}
    rows = social_selling.execute(
        """
        SELECT conname, CASE contype WHEN 'p' THEN 'pk' WHEN 'u' THEN 'uq' WHEN 'f' THEN 'fk' ELSE 'chk' END || '_'
          || conrelid::regclass::TEXT
        FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f', 'c')
          AND conrelid::regclass::TEXT <> 'migrations'
        """
    ).fetchall()
    assert len(rows) > 100
    assert [name for name, prefix in rows if not name.startswith(prefix) and name not in given] == []


def test_the_types_are_those_of_the_standards(social_selling: psycopg.Connection) -> None:
    """TEXT, TIMESTAMPTZ, NUMERIC and JSONB; never their lesser kin."""
    rows = social_selling.execute(
        """
        SELECT DISTINCT format_type(a.atttypid, NULL)
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
        WHERE a.attnum > 0 AND c.relname <> 'migrations'
        """
    ).fetchall()
    assert {name for (name,) in rows} == {
        *("boolean", "integer", "jsonb", "numeric", "text", "text[]", "timestamp with time zone", "uuid")
    }


def test_a_link_joins_things_of_one_user(shop: psycopg.Connection) -> None:
    """Another user's account, or an account's own user as the link's, are refused by name."""
    insert = "INSERT INTO product_links (user_id, product_id, client_account_id) VALUES (%s, %s, %s)"
    shop.execute(insert, (ANA, PRODUCT_OF_ANA, ACCOUNT_OF_ANA))
    for user, constraint in ((ANA, "fk_product_links_client_account"), (BIA, "fk_product_links_product")):
        with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught:
            shop.execute(insert, (user, PRODUCT_OF_ANA, ACCOUNT_OF_BIA))
        assert caught.value.diag.constraint_name == constraint


@pytest.mark.parametrize(("user", "platform"), [(BIA, "instagram"), (ANA, "whatsapp")])
def test_a_token_s_user_owns_its_account_and_their_platforms_agree(
    shop: psycopg.Connection, user: str, platform: str
) -> None:
    """One key says both."""
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        shop.execute(
            "INSERT INTO oauth_tokens (user_id, client_account_id, platform, access_token, expires_at, scopes)"
            " VALUES (%s, %s, %s, armor(pgp_sym_encrypt('secret', 'key')), now(), '{}')",
            (user, ACCOUNT_OF_ANA, platform),
        )


def test_tokens_are_stored_encrypted_and_come_back(shop: psycopg.Connection) -> None:
    """What pgcrypto armours is taken, up to a long token; plaintext, JWTs and bare base64 are not."""
    insert = (
        "INSERT INTO oauth_tokens (user_id, client_account_id, platform, access_token, expires_at, scopes, revoked_at)"
        " VALUES (%s, %s, 'instagram', {}, now(), '{{}}', now()) RETURNING access_token"
    )
    armoured = ""
    for length in (0, 1, 50, 5000):
        secret = "x" * length
        row = shop.execute(
            insert.format("armor(pgp_sym_encrypt(%s, 'key'))").encode(), (ANA, ACCOUNT_OF_ANA, secret)
        ).fetchone()
        assert row is not None
        armoured = row[0]
        assert shop.execute("SELECT pgp_sym_decrypt(dearmor(%s), 'key')", (armoured,)).fetchone() == (secret,)
    for plain in ("", "EAACEdEose0cBA", "aGVsbG8=", "-----BEGIN PGP MESSAGE-----", f"{armoured}x", f" {armoured}"):
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            shop.execute(insert.format("%s").encode(), (ANA, ACCOUNT_OF_ANA, plain))
        assert caught.value.diag.constraint_name == "chk_oauth_tokens_access_token"


def test_only_hashes_are_taken_for_passwords(social_selling: psycopg.Connection) -> None:
    """Those of bcrypt and argon2, as their libraries write them; nothing that merely looks like one."""
    row = social_selling.execute("SELECT crypt('Demo123!', gen_salt('bf', 4))").fetchone()
    assert row is not None
    argon = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQxMjM0NTY3OA$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A"
    insert = "INSERT INTO users (email, password_hash, name) VALUES (gen_random_uuid() || '@example.com', %s, 'Ana')"
    for good in (row[0], HASH, HASH.replace("$2b$", "$2y$"), argon, argon.replace("argon2id", "argon2i")):
        social_selling.execute(insert, (good,))
    looks_like = (HASH[:-1], HASH + "a", HASH.replace("$12$", "$03$"), HASH.replace("$2b", "$2x"), argon[:40])
    for bad in ("hash", "", "Demo123!", "5f4dcc3b5aa765d61d8327deb882cf99", *looks_like):
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            social_selling.execute(insert, (bad,))
        assert caught.value.diag.constraint_name == "chk_users_password_hash"


def test_the_longest_text_of_the_worst_words_can_be_indexed(shop: psycopg.Connection) -> None:
    """Hyphenated chains of four-byte letters, all distinct: the CHECK ends long before the index would."""
    letters = [chr(number) for number in range(0x20000, 0x2A000)]
    words = " ".join("-".join(letters[start : start + 250]) for start in range(0, 5000, 250))
    longest = (words + "x" * 10000)[:10000]
    shop.execute("UPDATE products SET description = %s, tags = ARRAY[%s]", (longest, "𐐀" * 500))
    for column, value, name in (
        ("description", longest + "x", "chk_products_description_length"),
        ("tags", ["𐐀" * 501], "chk_products_tags_length"),
        ("tags", ["x"] * 251, "chk_products_tags_length"),
    ):
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            shop.execute(f"UPDATE products SET {column} = %s".encode(), (value,))
        assert caught.value.diag.constraint_name == name


def test_an_address_can_be_used_again_after_its_user_was_deleted(shop: psycopg.Connection) -> None:
    """Uniqueness holds among the living; so it does for accounts on a platform."""
    again = "INSERT INTO users (email, password_hash, name) VALUES ('ana@example.com', %s, 'Ana')"
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        shop.execute(again, (HASH,))
    assert caught.value.diag.constraint_name == "idx_users_email"
    shop.execute("UPDATE users SET deleted_at = now() WHERE id = %s", (ANA,))
    shop.execute(again, (HASH,))


def test_the_summary_is_refreshed_concurrently_and_by_utc_days(shop: psycopg.Connection) -> None:
    """In any session's time zone; events without an account have one row a day, too; twice changes nothing."""
    shop.execute(
        "INSERT INTO analytics_events (user_id, client_account_id, event_type, event_category, value, occurred_at)"
        " SELECT %s, account, 'sale', 'sales', 10, at::TIMESTAMPTZ"
        " FROM unnest(ARRAY[NULL, %s]::UUID[]) AS account,"
        " unnest(ARRAY['2025-01-01 23:59:59Z', '2025-01-02 00:00:00Z', '2025-01-02 00:00:01Z']) AS at",
        (ANA, ACCOUNT_OF_ANA),
    )
    for zone in ("UTC", "America/Sao_Paulo", "Pacific/Kiritimati"):
        shop.execute("SELECT set_config('timezone', %s, false)", (zone,))
        shop.execute("SELECT refresh_analytics_daily_summary()")
        rows = shop.execute(
            "SELECT client_account_id IS NULL, date::TEXT, event_count, total_value::INT, avg_value::INT"
            " FROM analytics_daily_summary ORDER BY 1, 2"
        ).fetchall()
        assert rows == [
            (False, "2025-01-01", 1, 10, 10),
            (False, "2025-01-02", 2, 20, 10),
            (True, "2025-01-01", 1, 10, 10),
            (True, "2025-01-02", 2, 20, 10),
        ]


def test_the_application_reads_and_writes_rows_of_every_table(shop: psycopg.Connection) -> None:
    """Of later tables, too; messages' triggers and the summary's function work for it."""
    shop.execute("CREATE TABLE later (id INT)")
    tables = [
        name
        for (name,) in shop.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        if name != "migrations"
    ]
    assert len(tables) == 13
    shop.execute("SET ROLE social_selling_app")
    for table in tables:
        shop.execute(f"SELECT * FROM {table} FOR UPDATE".encode())
        row = shop.execute(
            "SELECT has_table_privilege(%s, 'INSERT') AND has_table_privilege(%s, 'DELETE')", (table, table)
        )
        assert row.fetchone() == (True,)
    shop.execute(
        "WITH c AS (INSERT INTO conversations (client_account_id, platform_conversation_id, participant_platform_id)"
        " VALUES (%s, 'c', 'p') RETURNING id)"
        " INSERT INTO messages (conversation_id, platform_message_id, sender_type, sent_at)"
        " SELECT id, 'm', 'customer', now() FROM c",
        (ACCOUNT_OF_ANA,),
    )
    assert shop.execute("SELECT unread_count FROM conversations").fetchone() == (1,)
    shop.execute("SELECT refresh_analytics_daily_summary()")


def test_a_role_that_was_there_is_left_as_it_is(empty_database: str) -> None:
    """The scripts take another name from their setting, and alter nothing about a role that they find."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE ROLE somebodys_app LOGIN CREATEDB CONNECTION LIMIT 3")
        try:
            prepare(empty_database, SYSTEM, roles={"app": "somebodys_app"})
            row = connection.execute(
                "SELECT rolcanlogin, rolcreatedb, rolconnlimit FROM pg_roles WHERE rolname = 'somebodys_app'"
            ).fetchone()
            assert row == (True, True, 3)
            assert connection.execute("SELECT has_table_privilege('somebodys_app', 'users', 'UPDATE')").fetchone() == (
                True,
            )
        finally:
            connection.execute("DROP OWNED BY somebodys_app; DROP ROLE somebodys_app")

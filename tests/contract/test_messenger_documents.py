"""The document's lists, line by line: tables, features, rules, indexes, seed, notes; README says which is which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from typer.testing import CliRunner

from pgcontract.cli.migrate import app
from pgcontract.migrations import MigrationFailed, Runner, seed
from pgcontract.sql import split
from tests.contract.fix_messenger import DIRECT, GROUP, HASH, MESSENGER, SYSTEM, USERS, Room

TABLES = [
    *("attachments", "chat_participants", "chats", "contacts", "message_delivery", "message_reactions", "messages"),
    *("unread_messages", "user_sessions", "users"),
]
IMAGE = "INSERT INTO attachments (storage_key, file_name, mime_type, file_size) VALUES (gen_random_uuid(), 'f', %s, %s)"
USER = "INSERT INTO users (username, password_hash, display_name) VALUES (%s, %s, 'X')"
DEVICE = (
    "INSERT INTO user_sessions (user_id, token_hash, device_id, device_type, expires_at)"
    " VALUES (%s, %s, %s, 'ios', now() + INTERVAL '1 day')"
)


def refused(room: Room, constraint: str, query: str, *parameters: object) -> None:
    """The statement fails by this constraint."""
    with pytest.raises(psycopg.IntegrityError) as caught:
        room.session.execute(query.encode(), parameters)
    assert caught.value.diag.constraint_name == constraint


def test_the_ten_tables_are_there(first_messenger_catalog: psycopg.Connection) -> None:
    """By the document's names, and no other but the tracking table."""
    rows = first_messenger_catalog.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename ASC"
    )
    assert [name for (name,) in rows] == sorted([*TABLES, "migrations"])


def test_usernames_are_3_to_50_letters_digits_and_underscores(room: Room) -> None:
    """Of ASCII; and no two that differ in case only."""
    for good in ("abc", "A_1", "x" * 50, "___"):
        room.run(USER, good, HASH)
    for bad in ("", "ab", "x" * 51, "a b", "a-b", "é_é", "abc\n", "a.b"):
        refused(room, "chk_users_username", USER, bad, HASH)
    refused(room, "idx_users_username", USER, "ALICE", HASH)


def test_password_hashes_of_bcrypt_are_stored(room: Room) -> None:
    """The password itself is not."""
    room.run(USER, "somebody", "$2a$10$RyfolavwazvX0xo4gqWvH.4aJVLgeF1SobkQga3RpY6u9.ZhbHk8e")
    refused(room, "chk_users_password_hash", USER, "nobody", "Messenger123!")


def test_presence_is_online_offline_or_away(room: Room) -> None:
    """Offline to begin with."""
    assert room.run("SELECT DISTINCT status FROM users") == [("offline",)]
    for good in ("online", "away", "offline"):
        room.run("UPDATE users SET status = %s", good)
    for bad in ("Online", "busy", ""):
        refused(room, "chk_users_status", "UPDATE users SET status = %s", bad)


def test_a_message_is_at_most_10_000_characters_long(room: Room) -> None:
    """Characters, not bytes; and it is not empty."""
    room.send(GROUP)
    room.run("UPDATE messages SET content = repeat('語', 10000)")
    for bad in ("x" * 10001, ""):
        refused(room, "chk_messages_content", "UPDATE messages SET content = %s", bad)


def test_a_file_is_at_most_10_mb_large(room: Room) -> None:
    """To the byte; and it is not empty."""
    for good in (1, 10 * 1024 * 1024):
        room.run(IMAGE, "image/png", good)
    for bad in (0, -1, 10 * 1024 * 1024 + 1):
        refused(room, "chk_attachments_file_size", IMAGE, "image/png", bad)


def test_a_file_is_jpeg_png_gif_or_webp(room: Room) -> None:
    """By its media type."""
    for good in ("image/jpeg", "image/png", "image/gif", "image/webp"):
        room.run(IMAGE, good, 1)
    for bad in ("image/svg+xml", "image/jpg", "IMAGE/PNG", "application/pdf", ""):
        refused(room, "chk_attachments_mime_type", IMAGE, bad, 1)


def test_an_accepted_contact_exists_in_both_directions(room: Room) -> None:
    """A request need not; a pair has one row a direction."""
    pair = (USERS["alice"], USERS["bob"])
    room.run("INSERT INTO contacts (user_id, contact_user_id) VALUES (%s, %s)", *pair)
    refused(
        room,
        "fk_contacts_mutual",
        "UPDATE contacts SET status = 'accepted', responded_at = now() WHERE user_id = %s",
        pair[0],
    )
    refused(room, "uq_contacts_pair", "INSERT INTO contacts (user_id, contact_user_id) VALUES (%s, %s)", *pair)
    room.run("INSERT INTO contacts (user_id, contact_user_id) VALUES (%s, %s)", *reversed(pair))
    room.run("UPDATE contacts SET status = 'accepted', responded_at = now()")


def test_nobody_is_their_own_contact(room: Room) -> None:
    """In any state."""
    for status in ("pending", "blocked"):
        refused(
            room,
            "chk_contacts_not_self",
            "INSERT INTO contacts (user_id, contact_user_id, status, responded_at)"
            " SELECT id, id, %s, CASE WHEN %s <> 'pending' THEN now() END FROM users LIMIT 1",
            *(status, status),
        )


def test_a_group_has_a_name(room: Room) -> None:
    """And a direct chat, which is called by who is in it, has none."""
    insert = "INSERT INTO chats (type, name) VALUES (%s, %s)"
    room.run(insert, "group", "Hike")
    room.run(insert, "direct", None)
    refused(room, "chk_chats_name", insert, "group", None)
    refused(room, "chk_chats_name", insert, "direct", "Hike")
    refused(room, "chk_chats_name_length", insert, "group", "")
    refused(room, "chk_chats_type", insert, "channel", None)


def test_participants_are_owners_admins_or_members(room: Room) -> None:
    """A member to begin with; a chat has one owner at most."""
    assert room.run("SELECT DISTINCT role FROM chat_participants") == [("member",)]
    mine = "UPDATE chat_participants SET role = %s WHERE user_id = %s"
    room.run(mine, "owner", USERS["alice"])
    room.run(mine, "admin", USERS["bob"])
    refused(room, "idx_chat_participants_owner", mine, "owner", USERS["bob"])
    refused(room, "chk_chat_participants_role", mine, "guest", USERS["bob"])


COMPOSITE = {
    "contacts": "uq_contacts_pair",
    "chat_participants": "uq_chat_participants",
    "message_reactions": "uq_message_reactions",
    "message_delivery": "uq_message_delivery",
    "unread_messages": "uq_unread_messages",
    "user_sessions": "uq_user_sessions_device",
}


@pytest.mark.parametrize("table", COMPOSITE)
def test_composite_keys_are_unique(room: Room, table: str) -> None:
    """A second row of the same key is refused by name."""
    message = room.send(GROUP)
    room.run("INSERT INTO contacts (user_id, contact_user_id) VALUES (%s, %s)", USERS["alice"], USERS["bob"])
    room.run(
        "INSERT INTO message_reactions (message_id, chat_id, user_id, emoji) VALUES (%s, %s, %s, '👍')",
        *(message, GROUP, USERS["bob"]),
    )
    room.run(DEVICE, USERS["alice"], "a" * 64, UUID(int=1))
    columns = room.run(
        "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute"
        " WHERE attrelid = %s::REGCLASS AND attnum > 0 AND attname NOT IN ('id', 'token_hash') AND attgenerated = ''"
        " AND NOT attisdropped",
        table,
    )[0][0]
    more = {"user_sessions": ("token_hash, ", "repeat('b', 64), ")}.get(table, ("", ""))
    refused(
        room,
        COMPOSITE[table],
        f"INSERT INTO {table} ({more[0]}{columns}) SELECT {more[1]}{columns} FROM {table} LIMIT 1",
    )


def test_deliveries_are_sent_delivered_or_read(room: Room) -> None:
    """With the stamps that belong to it."""
    room.send(GROUP)
    assert room.run("SELECT DISTINCT status, delivered_at, read_at FROM message_delivery") == [("sent", None, None)]
    refused(room, "chk_message_delivery_status", "UPDATE message_delivery SET status = 'failed', delivered_at = now()")
    refused(room, "chk_message_delivery_delivered_at", "UPDATE message_delivery SET status = 'delivered'")
    refused(room, "chk_message_delivery_read_at", "UPDATE message_delivery SET status = 'read', delivered_at = now()")


def test_a_user_has_a_session_on_each_of_many_devices(room: Room) -> None:
    """One row a device, and no token twice."""
    room.run(DEVICE, USERS["alice"], "a" * 64, UUID(int=1))
    room.run(DEVICE, USERS["alice"], "b" * 64, UUID(int=2))
    room.run(DEVICE, USERS["bob"], "c" * 64, UUID(int=1))
    refused(room, "uq_user_sessions_device", DEVICE, USERS["alice"], "d" * 64, UUID(int=1))
    refused(room, "uq_user_sessions_token_hash", DEVICE, USERS["alice"], "a" * 64, UUID(int=3))


@pytest.mark.parametrize("table", ["users.settings", "chats.settings", "messages.metadata"])
def test_json_documents_are_objects(room: Room, table: str) -> None:
    """Empty ones to begin with."""
    room.send(GROUP)
    name, column = table.split(".")
    assert room.run(f"SELECT DISTINCT {column} FROM {name}") == [({},)]
    room.run(f"""UPDATE {name} SET {column} = '{{"a": [1]}}'""")
    for bad in ("[]", "null", "1"):
        refused(room, f"chk_{name}_{column}", f"UPDATE {name} SET {column} = %s", bad)


def test_deleting_a_user_cascades_or_sets_null(messenger_catalog: psycopg.Connection) -> None:
    """What the actions of the 19 foreign keys are, and of the one that keeps contacts mutual."""
    rows = messenger_catalog.execute(
        "SELECT conname, confdeltype FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::REGNAMESPACE"
    ).fetchall()
    set_null = {name for name, action in rows if action == "n"}
    assert {action for _, action in rows} == {"c", "n"}
    assert len(rows) == 20
    assert set_null == {
        *("fk_attachments_uploaded_by", "fk_chat_participants_last_read_message", "fk_chats_created_by"),
        *("fk_chats_last_message", "fk_messages_reply_to", "fk_messages_sender"),
    }


# the document's list of indexes, each by the query that needs it
QUERIES = {
    "Username lookup (critical for login)": "user_by_name",
    "User status tracking": "stale_presence",
    "Contact queries by user/status": "contact_list",
    "Pending contact requests": "contact_requests",
    "Chat message retrieval by chat+time": "messages_page",
    "Full-text search on messages": "message_search",
    "Unread message counts": "unread_badge",
    "Message delivery status": "undelivered",
    "Active participants": "chat_members",
    "Session token lookups": "session_by_token",
}
SAMPLES = {
    "uuid": "'00000000-0000-0000-0000-000000000001'",
    "text": "'hello'",
    "timestamptz": "now()",
    "jsonb": """'{"a": 1}'""",
}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def indexes_of(session: psycopg.Connection, path: Path) -> set[str]:
    """The indexes in the plan of a query file, for sample values, where sequential scans are to be avoided."""
    text = path.read_text(encoding="utf-8")
    for number, kind in re.findall(r"^-- \$(\d+) (\w+):", text, re.MULTILINE):
        text = re.sub(rf"\${number}\b", f"{SAMPLES[kind]}::{kind}", text)
    with session.transaction():
        session.execute("SET LOCAL enable_seqscan = off")
        row = session.execute(f"EXPLAIN (FORMAT JSON) {text}".encode()).fetchone()
    assert row is not None
    return {node["Index Name"] for node in nodes(row[0][0]["Plan"]) if "Index Name" in node}


@pytest.mark.parametrize("line", QUERIES)
def test_each_required_index_serves_its_query(messenger_catalog: psycopg.Connection, line: str) -> None:
    """The index that the query's header names is in its plan."""
    path = MESSENGER / "queries" / f"{QUERIES[line]}.sql"
    named = re.findall(r"^-- uses: (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert named
    assert set(named) <= indexes_of(messenger_catalog, path)


def test_every_other_index_has_its_query_or_its_foreign_key(messenger_catalog: psycopg.Connection) -> None:
    """None is there for its own sake."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (MESSENGER / "queries").glob("*.sql"))
    named = set(re.findall(r"^-- uses: (\w+)", text, re.MULTILINE))
    rows = messenger_catalog.execute(
        """
        SELECT i.indexrelid::REGCLASS::TEXT, EXISTS (
          SELECT FROM pg_constraint AS c
          WHERE c.conrelid = i.indrelid AND c.contype = 'f' AND c.conkey = ARRAY[i.indkey[0]] AND i.indnkeyatts = 1
        )
        FROM pg_index AS i
        JOIN pg_class AS t
          ON t.oid = i.indrelid AND t.relnamespace = 'public'::REGNAMESPACE AND t.relname <> 'migrations'
        WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u'))
        """
    ).fetchall()
    assert len(rows) == 32
    assert [name for name, serves_a_key in rows if name not in named and not serves_a_key] == []


def test_partial_gin_and_compound_indexes_are_there(messenger_catalog: psycopg.Connection) -> None:
    """The document's "Performance Features"."""
    row = messenger_catalog.execute(
        """
        SELECT count(*) FILTER (WHERE i.indpred IS NOT NULL), count(*) FILTER (WHERE m.amname = 'gin'),
          count(*) FILTER (WHERE i.indnkeyatts > 1)
        FROM pg_index AS i
        JOIN pg_class AS x ON x.oid = i.indexrelid AND x.relnamespace = 'public'::REGNAMESPACE
        JOIN pg_am AS m ON m.oid = x.relam
        """
    ).fetchone()
    assert row == (17, 4, 23)


def test_search_knows_the_forms_of_english_words(room: Room) -> None:
    """Of living messages; stop words find nothing."""
    message = room.send(GROUP)
    room.run("UPDATE messages SET content = 'The runners were running through the cities'")
    text = (MESSENGER / "queries" / "message_search.sql").read_text(encoding="utf-8")

    def found(words: str) -> list[UUID]:
        return [
            row[0] for row in room.run(text.partition("-- $1")[2].partition("\n")[2].replace("$1", "%s::TEXT"), words)
        ]

    for words in ("run", "city", "runner cities", '"running through"'):
        assert found(words) == [message], words
    for words in ("the", "walk", '"cities running"', ""):
        assert found(words) == [], words
    room.run("UPDATE messages SET deleted_at = now()")
    assert found("run") == []


def test_keys_are_random_uuids_and_times_are_those_of_the_transaction(messenger_catalog: psycopg.Connection) -> None:
    """Every id by gen_random_uuid(), every other default time by CURRENT_TIMESTAMP."""
    rows = messenger_catalog.execute(
        """
        SELECT c.relname::TEXT, a.attname::TEXT, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relname = ANY (%s)
        LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attname = 'id' OR (a.atttypid = 'timestamptz'::REGTYPE AND d.oid IS NOT NULL)
        """,
        (TABLES,),
    ).fetchall()
    assert {default for _, name, default in rows if name == "id"} == {"gen_random_uuid()"}
    assert sum(name == "id" for _, name, _ in rows) == 10
    assert {default for _, name, default in rows if name != "id"} == {"CURRENT_TIMESTAMP"}
    assert {name for _, name, _ in rows} == {"id", "created_at", "updated_at", "joined_at", "last_active_at"}


def test_users_and_chats_stamp_their_changes(first_messenger: psycopg.Connection) -> None:
    """These two tables, by one function; and no other table has such a stamp."""
    rows = first_messenger.execute(
        "SELECT tgrelid::REGCLASS::TEXT, tgfoid::REGPROC::TEXT FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1 ASC"
    ).fetchall()
    assert rows == [("chats", "update_updated_at_column"), ("users", "update_updated_at_column")]
    first_messenger.execute(USER, ("somebody", HASH))
    first_messenger.execute("UPDATE users SET bio = 'x'")
    assert first_messenger.execute("SELECT updated_at > created_at FROM users").fetchone() == (True,)


def migrate(dsn: str, *words: str) -> str:
    """What the document calls `npm run migrate` and `npm run seed`."""
    command, *rest = words
    result = CliRunner().invoke(app, [command, str(MESSENGER), *rest, "--dsn", dsn])
    assert result.exit_code == 0, result.output
    return result.output


def test_migrating_twice_is_migrating_once_and_rolling_back_leaves_nothing(empty_database: str) -> None:
    """The runner keeps account of what it has done; the rollback drops all tables."""
    assert migrate(empty_database, "up").splitlines()[-1] == "Total: 2 | Executed: 2 | Pending: 0"
    assert migrate(empty_database, "up").splitlines()[-1] == "Total: 2 | Executed: 2 | Pending: 0"
    assert "002-integrity" in migrate(empty_database, "status")
    migrate(empty_database, "down", "2")
    with psycopg.connect(empty_database) as connection:
        left = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::REGNAMESPACE"
        assert connection.execute(left).fetchall() == [("migrations",)]


def test_a_migration_that_fails_leaves_nothing_of_itself(empty_database: str, tmp_path: Path) -> None:
    """It is one transaction: what came before its error is undone."""
    for path in (MESSENGER / "migrations").glob("*.sql"):
        text = path.read_text(encoding="utf-8")
        up, mark, down = text.partition("-- ROLLBACK\n")
        broken = up + "SELECT 1 / 0;\n" if path.name.startswith("002") else up
        (tmp_path / path.name).write_text(broken + mark + down, encoding="utf-8")
    with pytest.raises(MigrationFailed):
        Runner(empty_database, tmp_path, init=SYSTEM.init).up()
    with psycopg.connect(empty_database) as connection:
        columns = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'participant_count'"
        assert connection.execute(columns).fetchone() == (0,)
        assert connection.execute("SELECT name FROM migrations").fetchall() == [("001-initial-schema",)]


@pytest.mark.parametrize("name", ["001-initial-schema.sql", "002-integrity.sql"])
def test_the_migrations_are_valid_without_being_run(name: str) -> None:
    """PostgreSQL's own parser reads them whole; what one makes, its rollback drops."""
    up, _, down = (MESSENGER / "migrations" / name).read_text(encoding="utf-8").partition("-- ROLLBACK\n")
    assert len(split(up)) > 10
    assert len(split(down)) > 10
    made = r"CREATE (?:CONSTRAINT )?(TABLE|FUNCTION|TRIGGER) (\w+)|ADD (CONSTRAINT|COLUMN) (\w+)"
    dropped = set(re.findall(r"DROP (?:CONSTRAINT |COLUMN )?(?:TABLE |FUNCTION |TRIGGER )?(\w+)", down))
    # triggers and constraints go with their table
    gone = set(re.findall(r"DROP TABLE (\w+)", down))
    for kind, one, other_kind, other in re.findall(made, up):
        if not (gone and (kind or other_kind) in ("TRIGGER", "CONSTRAINT")):
            assert (one or other) in dropped


@pytest.fixture
def seeded(messenger: psycopg.Connection, messenger_database: str) -> psycopg.Connection:
    """A session on a database with the development data."""
    seed(messenger_database, SYSTEM)
    return messenger


def test_the_seed_has_four_users(seeded: psycopg.Connection) -> None:
    """alice, bob, charlie, diana; their password is the one that the file names."""
    seeded.execute("CREATE EXTENSION pgcrypto")
    rows = seeded.execute(
        "SELECT username, password_hash = crypt('Messenger123!', password_hash) FROM users ORDER BY username ASC"
    ).fetchall()
    assert rows == [("alice", True), ("bob", True), ("charlie", True), ("diana", True)]


def test_the_seed_has_contacts_of_every_kind(seeded: psycopg.Connection) -> None:
    """Accepted on both sides, a request, a block."""
    rows = seeded.execute("SELECT status, count(*) FROM contacts GROUP BY status ORDER BY status ASC").fetchall()
    assert rows == [("accepted", 6), ("blocked", 1), ("pending", 1)]


def test_the_seed_has_direct_chats_with_messages_and_a_group(seeded: psycopg.Connection) -> None:
    """Two of two, with an answer in each; one group of four, with an owner, an admin, an image and reactions."""
    rows = seeded.execute(
        """
        SELECT type, name, participant_count,
          (SELECT count(*) FROM messages WHERE chat_id = chats.id),
          (SELECT count(*) FROM messages WHERE chat_id = chats.id AND reply_to_id IS NOT NULL),
          (SELECT count(*) FROM message_reactions WHERE chat_id = chats.id)
        FROM chats ORDER BY id ASC
        """
    ).fetchall()
    assert rows == [
        ("direct", None, 2, 3, 1, 0),
        ("direct", None, 2, 2, 1, 0),
        ("group", "Weekend hike", 4, 3, 0, 3),
    ]
    roles = seeded.execute("SELECT role, count(*) FROM chat_participants GROUP BY role ORDER BY role ASC").fetchall()
    assert roles == [("admin", 1), ("member", 6), ("owner", 1)]
    images = seeded.execute("SELECT file_name, content FROM attachments JOIN messages ON messages.id = message_id")
    assert images.fetchall() == [("path.jpg", "This is our path.")]


def test_the_seed_has_deliveries_of_every_state(seeded: psycopg.Connection) -> None:
    """And the counts that follow from them."""
    rows = seeded.execute(
        "SELECT status, count(*) FROM message_delivery GROUP BY status ORDER BY status ASC"
    ).fetchall()
    assert rows == [("delivered", 5), ("read", 6), ("sent", 3)]
    unread = seeded.execute(
        "SELECT username, SUM(unread_count)::INT FROM unread_messages JOIN users ON users.id = user_id"
        " GROUP BY username ORDER BY username ASC"
    ).fetchall()
    assert unread == [("bob", 2), ("charlie", 3), ("diana", 3)]
    read = seeded.execute("SELECT count(*) FROM chat_participants WHERE last_read_message_id IS NOT NULL").fetchone()
    assert read == (4,)


def test_direct_chats_and_groups_are_told_apart_by_their_participants(room: Room) -> None:
    """Two at most in the one, any number in the other."""
    join = "INSERT INTO chat_participants (chat_id, user_id) VALUES (%s, %s)"
    refused(room, "chk_chats_direct", join, DIRECT, USERS["diana"])
    assert room.run("SELECT type, participant_count FROM chats ORDER BY id ASC LIMIT 2") == [
        ("direct", 2),
        ("group", 4),
    ]


def test_the_tests_that_the_readme_names_are_there() -> None:
    """Each line of its table leads to one, or says why there is none."""
    text = (MESSENGER / "README.md").read_text(encoding="utf-8")
    folder = Path(__file__).parent
    modules = {
        letter: (folder / f"{module}.py").read_text(encoding="utf-8")
        for letter, module in re.findall(r"`(\w)` (?:is )?(test_messenger_\w+)\.py", text.replace("\n", " "))
    }
    named = re.findall(r"`(\w)::(test_\w+)`", text)
    assert len(named) > 40
    assert [name for letter, name in named if f"def {name}(" not in modules[letter]] == []
    table = text.partition("| line of the document | test |\n|---|---|\n")[2].splitlines()
    assert len(table) > 40
    assert [
        line
        for line in table
        if "test_" not in line and not re.search("not applicable: |not yet: |the whole suite", line)
    ] == []

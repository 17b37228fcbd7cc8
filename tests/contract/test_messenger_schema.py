"""What messenger promises beyond what one constraint can say; its triggers have a module of their own."""

from __future__ import annotations

import psycopg
import pytest

from pgcontract.migrations import MigrationFailed, prepare, runner_of
from tests.contract.fix_messenger import DIRECT, GROUP, HASH, OTHER, SYSTEM, USERS, Room, populate

# of the schema's own objects, in the words of the document
STATISTICS = {
    "Tables": (10, "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND {mine}"),
    "Columns": (
        97,
        (
            "SELECT count(*) FROM pg_attribute AS a JOIN pg_class ON pg_class.oid = a.attrelid"
            " WHERE relkind = 'r' AND attnum > 0 AND NOT attisdropped AND {mine}"
        ),
    ),
    "Indexes": (
        32,
        (
            "SELECT count(*) FROM pg_index AS i JOIN pg_class ON pg_class.oid = i.indrelid"
            " WHERE {mine}"
            " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u'))"
        ),
    ),
    "Triggers": (
        2,
        "SELECT count(*) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE NOT tgisinternal AND {mine}",
    ),
    "Functions": (
        1,
        (
            "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::REGNAMESPACE"
            " AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')"
        ),
    ),
    "Constraints": (
        28,
        (
            "SELECT count(*) FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid WHERE contype IN ('c', 'u')"
            " AND {mine}"
        ),
    ),
    "Foreign Keys": (
        19,
        "SELECT count(*) FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid WHERE contype = 'f' AND {mine}",
    ),
}
MINE = "relnamespace = 'public'::REGNAMESPACE AND relname <> 'migrations'"


@pytest.mark.parametrize("what", STATISTICS)
def test_after_the_first_migration_the_document_s_statistics_hold(
    first_messenger_catalog: psycopg.Connection, what: str
) -> None:
    """Indexes beyond those of constraints; constraints beside primary and foreign keys and NOT NULL."""
    wanted, query = STATISTICS[what]
    assert first_messenger_catalog.execute(query.format(mine=MINE).encode()).fetchone() == (wanted,)


def test_every_foreign_key_has_an_index_that_its_deletes_can_use(messenger_catalog: psycopg.Connection) -> None:
    """It begins with a column of the key, and leaves out no row but those whose column of the key is NULL."""
    rows = messenger_catalog.execute(
        """
        SELECT c.conname
        FROM pg_constraint AS c
        WHERE c.contype = 'f' AND NOT EXISTS (
          SELECT FROM pg_index AS i
          JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
          WHERE i.indrelid = c.conrelid AND i.indkey[0] = ANY (c.conkey)
            AND (i.indpred IS NULL
              OR pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', a.attname))
        )
        """
    ).fetchall()
    assert rows == []


def test_no_index_is_the_beginning_of_another(messenger_catalog: psycopg.Connection) -> None:
    """On the same rows, in the same order; constraints' indexes count, and unique ones are rules, not only look-ups."""
    rows = messenger_catalog.execute(
        """
        SELECT a.indexrelid::REGCLASS::TEXT, b.indexrelid::REGCLASS::TEXT
        FROM pg_index AS a
        JOIN pg_index AS b ON b.indrelid = a.indrelid AND b.indexrelid <> a.indexrelid
        JOIN pg_class AS c ON c.oid = a.indrelid AND c.relnamespace = 'public'::REGNAMESPACE
        WHERE NOT a.indisunique AND a.indexprs IS NULL AND b.indexprs IS NULL
          AND pg_get_expr(a.indpred, a.indrelid) IS NOT DISTINCT FROM pg_get_expr(b.indpred, b.indrelid)
          AND (b.indkey::TEXT || ' ') LIKE (a.indkey::TEXT || ' %')
        """
    ).fetchall()
    assert rows == []


def test_everything_is_named_by_one_scheme(messenger_catalog: psycopg.Connection) -> None:
    """pk_, uq_, fk_, chk_ and idx_ with their table."""
    rows = messenger_catalog.execute(
        """
        SELECT conname, CASE contype WHEN 'p' THEN 'pk' WHEN 'u' THEN 'uq' WHEN 'f' THEN 'fk' ELSE 'chk' END || '_'
          || conrelid::REGCLASS::TEXT
        FROM pg_constraint
        WHERE connamespace = 'public'::REGNAMESPACE AND contype IN ('p', 'u', 'f', 'c', 't')
          AND conrelid::REGCLASS::TEXT <> 'migrations'
        UNION ALL
        SELECT indexrelid::REGCLASS::TEXT, 'idx_' || indrelid::REGCLASS::TEXT
        FROM pg_index
        JOIN pg_class ON pg_class.oid = indrelid AND relnamespace = 'public'::REGNAMESPACE AND relname <> 'migrations'
        WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
        """
    ).fetchall()
    assert len(rows) > 100
    assert [name for name, prefix in rows if not name.startswith(prefix)] == []


def test_the_types_are_those_of_the_standards(messenger_catalog: psycopg.Connection) -> None:
    """TEXT, TIMESTAMPTZ and JSONB; never their lesser kin."""
    rows = messenger_catalog.execute(
        """
        SELECT DISTINCT format_type(a.atttypid, NULL)
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relnamespace = 'public'::REGNAMESPACE
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relname <> 'migrations'
        """
    ).fetchall()
    assert {name for (name,) in rows} == {
        *("boolean", "inet", "integer", "jsonb", "text", "timestamp with time zone", "uuid")
    }


def test_only_hashes_are_taken_for_passwords_and_tokens(room: Room) -> None:
    """Passwords by bcrypt or argon2, tokens by SHA-256: what a thief of the table could use is refused."""
    for bad in ("", "Messenger123!", HASH[:-1], HASH + "a", "5f4dcc3b5aa765d61d8327deb882cf99"):
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            room.run("UPDATE users SET password_hash = %s", bad)
        assert caught.value.diag.constraint_name == "chk_users_password_hash"
    session = (
        "INSERT INTO user_sessions (user_id, token_hash, device_id, device_type, expires_at)"
        " VALUES (%s, {}, gen_random_uuid(), 'ios', now() + INTERVAL '1 day')"
    )
    room.run(session.format("encode(sha256(%s), 'hex')"), USERS["alice"], b"secret")
    for bad in ("secret", "a" * 63, "A" * 64, "a" * 65, "a" * 64 + "\n"):
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            room.run(session.format("%s"), USERS["alice"], bad)
        assert caught.value.diag.constraint_name == "chk_user_sessions_token_hash"


def test_the_longest_message_of_the_worst_words_can_be_indexed(room: Room) -> None:
    """Hyphenated chains of four-byte letters, all distinct: the CHECK ends long before the index would."""
    letters = [chr(number) for number in range(0x20000, 0x2A000)]
    words = " ".join("-".join(letters[start : start + 250]) for start in range(0, 5000, 250))
    longest = (words + "x" * 10000)[:10000]
    message = room.send(GROUP)
    room.run("UPDATE messages SET content = %s WHERE id = %s", longest, message)
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        room.run("UPDATE messages SET content = %s WHERE id = %s", longest + "x", message)
    assert caught.value.diag.constraint_name == "chk_messages_content"


@pytest.mark.parametrize(
    ("query", "constraint"),
    [
        ("UPDATE messages SET sender_id = %(diana)s WHERE chat_id = %(other)s", "fk_messages_sender"),
        ("UPDATE messages SET reply_to_id = %(in_group)s WHERE chat_id = %(other)s", "fk_messages_reply_to"),
        (
            "UPDATE chat_participants SET last_read_message_id = %(in_group)s WHERE chat_id = %(other)s",
            "fk_chat_participants_last_read_message",
        ),
        (
            (
                "INSERT INTO message_reactions (message_id, chat_id, user_id, emoji)"
                " VALUES (%(in_other)s, %(other)s, %(diana)s, '👍')"
            ),
            "fk_message_reactions_user",
        ),
        (
            (
                "INSERT INTO message_reactions (message_id, chat_id, user_id, emoji)"
                " VALUES (%(in_other)s, %(group)s, %(diana)s, '👍')"
            ),
            "fk_message_reactions_message",
        ),
        (
            "INSERT INTO message_delivery (message_id, chat_id, user_id) VALUES (%(in_other)s, %(other)s, %(diana)s)",
            "fk_message_delivery_user",
        ),
        (
            "INSERT INTO message_delivery (message_id, chat_id, user_id) VALUES (%(in_other)s, %(group)s, %(diana)s)",
            "fk_message_delivery_message",
        ),
        ("UPDATE chats SET last_message_id = %(in_group)s WHERE id = %(other)s", "fk_chats_last_message"),
        ("UPDATE messages SET chat_id = %(direct)s WHERE id = %(in_other)s", "fk_messages_sender"),
    ],
)
def test_what_belongs_to_a_chat_stays_in_it(room: Room, query: str, constraint: str) -> None:
    """Diana is not in the other group: she can say nothing there, and nothing of hers refers to what is said there."""
    names = {"in_group": room.send(GROUP), "in_other": room.send(OTHER, "charlie", deliver=False)}
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught:
        room.session.execute(
            query.encode(), {**names, "diana": USERS["diana"], "direct": DIRECT, "group": GROUP, "other": OTHER}
        )
    assert caught.value.diag.constraint_name == constraint


def test_whoever_leaves_remains_the_sender_of_what_they_said(room: Room) -> None:
    """By left_at; a participant that is deleted leaves messages without a sender, and takes what came to them along."""
    message = room.send(GROUP, "bob")
    room.run(
        "INSERT INTO message_reactions (message_id, chat_id, user_id, emoji) VALUES (%s, %s, %s, '👍')",
        message,
        GROUP,
        USERS["bob"],
    )
    room.run("UPDATE chat_participants SET left_at = now() WHERE user_id = %s", USERS["bob"])
    assert room.run("SELECT sender_id FROM messages") == [(USERS["bob"],)]
    room.send(GROUP, "alice")
    room.run("DELETE FROM chat_participants WHERE user_id = %s", USERS["bob"])
    assert room.run("SELECT sender_id FROM messages WHERE id = %s", message) == [(None,)]
    assert room.count("message_reactions") == 0
    assert room.unread(GROUP) == {"alice": 1, "charlie": 2, "diana": 2}


def test_what_goes_with_a_user_and_what_stays(room: Room) -> None:
    """Contacts, sessions, memberships and counts go; chats, messages and images stay, without their author."""
    bob = USERS["bob"]
    message = room.send(GROUP, "bob")
    room.send(GROUP, "alice")
    room.run("UPDATE chats SET created_by = %s", bob)
    room.run("INSERT INTO contacts (user_id, contact_user_id) VALUES (%s, %s)", bob, USERS["alice"])
    room.run("INSERT INTO contacts (user_id, contact_user_id) VALUES (%s, %s)", USERS["alice"], bob)
    room.run(
        "INSERT INTO user_sessions (user_id, token_hash, device_id, device_type, expires_at)"
        " VALUES (%s, repeat('a', 64), gen_random_uuid(), 'web', now() + INTERVAL '1 day')",
        bob,
    )
    room.run(
        "INSERT INTO attachments (message_id, uploaded_by, storage_key, file_name, mime_type, file_size)"
        " VALUES (%s, %s, 'k', 'f', 'image/png', 1)",
        *(message, bob),
    )
    room.run("DELETE FROM users WHERE id = %s", bob)
    assert [room.count(table) for table in ("contacts", "user_sessions", "chats", "messages")] == [0, 0, 3, 2]
    assert room.run(
        "SELECT sender_id, created_by, uploaded_by FROM attachments"
        " JOIN messages ON messages.id = message_id JOIN chats ON chats.id = chat_id"
    ) == [(None, None, None)]
    assert room.unread(GROUP) == {"alice": 1, "charlie": 2, "diana": 2}
    assert room.run("SELECT participant_count FROM chats ORDER BY id ASC") == [(1,), (3,), (2,)]


def test_a_deleted_chat_and_message_are_kept_until_the_purge(room: Room) -> None:
    """Soft deletes take nothing away; deleting the rows takes all that hangs on them."""
    room.send(GROUP)
    room.run("UPDATE chats SET deleted_at = now() WHERE id = %s", GROUP)
    room.run("UPDATE messages SET deleted_at = now()")
    assert [room.count(table) for table in ("chats", "messages", "message_delivery")] == [3, 1, 3]
    room.run("DELETE FROM chats WHERE deleted_at < %s", "infinity")
    assert [room.count(table) for table in ("chats", "messages", "message_delivery", "unread_messages")] == [2, 0, 0, 0]


FORBIDDEN = {
    "DDL": "CREATE TABLE t ()",
    "a schema": "CREATE SCHEMA s",
    "altering": "ALTER TABLE users ADD COLUMN x INT",
    "disabling a trigger": "ALTER TABLE messages DISABLE TRIGGER ALL",
    "dropping": "DROP TABLE users",
    "TRUNCATE": "TRUNCATE user_sessions",
    "TEMP": "CREATE TEMPORARY TABLE t ()",
    "the tracking table": "SELECT * FROM migrations",
    "a trigger's function": "SELECT update_updated_at_column()",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_application_may_not(messenger_catalog: psycopg.Connection, what: str) -> None:
    """Everything but reading and writing rows is refused."""
    messenger_catalog.execute("SET ROLE messenger_app")
    try:
        with pytest.raises(psycopg.Error) as caught:
            messenger_catalog.execute(FORBIDDEN[what].encode())
    finally:
        messenger_catalog.execute("RESET ROLE")
    assert caught.value.sqlstate == "42501"


def test_the_application_reads_and_writes_rows_of_every_table(room: Room) -> None:
    """Of later tables, too; and the triggers work for it."""
    room.session.execute("CREATE TABLE later (id INT)")
    tables = room.session.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migrations'"
    ).fetchall()
    assert len(tables) == 11
    room.session.execute("SET ROLE messenger_app")
    for (table,) in tables:
        room.session.execute(f"SELECT * FROM {table} FOR UPDATE".encode())
        row = room.session.execute(
            "SELECT has_table_privilege(%s, 'INSERT') AND has_table_privilege(%s, 'DELETE')", (table, table)
        )
        assert row.fetchone() == (True,)
    message = room.send(DIRECT)
    assert (room.unread(DIRECT), room.last(DIRECT)) == ({"bob": 1}, message)
    room.run("DELETE FROM chat_participants")
    room.run("DELETE FROM messages")


def test_nothing_is_granted_to_public(messenger_catalog: psycopg.Connection) -> None:
    """No table, no function of the schema's own, not the schema, not the database."""
    rows = messenger_catalog.execute(
        """
        SELECT 'relation', relname::TEXT FROM pg_class, aclexplode(relacl)
        WHERE grantee = 0 AND relnamespace = 'public'::REGNAMESPACE
        UNION ALL
        SELECT 'function', proname FROM pg_proc, aclexplode(COALESCE(proacl, acldefault('f', proowner)))
        WHERE grantee = 0 AND pronamespace = 'public'::REGNAMESPACE
          AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
        UNION ALL
        SELECT 'schema', nspname FROM pg_namespace, aclexplode(nspacl) WHERE grantee = 0 AND nspname = 'public'
        UNION ALL
        SELECT 'database', datname FROM pg_database, aclexplode(COALESCE(datacl, acldefault('d', datdba)))
        WHERE grantee = 0 AND datname = current_database()
        """
    ).fetchall()
    assert rows == []


def test_a_role_that_was_there_is_left_as_it_is(empty_database: str) -> None:
    """The scripts take another name from their setting, and alter nothing about a role that they find."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE ROLE somebodys_messenger LOGIN CREATEDB CONNECTION LIMIT 3")
        try:
            prepare(empty_database, SYSTEM, roles={"app": "somebodys_messenger"})
            row = connection.execute(
                "SELECT rolcanlogin, rolcreatedb, rolconnlimit, has_table_privilege(oid, 'messages', 'UPDATE')"
                " FROM pg_roles WHERE rolname = 'somebodys_messenger'"
            ).fetchone()
            assert row == (True, True, 3, True)
        finally:
            connection.execute("DROP OWNED BY somebodys_messenger; DROP ROLE somebodys_messenger")


def chatter(session: psycopg.Connection) -> None:
    """Rows as the first migration allows them: nobody has counted anything."""
    populate(session)
    session.execute(
        """
        INSERT INTO messages (chat_id, sender_id, content, created_at)
        SELECT chat_id, user_id, 'hello', now() - n * INTERVAL '1 hour'
        FROM chat_participants, generate_series(1, 3) AS n;
        INSERT INTO message_delivery (message_id, chat_id, user_id, status)
        SELECT m.id, m.chat_id, p.user_id, CASE WHEN random() < 0.5 THEN 'sent' ELSE 'read' END
        FROM messages AS m JOIN chat_participants AS p ON p.chat_id = m.chat_id AND p.user_id <> m.sender_id;
        UPDATE messages SET deleted_at = now() WHERE random() < 0.3;
        INSERT INTO unread_messages (user_id, chat_id, unread_count) SELECT user_id, chat_id, 7 FROM chat_participants
        """
    )


def test_the_second_migration_counts_what_is_there_already(first_messenger: psycopg.Connection) -> None:
    """Afterwards every invariant holds, and wrong counts have been replaced."""
    chatter(first_messenger)
    first_messenger.execute(
        "UPDATE message_delivery SET delivered_at = CASE WHEN status <> 'sent' THEN now() END,"
        " read_at = CASE WHEN status = 'read' THEN now() END"
    )
    runner_of(first_messenger.info.dsn, SYSTEM).up()
    Room(first_messenger, first_messenger.info.dsn).check("002-integrity")
    row = first_messenger.execute(
        "SELECT bool_or(participant_count = 4), bool_and(last_message_id IS NOT NULL) FROM chats"
    )
    assert row.fetchone() == (True, True)


def test_the_second_migration_refuses_messages_that_say_nothing(first_messenger: psycopg.Connection) -> None:
    """It names how many there are, and leaves everything as it was."""
    populate(first_messenger)
    first_messenger.execute("INSERT INTO messages (chat_id) SELECT id FROM chats")
    with pytest.raises(MigrationFailed, match="3 messages have neither content nor an attachment"):
        runner_of(first_messenger.info.dsn, SYSTEM).up()
    first_messenger.execute("UPDATE messages SET deleted_at = now()")
    runner_of(first_messenger.info.dsn, SYSTEM).up()

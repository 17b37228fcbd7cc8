"""The triggers of messenger: unread counts, last messages, participants, messages that say something, updated_at.

``Room.run`` asks the system's own invariants after every step, so that a step is judged by what must hold, not by what
its author expected.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.contract.fix_messenger import DIRECT, GROUP, HASH, NOON, OTHER, PEOPLE, READ, UNREAD, USERS, Room

IMAGE = "INSERT INTO attachments (message_id, storage_key, file_name, mime_type, file_size)"


def test_what_is_delivered_counts_until_it_is_read(room: Room) -> None:
    """For each of them alone; arriving changes nothing, and reading twice counts once."""
    first, second = room.send(GROUP), room.send(GROUP, "bob")
    assert room.unread(GROUP) == {"alice": 1, "bob": 1, "charlie": 2, "diana": 2}
    room.run("UPDATE message_delivery SET status = 'delivered', delivered_at = now()")
    assert room.unread(GROUP) == {"alice": 1, "bob": 1, "charlie": 2, "diana": 2}
    for _ in range(2):
        room.run(READ + " WHERE message_id = %s AND user_id = %s", first, USERS["charlie"])
        assert room.unread(GROUP) == {"alice": 1, "bob": 1, "charlie": 1, "diana": 2}
    room.run(READ + " WHERE message_id = %s", second)
    assert room.unread(GROUP) == {"bob": 1, "diana": 1}
    room.run(UNREAD + " WHERE message_id = %s AND user_id = %s", second, USERS["alice"])
    assert room.unread(GROUP) == {"alice": 1, "bob": 1, "diana": 1}


def test_what_is_inserted_as_read_does_not_count_and_may_be_unread_later(room: Room) -> None:
    """Also for somebody who has no row of counts yet."""
    message = room.send(DIRECT, deliver=False)
    room.run(
        "INSERT INTO message_delivery (message_id, chat_id, user_id, status, delivered_at, read_at)"
        " VALUES (%s, %s, %s, 'read', now(), now())",
        *(message, DIRECT, USERS["bob"]),
    )
    assert (room.unread(DIRECT), room.count("unread_messages")) == ({}, 0)
    room.run(UNREAD)
    assert room.unread(DIRECT) == {"bob": 1}
    message = room.send(GROUP, deliver=False)
    room.run(
        "INSERT INTO message_delivery (message_id, chat_id, user_id, status, delivered_at, read_at)"
        " SELECT %s, %s, id, CASE WHEN username < 'c' THEN 'read' ELSE 'delivered' END, now(),"
        " CASE WHEN username < 'c' THEN now() END FROM users",
        *(message, GROUP),
    )
    assert room.unread(GROUP) == {"charlie": 1, "diana": 1}


def test_deliveries_that_go_or_move_take_their_count_along(room: Room) -> None:
    """To another message of the same chat, to another recipient, to another chat; one row and several."""
    first, second = room.send(GROUP), room.send(GROUP, deliver=False)
    elsewhere = room.send(OTHER, deliver=False)
    bob, charlie, diana = (USERS[name] for name in PEOPLE[1:])
    room.run("UPDATE message_delivery SET message_id = %s WHERE user_id = %s", second, bob)
    room.run("UPDATE message_delivery SET message_id = %s, chat_id = %s WHERE user_id = %s", elsewhere, OTHER, charlie)
    assert (room.unread(GROUP), room.unread(OTHER)) == ({"bob": 1, "diana": 1}, {"charlie": 1})
    room.run("UPDATE message_delivery SET user_id = %s WHERE user_id = %s", USERS["alice"], diana)
    assert room.unread(GROUP) == {"alice": 1, "bob": 1}
    room.run(
        "UPDATE message_delivery SET message_id = %s, chat_id = %s, status = 'delivered', delivered_at = now()"
        " WHERE chat_id = %s",
        *(elsewhere, OTHER, GROUP),
    )
    assert (room.unread(GROUP), room.unread(OTHER)) == ({}, {"alice": 1, "bob": 1, "charlie": 1})
    room.run("DELETE FROM message_delivery WHERE user_id = %s", bob)
    room.run("DELETE FROM messages WHERE id IN (%s, %s)", first, elsewhere)
    assert room.unread(OTHER) == {}


def test_many_deliveries_count_as_one_by_one(room: Room) -> None:
    """Of all chats and everybody, sent, read in part, read again, unread and deleted by one statement each."""
    room.run(
        "INSERT INTO messages (chat_id, sender_id, content, created_at)"
        " SELECT chat_id, user_id, 'hello', now() - n * INTERVAL '1 minute' FROM chat_participants,"
        " generate_series(1, 30) AS n"
    )
    room.run(
        "INSERT INTO message_delivery (message_id, chat_id, user_id)"
        " SELECT m.id, m.chat_id, p.user_id FROM messages AS m JOIN chat_participants AS p"
        " ON p.chat_id = m.chat_id AND p.user_id <> m.sender_id"
    )
    assert room.unread(GROUP) == dict.fromkeys(PEOPLE, 90)
    assert room.unread(DIRECT) == {"alice": 30, "bob": 30}
    room.run(READ + " WHERE hashtext(id::TEXT) %% 3 = 0")
    room.run(READ)
    assert room.unread(GROUP) == {}
    room.run(UNREAD + " WHERE hashtext(id::TEXT) %% 2 = 0")
    room.run(READ + " WHERE FALSE")
    room.run("DELETE FROM message_delivery WHERE hashtext(id::TEXT) %% 3 <> 1")
    room.run("DELETE FROM messages")
    assert room.count("message_delivery") == 0


def test_upserts_count_what_they_insert_and_what_they_change(room: Room) -> None:
    """Rows that were there and rows that were not in one statement; doing nothing counts nothing."""
    message = room.send(GROUP)
    room.run("DELETE FROM message_delivery WHERE user_id = %s", USERS["bob"])
    upsert = (
        "INSERT INTO message_delivery (message_id, chat_id, user_id)"
        " SELECT %s, chat_id, user_id FROM chat_participants WHERE chat_id = %s ON CONFLICT (message_id, user_id) DO "
    )
    room.run(upsert + "UPDATE SET status = 'read', delivered_at = now(), read_at = now()", message, GROUP)
    assert room.unread(GROUP) == {"alice": 1, "bob": 1}
    room.run(upsert + "NOTHING", message, GROUP)
    assert room.unread(GROUP) == {"alice": 1, "bob": 1}
    newer = room.send(OTHER, minute=50, deliver=False)
    room.run(
        "INSERT INTO messages (id, chat_id, content, created_at) VALUES (%s, %s, 'x', %s), (%s, %s, 'x', %s)"
        " ON CONFLICT (id) DO UPDATE SET deleted_at = now()",
        *(newer, OTHER, NOON, uuid4(), GROUP, NOON + timedelta(minutes=99)),
    )
    assert (room.last(OTHER), room.last(GROUP) == message) == (None, False)


def test_the_last_message_is_the_newest_living_one(room: Room) -> None:
    """Whatever comes late, is deleted softly or for good, comes back, or changes its time."""
    early, late = room.send(GROUP, minute=5), room.send(GROUP, minute=9)
    room.send(GROUP, minute=7)
    assert room.last(GROUP) == late
    room.run("UPDATE messages SET content = 'edited', edited_at = now() WHERE id = %s", late)
    room.run("UPDATE messages SET deleted_at = now() WHERE id = %s", late)
    assert room.last(GROUP) not in (early, late)
    room.run("UPDATE messages SET deleted_at = NULL WHERE id = %s", late)
    assert room.last(GROUP) == late
    room.run("UPDATE messages SET created_at = created_at + INTERVAL '1 day' WHERE id = %s", early)
    assert room.last(GROUP) == early
    room.run("UPDATE messages SET created_at = created_at - INTERVAL '1 year' WHERE id = %s", early)
    assert room.last(GROUP) == late
    room.run("INSERT INTO messages (chat_id, content, deleted_at) VALUES (%s, 'x', now())", GROUP)
    assert room.last(GROUP) == late
    room.run("DELETE FROM messages WHERE id = %s", late)
    assert room.last(GROUP) not in (early, late)
    for deleted, last in (("now()", False), ("NULL", True), ("now()", False)):
        room.run(f"UPDATE messages SET deleted_at = {deleted}")
        assert (room.last(GROUP) is not None) is last
    room.run("UPDATE messages SET deleted_at = NULL WHERE id = %s", early)
    room.run("DELETE FROM messages")
    assert room.last(GROUP) is None


def test_of_two_messages_of_one_moment_the_greater_id_is_the_last(room: Room) -> None:
    """In whatever order they arrive, alone or together."""
    low, high = UUID(int=0xA), UUID(int=0xB)
    insert = "INSERT INTO messages (id, chat_id, content, created_at) VALUES (%s, %s, 'x', %s)"
    for order in ((low, high), (high, low)):
        for message in order:
            room.run(insert, message, GROUP, NOON)
        assert room.last(GROUP) == high
        room.run("DELETE FROM messages WHERE id = %s", high)
        assert room.last(GROUP) == low
        room.run("DELETE FROM messages")
    room.run(insert + ", (%s, %s, 'x', %s)", high, GROUP, NOON, low, GROUP, NOON)
    assert room.last(GROUP) == high
    higher = UUID(int=0xC)
    room.run("UPDATE messages SET id = CASE id WHEN %s THEN %s ELSE id END", low, higher)
    assert room.last(GROUP) == higher


def test_messages_move_where_nothing_refers_to_them(room: Room) -> None:
    """The last one, too, alone or with all others, there and back; and a message may change its id."""
    first, last = room.send(GROUP, minute=1, deliver=False), room.send(GROUP, minute=2, deliver=False)
    answered = room.send(OTHER, minute=3, deliver=False)
    room.run("UPDATE messages SET chat_id = %s WHERE id = %s", OTHER, last)
    assert (room.last(GROUP), room.last(OTHER)) == (first, answered)
    room.run("UPDATE messages SET chat_id = %s", GROUP)
    assert (room.last(GROUP), room.last(OTHER)) == (answered, None)
    room.run("UPDATE messages SET chat_id = %s", OTHER)
    assert (room.last(GROUP), room.last(OTHER)) == (None, answered)
    room.run("UPDATE messages SET chat_id = CASE id WHEN %s THEN chat_id ELSE %s END", answered, GROUP)
    assert (room.last(GROUP), room.last(OTHER)) == (last, answered)
    deleted = [room.send(OTHER, minute=minute, deliver=False) for minute in (1, 2)]
    room.run("UPDATE messages SET deleted_at = now() WHERE id = ANY (%s)", deleted)
    room.run("UPDATE messages SET chat_id = %s WHERE id = ANY (%s)", GROUP, deleted)
    assert (room.last(GROUP), room.last(OTHER)) == (last, answered)
    renamed = uuid4()
    room.run("UPDATE messages SET id = %s WHERE id = %s", renamed, last)
    assert room.last(GROUP) == renamed
    room.run("UPDATE messages SET reply_to_id = %s WHERE id = %s", first, renamed)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        room.run("UPDATE messages SET chat_id = %s WHERE id = %s", OTHER, first)


def test_a_message_has_content_or_an_image_or_is_deleted(room: Room) -> None:
    """At the end of its transaction: until then each may come before the other."""
    message = uuid4()
    insert = "INSERT INTO messages (id, chat_id) VALUES (%s, %s)"
    image = IMAGE + " VALUES (%s, %s, 'f', 'image/png', 1)"
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        room.run(insert, message, GROUP)
    assert (caught.value.diag.constraint_name, caught.value.diag.table_name) == ("chk_messages_not_empty", "messages")
    with room.session.transaction():
        room.session.execute(insert, (message, GROUP))
        room.session.execute(image, (message, "a"))
        room.session.execute(image, (message, "b"))
    room.check("a message of two images")
    room.run("DELETE FROM attachments WHERE storage_key = 'a'")
    for change in (
        "DELETE FROM attachments",
        "UPDATE attachments SET message_id = NULL",
        f"UPDATE attachments SET message_id = '{room.send(GROUP)}'",
    ):
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            room.run(change)
        assert caught.value.diag.constraint_name == "chk_messages_not_empty"
    room.run("UPDATE messages SET content = 'caption' WHERE id = %s", message)
    room.run("UPDATE attachments SET message_id = NULL")
    with pytest.raises(psycopg.errors.CheckViolation):
        room.run("UPDATE messages SET content = NULL WHERE id = %s", message)
    room.run("UPDATE messages SET content = NULL, deleted_at = now() WHERE id = %s", message)
    with pytest.raises(psycopg.errors.CheckViolation):
        room.run("UPDATE messages SET deleted_at = NULL WHERE id = %s", message)
    room.run("UPDATE attachments SET message_id = %s", message)
    room.run("UPDATE messages SET deleted_at = NULL WHERE id = %s", message)
    with room.session.transaction():
        room.session.execute("DELETE FROM attachments")
        room.session.execute("UPDATE messages SET deleted_at = now() WHERE id = %s", (message,))
    room.check("a message deleted with its image")
    room.run("DELETE FROM messages")


def test_a_direct_chat_has_two_participants_at_most(room: Room) -> None:
    """Whether they come one by one or together, by a move or by the chat's change; those who have left count."""
    join = "INSERT INTO chat_participants (chat_id, user_id) SELECT %s, id FROM users WHERE username = ANY (%s)"
    room.run("UPDATE chat_participants SET left_at = now() WHERE chat_id = %s", DIRECT)
    for query, parameters in (
        (join, (DIRECT, ["diana"])),
        (
            "UPDATE chat_participants SET chat_id = %s WHERE chat_id = %s AND user_id = %s",
            (DIRECT, OTHER, USERS["charlie"]),
        ),
        ("UPDATE chats SET type = 'direct', name = NULL WHERE id = %s", (OTHER,)),
        ("UPDATE chats SET type = 'direct', name = NULL, participant_count = 2 WHERE id = %s", (OTHER,)),
        ("UPDATE chats SET type = 'direct', name = NULL, participant_count = 0 WHERE id = %s", (OTHER,)),
    ):
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            room.run(query, *parameters)
        assert caught.value.diag.constraint_name == "chk_chats_direct"
    room.run("DELETE FROM chat_participants WHERE chat_id = %s", DIRECT)
    with pytest.raises(psycopg.errors.CheckViolation):
        room.run(join, DIRECT, ["alice", "bob", "diana"])
    room.run(join, DIRECT, ["charlie", "diana"])
    room.run("DELETE FROM chat_participants WHERE chat_id = %s AND user_id = %s", OTHER, USERS["alice"])
    room.run("UPDATE chats SET type = 'direct', name = NULL WHERE id = %s", OTHER)


def test_participants_are_counted_where_they_go(room: Room) -> None:
    """Joining, moving, changing places, leaving for good; many at once."""
    counts = "SELECT participant_count FROM chats ORDER BY id ASC"
    charlie, diana = USERS["charlie"], USERS["diana"]
    assert room.run(counts) == [(2,), (4,), (3,)]
    room.run("UPDATE chats SET type = 'group', name = 'Pair' WHERE id = %s", DIRECT)
    room.run("UPDATE chat_participants SET chat_id = %s WHERE user_id = %s", DIRECT, diana)
    assert room.run(counts) == [(3,), (3,), (3,)]
    room.run("DELETE FROM chat_participants WHERE chat_id = %s AND user_id = %s", GROUP, charlie)
    room.run(
        "UPDATE chat_participants SET chat_id = CASE user_id WHEN %s THEN %s::UUID ELSE %s END"
        " WHERE user_id IN (%s, %s)",
        *(diana, OTHER, DIRECT, diana, charlie),
    )
    assert room.run(counts) == [(3,), (2,), (3,)]
    room.run("UPDATE chat_participants SET chat_id = chat_id, muted_until = now()")
    room.run("DELETE FROM chat_participants WHERE user_id IN (%s, %s)", USERS["alice"], USERS["bob"])
    assert room.run(counts) == [(1,), (0,), (1,)]
    room.run("DELETE FROM chat_participants")
    assert room.run(counts) == [(0,), (0,), (0,)]


def test_an_accepted_contact_is_one_on_both_sides(room: Room) -> None:
    """At the end of the transaction; taking either row away takes both; a block asks the other row to change first."""
    ours = "INSERT INTO contacts (user_id, contact_user_id, status, responded_at) VALUES (%s, %s, 'accepted', now())"
    alice, bob = USERS["alice"], USERS["bob"]
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught:
        room.run(ours, alice, bob)
    assert caught.value.diag.constraint_name == "fk_contacts_mutual"
    room.run("INSERT INTO contacts (user_id, contact_user_id) VALUES (%s, %s)", alice, bob)
    accept = "UPDATE contacts SET status = 'accepted', responded_at = now() WHERE user_id = %s"
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        room.run(accept, alice)
    with room.session.transaction():
        room.session.execute(accept, (alice,))
        room.session.execute(ours, (bob, alice))
    room.check("accepting")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        room.run("UPDATE contacts SET status = 'blocked' WHERE user_id = %s", alice)
    with room.session.transaction():
        room.session.execute("UPDATE contacts SET status = 'blocked' WHERE user_id = %s", (alice,))
        room.session.execute("UPDATE contacts SET status = 'declined' WHERE user_id = %s", (bob,))
    room.run("UPDATE contacts SET status = 'accepted'")
    room.run("DELETE FROM contacts WHERE user_id = %s", bob)
    assert room.count("contacts") == 0
    room.run(ours + ", (%s, %s, 'accepted', now())", alice, bob, bob, alice)
    room.run("DELETE FROM users WHERE id = %s", alice)
    assert room.count("contacts") == 0


DERIVED = {
    "a chat's count": "UPDATE chats SET participant_count = 9 WHERE type = 'group'",
    "a chat's last message": "UPDATE chats SET last_message_id = NULL, last_message_at = now()",
    "a chat's time alone": "UPDATE chats SET last_message_at = NULL",
    "an older message": "UPDATE chats SET last_message_id = (SELECT id FROM messages WHERE chat_id = chats.id"
    " ORDER BY created_at ASC LIMIT 1)",
    "all of a new chat": "INSERT INTO chats (type, participant_count, last_message_at) VALUES ('direct', 2, now())",
    "an unread count": "UPDATE unread_messages SET unread_count = unread_count + 5",
    "no unread count": "UPDATE unread_messages SET unread_count = 0",
    "a new unread count": "INSERT INTO unread_messages (user_id, chat_id, unread_count)"
    " SELECT user_id, chat_id, 4 FROM chat_participants ON CONFLICT (user_id, chat_id) DO UPDATE SET unread_count = 8",
    "an unread count's row": "DELETE FROM unread_messages",
    "an unread count's chat": "UPDATE unread_messages SET chat_id = (SELECT id FROM chats WHERE name IS NOT NULL"
    " ORDER BY id DESC LIMIT 1), unread_count = 3",
    "an unread count's user": "UPDATE unread_messages SET user_id = (SELECT id FROM users WHERE username = 'alice')"
    " WHERE user_id = (SELECT id FROM users WHERE username = 'diana')",
    "counts beside reading": f"WITH r AS ({READ} WHERE user_id <> (SELECT id FROM users WHERE username = 'bob')"
    " RETURNING 1) UPDATE unread_messages SET unread_count = unread_count + 40",
    "counts after reading": f"WITH r AS ({READ} RETURNING 1)"
    " UPDATE unread_messages SET unread_count = unread_count + (SELECT COUNT(*) FROM r)",
    "counts beside new deliveries": "WITH m AS (INSERT INTO messages (chat_id, content) SELECT id, 'x' FROM chats"
    " RETURNING id, chat_id), d AS (INSERT INTO message_delivery (message_id, chat_id, user_id)"
    " SELECT m.id, m.chat_id, p.user_id FROM m JOIN chat_participants AS p USING (chat_id) RETURNING 1)"
    " UPDATE unread_messages SET unread_count = 50",
    "rows beside deleted deliveries": "WITH d AS (DELETE FROM message_delivery WHERE hashtext(id::TEXT) % 2 = 0"
    " RETURNING 1) DELETE FROM unread_messages",
    "rows after deleted deliveries": "WITH d AS (DELETE FROM message_delivery RETURNING 1)"
    " DELETE FROM unread_messages WHERE (SELECT COUNT(*) FROM d) > 0",
    "a chat with its participants": "WITH c AS (INSERT INTO chats (type, participant_count) VALUES ('direct', 1)"
    " RETURNING id) INSERT INTO chat_participants (chat_id, user_id) SELECT c.id, users.id FROM c, users"
    " WHERE username < 'c'",
    "a chat beside its participants": "WITH p AS (DELETE FROM chat_participants WHERE user_id IN (SELECT id FROM users"
    " WHERE username = 'charlie') RETURNING 1) UPDATE chats SET participant_count = 2",
    "a chat after its participants": "WITH p AS (DELETE FROM chat_participants WHERE user_id IN (SELECT id FROM users"
    " WHERE username = 'charlie') RETURNING 1) UPDATE chats SET participant_count = (SELECT COUNT(*) FROM p)",
    "a chat beside its messages": "WITH m AS (INSERT INTO messages (chat_id, content) SELECT id, 'x' FROM chats"
    " RETURNING id) UPDATE chats SET last_message_id = NULL, last_message_at = NULL, participant_count = 2",
    "messages beside messages": "WITH d AS (DELETE FROM messages RETURNING chat_id)"
    " INSERT INTO messages (chat_id, content, created_at) SELECT chat_id, 'x', TIMESTAMPTZ '2000-01-01' FROM d",
}


@pytest.mark.parametrize("what", DERIVED)
def test_what_is_written_to_derived_columns_is_taken_back(room: Room, what: str) -> None:
    """Before the statement ends, whatever else it writes."""
    for chat in (GROUP, DIRECT, GROUP):
        room.send(chat)
    room.run(READ + " WHERE user_id = %s AND chat_id = %s", USERS["bob"], DIRECT)
    room.run(DERIVED[what].replace("%", "%%"))


@pytest.mark.parametrize(
    ("query", "constraint"),
    [
        ("UPDATE chats SET participant_count = -1", "chk_chats_participant_count"),
        ("UPDATE unread_messages SET unread_count = -1", "chk_unread_messages_unread_count"),
    ],
)
def test_nonsense_in_derived_columns_is_still_refused(room: Room, query: str, constraint: str) -> None:
    """It is not corrected in silence."""
    room.send(GROUP)
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        room.run(query)
    assert caught.value.diag.constraint_name == constraint


def test_a_row_of_counts_that_counts_nothing_may_go_and_comes_back(room: Room) -> None:
    """With the next message."""
    room.send(DIRECT)
    room.run("DELETE FROM unread_messages")
    assert room.unread(DIRECT) == {"bob": 1}
    room.run(READ)
    room.run("UPDATE unread_messages SET chat_id = %s", OTHER)
    room.send(DIRECT)
    assert room.unread(DIRECT) == {"bob": 1}
    room.run(READ)
    room.run("DELETE FROM unread_messages")
    assert room.count("unread_messages") == 0
    room.send(DIRECT)
    assert room.unread(DIRECT) == {"bob": 1}


CASCADES = (
    "chats",
    "users",
    "messages",
    "chat_participants",
    "chats WHERE type = 'group'",
    "users WHERE username < 'c'",
)


@pytest.mark.parametrize("what", CASCADES)
def test_cascades_leave_every_derived_column_right(room: Room, what: str) -> None:
    """Deleting all or some of a table's rows, with everything that hangs on them."""
    for chat, sender in ((DIRECT, "alice"), (GROUP, "bob"), (GROUP, "charlie"), (OTHER, "alice"), (GROUP, "diana")):
        message = room.send(chat, sender)
        room.run(IMAGE + " VALUES (%s, gen_random_uuid()::TEXT, 'f', 'image/png', 1)", message)
    room.run(READ + " WHERE hashtext(id::TEXT) %% 2 = 0")
    room.run(f"DELETE FROM {what}")
    room.run("DELETE FROM chats")
    assert [room.count(table) for table in ("messages", "message_delivery", "unread_messages")] == [0, 0, 0]


STAMPED = ("users", "chats")


def test_every_table_with_the_stamp_has_its_trigger(messenger: psycopg.Connection) -> None:
    """And the list of this module is complete."""
    rows = messenger.execute(
        "SELECT c.relname, t.tgname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r'"
        " LEFT JOIN pg_trigger AS t ON t.tgrelid = c.oid AND t.tgfoid = 'update_updated_at_column'::REGPROC"
        " WHERE a.attname = 'updated_at' AND c.relnamespace = 'public'::REGNAMESPACE"
    ).fetchall()
    assert sorted(rows) == sorted((table, f"update_{table}_updated_at") for table in STAMPED)


@pytest.mark.parametrize("table", STAMPED)
def test_an_update_is_stamped_with_its_transaction(room: Room, table: str) -> None:
    """Back-dated rows come up to now; what the client writes counts for nothing."""
    stamped = room.session
    for wish in ("created_at", "updated_at - INTERVAL '1 day'", "'-infinity'"):
        with stamped.transaction():
            stamped.execute(f"ALTER TABLE {table} DISABLE TRIGGER update_{table}_updated_at".encode())
            stamped.execute(f"UPDATE {table} SET updated_at = now() - INTERVAL '1 year'".encode())
            stamped.execute(f"ALTER TABLE {table} ENABLE TRIGGER update_{table}_updated_at".encode())
            stamped.execute(f"UPDATE {table} SET updated_at = {wish}".encode())
            row = stamped.execute(f"SELECT bool_and(updated_at = now()) FROM {table}".encode()).fetchone()
            assert row == (True,)


@pytest.mark.parametrize("table", STAMPED)
def test_an_older_transaction_that_comes_later_does_not_turn_the_stamp_back(room: Room, table: str) -> None:
    """Two committed transactions: the younger one's stamp stays."""
    update = f"UPDATE {table} SET created_at = created_at".encode()
    with psycopg.connect(room.dsn) as older:
        started = older.execute("SELECT now()").fetchone()
        room.session.execute(update)
        younger = room.session.execute(f"SELECT max(updated_at) FROM {table}".encode()).fetchone()
        older.execute(update)
        older.commit()
    assert started is not None
    assert younger is not None
    assert started[0] < younger[0]
    row = room.session.execute(f"SELECT min(updated_at) >= %s FROM {table}".encode(), younger).fetchone()
    assert row == (True,)


@pytest.mark.parametrize("table", STAMPED)
@pytest.mark.parametrize("future", ["now() + INTERVAL '1 minute'", "'infinity'"])
def test_a_stamp_in_the_future_is_refused(room: Room, table: str, future: str) -> None:
    """By its name; and so is none at all."""
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        room.session.execute(f"UPDATE {table} SET updated_at = {future}".encode())
    assert caught.value.diag.constraint_name == f"chk_{table}_updated_at"
    with pytest.raises(psycopg.errors.NotNullViolation):
        room.session.execute(f"UPDATE {table} SET updated_at = NULL".encode())


def test_a_message_stamps_its_chat(room: Room) -> None:
    """What a chat says last is a change of the chat."""
    before = room.run("SELECT updated_at FROM chats WHERE id = %s", GROUP)
    room.send(GROUP)
    room.run("UPDATE users SET password_hash = %s", HASH)
    assert room.run("SELECT updated_at FROM chats WHERE id = %s", GROUP) > before

"""Conversations and messages by their typed layer: each message once, pages that do not move, counts that are right."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgcontract.database import Database
from pgcontract.errors import UsageError
from schema.social_selling import conversations as module
from schema.social_selling.conversations import Conversations, NewMessage
from schema.social_selling.rows import Conversation, Message
from tests.contract.fix_social_selling import INVARIANTS, NOON, SHOP, conversation

ACCOUNT = UUID("00000000-0000-0000-0000-0000000000aa")


@pytest.fixture
def database(social_selling_database: str) -> Iterator[Database]:
    """A pool on a database with four empty conversations; at the end every invariant holds."""
    with Database(social_selling_database) as database:
        with psycopg.connect(social_selling_database) as connection:
            connection.execute(SHOP.encode())
        yield database
        with psycopg.connect(social_selling_database) as connection:
            for name, query in INVARIANTS.items():
                assert connection.execute(query).fetchall() == [], name


def message(number: int, *, minutes: int = 0, of: int = 1) -> NewMessage:
    """The n-th message of a customer."""
    return {
        "conversation_id": conversation(of),
        "platform_message_id": f"m{number}",
        "sender_type": "customer",
        "sent_at": NOON + timedelta(minutes=minutes),
        "content": f"Message {number}",
    }


def shown(database: Database, number: int = 1) -> Conversation:
    """A conversation as it is stored."""
    query = f"SELECT {Conversation.COLUMNS} FROM {Conversation.TABLE} WHERE id = %s"
    return database.one(query, (conversation(number),), row=Conversation)


def test_a_message_is_taken_in_once(database: Database) -> None:
    """However often the platform tells of it, and however many do so at once."""
    talks = Conversations(database)
    with ThreadPoolExecutor(16) as senders:
        taken = [found for found in senders.map(lambda _: talks.receive(message(1)), range(64)) if found]
    assert len(taken) == 1
    assert (taken[0].content, taken[0].message_type, taken[0].is_read) == ("Message 1", "text", False)
    assert shown(database).unread_count == 1


def test_reading_marks_all_and_counts_them(database: Database) -> None:
    """The conversation's own count follows."""
    talks = Conversations(database)
    for n in range(5):
        talks.receive(message(n, minutes=n))
    own: NewMessage = {**message(9, minutes=9), "sender_type": "user"}
    talks.receive(own)
    assert shown(database).unread_count == 5
    assert (talks.read(conversation(1)), talks.read(conversation(1))) == (5, 0)
    assert (shown(database).unread_count, shown(database).last_message_at) == (0, NOON + timedelta(minutes=9))


def test_the_inbox_has_the_latest_first(database: Database) -> None:
    """Without a message last; closed ones are not in it."""
    talks = Conversations(database)
    talks.receive(message(1, minutes=1, of=2))
    talks.receive(message(2, minutes=5, of=3))
    database.none("UPDATE conversations SET status = 'closed' WHERE id = %s", (conversation(4),))
    assert [one.id for one in talks.inbox(ACCOUNT)] == [conversation(n) for n in (3, 2, 1)]
    assert [one.id for one in talks.inbox(ACCOUNT, limit=1)] == [conversation(3)]


def test_a_conversation_is_opened_once_and_keeps_its_name(database: Database) -> None:
    """A webhook without a name takes none away."""
    talks = Conversations(database)
    first = talks.open(ACCOUNT, "new", "customer", "bia")
    again = talks.open(ACCOUNT, "new", "customer")
    assert (again.id, again.participant_username) == (first.id, "bia")
    assert talks.open(ACCOUNT, "new", "customer", "beatriz").participant_username == "beatriz"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(minutes=st.lists(st.integers(0, 4), max_size=25), limit=st.integers(1, 7), late=st.integers(-1, 5))
def test_pages_have_every_message_once_and_do_not_move(
    database: Database, minutes: list[int], limit: int, late: int
) -> None:
    """Also those of the same moment; what arrives while pages are turned is in its place, or in none before it."""
    database.none("DELETE FROM messages")
    talks = Conversations(database)
    sent = {one.id: one for n, m in enumerate(minutes) if (one := talks.receive(message(n, minutes=m)))}
    assert len(sent) == len(minutes)
    seen: list[Message] = []
    last: Message | None = None
    arrived: Message | None = None
    while page := talks.messages(conversation(1), before=last, limit=limit):
        seen += page
        last = page[-1]
        if arrived is None:
            arrived = talks.receive(message(99, minutes=late))
    ids = [one.id for one in seen]
    assert len(set(ids)) == len(ids)
    assert set(sent) <= set(ids)
    assert seen == sorted(seen, key=lambda one: (one.sent_at, one.id), reverse=True)


def test_a_page_is_read_from_the_index(database: Database) -> None:
    """The first and all others: sorted is only what is of the same moment."""
    database.none(
        "INSERT INTO messages (conversation_id, platform_message_id, sender_type, sent_at)"
        " SELECT id, n, 'user', %s + n * INTERVAL '1 second' FROM generate_series(1, 5000) AS n"
        " JOIN (SELECT id, row_number() OVER (ORDER BY id ASC) AS place FROM conversations) AS c ON place = 1 + n %% 4",
        (NOON,),
    )
    database.query("ANALYZE messages")
    with database.tx() as tx:
        for query, values in (
            (module._FIRST_PAGE, (conversation(1), 50)),
            (module._NEXT_PAGE, (conversation(1), NOON + timedelta(hours=1), conversation(1), 50)),
        ):
            plan = "\n".join(line for (line,) in tx.query(f"EXPLAIN {query}", values))
            assert "idx_messages_conversation_sent" in plan
            assert "Incremental Sort" in plan


def test_nothing_else_of_a_message_may_be_written(database: Database) -> None:
    """Ids and what is read are the database's."""
    wrong: NewMessage = {**message(1), "is_read": True}  # type: ignore[typeddict-unknown-key]
    with pytest.raises(UsageError):
        Conversations(database).receive(wrong)

"""Messenger under many sessions at once: nothing is lost, and nobody is locked out.

Where two changes must meet, the first one is held open until the second is seen waiting for it; at REPEATABLE READ the
second has looked before the first was committed.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from uuid import uuid4

import psycopg
import pytest

from tests.contract.fix_messenger import DIRECT, GROUP, OTHER, READ, UNREAD, USERS, Room

SEND = "INSERT INTO messages (id, chat_id, sender_id, content) VALUES (%s, %s, %s, 'hello')"
DELIVER = (
    "INSERT INTO message_delivery (message_id, chat_id, user_id)"
    " SELECT m.id, m.chat_id, p.user_id FROM messages AS m JOIN chat_participants AS p"
    " ON p.chat_id = m.chat_id AND p.user_id <> m.sender_id WHERE m.id = %s"
)
WORKERS, STEPS = 8, 15


def together(dsn: str, work: Callable[[psycopg.Connection, int], None], workers: int = WORKERS) -> None:
    """Run it in so many sessions that start at once; the first failure is raised."""
    start = threading.Barrier(workers)

    def one(worker: int) -> None:
        with psycopg.connect(dsn, autocommit=True) as session:
            start.wait(timeout=30)
            work(session, worker)

    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(one, worker) for worker in range(workers)]:
            done.result(timeout=120)


@pytest.mark.parametrize("workers", [8, pytest.param(32, marks=pytest.mark.thorough)])
def test_many_writers_at_once_lose_nothing_and_do_not_lock_each_other_out(room: Room, workers: int) -> None:
    """They send and deliver, mark as read and unread, date back, delete softly and purge, in the same three chats."""
    people = {DIRECT: ["alice", "bob"], GROUP: list(USERS), OTHER: ["alice", "bob", "charlie"]}
    queries = [
        f"{READ} WHERE message_id = %s",
        f"{UNREAD} WHERE message_id = %s",
        "UPDATE messages SET deleted_at = now() WHERE id = %s",
        "UPDATE messages SET created_at = created_at - INTERVAL '1 day' WHERE id = %s",
        "DELETE FROM messages WHERE id = %s AND deleted_at IS NOT NULL",
        "DELETE FROM message_delivery WHERE message_id = %s",
    ]

    def work(session: psycopg.Connection, worker: int) -> None:
        draw = random.Random(worker)
        mine = []
        for _ in range(STEPS):
            chat, message = draw.choice(list(people)), uuid4()
            mine.append(message)
            with session.transaction():
                session.execute(SEND, (message, chat, USERS[draw.choice(people[chat])]))
                session.execute(DELIVER, (message,))
            for query in draw.sample(queries, 2):
                session.execute(query.encode(), (draw.choice(mine),))

    together(room.dsn, work, workers)
    room.check("many writers")
    assert room.count("messages") > workers


def test_who_deletes_last_messages_for_good_at_once_may_be_sent_back_and_breaks_nothing(room: Room) -> None:
    """The one exception: whoever deletes a chat's last message has it before the chat, which others have first."""
    for minute in range(60):
        room.send(GROUP, minute=minute, deliver=minute % 3 == 0)

    def work(session: psycopg.Connection, worker: int) -> None:
        newest = (
            "id = (SELECT id FROM messages WHERE chat_id = %s AND deleted_at IS NULL ORDER BY created_at DESC LIMIT 1)"
        )
        delete = "UPDATE messages SET deleted_at = now()" if worker == 0 else "DELETE FROM messages"
        for _ in range(4):
            with suppress(psycopg.errors.DeadlockDetected):
                session.execute(f"{delete} WHERE {newest}".encode(), (GROUP,))

    together(room.dsn, work, workers=3)
    room.check("three who delete")


def test_deliveries_to_the_same_people_in_any_order_do_not_lock_each_other_out(room: Room) -> None:
    """Statements over the same rows of counts, written in orders of their own."""
    message = room.send(GROUP, deliver=False)

    def work(session: psycopg.Connection, worker: int) -> None:
        draw = random.Random(worker)
        for _ in range(STEPS):
            mine = uuid4()
            session.execute("INSERT INTO messages (id, chat_id, content) VALUES (%s, %s, 'x')", (mine, GROUP))
            session.execute(
                "INSERT INTO message_delivery (message_id, chat_id, user_id)"
                " SELECT %s, chat_id, user_id FROM chat_participants WHERE chat_id = %s"
                f" ORDER BY hashtext(user_id::TEXT || '{draw.random()}')".encode(),
                (mine, GROUP),
            )
            session.execute(f"{READ} WHERE message_id = %s".encode(), (mine,))

    together(room.dsn, work)
    room.check("deliveries in any order")
    assert room.unread(GROUP) == {}
    assert room.last(GROUP) != message


def test_statements_over_all_chats_do_not_lock_each_other_out(room: Room) -> None:
    """Each session sends to all of them in an order of its own, and changes all that it has sent by one statement."""

    def work(session: psycopg.Connection, worker: int) -> None:
        draw = random.Random(worker)
        chats = [DIRECT, GROUP, OTHER]
        for _ in range(STEPS):
            draw.shuffle(chats)
            session.execute(
                "INSERT INTO messages (chat_id, content, metadata)"
                " SELECT chat, 'x', jsonb_build_object('worker', %s::INT) FROM unnest(%s) AS chat",
                (worker, chats),
            )
            change = draw.choice(
                ["deleted_at = now()", "deleted_at = NULL", "created_at = created_at - INTERVAL '1 s'"]
            )
            session.execute(f"UPDATE messages SET {change} WHERE metadata @> '{{\"worker\": {worker}}}'".encode())

    together(room.dsn, work)
    room.check("statements over all chats")


def test_participants_who_change_places_do_not_lock_each_other_out(room: Room) -> None:
    """Half of the sessions move theirs there and back, the others back and there."""
    room.session.execute(
        "INSERT INTO users (username, password_hash, display_name)"
        " SELECT 'guest_' || n, password_hash, 'Guest' FROM users, generate_series(0, 7) AS n WHERE username = 'bob'"
    )

    def work(session: psycopg.Connection, worker: int) -> None:
        places = (GROUP, OTHER) if worker % 2 else (OTHER, GROUP)
        guest = f"(SELECT id FROM users WHERE username = 'guest_{worker}')"
        session.execute(f"INSERT INTO chat_participants (chat_id, user_id) SELECT %s, {guest}".encode(), (places[1],))
        for place in places * STEPS:
            session.execute(f"UPDATE chat_participants SET chat_id = %s WHERE user_id = {guest}".encode(), (place,))

    together(room.dsn, work)
    room.check("changing places")


def test_joining_and_leaving_at_once_is_counted_to_the_last(room: Room) -> None:
    """Each session takes its own people in and out of both groups."""
    room.session.execute(
        "INSERT INTO users (username, password_hash, display_name)"
        " SELECT 'guest_' || n, password_hash, 'Guest' FROM users, generate_series(1, 40) AS n WHERE username = 'bob'"
    )

    def work(session: psycopg.Connection, worker: int) -> None:
        guests = f"username ~ '^guest_' AND mod(abs(hashtext(username)), {WORKERS}) = {worker}"
        for chats in ((GROUP, OTHER), (OTHER, GROUP)) * 3:
            session.execute(
                "INSERT INTO chat_participants (chat_id, user_id)"
                f" SELECT chat, id FROM unnest(%s) AS chat, users WHERE {guests}".encode(),
                (list(chats),),
            )
            session.execute(f"DELETE FROM chat_participants USING users WHERE users.id = user_id AND {guests}".encode())

    together(room.dsn, work)
    room.check("guests")
    assert room.run("SELECT participant_count FROM chats ORDER BY id ASC") == [(2,), (4,), (3,)]


def test_of_many_who_join_a_direct_chat_at_once_two_come_in(room: Room) -> None:
    """The others are refused by name."""
    room.run("DELETE FROM chat_participants WHERE chat_id = %s", DIRECT)
    refused = []

    def work(session: psycopg.Connection, worker: int) -> None:
        try:
            session.execute(
                "INSERT INTO chat_participants (chat_id, user_id) VALUES (%s, %s)",
                (DIRECT, list(USERS.values())[worker]),
            )
        except psycopg.errors.CheckViolation as error:
            refused.append(error.diag.constraint_name)

    together(room.dsn, work, workers=4)
    room.check("four who join")
    assert refused == ["chk_chats_direct"] * 2


@contextmanager
def waiting(room: Room, first: list[str], second: list[str], isolation: str) -> Iterator[Future[None]]:
    """Run ``first`` in a transaction that is held open until ``second``, in another, waits for it."""
    level = f"BEGIN ISOLATION LEVEL {isolation}".encode()
    with (
        psycopg.connect(room.dsn, autocommit=True) as one,
        psycopg.connect(room.dsn, autocommit=True) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        one.execute(level)
        other.execute(level)
        other.execute("SELECT FROM users")
        for query in first:
            one.execute(query.encode())

        def follow() -> None:
            for query in second:
                other.execute(query.encode())
            other.execute("COMMIT")

        done = pool.submit(follow)
        blocked = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        while room.session.execute(blocked, (other.info.backend_pid,)).fetchone() is None:
            assert not done.done(), "the second transaction did not wait for the first one"
        one.execute("COMMIT")
        yield done
        done.exception(timeout=30)


LEVELS = ("READ COMMITTED", "REPEATABLE READ")


@pytest.mark.parametrize("level", LEVELS)
def test_two_who_take_one_of_two_images_each_meet(room: Room, level: str) -> None:
    """The second one is refused: the message would say nothing."""
    message = uuid4()
    with room.session.transaction():
        room.session.execute("INSERT INTO messages (id, chat_id) VALUES (%s, %s)", (message, GROUP))
        room.session.execute(
            "INSERT INTO attachments (message_id, storage_key, file_name, mime_type, file_size)"
            " SELECT %s, key, 'f', 'image/png', 1 FROM unnest(ARRAY['a', 'b']) AS key",
            (message,),
        )
    take = "DELETE FROM attachments WHERE storage_key = '{}'"
    with waiting(room, [take.format("a")], [take.format("b")], level) as second:
        expected = psycopg.errors.CheckViolation if level == LEVELS[0] else psycopg.errors.SerializationFailure
        with pytest.raises(expected):
            second.result(timeout=30)
    room.check("two who take images")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("order", ["content first", "image first"])
def test_whoever_takes_the_image_meets_whoever_takes_the_content(room: Room, level: str, order: str) -> None:
    """In either order the second one is refused."""
    message = room.send(GROUP)
    room.run(
        "INSERT INTO attachments (message_id, storage_key, file_name, mime_type, file_size)"
        " VALUES (%s, 'a', 'f', 'image/png', 1)",
        message,
    )
    both = [["UPDATE messages SET content = NULL"], ["DELETE FROM attachments"]]
    first, second = both if order == "content first" else reversed(both)
    with waiting(room, first, second, level) as done:
        expected = psycopg.errors.CheckViolation if level == LEVELS[0] else psycopg.errors.SerializationFailure
        with pytest.raises(expected):
            done.result(timeout=30)
    room.check(order)


LATER = {
    "deleting the last": "DELETE FROM messages WHERE created_at > '2025-06-01 12:30Z'",
    "deleting the last softly": "UPDATE messages SET deleted_at = now() WHERE created_at > '2025-06-01 12:30Z'",
    "dating the last back": "UPDATE messages SET created_at = '2025-06-01Z' WHERE created_at > '2025-06-01 12:30Z'",
    "moving the last": f"UPDATE messages SET chat_id = '{OTHER}' WHERE created_at > '2025-06-01 12:30Z'",
}
EARLIER = {
    "a message between": "INSERT INTO messages (chat_id, content, created_at)"
    f" VALUES ('{GROUP}', 'x', '2025-06-01 12:20Z')",
    "the last but one deleted": "UPDATE messages SET deleted_at = now() WHERE created_at = '2025-06-01 12:05Z'",
    "the last but one deleted for good": "DELETE FROM messages WHERE created_at = '2025-06-01 12:05Z'",
}


@pytest.mark.thorough
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("earlier", EARLIER)
def test_the_last_message_is_looked_for_after_the_wait(room: Room, level: str, later: str, earlier: str) -> None:
    """What was written meanwhile is seen, or the change is refused where it may not be seen."""
    for minute in (1, 5, 40):
        room.send(GROUP, minute=minute, deliver=False)
    with waiting(room, [EARLIER[earlier]], [LATER[later]], level) as done:
        if level == LEVELS[0]:
            done.result(timeout=30)
        else:
            with pytest.raises(psycopg.errors.SerializationFailure):
                done.result(timeout=30)
    room.check(f"{later} after {earlier}")


def test_sending_and_deleting_for_good_take_their_locks_in_one_order(room: Room) -> None:
    """A sender holds the chat and comes to the counts; who deletes a message comes to the chat before the counts."""
    message = room.send(GROUP)
    sent = uuid4()
    with psycopg.connect(room.dsn) as sender:
        sender.execute(SEND, (sent, GROUP, USERS["alice"]))
        with ThreadPoolExecutor(1) as pool, psycopg.connect(room.dsn, autocommit=True) as other:
            deleting = pool.submit(other.execute, "DELETE FROM messages WHERE id = %s", (message,))
            blocked = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
            while room.session.execute(blocked, (other.info.backend_pid,)).fetchone() is None:
                assert not deleting.done()
            sender.execute(DELIVER, (sent,))
            sender.commit()
            deleting.result(timeout=30)
    room.check("sending and deleting")
    assert room.unread(GROUP) == {"bob": 1, "charlie": 1, "diana": 1}


@pytest.mark.parametrize("level", LEVELS)
def test_two_who_accept_each_other_at_once_are_both_accepted_or_neither(room: Room, level: str) -> None:
    """Whatever each of them sees of the other, there is no half of it."""
    alice, bob = USERS["alice"], USERS["bob"]
    room.run("INSERT INTO contacts (user_id, contact_user_id) VALUES (%s, %s), (%s, %s)", alice, bob, bob, alice)
    accept = "UPDATE contacts SET status = 'accepted', responded_at = now()"
    block = f"UPDATE contacts SET status = 'blocked', responded_at = now() WHERE user_id = '{bob}'"
    refused = (psycopg.errors.ForeignKeyViolation, psycopg.errors.SerializationFailure)
    with waiting(room, [accept], [block], level) as done, pytest.raises(refused):
        done.result(timeout=30)
    room.check("accepting and blocking")
    assert room.run("SELECT DISTINCT status FROM contacts") == [("accepted",)]

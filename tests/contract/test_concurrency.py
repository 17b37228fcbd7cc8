"""social_selling under many sessions at once: counts stay exact, nobody is locked out, one of many wins.

Sessions start together at a barrier. Where two changes must meet, the first is held open until the second is seen
waiting for it: nothing sleeps, and nothing depends on who is faster.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from tests.contract.fix_social_selling import INVARIANTS, NOON, Shop, conversation

Result = TypeVar("Result")

WRITERS = 32
ROUNDS = 8
RACERS = 16
INSERT = (
    "INSERT INTO messages (conversation_id, platform_message_id, sender_type, is_read, sent_at)"
    " VALUES (%s, %s, %s, %s, %s)"
)
READ = "UPDATE messages SET is_read = TRUE, read_at = now() WHERE platform_message_id = %s"
SOON = "-c deadlock_timeout=50ms"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = %s"
ACCOUNT = UUID("00000000-0000-0000-0000-0000000000aa")
OWNER = UUID("00000000-0000-0000-0000-00000000000a")


def together(dsn: str, work: Callable[[psycopg.Connection, int], Result], workers: int) -> list[Result]:
    """Run it in so many sessions that start at once; what each gave. The first failure is raised."""
    start = threading.Barrier(workers)

    def one(worker: int) -> Result:
        with psycopg.connect(dsn, autocommit=True, options="-c statement_timeout=60s") as session:
            start.wait(timeout=60)
            return work(session, worker)

    with ThreadPoolExecutor(workers) as pool:
        return [done.result(timeout=120) for done in [pool.submit(one, worker) for worker in range(workers)]]


def watched(shop: Shop, work: Callable[[psycopg.Connection, int], Result], workers: int) -> list[Result]:
    """The same, while one more session asks the invariants: whatever was committed at any moment satisfies them."""
    finished = threading.Event()

    def watch() -> int:
        asked = 0
        with psycopg.connect(shop.dsn, autocommit=True) as session:
            while not finished.is_set():
                for name in ("unread_count", "last_message_at"):
                    assert session.execute(INVARIANTS[name]).fetchall() == [], f"{name} does not hold in between"
                    asked += 1
        return asked

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            return together(shop.dsn, work, workers)
        finally:
            finished.set()
            assert watching.result(timeout=120)


def until_waiting(shop: Shop, session: psycopg.Connection, done: Future[Any]) -> None:
    """Return when the session is waiting for a lock."""
    with psycopg.connect(shop.dsn, autocommit=True) as watch:
        while watch.execute(WAITING, (session.info.backend_pid,)).fetchone() == (0,):
            assert not done.done(), "it did not have to wait"


def test_32_writers_on_one_conversation_lose_nothing_and_are_never_locked_out(shop: Shop) -> None:
    """Messages sent, read, unread, dated back and deleted by small transactions: the count is what they left."""

    def work(session: psycopg.Connection, worker: int) -> dict[str, tuple[bool, datetime]]:
        draw = random.Random(worker)
        mine: dict[str, tuple[bool, datetime]] = {}
        for step in range(ROUNDS):
            name, sent_at = f"{worker}-{step}", NOON + timedelta(minutes=draw.randrange(10_000))
            with session.transaction():
                session.execute(INSERT, (conversation(1), name, "customer", False, sent_at))
                mine[name] = (True, sent_at)
                other = draw.choice(list(mine))
                unread, at = mine[other]
                match draw.choice(["read", "unread", "date", "delete", "nothing"]):
                    case "read":
                        session.execute(READ, (other,))
                        mine[other] = (False, at)
                    case "unread":
                        session.execute(
                            "UPDATE messages SET is_read = FALSE, read_at = NULL WHERE platform_message_id = %s",
                            (other,),
                        )
                        mine[other] = (True, at)
                    case "date":
                        mine[other] = (unread, at - timedelta(days=7))
                        session.execute(
                            "UPDATE messages SET sent_at = %s WHERE platform_message_id = %s", (mine[other][1], other)
                        )
                    case "delete":
                        session.execute("DELETE FROM messages WHERE platform_message_id = %s", (other,))
                        del mine[other]
        return mine

    left = [message for mine in watched(shop, work, WRITERS) for message in mine.values()]
    row = shop.session.execute(
        "SELECT unread_count, last_message_at FROM conversations WHERE id = %s", (conversation(1),)
    ).fetchone()
    assert row == (sum(unread for unread, _ in left), max(at for _, at in left))
    shop.check("32 writers")


def test_statements_over_the_same_conversations_in_opposite_orders_do_not_lock_each_other_out(shop: Shop) -> None:
    """Half of the sessions name the conversations forwards, half backwards: in inserts, reads, exchanges, deletes."""
    names = [f"s{n}" for n in range(8)]
    for n, name in enumerate(names):
        shop.session.execute(INSERT, (conversation(1 + n % 4), name, "customer", False, NOON))

    def work(session: psycopg.Connection, worker: int) -> None:
        order = [conversation(n) for n in (1, 2, 3, 4)]
        if worker % 2:
            order.reverse()
        for step in range(ROUNDS):
            session.execute(
                "INSERT INTO messages (conversation_id, platform_message_id, sender_type, sent_at)"
                " SELECT id, format('%%s %%s %%s', %s::INT, %s::INT, n), 'customer', %s"
                " FROM unnest(%s::UUID[]) WITH ORDINALITY AS given (id, n)",
                (worker, step, NOON + timedelta(minutes=step), order),
            )
            mine = f"{worker} {step} %"
            session.execute(
                "UPDATE messages SET conversation_id = (%s::UUID[])[5 - split_part(platform_message_id, ' ', 3)::INT],"
                " is_read = NOT is_read WHERE platform_message_id LIKE %s",
                (order, mine),
            )
            if step % 2:
                session.execute("DELETE FROM messages WHERE platform_message_id LIKE %s", (mine,))

    watched(shop, work, RACERS)
    shop.check("opposite orders")
    assert shop.session.execute("SELECT count(*) FROM messages").fetchone() == (8 + RACERS * ROUNDS // 2 * 4,)


def test_sending_to_a_conversation_that_is_being_deleted_locks_nobody_out(shop: Shop) -> None:
    """A message comes before the deletion and goes with it, or after, and is refused for want of a conversation."""

    def work(session: psycopg.Connection, worker: int) -> str:
        if worker == 0:
            session.execute("DELETE FROM conversations WHERE id = %s", (conversation(1),))
            return "deleted"
        try:
            for step in range(200):
                session.execute(INSERT, (conversation(1), f"{worker}-{step}", "customer", False, NOON))
        except errors.ForeignKeyViolation as error:
            return f"refused by {error.diag.constraint_name}"
        return "never met"

    assert Counter(together(shop.dsn, work, 9)) == {"deleted": 1, "refused by fk_messages_conversation": 8}
    assert shop.session.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    shop.check("a deletion among writers")


@pytest.mark.parametrize(
    "change", [READ, "DELETE FROM messages WHERE platform_message_id = %s"], ids=["reading", "deleting"]
)
def test_changing_a_message_of_a_conversation_that_is_being_deleted_may_end_one_of_the_two(
    shop: Shop, change: str
) -> None:
    """One is told so (40P01) and does it again; README, "Where the documents contradict", says why it must be."""
    name = shop.send(1)
    delete = "DELETE FROM conversations WHERE id = %s"
    with (
        psycopg.connect(shop.dsn, autocommit=True, options=SOON) as changing,
        psycopg.connect(shop.dsn, options=SOON) as deleting,
        ThreadPoolExecutor(1) as pool,
    ):
        deleting.execute("SELECT FROM conversations WHERE id = %s FOR UPDATE", (conversation(1),))
        done = pool.submit(changing.execute, change.encode(), (name,))
        # it has its message, and waits for the conversation
        until_waiting(shop, changing, done)
        refused = []
        try:
            deleting.execute(delete, (conversation(1),))
            deleting.commit()
        except errors.DeadlockDetected:
            deleting.rollback()
            refused.append(deleting)
        try:
            done.result(timeout=60)
        except errors.DeadlockDetected:
            refused.append(changing)
        assert len(refused) == 1
        deleting.execute(delete, (conversation(1),))
        deleting.commit()
        changing.execute(change.encode(), (name,))
    assert shop.session.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    shop.check("a deletion that was tried again")


def test_a_deletion_that_takes_the_messages_first_locks_nobody_out(shop: Shop) -> None:
    """The order in which a message's own change takes them: then single changes and the deletion only wait."""
    names = [shop.send(1, minutes=n) for n in range(24)]

    def work(session: psycopg.Connection, worker: int) -> int:
        if worker:
            changed = (session.execute(READ, (name,)).rowcount for name in names[worker - 1 :: 8])
            return sum(changed)
        with session.transaction():
            session.execute(
                "SELECT FROM messages WHERE conversation_id = %s ORDER BY id ASC FOR UPDATE", (conversation(1),)
            )
            session.execute("DELETE FROM conversations WHERE id = %s", (conversation(1),))
        return 0

    together(shop.dsn, work, 9)
    assert shop.session.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    shop.check("a deletion that took the messages first")


RACES: dict[str, tuple[str, str]] = {
    "an address": (
        (
            "INSERT INTO users (email, password_hash, name)"
            " VALUES ('bia@example.com', '$2b$12$' || repeat('a', 53), 'Bia')"
        ),
        "idx_users_email",
    ),
    "a platform account": (
        (
            "INSERT INTO client_accounts (user_id, platform, platform_account_id, username)"
            f" VALUES ('{OWNER}', 'whatsapp', '7', 'ana')"
        ),
        "idx_client_accounts_platform_account",
    ),
    "a token": (
        (
            "INSERT INTO oauth_tokens (user_id, client_account_id, platform, access_token, expires_at, scopes)"
            f" VALUES ('{OWNER}', '{ACCOUNT}', 'instagram', armor(pgp_sym_encrypt('x', 'k')), now(), '{{}}')"
        ),
        "idx_oauth_tokens_client_account",
    ),
    "a conversation": (
        (
            "INSERT INTO conversations (client_account_id, platform_conversation_id, participant_platform_id)"
            f" VALUES ('{ACCOUNT}', 'new', 'p')"
        ),
        "idx_conversations_platform",
    ),
    "a message": (
        (
            "INSERT INTO messages (conversation_id, platform_message_id, sender_type, sent_at)"
            f" VALUES ('{conversation(1)}', 'same', 'customer', now())"
        ),
        "idx_messages_platform_id",
    ),
}


@pytest.mark.parametrize("what", RACES)
def test_of_many_that_claim_the_same_exactly_one_wins(shop: Shop, what: str) -> None:
    """All others get 23505 by the key's name; what the losers had done is gone."""
    insert, key = RACES[what]

    def work(session: psycopg.Connection, _worker: int) -> str | None:
        try:
            session.execute(insert.encode())
        except errors.UniqueViolation as error:
            return error.diag.constraint_name
        return None

    assert Counter(together(shop.dsn, work, RACERS)) == {None: 1, key: RACERS - 1}
    shop.check(f"a race for {what}")


def test_one_of_many_takes_over_the_address_of_a_user_who_is_deleted_by_all_of_them(shop: Shop) -> None:
    """Each deletes the old user softly and registers the address again, in one transaction."""

    def work(session: psycopg.Connection, worker: int) -> tuple[str, int]:
        try:
            with session.transaction():
                deleted = session.execute(
                    "UPDATE users SET deleted_at = now() WHERE id = %s AND deleted_at IS NULL", (OWNER,)
                ).rowcount
                session.execute(
                    "INSERT INTO users (email, password_hash, name)"
                    " SELECT email, password_hash, %s FROM users WHERE id = %s",
                    (f"racer {worker}", OWNER),
                )
        except errors.UniqueViolation as error:
            return f"lost to {error.diag.constraint_name}", 0
        return "won", deleted

    assert Counter(together(shop.dsn, work, RACERS)) == {("won", 1): 1, ("lost to idx_users_email", 0): RACERS - 1}
    rows = shop.session.execute("SELECT name, deleted_at IS NULL FROM users ORDER BY created_at ASC").fetchall()
    assert [living for _, living in rows] == [False, True]
    assert rows[1][0].startswith("racer")
    shop.check("a race for the address of a deleted user")


EVENT = (
    "INSERT INTO analytics_events (user_id, event_category, event_type, value, occurred_at)"
    f" VALUES ('{OWNER}', 'content', 'view', 1, now())"
)
SUMMED = "SELECT COALESCE(sum(event_count), 0), COALESCE(sum(total_value), 0) FROM analytics_daily_summary"


def test_the_summary_is_refreshed_while_it_is_read_and_events_are_written(shop: Shop) -> None:
    """By the application's role, by two sessions at once: each reader sees whole summaries that never go back."""

    def work(session: psycopg.Connection, worker: int) -> Sequence[tuple[int, int]]:
        session.execute("SET ROLE social_selling_app")
        seen = []
        for _ in range(12):
            if worker < 2:
                session.execute("SELECT refresh_analytics_daily_summary()")
            elif worker < 6:
                session.execute(EVENT.encode())
            else:
                row = session.execute(SUMMED.encode()).fetchone()
                assert row is not None
                seen.append((int(row[0]), int(row[1])))
        return seen

    for seen in together(shop.dsn, work, 10):
        assert list(seen) == sorted(seen)
        assert all(count == total for count, total in seen)
    shop.session.execute("SELECT refresh_analytics_daily_summary()")
    assert shop.session.execute(SUMMED.encode()).fetchone() == (48, 48)


def test_a_refresh_that_is_not_committed_keeps_no_reader_and_no_writer_waiting(shop: Shop) -> None:
    """Readers see the summary as it was; what is written meanwhile is in the next one."""
    shop.session.execute(EVENT.encode())
    shop.session.execute("SELECT refresh_analytics_daily_summary()")
    with psycopg.connect(shop.dsn) as refreshing:
        shop.session.execute(EVENT.encode())
        refreshing.execute("SELECT refresh_analytics_daily_summary()")
        with psycopg.connect(shop.dsn, autocommit=True, options="-c lock_timeout=30s") as other:
            other.execute("SET ROLE social_selling_app")
            assert other.execute(SUMMED.encode()).fetchone() == (1, 1)
            other.execute(EVENT.encode())
        refreshing.commit()
    assert shop.session.execute(SUMMED.encode()).fetchone() == (2, 2)

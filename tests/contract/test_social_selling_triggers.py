"""The triggers of social_selling: what conversations derive from messages, and the stamps of updated_at.

``counts`` asks the system's own invariants after every step, so that a step is judged by what must hold, not by what
its author expected.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest

from tests.contract.fix_social_selling import NOON, Shop, conversation


def test_only_unread_customer_messages_count_and_every_message_moves_the_time(shop: Shop) -> None:
    """One's own messages and those already read do not; the time does not go back for one that arrives late."""
    shop.send(1, minutes=5)
    assert shop.state(1) == (1, 5)
    shop.send(1, minutes=9, sender="user")
    assert shop.state(1) == (1, 9)
    shop.send(1, minutes=3, read=True)
    assert shop.state(1) == (1, 9)
    shop.send(1, minutes=7)
    assert shop.state(1) == (2, 9)


def test_reading_and_unreading_count_the_customers_messages_only(shop: Shop) -> None:
    """Reading one's own message changes nothing."""
    theirs, own = shop.send(1), shop.send(1, sender="user")
    shop.run("UPDATE messages SET is_read = TRUE WHERE platform_message_id = %s", own)
    assert shop.state(1) == (1, 0)
    shop.run("UPDATE messages SET is_read = TRUE, read_at = now() WHERE platform_message_id = %s", theirs)
    assert shop.state(1) == (0, 0)
    shop.run("UPDATE messages SET is_read = FALSE, read_at = NULL")
    assert shop.state(1) == (1, 0)


def test_deleting_takes_away_what_a_message_gave(shop: Shop) -> None:
    """The latest, one in the middle, an unread one, a read one, the last one of all."""
    names = [shop.send(1, minutes=minute, read=minute == 2) for minute in (1, 2, 3)]
    for name, state in zip((names[1], names[2], names[0]), [(2, 3), (1, 1), (0, None)], strict=True):
        shop.run("DELETE FROM messages WHERE platform_message_id = %s", name)
        assert shop.state(1) == state


def test_moving_changing_the_sender_and_the_time_are_followed(shop: Shop) -> None:
    """One row and several at once, in both conversations."""
    first = shop.send(1, minutes=9)
    shop.send(1, minutes=4, sender="user")
    shop.send(2, minutes=5)
    shop.run("UPDATE messages SET conversation_id = %s WHERE platform_message_id = %s", conversation(2), first)
    assert (shop.state(1), shop.state(2)) == ((0, 4), (2, 9))
    shop.run("UPDATE messages SET sender_type = 'user' WHERE platform_message_id = %s", first)
    assert shop.state(2) == (1, 9)
    shop.run("UPDATE messages SET sent_at = sent_at - INTERVAL '8 minutes' WHERE platform_message_id = %s", first)
    assert shop.state(2) == (1, 5)
    shop.run("UPDATE messages SET sender_type = 'customer', sent_at = sent_at + INTERVAL '1 hour'")
    assert (shop.state(1), shop.state(2)) == ((1, 64), (2, 65))
    shop.run("UPDATE messages SET conversation_id = %s", conversation(3))
    assert [shop.state(number) for number in (1, 2, 3)] == [(0, None), (0, None), (3, 65)]


def test_many_rows_of_many_conversations_count_as_one_by_one(shop: Shop) -> None:
    """Inserted, read, moved in a circle and deleted by one statement each."""
    shop.run(
        "INSERT INTO messages (conversation_id, platform_message_id, sender_type, sent_at)"
        " SELECT ('00000000-0000-0000-0000-00000000000' || 1 + n %% 3)::UUID, 'b' || n,"
        " CASE WHEN n %% 5 = 0 THEN 'user' ELSE 'customer' END, %s::TIMESTAMPTZ + n * INTERVAL '1 minute'"
        " FROM generate_series(0, 299) AS n",
        NOON,
    )
    assert [shop.state(number) for number in (1, 2, 3)] == [(80, 297), (80, 298), (80, 299)]
    shop.run("UPDATE messages SET is_read = TRUE WHERE extract(minute FROM sent_at)::INT %% 2 = 0")
    shop.run(
        "UPDATE messages SET conversation_id = CASE conversation_id WHEN %s THEN %s WHEN %s THEN %s ELSE %s END",
        *(conversation(number) for number in (1, 2, 2, 3, 1)),
    )
    assert [shop.state(number)[1] for number in (1, 2, 3)] == [299, 297, 298]
    shop.run("DELETE FROM messages WHERE NOT is_read")
    shop.run("UPDATE messages SET is_read = FALSE WHERE FALSE")
    shop.run("DELETE FROM messages")
    assert shop.state(1) == (0, None)


def test_upserts_count_what_they_insert_and_what_they_change(shop: Shop) -> None:
    """Rows that were there and rows that were not in one statement; doing nothing counts nothing."""
    name = shop.send(1, minutes=1)
    upsert = (
        "INSERT INTO messages (conversation_id, platform_message_id, sender_type, sent_at)"
        " VALUES (%s, %s, 'customer', %s), (%s, 'new', 'customer', %s) ON CONFLICT (platform_message_id) "
    )
    late = NOON + timedelta(minutes=9)
    parameters = (conversation(1), name, late, conversation(2), late)
    shop.run(upsert + "DO UPDATE SET is_read = TRUE, sent_at = EXCLUDED.sent_at", *parameters)
    assert (shop.state(1), shop.state(2)) == ((0, 9), (1, 9))
    shop.run(upsert + "DO NOTHING", *parameters)
    assert (shop.state(1), shop.state(2)) == ((0, 9), (1, 9))


def test_deleting_a_conversation_or_its_user_takes_its_messages_along(shop: Shop) -> None:
    """The messages' own trigger finds no conversation any more, which is no error."""
    for number in (1, 2):
        shop.send(number)
        shop.send(number, minutes=2)
    shop.run("DELETE FROM conversations WHERE id = %s", conversation(1))
    assert shop.state(2) == (2, 2)
    shop.run("DELETE FROM users")
    assert shop.session.execute("SELECT count(*) FROM messages").fetchone() == (0,)


DIRECT = {
    "an insert": "INSERT INTO conversations (client_account_id, platform_conversation_id, participant_platform_id,"
    " unread_count, last_message_at) SELECT id, 'x', 'p', 7, now() FROM client_accounts",
    "an update": "UPDATE conversations SET unread_count = 3, last_message_at = now()",
    "an update to nothing": "UPDATE conversations SET unread_count = 0, last_message_at = NULL",
    "an upsert": "INSERT INTO conversations (client_account_id, platform_conversation_id, participant_platform_id)"
    " SELECT id, '1', 'p' FROM client_accounts ON CONFLICT (client_account_id, platform_conversation_id)"
    " DO UPDATE SET unread_count = 9",
    "a conversation with its first message": "WITH c AS (INSERT INTO conversations (client_account_id,"
    " platform_conversation_id, participant_platform_id, unread_count, last_message_at)"
    " SELECT id, 'y', 'p', 5, now() FROM client_accounts RETURNING id)"
    " INSERT INTO messages (conversation_id, platform_message_id, sender_type, sent_at)"
    " SELECT id, 'first', 'customer', now() FROM c",
    "a message before its conversation": "WITH m AS (INSERT INTO messages (conversation_id, platform_message_id,"
    " sender_type, sent_at) VALUES ('00000000-0000-0000-0000-000000000099', 'z', 'customer', now()) RETURNING 1)"
    " INSERT INTO conversations (id, client_account_id, platform_conversation_id, participant_platform_id,"
    " unread_count)"
    " SELECT '00000000-0000-0000-0000-000000000099', id, 'z', 'p', 4 + (SELECT COUNT(*) FROM m)"
    " FROM client_accounts",
    "a message, and then its conversation": "WITH m AS (INSERT INTO messages (conversation_id, platform_message_id,"
    " sender_type, sent_at) VALUES ('00000000-0000-0000-0000-000000000001', 'v', 'customer', now()) RETURNING 1)"
    " UPDATE conversations SET unread_count = 40 + (SELECT COUNT(*) FROM m), last_message_at = NULL",
    "a message and its conversation at once": "WITH m AS (INSERT INTO messages (conversation_id, platform_message_id,"
    " sender_type, sent_at) VALUES ('00000000-0000-0000-0000-000000000001', 'w', 'customer', now()))"
    " UPDATE conversations SET unread_count = 40, last_message_at = NULL",
}


@pytest.mark.parametrize("what", DIRECT)
def test_what_is_written_to_the_derived_columns_is_taken_back(shop: Shop, what: str) -> None:
    """Before the statement ends, whatever else it writes."""
    shop.send(1)
    shop.send(1, minutes=5, sender="user")
    shop.run(DIRECT[what])


def test_nonsense_in_the_derived_columns_is_still_refused(shop: Shop) -> None:
    """It is not corrected in silence."""
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        shop.run("UPDATE conversations SET unread_count = -1")
    assert caught.value.diag.constraint_name == "chk_conversations_unread_count"


@pytest.mark.parametrize("seed", range(5))
def test_no_mixture_of_changes_breaks_an_invariant(shop: Shop, seed: int) -> None:
    """Drawn statements over drawn rows, some of them rolled back."""
    draw = random.Random(seed)

    def some() -> str:
        return f"hashtext(platform_message_id || '{draw.random()}') %% 3 = 0"

    def insert() -> tuple[str, tuple[object, ...]]:
        shop.sent += 10
        return (
            (
                "INSERT INTO messages (conversation_id, platform_message_id, sender_type, is_read, sent_at)"
                " SELECT ('00000000-0000-0000-0000-00000000000' || 1 + (n * %s) %% 4)::UUID, 'r' || %s + n,"
                " CASE WHEN n %% 2 = 0 THEN 'user' ELSE 'customer' END, n %% 3 = 0,"
                " %s::TIMESTAMPTZ + (n * %s %% 17) * INTERVAL '1 minute' FROM generate_series(1, %s) AS n"
            ),
            (draw.randint(1, 9), shop.sent, NOON, draw.randint(1, 99), draw.choice([1, 1, 2, 7])),
        )

    changes: list[Callable[[], tuple[str, tuple[object, ...]]]] = [
        insert,
        insert,
        insert,
        lambda: (f"UPDATE messages SET is_read = NOT is_read WHERE {some()}", ()),
        lambda: (f"UPDATE messages SET conversation_id = %s WHERE {some()}", (conversation(draw.randint(1, 4)),)),
        lambda: (f"UPDATE messages SET sent_at = sent_at - INTERVAL '3 minutes' WHERE {some()}", ()),
        lambda: (f"UPDATE messages SET sender_type = 'customer', metadata = '{{}}' WHERE {some()}", ()),
        lambda: (f"DELETE FROM messages WHERE {some()}", ()),
        lambda: ("UPDATE conversations SET unread_count = unread_count + 2 WHERE random() < 0.5", ()),
        lambda: ("UPDATE conversations SET last_message_at = now()", ()),
    ]
    for _ in range(60):
        query, parameters = draw.choice(changes)()
        with shop.session.transaction(force_rollback=draw.random() < 0.2):
            shop.run(query, *parameters)
        shop.check(f"rolling back {query}")


def test_many_writers_at_once_lose_nothing_and_do_not_lock_each_other_out(shop: Shop) -> None:
    """Eight sessions insert into, read, move between and delete from all conversations, several at a time."""
    start = threading.Barrier(8)

    def work(worker: int) -> None:
        draw = random.Random(worker)
        order = [conversation(number) for number in (1, 2, 3, 4)]
        with psycopg.connect(shop.dsn, autocommit=True) as session:
            start.wait(timeout=30)
            for step in range(25):
                draw.shuffle(order)
                session.execute(
                    "INSERT INTO messages (conversation_id, platform_message_id, sender_type, sent_at)"
                    " SELECT id, format('%%s %%s %%s', %s::INT, %s::INT, n), 'customer', %s::TIMESTAMPTZ"
                    " FROM unnest(%s::UUID[]) WITH ORDINALITY AS given (id, n)",
                    (worker, step, NOON + timedelta(minutes=draw.randint(0, 1000)), order),
                )
                mine = f"platform_message_id LIKE '{worker} {draw.randint(0, step)} %%'"
                change = draw.choice(["read", "move", "date", "delete"])
                session.execute(
                    {
                        "read": f"UPDATE messages SET is_read = TRUE WHERE {mine}",
                        "move": f"UPDATE messages SET conversation_id = '{draw.choice(order)}' WHERE {mine}",
                        "date": f"UPDATE messages SET sent_at = sent_at - INTERVAL '1 day' WHERE {mine}",
                        "delete": f"DELETE FROM messages WHERE {mine}",
                    }[change]
                    .replace("%%", "%")
                    .encode()
                )

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work, worker) for worker in range(8)]:
            done.result(timeout=120)
    shop.check("eight writers")


@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM messages",
        "UPDATE messages SET sent_at = sent_at - INTERVAL '1 day'",
        "UPDATE messages SET conversation_id = '00000000-0000-0000-0000-000000000002'",
    ],
)
def test_a_latest_message_that_goes_gives_way_to_one_that_was_written_meanwhile(
    shop: Shop, change: str, several: bool
) -> None:
    """Whoever looks for the latest message looks after waiting, not before; for one message and for several."""
    latest = [shop.send(1, minutes=10 - n) for n in range(1 + several)]
    with psycopg.connect(shop.dsn) as other:
        other.execute(
            "INSERT INTO messages (conversation_id, platform_message_id, sender_type, sent_at)"
            " VALUES (%s, 'x', 'user', %s)",
            (conversation(1), NOON + timedelta(minutes=5)),
        )
        with ThreadPoolExecutor(1) as pool:
            query = f"{change} WHERE platform_message_id = ANY(%s)".encode()
            waiter = pool.submit(shop.session.execute, query, (latest,))
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = %s"
            with psycopg.connect(shop.dsn, autocommit=True) as watch:
                while watch.execute(waiting, (shop.session.info.backend_pid,)).fetchone() == (0,):
                    assert not waiter.done()
            other.commit()
            waiter.result(timeout=30)
    shop.check("the wait")
    assert shop.state(1)[1] == 5


STAMPED = ("users", "client_accounts", "oauth_tokens", "products", "product_links", "conversations")


@pytest.fixture
def stamped(shop: Shop) -> psycopg.Connection:
    """A row in every table with updated_at, stamped long ago."""
    shop.session.execute(
        """
        UPDATE users SET deleted_at = NULL;
        INSERT INTO products (user_id, name) SELECT id, 'Caneca' FROM users;
        INSERT INTO product_links (user_id, product_id, client_account_id)
        SELECT p.user_id, p.id, a.id FROM products AS p JOIN client_accounts AS a USING (user_id);
        INSERT INTO oauth_tokens (user_id, client_account_id, platform, access_token, expires_at, scopes)
        SELECT user_id, id, platform, armor(pgp_sym_encrypt('x', 'k')), now(), '{}' FROM client_accounts;
        """
    )
    return shop.session


def test_every_table_with_the_stamp_has_its_trigger(social_selling: psycopg.Connection) -> None:
    """And the list of this module is complete."""
    rows = social_selling.execute(
        "SELECT c.relname, t.tgname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r'"
        " LEFT JOIN pg_trigger AS t ON t.tgrelid = c.oid AND t.tgfoid = 'update_updated_at_column'::regproc"
        " WHERE a.attname = 'updated_at' AND c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    assert sorted(rows) == sorted((table, f"update_{table}_updated_at") for table in STAMPED)


@pytest.mark.parametrize("table", STAMPED)
def test_an_update_is_stamped_with_its_transaction(stamped: psycopg.Connection, table: str) -> None:
    """Back-dated rows come up to now; what the client writes counts for nothing; the rest of the row is untouched."""
    for wish in ("created_at", "updated_at - INTERVAL '1 day'", "'-infinity'"):
        with stamped.transaction():
            stamped.execute(f"ALTER TABLE {table} DISABLE TRIGGER update_{table}_updated_at".encode())
            stamped.execute(f"UPDATE {table} SET updated_at = now() - INTERVAL '1 year'".encode())
            stamped.execute(f"ALTER TABLE {table} ENABLE TRIGGER update_{table}_updated_at".encode())
            stamped.execute(f"UPDATE {table} SET updated_at = {wish}".encode())
            row = stamped.execute(f"SELECT bool_and(updated_at = now()) FROM {table}".encode()).fetchone()
            assert row == (True,)


@pytest.mark.parametrize("table", STAMPED)
def test_an_older_transaction_that_comes_later_does_not_turn_the_stamp_back(
    shop: Shop, stamped: psycopg.Connection, table: str
) -> None:
    """Two committed transactions: the younger one's stamp stays."""
    update = f"UPDATE {table} SET created_at = created_at".encode()
    with psycopg.connect(shop.dsn) as older:
        started = older.execute("SELECT now()").fetchone()
        stamped.execute(update)
        younger = stamped.execute(f"SELECT max(updated_at) FROM {table}".encode()).fetchone()
        older.execute(update)
        older.commit()
    assert started is not None
    assert younger is not None
    assert started[0] < younger[0]
    row = stamped.execute(f"SELECT min(updated_at) >= %s FROM {table}".encode(), younger).fetchone()
    assert row == (True,)


@pytest.mark.parametrize("table", STAMPED)
@pytest.mark.parametrize("future", ["now() + INTERVAL '1 minute'", "'infinity'"])
def test_a_stamp_in_the_future_is_refused(stamped: psycopg.Connection, table: str, future: str) -> None:
    """By its name; and so is none at all."""
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        stamped.execute(f"UPDATE {table} SET updated_at = {future}".encode())
    assert caught.value.diag.constraint_name == f"chk_{table}_updated_at"
    with pytest.raises(psycopg.errors.NotNullViolation):
        stamped.execute(f"UPDATE {table} SET updated_at = NULL".encode())

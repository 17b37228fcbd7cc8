"""The invariants of messenger under drawn statements, some of them rolled back, some refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.contract.fix_messenger import DIRECT, GROUP, NOON, OTHER, READ, UNREAD, Room

IMAGE = "INSERT INTO attachments (id, message_id, storage_key, file_name, mime_type, file_size)"

Change = tuple[str, tuple[Any, ...]]
REFUSALS = (psycopg.errors.CheckViolation, psycopg.errors.ForeignKeyViolation, psycopg.errors.UniqueViolation)


def changes(draw: random.Random) -> list[Callable[[], Change]]:
    """Statements over drawn rows; some are refused, which must leave nothing behind."""

    def some(table: str = "") -> str:
        return f"hashtext({table}id::TEXT || '{draw.random()}') %% 3 = 0"

    def chat() -> UUID:
        return draw.choice([DIRECT, GROUP, OTHER])

    def key(*parts: str) -> str:
        # drawn, not by chance: the same seed is the same history
        return f"md5('{draw.random()}' || {' || '.join(f'{part}::TEXT' for part in parts)})::UUID"

    def send() -> Change:
        return (
            "INSERT INTO messages (id, chat_id, sender_id, content, created_at, deleted_at)"
            f" SELECT {key('id', 'n')}, chat_id, user_id, 'hello',"
            " %s::TIMESTAMPTZ + (n * %s %% 17) * INTERVAL '1 minute', CASE WHEN n %% 5 = 0 THEN now() END"
            f" FROM chat_participants, generate_series(1, %s) AS n WHERE {some()}"
        ), (NOON, draw.randint(1, 99), draw.choice([1, 1, 2, 7]))

    def deliver() -> Change:
        return (
            "INSERT INTO message_delivery (id, message_id, chat_id, user_id)"
            f" SELECT {key('m.id', 'p.id')}, m.id, m.chat_id, p.user_id"
            f" FROM messages AS m JOIN chat_participants AS p USING (chat_id) WHERE {some('m.')}"
            " ON CONFLICT (message_id, user_id) DO UPDATE SET status = 'read', delivered_at = now(), read_at = now()"
        ), ()

    def join() -> Change:
        return (
            f"INSERT INTO chat_participants (id, chat_id, user_id) SELECT {key('id')}, %s, id FROM users"
            " ON CONFLICT DO NOTHING"
        ), (draw.choice([GROUP, OTHER]),)

    def show() -> Change:
        return f"{IMAGE} SELECT {key('id')}, id, {key('id')}, 'f', 'image/png', 1 FROM messages WHERE {some()}", ()

    return [
        send,
        send,
        deliver,
        deliver,
        lambda: (f"{READ} WHERE {some()}", ()),
        lambda: (f"{UNREAD} WHERE {some()}", ()),
        lambda: (f"DELETE FROM message_delivery WHERE {some()}", ()),
        lambda: (f"UPDATE messages SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END WHERE {some()}", ()),
        lambda: (f"UPDATE messages SET chat_id = %s WHERE {some()}", (chat(),)),
        lambda: (f"UPDATE messages SET created_at = created_at - INTERVAL '3 minutes' WHERE {some()}", ()),
        lambda: (f"DELETE FROM messages WHERE {some()}", ()),
        lambda: (f"UPDATE messages SET content = NULL WHERE {some()}", ()),
        show,
        lambda: (
            f"UPDATE attachments SET message_id = (SELECT id FROM messages ORDER BY id ASC LIMIT 1) WHERE {some()}",
            (),
        ),
        lambda: (f"DELETE FROM attachments WHERE {some()}", ()),
        lambda: (f"UPDATE chat_participants SET chat_id = %s WHERE {some()}", (chat(),)),
        lambda: (f"DELETE FROM chat_participants WHERE {some()} AND {some()}", ()),
        join,
        lambda: ("UPDATE chats SET participant_count = participant_count + 1, last_message_at = now()", ()),
        lambda: (f"UPDATE unread_messages SET unread_count = 3 WHERE {some('user_')}", ()),
        lambda: (f"DELETE FROM unread_messages WHERE {some('user_')}", ()),
    ]


def mix(room: Room, seed: int, steps: int) -> None:
    draw = random.Random(seed)
    possible = changes(draw)
    done = 0
    for _ in range(steps):
        query, parameters = draw.choice(possible)()
        with room.session.transaction(force_rollback=draw.random() < 0.2):
            try:
                with room.session.transaction():
                    room.session.execute(query.encode(), parameters)
                    room.session.execute("SET CONSTRAINTS ALL IMMEDIATE")
                done += 1
            except REFUSALS:
                pass
            room.check(query)
        room.check(f"ending the transaction of {query}")
    assert done > steps / 2


@pytest.mark.parametrize("seed", range(3))
def test_no_mixture_of_changes_breaks_an_invariant(room: Room, seed: int) -> None:
    """Drawn statements over drawn rows, some of them rolled back, some refused."""
    mix(room, seed, steps=50)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 120))
def test_no_longer_mixture_of_changes_breaks_an_invariant(room: Room, seed: int) -> None:
    """The same, for longer."""
    mix(room, seed, steps=300)

"""What the benchmark of triggers runs: statements of two systems, and row triggers that do what the shipped ones do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.contract import fix_messenger, fix_social_selling
from tests.integration.fix_migrations import SOCIAL_SELLING

EARLIER = 200
"""Messages that the parent has before, so that there is another one to be the last."""


@dataclass(frozen=True)
class Step:
    """One statement: for a single row by its number (``%(number)s``), and for the rows ``1 .. %(rows)s`` at once."""

    name: str
    single: str
    bulk: str


@dataclass(frozen=True)
class Trial:
    """What is measured on one system: the steps of a message's life, in their order."""

    root: Path
    steps: tuple[Step, ...]
    populate: Callable[[psycopg.Connection], None]
    reset: tuple[str, ...]
    """Makes the database what it was before the steps; triggers do not fire."""
    compared: tuple[str, ...]
    """What every variant must have written."""
    derived: tuple[str, ...]
    """What the triggers must have written."""
    triggers: dict[str, tuple[str, str]]
    """The shipped trigger's table, and the body of a row trigger that does the same, by the trigger's name."""


def _shop(session: psycopg.Connection) -> None:
    session.execute(fix_social_selling.SHOP.encode())
    session.execute(
        "INSERT INTO messages (conversation_id, platform_message_id, sender_type, content, is_read, sent_at)"
        " SELECT %s, 'earlier ' || number, 'customer', 'Oi', TRUE, %s - number * INTERVAL '1 minute'"
        " FROM generate_series(1, %s) AS number",
        (fix_social_selling.conversation(1), fix_social_selling.NOON, EARLIER),
    )


def _chats(session: psycopg.Connection) -> None:
    fix_messenger.populate(session)
    session.execute(
        "INSERT INTO messages (id, chat_id, sender_id, content, created_at)"
        " SELECT md5('earlier ' || number)::UUID, %s, %s, 'Hello', %s - number * INTERVAL '1 minute'"
        " FROM generate_series(1, %s) AS number",
        (fix_messenger.DIRECT, fix_messenger.USERS["alice"], fix_messenger.NOON, EARLIER),
    )
    session.execute(
        "INSERT INTO unread_messages (id, user_id, chat_id) SELECT gen_random_uuid(), %s, %s"
        " ON CONFLICT (user_id, chat_id) DO NOTHING",
        (fix_messenger.USERS["bob"], fix_messenger.DIRECT),
    )


PARENT = fix_social_selling.conversation(1)
SOCIAL_UNREAD = "({0}.sender_type = 'customer' AND NOT {0}.is_read)::INTEGER"
SOCIAL_MESSAGE = (
    "INSERT INTO messages (id, conversation_id, platform_message_id, sender_type, content, sent_at)"
    f" SELECT md5({{0}}::TEXT)::UUID, '{PARENT}', {{0}}::TEXT, 'customer', 'Oi',"
    f" '{fix_social_selling.NOON}'::TIMESTAMPTZ + {{0}} * INTERVAL '1 second'"
)
LATEST = "(SELECT MAX(sent_at) FROM public.messages WHERE conversation_id = OLD.conversation_id)"
SOCIAL = Trial(
    SOCIAL_SELLING,
    (
        Step(
            "insert",
            SOCIAL_MESSAGE.format("%(number)s::INTEGER"),
            SOCIAL_MESSAGE.format("number") + " FROM generate_series(1, %(rows)s) AS number",
        ),
        Step(
            "arrive",
            "UPDATE messages SET delivered_at = sent_at WHERE id = md5(%(number)s::TEXT)::UUID",
            "UPDATE messages SET delivered_at = sent_at"
            f" WHERE conversation_id = '{PARENT}' AND sent_at > '{fix_social_selling.NOON}'",
        ),
        Step(
            "read",
            "UPDATE messages SET is_read = TRUE, read_at = now() WHERE id = md5(%(number)s::TEXT)::UUID",
            f"UPDATE messages SET is_read = TRUE, read_at = now() WHERE conversation_id = '{PARENT}' AND NOT is_read",
        ),
        Step(
            "delete",
            "DELETE FROM messages WHERE id = md5(%(number)s::TEXT)::UUID",
            f"DELETE FROM messages WHERE conversation_id = '{PARENT}' AND sent_at > '{fix_social_selling.NOON}'",
        ),
    ),
    _shop,
    ("VACUUM messages", "VACUUM conversations"),
    ("SELECT id, conversation_id, is_read, sent_at FROM messages WHERE platform_message_id !~ 'earlier' ORDER BY id",),
    ("SELECT id, unread_count, last_message_at FROM conversations ORDER BY id",),
    {
        "message_increment_unread": (
            "messages AFTER INSERT",
            f"""
            UPDATE public.conversations
            SET unread_count = unread_count + {SOCIAL_UNREAD.format("NEW")},
                last_message_at = GREATEST(last_message_at, NEW.sent_at)
            WHERE id = NEW.conversation_id;
            """,
        ),
        "message_decrement_unread": (
            "messages AFTER UPDATE",
            f"""
            IF NEW.conversation_id <> OLD.conversation_id OR NEW.sent_at <> OLD.sent_at THEN
              PERFORM FROM public.conversations WHERE id = OLD.conversation_id FOR NO KEY UPDATE;
              UPDATE public.conversations
              SET unread_count = unread_count - {SOCIAL_UNREAD.format("OLD")}, last_message_at = {LATEST}
              WHERE id = OLD.conversation_id;
              UPDATE public.conversations
              SET unread_count = unread_count + {SOCIAL_UNREAD.format("NEW")},
                  last_message_at = GREATEST(last_message_at, NEW.sent_at)
              WHERE id = NEW.conversation_id;
            ELSIF {SOCIAL_UNREAD.format("NEW")} <> {SOCIAL_UNREAD.format("OLD")} THEN
              UPDATE public.conversations
              SET unread_count = unread_count + {SOCIAL_UNREAD.format("NEW")} - {SOCIAL_UNREAD.format("OLD")}
              WHERE id = NEW.conversation_id;
            END IF;
            """,
        ),
        "message_subtract_deleted": (
            "messages AFTER DELETE",
            f"""
            PERFORM FROM public.conversations WHERE id = OLD.conversation_id FOR NO KEY UPDATE;
            UPDATE public.conversations
            SET unread_count = unread_count - {SOCIAL_UNREAD.format("OLD")}, last_message_at = {LATEST}
            WHERE id = OLD.conversation_id;
            """,
        ),
    },
)

CHAT, ALICE, BOB = fix_messenger.DIRECT, fix_messenger.USERS["alice"], fix_messenger.USERS["bob"]
CHAT_MESSAGE = (
    "INSERT INTO messages (id, chat_id, sender_id, content, created_at)"
    f" SELECT md5({{0}}::TEXT)::UUID, '{CHAT}', '{ALICE}', 'Hello',"
    f" '{fix_messenger.NOON}'::TIMESTAMPTZ + {{0}} * INTERVAL '1 second'"
)
DELIVERY = (
    f"INSERT INTO message_delivery (message_id, chat_id, user_id) SELECT md5({{0}}::TEXT)::UUID, '{CHAT}', '{BOB}'"
)
READ = f"{fix_messenger.READ} WHERE user_id = '{BOB}' AND "
UNREAD = f"chat_id = '{CHAT}' AND status <> 'read'"
EDIT = "UPDATE messages SET content = 'Hello!', edited_at = now() WHERE "
DELETE = "UPDATE messages SET deleted_at = now() WHERE "
SENT = f"chat_id = '{CHAT}' AND created_at > '{fix_messenger.NOON}'"
RENEW = """
    PERFORM FROM public.chats WHERE id = {0}.chat_id FOR NO KEY UPDATE;
    LOOP
      BEGIN
        UPDATE public.chats
        SET (last_message_id, last_message_at) = (
          SELECT newest.id, newest.created_at
          FROM public.messages AS newest
          WHERE newest.chat_id = {0}.chat_id
            AND newest.deleted_at IS NULL
          ORDER BY newest.created_at DESC, newest.id DESC
          LIMIT 1
        )
        WHERE id = {0}.chat_id;
        EXIT;
      EXCEPTION
        WHEN foreign_key_violation THEN NULL;
      END;
    END LOOP;
"""
COUNT_ONE = """
    INSERT INTO public.unread_messages AS kept (user_id, chat_id, unread_count)
    VALUES (NEW.user_id, NEW.chat_id, 1)
    ON CONFLICT (user_id, chat_id) DO UPDATE SET unread_count = kept.unread_count + EXCLUDED.unread_count;
"""
MESSENGER = Trial(
    fix_messenger.MESSENGER,
    (
        Step(
            "insert",
            CHAT_MESSAGE.format("%(number)s::INTEGER"),
            CHAT_MESSAGE.format("number") + " FROM generate_series(1, %(rows)s) AS number",
        ),
        Step(
            "deliver",
            DELIVERY.format("%(number)s"),
            DELIVERY.format("number") + " FROM generate_series(1, %(rows)s) AS number",
        ),
        Step("read", READ + "message_id = md5(%(number)s::TEXT)::UUID", READ + UNREAD),
        Step("edit", EDIT + "id = md5(%(number)s::TEXT)::UUID", EDIT + SENT),
        Step("delete softly", DELETE + "id = md5(%(number)s::TEXT)::UUID", DELETE + SENT),
    ),
    _chats,
    (
        (
            f"UPDATE chats SET (last_message_id, last_message_at) = (SELECT id, created_at FROM messages"
            f" WHERE chat_id = '{CHAT}' AND created_at < '{fix_messenger.NOON}' ORDER BY created_at DESC LIMIT 1)"
            f" WHERE id = '{CHAT}'"
        ),
        "DELETE FROM message_delivery",
        f"DELETE FROM messages WHERE created_at > '{fix_messenger.NOON}'",
        "UPDATE unread_messages SET unread_count = 0",
        *(f"VACUUM {table}" for table in ("messages", "message_delivery", "chats", "unread_messages")),
    ),
    (
        f"SELECT id, chat_id, created_at FROM messages WHERE created_at > '{fix_messenger.NOON}' ORDER BY id",
        "SELECT message_id, chat_id, user_id, status FROM message_delivery ORDER BY message_id, user_id",
    ),
    (
        "SELECT id, last_message_id, last_message_at FROM chats ORDER BY id",
        "SELECT user_id, chat_id, unread_count FROM unread_messages ORDER BY user_id, chat_id",
    ),
    {
        "message_insert": (
            "messages AFTER INSERT",
            """
            IF NEW.deleted_at IS NULL THEN
              UPDATE public.chats
              SET last_message_id = CASE
                    WHEN (last_message_at, last_message_id) > (NEW.created_at, NEW.id) THEN last_message_id
                    ELSE NEW.id
                  END,
                  last_message_at = GREATEST(last_message_at, NEW.created_at)
              WHERE id = NEW.chat_id;
            END IF;
            """,
        ),
        "message_update": (
            "messages AFTER UPDATE",
            f"""
            IF (NEW.id, NEW.chat_id, NEW.created_at, NEW.deleted_at IS NULL)
              <> (OLD.id, OLD.chat_id, OLD.created_at, OLD.deleted_at IS NULL) THEN
              {RENEW.format("OLD")}
              IF NEW.chat_id <> OLD.chat_id THEN {RENEW.format("NEW")} END IF;
            END IF;
            """,
        ),
        "delivery_insert": ("message_delivery AFTER INSERT", f"IF NEW.status <> 'read' THEN {COUNT_ONE} END IF;"),
        "delivery_update": (
            "message_delivery AFTER UPDATE",
            f"""
            IF (NEW.chat_id, NEW.user_id, NEW.status <> 'read') <> (OLD.chat_id, OLD.user_id, OLD.status <> 'read') THEN
              IF OLD.status <> 'read' THEN
                UPDATE public.unread_messages
                SET unread_count = unread_count - 1
                WHERE user_id = OLD.user_id
                  AND chat_id = OLD.chat_id;
              END IF;
              IF NEW.status <> 'read' THEN {COUNT_ONE} END IF;
            END IF;
            """,
        ),
    },
)
TRIALS = {"social_selling": SOCIAL, "messenger": MESSENGER}

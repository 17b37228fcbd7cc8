"""Conversations of an account with its customers, and their messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NotRequired, TypedDict
from uuid import UUID

from psycopg import sql

from pgcontract.database import Queries
from pgcontract.database.repository import Repository
from schema.social_selling.rows import Conversation, Message, MessageSenderType, MessageType

PAGE: Final = 50
_OPEN: Final = f"""
    INSERT INTO public.conversations
      (client_account_id, platform_conversation_id, participant_platform_id, participant_username)
    VALUES (%s, %s, %s, %s)
    ON CONFLICT (client_account_id, platform_conversation_id) DO UPDATE
    SET participant_username = COALESCE(EXCLUDED.participant_username, conversations.participant_username)
    RETURNING {Conversation.COLUMNS}
"""
_INBOX: Final = f"""
    SELECT {Conversation.COLUMNS} FROM {Conversation.TABLE}
    WHERE client_account_id = %s AND status = 'open'
    ORDER BY last_message_at DESC NULLS LAST
    LIMIT %s
"""
_OF_CONVERSATION: Final = f"SELECT {Message.COLUMNS} FROM {Message.TABLE} WHERE conversation_id = %s"
_LATEST_FIRST: Final = " ORDER BY sent_at DESC, id DESC LIMIT %s"
_FIRST_PAGE: Final = f"{_OF_CONVERSATION}{_LATEST_FIRST}"
_NEXT_PAGE: Final = f"{_OF_CONVERSATION} AND (sent_at, id) < (%s, %s){_LATEST_FIRST}"
_ONCE: Final = sql.SQL(f" ON CONFLICT (platform_message_id) DO NOTHING RETURNING {Message.COLUMNS}")
_READ: Final = """
    UPDATE public.messages SET is_read = TRUE, read_at = now()
    WHERE conversation_id = %s AND sender_type = 'customer' AND NOT is_read
"""


class NewMessage(TypedDict):
    """What a platform tells of a message; what is left out takes the table's defaults."""

    conversation_id: UUID
    platform_message_id: str
    sender_type: MessageSenderType
    sent_at: datetime
    sender_platform_id: NotRequired[str]
    message_type: NotRequired[MessageType]
    content: NotRequired[str]
    media_url: NotRequired[str]
    media_type: NotRequired[str]


class Conversations(Repository[Message]):
    """Conversations and their messages, on a pool or in a transaction. Counts and latest moments are the database's."""

    def __init__(self, queries: Queries) -> None:
        super().__init__(queries, Message, insertable=NewMessage.__annotations__, updatable=())

    def open(
        self, account: UUID, platform_id: str, participant_platform_id: str, username: str | None = None
    ) -> Conversation:
        """The conversation of that platform's id, made where it is not there, with the name that is known now."""
        values = (account, platform_id, participant_platform_id, username)
        return self._queries.one(_OPEN, values, row=Conversation, name="conversations.open")

    def inbox(self, account: UUID, *, limit: int = PAGE) -> Sequence[Conversation]:
        """An account's open conversations, that with the latest message first."""
        return self._queries.query(_INBOX, (account, limit), row=Conversation, name="conversations.inbox")

    def receive(self, new: NewMessage) -> Message | None:
        """Take in a message; None where it is there already: platforms tell of one several times."""
        statement, values = self._inserting(new)
        return self._queries.one_or_none(statement + _ONCE, values, row=Message, name="conversations.receive")

    def messages(self, conversation: UUID, *, before: Message | None = None, limit: int = PAGE) -> Sequence[Message]:
        """A page of messages, the latest first: those that come ``before`` the last of the page before.

        What arrives meanwhile moves no page.
        """
        name = "conversations.messages"
        if before is None:
            return self._queries.query(_FIRST_PAGE, (conversation, limit), row=Message, name=name)
        place = (conversation, before.sent_at, before.id, limit)
        return self._queries.query(_NEXT_PAGE, place, row=Message, name=name)

    def read(self, conversation: UUID) -> int:
        """Mark all of the customer's messages as read; how many were not."""
        return self._queries.none(_READ, (conversation,), name="conversations.read")

"""Rows of messenger, typed.

`pgcontract models` writes this from the contract: change the schema, not this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any, ClassVar, Literal, LiteralString, TypeAlias
from uuid import UUID

Inet: TypeAlias = IPv4Address | IPv6Address | IPv4Interface | IPv6Interface
AttachmentMimeType: TypeAlias = Literal[
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
]
ChatParticipantRole: TypeAlias = Literal[
    "owner",
    "admin",
    "member",
]
ChatType: TypeAlias = Literal[
    "direct",
    "group",
]
ContactStatus: TypeAlias = Literal[
    "pending",
    "accepted",
    "declined",
    "blocked",
]
MessageDeliveryStatus: TypeAlias = Literal[
    "sent",
    "delivered",
    "read",
]
UserSessionDeviceType: TypeAlias = Literal[
    "web",
    "desktop",
    "ios",
    "android",
]
UserStatus: TypeAlias = Literal[
    "online",
    "offline",
    "away",
]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A row of attachments."""

    TABLE: ClassVar[LiteralString] = "public.attachments"
    COLUMNS: ClassVar[LiteralString] = """
        id, message_id, uploaded_by, storage_key, thumbnail_key, file_name, mime_type,
        file_size, width, height, checksum, alt_text, created_at
    """

    id: UUID
    message_id: UUID | None
    uploaded_by: UUID | None
    storage_key: str
    thumbnail_key: str | None
    file_name: str
    mime_type: AttachmentMimeType
    file_size: int
    width: int | None
    height: int | None
    checksum: str | None
    alt_text: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ChatParticipant:
    """A row of chat_participants."""

    TABLE: ClassVar[LiteralString] = "public.chat_participants"
    COLUMNS: ClassVar[LiteralString] = """
        id, chat_id, user_id, role, nickname, joined_at, left_at, last_read_message_id,
        last_read_at, muted_until, pinned_at
    """

    id: UUID
    chat_id: UUID
    user_id: UUID
    role: ChatParticipantRole
    nickname: str | None
    joined_at: datetime
    left_at: datetime | None
    last_read_message_id: UUID | None
    last_read_at: datetime | None
    muted_until: datetime | None
    pinned_at: datetime | None


@dataclass(frozen=True, slots=True)
class Chat:
    """A row of chats."""

    TABLE: ClassVar[LiteralString] = "public.chats"
    COLUMNS: ClassVar[LiteralString] = """
        id, type, name, description, avatar_url, created_by, last_message_id,
        last_message_at, settings, created_at, updated_at, deleted_at, participant_count
    """

    id: UUID
    type: ChatType
    name: str | None
    description: str | None
    avatar_url: str | None
    created_by: UUID | None
    last_message_id: UUID | None
    last_message_at: datetime | None
    settings: Any
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    participant_count: int


@dataclass(frozen=True, slots=True)
class Contact:
    """A row of contacts."""

    TABLE: ClassVar[LiteralString] = "public.contacts"
    COLUMNS: ClassVar[LiteralString] = """
        id, user_id, contact_user_id, status, nickname, is_favorite, created_at,
        responded_at, accepted_status
    """

    id: UUID
    user_id: UUID
    contact_user_id: UUID
    status: ContactStatus
    nickname: str | None
    is_favorite: bool
    created_at: datetime
    responded_at: datetime | None
    accepted_status: str | None


@dataclass(frozen=True, slots=True)
class MessageDelivery:
    """A row of message_delivery."""

    TABLE: ClassVar[LiteralString] = "public.message_delivery"
    COLUMNS: ClassVar[LiteralString] = """
        id, message_id, chat_id, user_id, status, created_at, delivered_at, read_at
    """

    id: UUID
    message_id: UUID
    chat_id: UUID
    user_id: UUID
    status: MessageDeliveryStatus
    created_at: datetime
    delivered_at: datetime | None
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class MessageReaction:
    """A row of message_reactions."""

    TABLE: ClassVar[LiteralString] = "public.message_reactions"
    COLUMNS: ClassVar[LiteralString] = """
        id, message_id, chat_id, user_id, emoji, created_at
    """

    id: UUID
    message_id: UUID
    chat_id: UUID
    user_id: UUID
    emoji: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """A row of messages."""

    TABLE: ClassVar[LiteralString] = "public.messages"
    COLUMNS: ClassVar[LiteralString] = """
        id, chat_id, sender_id, client_message_id, reply_to_id, content, metadata,
        created_at, edited_at, deleted_at
    """

    id: UUID
    chat_id: UUID
    sender_id: UUID | None
    client_message_id: UUID | None
    reply_to_id: UUID | None
    content: str | None
    metadata: Any
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class UnreadMessage:
    """A row of unread_messages."""

    TABLE: ClassVar[LiteralString] = "public.unread_messages"
    COLUMNS: ClassVar[LiteralString] = """
        id, user_id, chat_id, unread_count
    """

    id: UUID
    user_id: UUID
    chat_id: UUID
    unread_count: int


@dataclass(frozen=True, slots=True)
class UserSession:
    """A row of user_sessions."""

    TABLE: ClassVar[LiteralString] = "public.user_sessions"
    COLUMNS: ClassVar[LiteralString] = """
        id, user_id, token_hash, device_id, device_name, device_type, app_version,
        user_agent, ip_address, push_token, created_at, last_active_at, expires_at,
        revoked_at
    """

    id: UUID
    user_id: UUID
    token_hash: str = field(repr=False)
    device_id: UUID
    device_name: str | None
    device_type: UserSessionDeviceType
    app_version: str | None
    user_agent: str | None
    ip_address: Inet | None
    push_token: str | None = field(repr=False)
    created_at: datetime
    last_active_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class User:
    """A row of users."""

    TABLE: ClassVar[LiteralString] = "public.users"
    COLUMNS: ClassVar[LiteralString] = """
        id, username, password_hash, display_name, avatar_url, bio, status,
        last_seen_at, settings, created_at, updated_at
    """

    id: UUID
    username: str
    password_hash: str = field(repr=False)
    display_name: str
    avatar_url: str | None
    bio: str | None
    status: UserStatus
    last_seen_at: datetime | None
    settings: Any
    created_at: datetime
    updated_at: datetime

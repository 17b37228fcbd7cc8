"""Rows of social_selling, typed.

`pgcontract models` writes this from the contract: change the schema, not this.
"""

from __future__ import annotations

import datetime as _datetime
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal, LiteralString, TypeAlias
from uuid import UUID

AnalyticsEventCategory: TypeAlias = Literal[
    "engagement",
    "sales",
    "message",
    "content",
]
AnalyticsEventEntityType: TypeAlias = Literal[
    "product",
    "message",
    "conversation",
    "post",
]
ClientAccountPlatform: TypeAlias = Literal[
    "instagram",
    "whatsapp",
]
ClientAccountStatus: TypeAlias = Literal[
    "active",
    "token_expired",
    "token_revoked",
    "disconnected",
    "error",
]
ConversationStatus: TypeAlias = Literal[
    "open",
    "closed",
    "archived",
]
InstagramMediaType: TypeAlias = Literal[
    "IMAGE",
    "VIDEO",
    "CAROUSEL_ALBUM",
]
MessageSenderType: TypeAlias = Literal[
    "user",
    "customer",
]
MessageType: TypeAlias = Literal[
    "text",
    "image",
    "video",
    "audio",
    "story_mention",
    "story_reply",
]
UserSubscriptionTier: TypeAlias = Literal[
    "free",
    "basic",
    "pro",
    "enterprise",
]


@dataclass(frozen=True, slots=True)
class AnalyticsEvent:
    """A row of analytics_events."""

    TABLE: ClassVar[LiteralString] = "public.analytics_events"
    COLUMNS: ClassVar[LiteralString] = """
        id, user_id, client_account_id, event_type, event_category, entity_type,
        entity_id, value, metadata, occurred_at, created_at
    """

    id: UUID
    user_id: UUID
    client_account_id: UUID | None
    event_type: str
    event_category: AnalyticsEventCategory
    entity_type: AnalyticsEventEntityType | None
    entity_id: UUID | None
    value: Decimal | None
    metadata: Any
    occurred_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ClientAccount:
    """A row of client_accounts."""

    TABLE: ClassVar[LiteralString] = "public.client_accounts"
    COLUMNS: ClassVar[LiteralString] = """
        id, user_id, platform, platform_account_id, username, profile_picture_url,
        follower_count, following_count, media_count, status, metadata, last_sync_at,
        created_at, updated_at, deleted_at
    """

    id: UUID
    user_id: UUID
    platform: ClientAccountPlatform
    platform_account_id: str
    username: str
    profile_picture_url: str | None
    follower_count: int
    following_count: int
    media_count: int
    status: ClientAccountStatus
    metadata: Any
    last_sync_at: datetime | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A row of conversations."""

    TABLE: ClassVar[LiteralString] = "public.conversations"
    COLUMNS: ClassVar[LiteralString] = """
        id, client_account_id, platform_conversation_id, participant_platform_id,
        participant_username, participant_profile_pic, last_message_at, unread_count,
        status, metadata, created_at, updated_at
    """

    id: UUID
    client_account_id: UUID
    platform_conversation_id: str
    participant_platform_id: str
    participant_username: str | None
    participant_profile_pic: str | None
    last_message_at: datetime | None
    unread_count: int
    status: ConversationStatus
    metadata: Any
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class InstagramMedia:
    """A row of instagram_media."""

    TABLE: ClassVar[LiteralString] = "public.instagram_media"
    COLUMNS: ClassVar[LiteralString] = """
        id, client_account_id, platform_media_id, media_type, media_url, thumbnail_url,
        permalink, caption, like_count, comment_count, "timestamp", metadata, synced_at,
        created_at
    """

    id: UUID
    client_account_id: UUID
    platform_media_id: str
    media_type: InstagramMediaType
    media_url: str | None
    thumbnail_url: str | None
    permalink: str | None
    caption: str | None
    like_count: int
    comment_count: int
    timestamp: datetime | None
    metadata: Any
    synced_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MessageProduct:
    """A row of message_products."""

    TABLE: ClassVar[LiteralString] = "public.message_products"
    COLUMNS: ClassVar[LiteralString] = """
        id, message_id, product_id, created_at
    """

    id: UUID
    message_id: UUID
    product_id: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """A row of messages."""

    TABLE: ClassVar[LiteralString] = "public.messages"
    COLUMNS: ClassVar[LiteralString] = """
        id, conversation_id, platform_message_id, sender_type, sender_platform_id,
        message_type, content, media_url, media_type, is_read, sent_at, delivered_at,
        read_at, metadata, created_at
    """

    id: UUID
    conversation_id: UUID
    platform_message_id: str
    sender_type: MessageSenderType
    sender_platform_id: str | None
    message_type: MessageType
    content: str | None
    media_url: str | None
    media_type: str | None
    is_read: bool
    sent_at: datetime
    delivered_at: datetime | None
    read_at: datetime | None
    metadata: Any
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Notification:
    """A row of notifications."""

    TABLE: ClassVar[LiteralString] = "public.notifications"
    COLUMNS: ClassVar[LiteralString] = """
        id, user_id, type, title, message, action_url, is_read, metadata, created_at,
        read_at
    """

    id: UUID
    user_id: UUID
    type: str
    title: str
    message: str
    action_url: str | None
    is_read: bool
    metadata: Any
    created_at: datetime
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class OauthToken:
    """A row of oauth_tokens."""

    TABLE: ClassVar[LiteralString] = "public.oauth_tokens"
    COLUMNS: ClassVar[LiteralString] = """
        id, user_id, client_account_id, platform, access_token, token_type, expires_at,
        scopes, created_at, updated_at, revoked_at
    """

    id: UUID
    user_id: UUID
    client_account_id: UUID
    platform: str
    access_token: str = field(repr=False)
    token_type: str
    expires_at: datetime
    scopes: list[str | None]
    created_at: datetime
    updated_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProductLink:
    """A row of product_links."""

    TABLE: ClassVar[LiteralString] = "public.product_links"
    COLUMNS: ClassVar[LiteralString] = """
        id, user_id, product_id, client_account_id, instagram_media_id, short_link,
        clicks, conversions, revenue, is_active, created_at, updated_at
    """

    id: UUID
    user_id: UUID
    product_id: UUID
    client_account_id: UUID
    instagram_media_id: str | None
    short_link: str | None
    clicks: int
    conversions: int
    revenue: Decimal
    is_active: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Product:
    """A row of products."""

    TABLE: ClassVar[LiteralString] = "public.products"
    COLUMNS: ClassVar[LiteralString] = """
        id, user_id, name, description, price, currency, category, tags, images,
        stock_quantity, sku, is_available, metadata, created_at, updated_at, deleted_at
    """

    id: UUID
    user_id: UUID
    name: str
    description: str | None
    price: Decimal | None
    currency: str
    category: str | None
    tags: list[str | None] | None
    images: Any
    stock_quantity: int | None
    sku: str | None
    is_available: bool
    metadata: Any
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A row of refresh_tokens."""

    TABLE: ClassVar[LiteralString] = "public.refresh_tokens"
    COLUMNS: ClassVar[LiteralString] = """
        id, user_id, token_hash, expires_at, created_at, revoked_at
    """

    id: UUID
    user_id: UUID
    token_hash: str = field(repr=False)
    expires_at: datetime
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class User:
    """A row of users."""

    TABLE: ClassVar[LiteralString] = "public.users"
    COLUMNS: ClassVar[LiteralString] = """
        id, email, password_hash, name, timezone, language, subscription_tier,
        email_verified, email_verification_token, password_reset_token,
        password_reset_expires, last_login_at, last_login_ip, created_at, updated_at,
        deleted_at
    """

    id: UUID
    email: str
    password_hash: str = field(repr=False)
    name: str
    timezone: str
    language: str
    subscription_tier: UserSubscriptionTier
    email_verified: bool
    email_verification_token: str | None = field(repr=False)
    password_reset_token: str | None = field(repr=False)
    password_reset_expires: datetime | None
    last_login_at: datetime | None
    last_login_ip: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class AnalyticsDailySummary:
    """A row of analytics_daily_summary."""

    TABLE: ClassVar[LiteralString] = "public.analytics_daily_summary"
    COLUMNS: ClassVar[LiteralString] = """
        user_id, client_account_id, date, event_category, event_type, event_count,
        total_value, avg_value
    """

    user_id: UUID | None
    client_account_id: UUID | None
    date: _datetime.date | None
    event_category: str | None
    event_type: str | None
    event_count: int | None
    total_value: Decimal | None
    avg_value: Decimal | None

"""Fixtures of social_selling: two users, and a shop with four empty conversations whose every step is judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from pgcontract.database import Database, Settings
from tests.integration.fix_migrations import SOCIAL_SELLING

INVARIANTS = {path.stem: path.read_bytes() for path in sorted((SOCIAL_SELLING / "invariants").glob("*.sql"))}
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
SHOP = """
    INSERT INTO users (id, email, password_hash, name)
    VALUES ('00000000-0000-0000-0000-00000000000a', 'ana@example.com', '$2b$12$' || repeat('a', 53), 'Ana');
    INSERT INTO client_accounts (id, user_id, platform, platform_account_id, username)
    VALUES ('00000000-0000-0000-0000-0000000000aa', '00000000-0000-0000-0000-00000000000a', 'instagram', '1', 'ana');
    INSERT INTO conversations (id, client_account_id, platform_conversation_id, participant_platform_id)
    SELECT ('00000000-0000-0000-0000-00000000000' || number)::UUID, '00000000-0000-0000-0000-0000000000aa', number, 'p'
    FROM generate_series(1, 4) AS number;
"""


ANA, BIA = UUID(int=0xA), UUID(int=0xB)
TWO_USERS = f"""
    INSERT INTO users (id, email, password_hash, name)
    SELECT id::UUID, name || '@example.com', '$2b$12$' || repeat('a', 53), name
    FROM (VALUES ('{ANA}', 'ana'), ('{BIA}', 'bia')) AS people (id, name)
"""


def conversation(number: int) -> UUID:
    return UUID(int=number)


@dataclass
class Shop:
    """A session on a database with four empty conversations, and what to do there."""

    session: psycopg.Connection
    dsn: str
    sent: int = field(default=0)

    def run(self, query: str, *parameters: object) -> None:
        """Run it, then ask every invariant."""
        self.session.execute(query.encode(), parameters)
        self.check(query)

    def check(self, after: str) -> None:
        for name, query in INVARIANTS.items():
            rows = self.session.execute(query).fetchall()
            assert rows == [], f"{name} does not hold after {after}"

    def send(self, number: int, *, minutes: int = 0, sender: str = "customer", read: bool = False) -> str:
        self.sent += 1
        name = f"m{self.sent}"
        self.run(
            "INSERT INTO messages (conversation_id, platform_message_id, sender_type, is_read, sent_at)"
            " VALUES (%s, %s, %s, %s, %s)",
            *(conversation(number), name, sender, read, NOON + timedelta(minutes=minutes)),
        )
        return name

    def state(self, number: int) -> tuple[int, int | None]:
        """Unread messages, and the minute of the last one."""
        row = self.session.execute(
            "SELECT unread_count, last_message_at FROM conversations WHERE id = %s", (conversation(number),)
        ).fetchone()
        assert row is not None
        return row[0], None if row[1] is None else round((row[1] - NOON).total_seconds() / 60)


@pytest.fixture
def shop(social_selling: psycopg.Connection, social_selling_database: str) -> Shop:
    """Four empty conversations."""
    social_selling.execute(SHOP.encode())
    return Shop(social_selling, social_selling_database)


@pytest.fixture
def two_users(social_selling_database: str) -> Iterator[Database]:
    """A pool on a database with Ana and Bia."""
    with psycopg.connect(social_selling_database) as connection:
        connection.execute(TWO_USERS.encode())
    with Database(social_selling_database, Settings(min_size=1, max_size=16)) as database:
        yield database

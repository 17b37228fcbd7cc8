"""Databases with the schema of messenger, and a session that asks the invariants after every step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pgcontract.ephemeral import template_of
from pgcontract.migrations import runner_of
from pgcontract.server import Server, Template
from pgcontract.system import System

MESSENGER = Path(__file__).parents[2] / "schema" / "messenger"
SYSTEM = System.load(MESSENGER)
INVARIANTS = {path.stem: path.read_bytes() for path in sorted((MESSENGER / "invariants").glob("*.sql"))}
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
HASH = "$2b$12$" + "a" * 53

PEOPLE = ("alice", "bob", "charlie", "diana")
USERS = {name: UUID(int=number) for number, name in enumerate(PEOPLE, 1)}
DIRECT, GROUP, OTHER = (UUID(int=0xC00 + number) for number in (1, 2, 3))
# what becomes of deliveries; a condition may follow
READ = "UPDATE message_delivery SET status = 'read', delivered_at = now(), read_at = now()"
UNREAD = "UPDATE message_delivery SET status = 'delivered', delivered_at = now(), read_at = NULL"
CHATS = {DIRECT: PEOPLE[:2], GROUP: PEOPLE, OTHER: PEOPLE[:3]}


@dataclass
class Room:
    """A session on a database with four people, a direct chat of the first two, and two groups; and the database's DSN.

    ``DIRECT`` is alice's and bob's, ``GROUP`` has all of them, ``OTHER`` all but diana. Nobody has said anything.
    """

    session: psycopg.Connection
    dsn: str
    sent: int = field(default=0)

    def run(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run it, then ask every invariant. Gives what the statement returned."""
        cursor = self.session.execute(query.encode(), parameters)
        rows = cursor.fetchall() if cursor.description else []
        self.check(query)
        return rows

    def check(self, after: str) -> None:
        """Ask every invariant."""
        for name, query in INVARIANTS.items():
            assert self.session.execute(query).fetchall() == [], f"{name} does not hold after {after}"

    def send(self, chat: UUID, sender: str = "alice", *, minute: int | None = None, deliver: bool = True) -> UUID:
        """Send a message, by default a minute after the last one, and deliver it to everybody else in the chat."""
        self.sent += 1
        message = UUID(int=0xD000 + self.sent)
        self.run(
            "INSERT INTO messages (id, chat_id, sender_id, content, created_at) VALUES (%s, %s, %s, %s, %s)",
            *(message, chat, USERS[sender], f"message {self.sent}"),
            NOON + timedelta(minutes=self.sent if minute is None else minute),
        )
        if deliver:
            self.run(
                "INSERT INTO message_delivery (message_id, chat_id, user_id)"
                " SELECT %s, chat_id, user_id FROM chat_participants WHERE chat_id = %s AND user_id <> %s",
                *(message, chat, USERS[sender]),
            )
        return message

    def unread(self, chat: UUID) -> dict[str, int]:
        """Who has how much to read there; those with nothing are left out."""
        rows = self.session.execute(
            "SELECT username, unread_count FROM unread_messages JOIN users ON users.id = user_id"
            " WHERE chat_id = %s AND unread_count > 0",
            (chat,),
        )
        return dict(rows.fetchall())

    def last(self, chat: UUID) -> UUID | None:
        """A chat's last message."""
        ((last,),) = self.session.execute("SELECT last_message_id FROM chats WHERE id = %s", (chat,)).fetchall()
        assert last is None or isinstance(last, UUID)
        return last

    def count(self, table: str) -> int:
        """How many rows a table has."""
        ((number,),) = self.session.execute(f"SELECT count(*) FROM {table}".encode()).fetchall()
        assert isinstance(number, int)
        return number


def populate(session: psycopg.Connection) -> None:
    """Four people, a direct chat, two groups."""
    for name, user in USERS.items():
        session.execute(
            "INSERT INTO users (id, username, password_hash, display_name) VALUES (%s, %s, %s, initcap(%s))",
            (user, name, HASH, name),
        )
    for chat, members in CHATS.items():
        session.execute(
            "INSERT INTO chats (id, type, name) VALUES (%(id)s, %(type)s, CASE %(type)s WHEN 'group' THEN 'Hike' END)",
            {"id": chat, "type": "direct" if chat == DIRECT else "group"},
        )
        session.execute(
            "INSERT INTO chat_participants (id, chat_id, user_id)"
            " SELECT md5(%s || username)::UUID, %s, id FROM users WHERE username = ANY (%s)",
            (str(chat), chat, list(members)),
        )


def _up_to_first(dsn: str) -> None:
    runner_of(dsn, SYSTEM).up(to=1)


@pytest.fixture
def first_messenger(pgcontract_server: Server) -> Iterator[psycopg.Connection]:
    """An autocommitting session on a database of this test's own, with migration 001 and no more."""
    template = Template(f"{SYSTEM.key()} 001", _up_to_first)
    with (
        pgcontract_server.clone(pgcontract_server.template(template)) as clone,
        psycopg.connect(clone.dsn, autocommit=True) as connection,
    ):
        yield connection


@pytest.fixture(scope="module")
def messenger_catalog(pgcontract_server: Server) -> Iterator[psycopg.Connection]:
    """A session on one database for all tests of a module that write nothing; what they do is rolled back."""
    with (
        pgcontract_server.clone(pgcontract_server.template(template_of(SYSTEM))) as clone,
        psycopg.connect(clone.dsn, autocommit=True) as connection,
    ):
        yield connection


@pytest.fixture(scope="module")
def first_messenger_catalog(pgcontract_server: Server) -> Iterator[psycopg.Connection]:
    """The same with migration 001 and no more."""
    template = Template(f"{SYSTEM.key()} 001", _up_to_first)
    with (
        pgcontract_server.clone(pgcontract_server.template(template)) as clone,
        psycopg.connect(clone.dsn, autocommit=True) as connection,
    ):
        yield connection


@pytest.fixture
def messenger_database(pgcontract_server: Server) -> Iterator[str]:
    """The DSN of a database of this test's own, with the schema of messenger in it."""
    with pgcontract_server.clone(pgcontract_server.template(template_of(SYSTEM))) as clone:
        yield clone.dsn


@pytest.fixture
def messenger(messenger_database: str) -> Iterator[psycopg.Connection]:
    """An autocommitting session on such a database."""
    with psycopg.connect(messenger_database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def room(messenger: psycopg.Connection, messenger_database: str) -> Room:
    """Four people, a direct chat and two groups, in which nothing was said yet."""
    populate(messenger)
    return Room(messenger, messenger_database)

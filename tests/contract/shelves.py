"""Columns of the systems that are searched, each on a database with the rows that its texts need around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

SHOP = """
    INSERT INTO users (id, email, password_hash, name)
    VALUES ('00000000-0000-0000-0000-00000000000a', 'ana@example.com', '$2b$12$' || repeat('a', 53), 'Ana');
    INSERT INTO client_accounts (id, user_id, platform, platform_account_id, username)
    VALUES ('00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0000-00000000000a', 'instagram', '1', 'ana');
    INSERT INTO conversations (id, client_account_id, platform_conversation_id, participant_platform_id)
    VALUES ('00000000-0000-0000-0000-00000000000c', '00000000-0000-0000-0000-00000000000b', '1', 'p');
"""
TALK = """
    INSERT INTO users (id, username, password_hash, display_name)
    VALUES ('00000000-0000-0000-0000-00000000000a', 'alice', '$2b$12$' || repeat('a', 53), 'Alice');
    INSERT INTO chats (id, type, name, created_by)
    VALUES ('00000000-0000-0000-0000-00000000000c', 'group', 'Us', '00000000-0000-0000-0000-00000000000a');
    INSERT INTO chat_participants (chat_id, user_id)
    VALUES ('00000000-0000-0000-0000-00000000000c', '00000000-0000-0000-0000-00000000000a');
"""
BASE = {"social_selling": SHOP, "messenger": TALK}
# each inserts an array of texts
TEXTS_GIVEN = "FROM unnest(%s::TEXT[]) AS text"
PRODUCT = f"INSERT INTO products (user_id, {{}}) SELECT '00000000-0000-0000-0000-00000000000a', {{}} {TEXTS_GIVEN}"
SHOP_MESSAGE = (
    "INSERT INTO messages (conversation_id, platform_message_id, sender_type, sent_at, content)"
    f" SELECT '00000000-0000-0000-0000-00000000000c', gen_random_uuid(), 'customer', now(), text {TEXTS_GIVEN}"
)
MESSAGE = (
    "INSERT INTO messages (chat_id, sender_id, content) SELECT"
    f" '00000000-0000-0000-0000-00000000000c', '00000000-0000-0000-0000-00000000000a', text {TEXTS_GIVEN}"
)
USER = (
    "INSERT INTO users (username, password_hash, display_name) SELECT 'u' || replace(gen_random_uuid()::TEXT, '-', ''),"
    f" '$2b$12$' || repeat('a', 53), text {TEXTS_GIVEN}"
)
GROUP = f"INSERT INTO chats (type, name) SELECT 'group', text {TEXTS_GIVEN}"
FILLER = 100
# so many that reading them all would cost more
MANY = 2000


@dataclass(frozen=True)
class Column:
    """A column of texts: what inserts them, and how its index is searched."""

    system: str
    name: str
    insert: str
    index: str
    longest: int
    configuration: str = ""
    inside: str = "TRUE"

    def __str__(self) -> str:
        return f"{self.system}-{self.name}"

    @property
    def table(self) -> str:
        return self.name.split(".")[0]

    @property
    def text(self) -> str:
        return self.name.split(".")[1]

    @property
    def vector(self) -> str:
        return f"to_tsvector('{self.configuration}', {self.text})"


PRODUCT_NAME = Column(
    "social_selling", "products.name", PRODUCT.format("name", "text"), "idx_products_name_search", 255, "portuguese"
)
DESCRIPTION = Column(
    "social_selling",
    "products.description",
    PRODUCT.format("name, description", "'produto', text"),
    "idx_products_description_search",
    10_000,
    "portuguese",
)
SHOP_CONTENT = Column(
    "social_selling",
    "messages.content",
    SHOP_MESSAGE,
    "idx_messages_content_search",
    10_000,
    "portuguese",
    "message_type = 'text'",
)
CONTENT = Column(
    "messenger", "messages.content", MESSAGE, "idx_messages_content_search", 10_000, "english", "deleted_at IS NULL"
)
SEARCHED = (PRODUCT_NAME, DESCRIPTION, SHOP_CONTENT, CONTENT)

SHOP_PARTS = Column(
    "social_selling",
    "messages.content",
    SHOP_MESSAGE,
    "idx_messages_content_trgm",
    10_000,
    inside="message_type = 'text'",
)
PEOPLE = Column("messenger", "users.display_name", USER, "idx_users_display_name", 100)
GROUPS = Column("messenger", "chats.name", GROUP, "idx_chats_name", 100, inside="type = 'group' AND deleted_at IS NULL")
BY_PARTS = (SHOP_PARTS, PEOPLE, GROUPS)


@dataclass(frozen=True)
class Shelf:
    """A column of a database with filler in it."""

    column: Column
    session: psycopg.Connection

    @contextmanager
    def holding(self, *texts: str | None) -> Iterator[None]:
        """Texts put into the column, and taken out again."""
        with self.session.transaction(force_rollback=True):
            self.session.execute(self.column.insert.encode(), (list(texts),))
            yield

    def run(self, query: str, *parameters: object) -> list[str]:
        """The first column of what a query gives."""
        return [row[0] for row in self.session.execute(query.encode(), parameters)]

    def where(self, condition: str) -> str:
        """The texts inside the index's predicate for which a condition holds, as a query."""
        column = self.column
        return f"SELECT {column.text} FROM {column.table} WHERE {column.inside} AND {condition} ORDER BY 1"

    def search(self, query: str, *parameters: object) -> list[str]:
        """The texts that match a tsquery's expression."""
        return self.run(self.where(f"{self.column.vector} @@ {query}"), *parameters)

    def ask(self, words: str) -> list[str]:
        """The texts that match what a person writes into a search box."""
        return self.search(f"websearch_to_tsquery('{self.column.configuration}', %s)", words)

    def parts(self, pattern: str) -> tuple[list[str], list[str]]:
        """The texts that are like a pattern, both ways; without three letters in a row there is nothing to look up."""
        condition = f"{self.column.text} ILIKE %s"
        if re.search(r"[^\W_]{3}", pattern):
            return self.both_ways(condition, pattern)
        found = self.run(self.where(condition), pattern)
        return found, found

    def both_ways(self, condition: str, *parameters: object) -> tuple[list[str], list[str]]:
        """The texts for which a condition holds, by the index and by reading the table."""
        query = self.where(condition)
        with self.session.transaction(force_rollback=True):
            self.session.execute("SET LOCAL enable_seqscan = off")
            assert self.column.index in self.scanned(query, *parameters)
            by_index = self.run(query, *parameters)
            self.session.execute("SET LOCAL enable_seqscan = on")
            self.session.execute("SET LOCAL enable_bitmapscan = off")
            assert self.column.index not in self.scanned(query, *parameters)
            return by_index, self.run(query, *parameters)

    def scanned(self, query: str, *parameters: object) -> set[str]:
        """The indexes that a query's plan looks something up in."""
        shown = self.session.execute(f"EXPLAIN (FORMAT JSON) {query}".encode(), parameters).fetchone()
        assert shown is not None
        waiting, found = [shown[0][0]["Plan"]], set()
        while waiting:
            node = waiting.pop()
            found |= {node["Index Name"]} if "Index Cond" in node else set()
            waiting += node.get("Plans", [])
        return found

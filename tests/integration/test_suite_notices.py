"""The suite notices: one thing broken in a copy of social_selling, verified against the frozen contract.

The broken promise is named, with SQL to paste that shows it, and nothing else is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from pgcontract.contract import read
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.model import Catalog
from pgcontract.server import Server
from pgcontract.system import System
from pgcontract.verify import Plan, Result, verify

SOCIAL_SELLING = Path(__file__).parents[2] / "schema" / "social_selling"


@dataclass(frozen=True)
class Break:
    """One thing broken: DDL for a copy, and the promises that it breaks."""

    name: str
    ddl: str
    broken: frozenset[str]


def broken(name: str, ddl: str, *ids: str) -> Break:
    return Break(name, ddl, frozenset(ids))


BREAKS = [
    broken(
        "a CHECK dropped",
        "ALTER TABLE messages DROP CONSTRAINT chk_messages_read_at;",
        "messages.chk_messages_read_at",
    ),
    broken(
        "an IN list widened",
        "ALTER TABLE messages DROP CONSTRAINT chk_sender_type, "
        "ADD CONSTRAINT chk_sender_type CHECK (sender_type IN ('user', 'customer', 'bot'));",
        "messages.chk_sender_type",
    ),
    broken(
        "an IN list narrowed",
        "ALTER TABLE messages DROP CONSTRAINT chk_message_type, ADD CONSTRAINT chk_message_type "
        "CHECK (message_type IN ('text', 'image', 'video', 'audio', 'story_mention'));",
        "messages.chk_message_type",
    ),
    broken(
        "NOT NULL dropped",
        "ALTER TABLE products ALTER COLUMN name DROP NOT NULL;",
        "products.name.not_null",
    ),
    broken(
        "NOT NULL added",
        "ALTER TABLE conversations ALTER COLUMN participant_username SET NOT NULL;",
        "conversations.participant_username.null",
    ),
    broken(
        "a UNIQUE dropped",
        "ALTER TABLE message_products DROP CONSTRAINT unique_message_product;",
        "message_products.unique_message_product",
    ),
    broken(
        "a foreign key dropped",
        "ALTER TABLE messages DROP CONSTRAINT fk_messages_conversation;",
        "messages.fk_messages_conversation",
        "messages.fk_messages_conversation.on_delete",
        "messages.fk_messages_conversation.on_update",
    ),
    broken(
        "CASCADE turned into SET NULL",
        "ALTER TABLE messages DROP CONSTRAINT fk_messages_conversation, ADD CONSTRAINT fk_messages_conversation "
        "FOREIGN KEY (conversation_id) REFERENCES conversations (id) ON DELETE SET NULL;",
        "messages.fk_messages_conversation.on_delete",
    ),
    broken(
        "CASCADE turned into NO ACTION",
        "ALTER TABLE refresh_tokens DROP CONSTRAINT fk_refresh_tokens_user, ADD CONSTRAINT fk_refresh_tokens_user "
        "FOREIGN KEY (user_id) REFERENCES users (id);",
        "refresh_tokens.fk_refresh_tokens_user.on_delete",
    ),
    broken(
        "NO ACTION turned into CASCADE",
        "ALTER TABLE refresh_tokens DROP CONSTRAINT fk_refresh_tokens_user, ADD CONSTRAINT fk_refresh_tokens_user "
        "FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE;",
        "refresh_tokens.fk_refresh_tokens_user.on_update",
    ),
    broken(
        "NO ACTION turned into RESTRICT",
        "ALTER TABLE refresh_tokens DROP CONSTRAINT fk_refresh_tokens_user, ADD CONSTRAINT fk_refresh_tokens_user "
        "FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE ON UPDATE RESTRICT;",
        "refresh_tokens.fk_refresh_tokens_user.on_update",
    ),
    broken(
        "a default changed",
        "ALTER TABLE users ALTER COLUMN subscription_tier SET DEFAULT 'basic';",
        "users.subscription_tier.default",
    ),
    broken(
        "a default dropped",
        "ALTER TABLE users ALTER COLUMN created_at DROP DEFAULT;",
        "users.created_at.default",
    ),
    broken(
        "a length raised by one",
        "ALTER TABLE users DROP CONSTRAINT chk_users_email_length, "
        "ADD CONSTRAINT chk_users_email_length CHECK (char_length(email) <= 256);",
        "users.chk_users_email_length",
    ),
    broken(
        "a length lowered by one",
        "ALTER TABLE users DROP CONSTRAINT chk_users_email_length, "
        "ADD CONSTRAINT chk_users_email_length CHECK (char_length(email) <= 254);",
        "users.chk_users_email_length",
    ),
    broken(
        "a partial unique index losing its predicate",
        "DROP INDEX idx_users_email; CREATE UNIQUE INDEX idx_users_email ON users (email);",
        "users.idx_users_email",
    ),
    broken(
        "a key column added",
        "DROP INDEX idx_conversations_platform; CREATE UNIQUE INDEX idx_conversations_platform "
        "ON conversations (client_account_id, platform_conversation_id, status);",
        "conversations.idx_conversations_platform",
    ),
    broken(
        "a column dropped",
        "ALTER TABLE products DROP COLUMN sku;",
        "products.sku.type",
        "products.sku.null",
    ),
    broken(
        "a type changed",
        "ALTER TABLE analytics_events ALTER COLUMN entity_id TYPE TEXT;",
        "analytics_events.entity_id.type",
    ),
]


def around(catalog: Catalog, broken: str) -> tuple[str, ...]:
    """The table of a promise and all tables that it refers to or that refer to it."""
    table = next(t for t in catalog.tables if broken.startswith(f"{t.name}."))
    near = {
        table.name,
        *(fk.references for fk in table.foreign_keys),
        *(t.name for t, _ in catalog.referencing(table.name)),
    }
    return tuple(sorted(map(str, near)))


def verified(server: Server, ddl: str, broken: str | None = None) -> tuple[Result, str]:
    """Verify a copy in which this was run against the frozen contract, and run each counterexample as it stands.

    Where something is broken, the tables around it are verified: no other can notice.
    """
    system = System.load(SOCIAL_SELLING)
    frozen = read(system.contract)
    only = around(frozen.catalog, broken) if broken else ()
    with staged(system, server, ServerChoice()) as whole, whole.clone() as copy:
        with psycopg.connect(copy.dsn, autocommit=True) as connection:
            connection.execute(ddl.encode())
        stage = replace(whole, template=copy.name)
        result = verify(stage, frozen, Plan(examples=1, only=only, workers=1))
        shown = ""
        for verdict in result.of("broken"):
            with stage.clone() as clone, psycopg.connect(clone.dsn, autocommit=True) as connection:
                try:
                    connection.execute((verdict.counterexample or "").encode())
                except psycopg.Error as error:
                    shown += f"{verdict.id}: {error.sqlstate}\n"
                else:
                    shown += f"{verdict.id}: accepted\n"
        return result, shown


QUICK = {"a default dropped"}
"""The break that is tried in every run; the others take minutes together."""


@pytest.mark.thorough
@pytest.mark.parametrize(
    "one",
    [
        pytest.param(b, id=b.name.replace(" ", "_"), marks=() if b.name in QUICK else pytest.mark.thorough)
        for b in BREAKS
    ],
)
def test_what_is_broken_is_named_and_nothing_else(one: Break, pgcontract_server: Server) -> None:
    """The verdict is broken for what was broken only, with a counterexample that runs as it stands."""
    result, shown = verified(pgcontract_server, one.ddl, min(one.broken))

    assert {v.id for v in result.of("broken")} == one.broken
    assert not result.kept
    assert {d.promise_id for d in result.drift} >= {min(one.broken)}
    for verdict in result.of("broken"):
        assert verdict.counterexample is not None
        assert f"{verdict.id}: " in shown
        assert "42601" not in shown, "a counterexample does not parse"


@pytest.mark.thorough
def test_an_unbroken_copy_keeps_every_promise(pgcontract_server: Server) -> None:
    """The copy itself breaks nothing: what the others name is the break's doing."""
    result, shown = verified(pgcontract_server, "SELECT")
    assert (result.of("broken"), result.of("unproven"), result.drift, shown) == ((), (), (), "")
    assert result.kept

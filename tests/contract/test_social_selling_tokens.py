"""OAuth tokens are encrypted, and neither they nor their key are in any log of the server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from pgcontract.database import Database, Settings
from pgcontract.ephemeral import template_of
from pgcontract.errors import QueryError
from pgcontract.server import Server
from pgcontract.system import System
from schema.social_selling.oauth_tokens import OauthTokens, ParametersLogged, WrongKey
from tests.contract.fix_social_selling import SHOP
from tests.integration.fix_migrations import SOCIAL_SELLING

SYSTEM = System.load(SOCIAL_SELLING)
APP = SYSTEM.roles["app"]
ACCOUNT = UUID("00000000-0000-0000-0000-0000000000aa")
NOON = datetime(2031, 6, 1, 12, tzinfo=UTC)
TOKEN = "EAAG-the-token-of-ana"
KEY = "a-key-that-nobody-else-knows"
OTHER = "another-key-of-the-same-sort"
GRANT = f"GRANT SET ON PARAMETER log_parameter_max_length TO {APP}"


@pytest.fixture
def talkative(quiet_server: Server) -> Iterator[str]:
    """A database whose server logs every statement with all its parameters, those of errors too."""
    with quiet_server.clone(quiet_server.template(template_of(SYSTEM))) as clone:
        with psycopg.connect(clone.dsn, autocommit=True) as connection:
            connection.execute(SHOP.encode())
            for setting in (
                "log_statement = 'all'",
                "log_duration = on",
                "log_min_duration_statement = 0",
                "log_parameter_max_length = -1",
                "log_parameter_max_length_on_error = -1",
                "log_min_messages = 'warning'",
                "log_min_error_statement = 'error'",
                "log_error_verbosity = 'verbose'",
            ):
                connection.execute(f"ALTER DATABASE {clone.name} SET {setting}")
            connection.execute(f"REVOKE SET ON PARAMETER log_parameter_max_length FROM {APP}")
        yield clone.dsn


def as_application(connection: psycopg.Connection) -> None:
    """Be the application's role, which may do nothing but read and write rows."""
    connection.execute(f"SET ROLE {APP}")


@pytest.fixture
def database(talkative: str) -> Iterator[Database]:
    """A pool of the application's role, which has been granted what it needs."""
    with psycopg.connect(talkative, autocommit=True) as connection:
        connection.execute(GRANT)
    settings = Settings(min_size=1, max_size=2, log_queries=True)
    with Database(talkative, settings, configure=as_application) as database:
        yield database
    with psycopg.connect(talkative, autocommit=True) as connection:
        connection.execute(GRANT.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))


def save(tokens: OauthTokens, token: str = TOKEN, *, days: int = 60) -> None:
    """An account's new token."""
    saved = tokens.save(ACCOUNT, token, expires_at=NOON + timedelta(days=days), scopes=["basic", "messages"])
    assert saved is not None
    assert token not in saved.access_token


def test_a_token_comes_back_with_its_key_only(database: Database) -> None:
    """What is stored is an armoured message; another key is one clear error."""
    tokens = OauthTokens(database, KEY)
    assert tokens.reveal(ACCOUNT) is None
    save(tokens)
    assert tokens.reveal(ACCOUNT) == TOKEN
    stored = tokens.find(ACCOUNT)
    assert stored is not None
    assert stored.access_token.startswith("-----BEGIN PGP MESSAGE-----")
    assert (stored.platform, stored.scopes, stored.revoked_at) == ("instagram", ["basic", "messages"], None)
    with pytest.raises(WrongKey):
        OauthTokens(database, OTHER).reveal(ACCOUNT)
    assert tokens.reveal(ACCOUNT) == TOKEN


def test_a_new_token_revokes_the_one_before(database: Database) -> None:
    """One an account; the same token is never the same text twice."""
    tokens = OauthTokens(database, KEY)
    save(tokens)
    first = tokens.find(ACCOUNT)
    save(tokens)
    second = tokens.find(ACCOUNT)
    assert first is not None
    assert second is not None
    assert first.access_token != second.access_token
    assert tokens.revoke(ACCOUNT)
    assert not tokens.revoke(ACCOUNT)
    assert (tokens.find(ACCOUNT), tokens.reveal(ACCOUNT)) == (None, None)
    assert database.one("SELECT count(*) FROM oauth_tokens WHERE revoked_at IS NOT NULL") == (2,)


def test_what_is_refused_leaves_the_token_before(database: Database) -> None:
    """An account that is not there gets none; a failure revokes none."""
    tokens = OauthTokens(database, KEY)
    save(tokens)
    with pytest.raises(QueryError):
        tokens.save(ACCOUNT, TOKEN, expires_at=None, scopes=[])  # type: ignore[arg-type]
    assert tokens.reveal(ACCOUNT) == TOKEN
    assert tokens.save(UUID(int=1), TOKEN, expires_at=NOON, scopes=[]) is None
    database.none("UPDATE client_accounts SET deleted_at = now()")
    assert tokens.save(ACCOUNT, TOKEN, expires_at=NOON, scopes=[]) is None
    assert tokens.reveal(ACCOUNT) == TOKEN
    assert [token.client_account_id for token in tokens.expiring(NOON + timedelta(days=61))] == [ACCOUNT]
    assert tokens.expiring(NOON) == []


def test_all_tokens_take_another_key_or_none(database: Database) -> None:
    """When a key is to be changed."""
    tokens = OauthTokens(database, KEY)
    save(tokens)
    with pytest.raises(WrongKey):
        OauthTokens(database, OTHER).reencrypt("a third")
    assert tokens.reencrypt(OTHER) == 1
    assert OauthTokens(database, OTHER).reveal(ACCOUNT) == TOKEN
    with pytest.raises(WrongKey):
        tokens.reveal(ACCOUNT)


def test_neither_token_nor_key_is_in_any_log(
    database: Database, talkative: str, quiet_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the server's, which logs all statements with their parameters, nor in its statistics, nor in ours."""
    tokens = OauthTokens(database, KEY)
    with caplog.at_level(logging.DEBUG):
        # psycopg prepares what is sent often: other messages, other lines of the log
        for _ in range(8):
            save(tokens)
            tokens.reveal(ACCOUNT)
        with pytest.raises(WrongKey):
            OauthTokens(database, OTHER).reveal(ACCOUNT)
        with pytest.raises(QueryError):
            tokens.save(ACCOUNT, TOKEN, expires_at=None, scopes=[])  # type: ignore[arg-type]
        database.one("SELECT %s::TEXT", ("a value that is logged",), name="canary")
        with pytest.raises(QueryError):
            database.one("SELECT %s::INTEGER", ("a mistake that is logged",), name="canary")
    assert quiet_server._run is not None
    log = quiet_server._run.log.read_text(errors="replace")
    # the log does show parameters, of durations and of errors, and the statements are in it
    assert "a value that is logged" in log
    assert "a mistake that is logged" in log
    assert "pgp_sym_encrypt" in log
    with psycopg.connect(talkative) as connection:
        statistics = "\n".join(query for (query,) in connection.execute("SELECT query FROM pg_stat_statements"))
    assert "pgp_sym_decrypt" in statistics
    for secret in (TOKEN, KEY, OTHER):
        assert secret not in log
        assert secret not in statistics
        assert secret not in caplog.text
        assert secret not in repr(tokens)
    assert "oauth_tokens.reveal" in caplog.text


def test_nothing_is_sent_where_the_server_would_log_it(talkative: str, quiet_server: Server) -> None:
    """A role that may not switch the logging off is told what it lacks; where nothing is logged, it needs nothing."""
    settings = Settings(min_size=1, max_size=2)
    with (
        Database(talkative, settings, configure=as_application) as database,
        pytest.raises(ParametersLogged, match="GRANT SET ON PARAMETER"),
    ):
        save(OauthTokens(database, "a-key-that-was-never-sent"))
    assert quiet_server._run is not None
    assert "a-key-that-was-never-sent" not in quiet_server._run.log.read_text(errors="replace")
    with psycopg.connect(talkative, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET log_parameter_max_length = 0")
    with Database(talkative, settings, configure=as_application) as database:
        tokens = OauthTokens(database, KEY)
        save(tokens)
        assert tokens.reveal(ACCOUNT) == TOKEN


def test_tokens_work_within_a_transaction_too(database: Database) -> None:
    """A wrong key ends a savepoint, and not the caller's work."""
    with database.tx() as tx:
        tokens = OauthTokens(tx, KEY)
        save(tokens)
        with pytest.raises(WrongKey):
            OauthTokens(tx, OTHER).reveal(ACCOUNT)
        assert tokens.reveal(ACCOUNT) == TOKEN
    assert OauthTokens(database, KEY).reveal(ACCOUNT) == TOKEN

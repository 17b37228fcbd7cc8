"""OAuth tokens, encrypted by the database with a key that it does not keep.

Token and key travel as parameters. A server may log those (`log_parameter_max_length`): for these statements that is
switched off, and where it cannot be, nothing is sent. The role needs the right to do so, once a cluster:

    GRANT SET ON PARAMETER log_parameter_max_length TO social_selling_app;
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pgcontract.database import Queries
from pgcontract.errors import PgContractError, QueryError
from schema.social_selling.rows import OauthToken

_ENCRYPTED: Final = "public.armor(public.pgp_sym_encrypt(%s, %s, 'cipher-algo=aes256'))"
_LIVING: Final = f"SELECT {OauthToken.COLUMNS} FROM {OauthToken.TABLE} WHERE revoked_at IS NULL"
_OF_ACCOUNT: Final = f"{_LIVING} AND client_account_id = %s"
_EXPIRING: Final = f"{_LIVING} AND expires_at <= %s ORDER BY expires_at ASC"
_REVOKE: Final = "UPDATE public.oauth_tokens SET revoked_at = now() WHERE client_account_id = %s AND revoked_at IS NULL"
_REPLACE: Final = f"{_REVOKE} AND EXISTS (SELECT FROM public.client_accounts WHERE id = %s AND deleted_at IS NULL)"
_SAVE: Final = f"""
    INSERT INTO public.oauth_tokens (user_id, client_account_id, platform, access_token, expires_at, scopes)
    SELECT user_id, id, platform, {_ENCRYPTED}, %s, %s
    FROM public.client_accounts
    WHERE id = %s AND deleted_at IS NULL
    RETURNING {OauthToken.COLUMNS}
"""
_REVEAL: Final = """
    SELECT public.pgp_sym_decrypt(public.dearmor(access_token), %s)
    FROM public.oauth_tokens
    WHERE client_account_id = %s AND revoked_at IS NULL
"""
_REENCRYPT: Final = """
    UPDATE public.oauth_tokens
    SET access_token = public.armor(public.pgp_sym_encrypt(
      public.pgp_sym_decrypt(public.dearmor(access_token), %s), %s, 'cipher-algo=aes256'
    ))
    WHERE revoked_at IS NULL
"""
_IS_QUIET: Final = """
    SELECT current_setting('log_parameter_max_length') = '0',
      current_setting('log_parameter_max_length_on_error') = '0'
"""
_FORBIDDEN: Final = "42501"
_WRONG_KEY: Final = "39000"


class WrongKey(QueryError):
    """A token was not encrypted with this key, or is damaged."""


class ParametersLogged(PgContractError):
    """The server may write parameters into its log, and this role may not switch that off: nothing was sent."""


class OauthTokens:
    """The tokens of client accounts: one for each, until it is revoked. ``key`` is the caller's to keep.

    Rows hold what the database holds: the encrypted text. Only ``reveal`` gives a token.
    """

    def __init__(self, queries: Queries, key: str) -> None:
        self._queries: Final = queries
        self._key: Final = key

    def __repr__(self) -> str:
        """Without the key."""
        return "OauthTokens()"

    def save(self, account: UUID, token: str, *, expires_at: datetime, scopes: Sequence[str]) -> OauthToken | None:
        """Encrypt an account's new token, and revoke the one before; None where no such account lives."""
        with self._quietly() as queries:
            # both at once or neither: an account is never without a token because the new one was refused
            queries.none(_REPLACE, (account, account), name="oauth_tokens.replace")
            values = (token, self._key, expires_at, list(scopes), account)
            return queries.one_or_none(_SAVE, values, row=OauthToken, name="oauth_tokens.save")

    def find(self, account: UUID) -> OauthToken | None:
        """An account's token as it is stored."""
        return self._queries.one_or_none(_OF_ACCOUNT, (account,), row=OauthToken, name="oauth_tokens.find")

    def expiring(self, before: datetime) -> Sequence[OauthToken]:
        """The tokens that expire until then, the first to do so first."""
        return self._queries.query(_EXPIRING, (before,), row=OauthToken, name="oauth_tokens.expiring")

    def reveal(self, account: UUID) -> str | None:
        """An account's token in clear; None where it has none. Raises WrongKey."""
        with self._quietly() as queries:
            found = queries.one_or_none(_REVEAL, (self._key, account), name="oauth_tokens.reveal")
        if found is None:
            return None
        (token,) = found
        assert isinstance(token, str)
        return token

    def revoke(self, account: UUID) -> bool:
        """Revoke an account's token; whether it had one."""
        return self._queries.none(_REVOKE, (account,), name="oauth_tokens.revoke") == 1

    def reencrypt(self, key: str) -> int:
        """Encrypt all tokens that are not revoked with another key; how many. Raises WrongKey, and then none is."""
        with self._quietly() as queries:
            return queries.none(_REENCRYPT, (self._key, key), name="oauth_tokens.reencrypt")

    @contextmanager
    def _quietly(self) -> Iterator[Queries]:
        """A transaction whose parameters no log of the server's shows."""
        wrong_key: QueryError | None = None
        try:
            with self._queries.tx() as queries:
                _silence(queries)
                yield queries
        except QueryError as error:
            if error.sqlstate != _WRONG_KEY:
                raise
            wrong_key = error
        if wrong_key is not None:
            raise WrongKey("The key does not fit the token", query=wrong_key.query, sqlstate=_WRONG_KEY)


def _silence(queries: Queries) -> None:
    refused = False
    of_statements, of_errors = _quiet(queries)
    try:
        if not of_statements:
            queries.query("SET LOCAL log_parameter_max_length = 0", name="oauth_tokens.silence")
        if not of_errors:
            queries.query("SET LOCAL log_parameter_max_length_on_error = 0", name="oauth_tokens.silence")
    except QueryError as error:
        refused = error.sqlstate == _FORBIDDEN
        if not refused:
            raise
    if refused:
        raise ParametersLogged(
            "The server may log keys and tokens, and this role may not prevent it",
            seen="log_parameter_max_length",
            remedy="GRANT SET ON PARAMETER log_parameter_max_length TO the role, or set it to 0 for the database",
        )


def _quiet(queries: Queries) -> tuple[Any, ...]:
    return queries.one(_IS_QUIET, name="oauth_tokens.is_quiet")

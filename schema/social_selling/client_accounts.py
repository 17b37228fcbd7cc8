"""Client accounts: what users have connected, and how PostgreSQL keeps it.

Nobody sees an account that was disconnected: it is neither found nor changed, and anybody may connect it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NotRequired, TypedDict
from uuid import UUID

from psycopg import sql

from pgcontract.database import Queries
from pgcontract.database.repository import Repository
from pgcontract.errors import QueryError
from schema.social_selling.rows import ClientAccount, ClientAccountPlatform, ClientAccountStatus

PAGE: Final = 50
_LIVING: Final = f"SELECT {ClientAccount.COLUMNS} FROM {ClientAccount.TABLE} WHERE deleted_at IS NULL"
_BY_ID: Final = f"{_LIVING} AND id = %s"
_BY_PLATFORM: Final = f"{_LIVING} AND platform = %s AND platform_account_id = %s"
_OF_USER: Final = f"{_LIVING} AND user_id = %s ORDER BY platform ASC, created_at ASC, id ASC"
_IN_STATUS: Final = f"{_LIVING} AND status = %s ORDER BY id ASC LIMIT %s"
_TO_SYNC: Final = f"{_LIVING} ORDER BY last_sync_at ASC NULLS FIRST LIMIT %s"
# somebody else's account is left as it is, and gives no row
_AGAIN: Final = sql.SQL(f"""
    ON CONFLICT (platform, platform_account_id) WHERE deleted_at IS NULL
    DO UPDATE SET username = EXCLUDED.username, status = 'active'
    WHERE client_accounts.user_id = EXCLUDED.user_id
    RETURNING {ClientAccount.COLUMNS}
""")
_CHANGED: Final = sql.SQL(f" WHERE id = %s AND deleted_at IS NULL RETURNING {ClientAccount.COLUMNS}")
_DISCONNECT: Final = """
    UPDATE public.client_accounts SET deleted_at = now(), status = 'disconnected'
    WHERE id = %s AND deleted_at IS NULL
"""


class AccountTaken(QueryError):
    """Another user has connected this account."""

    def __init__(self, query: str) -> None:
        super().__init__(
            "The account is somebody else's",
            query=query,
            sqlstate="23505",
            table="client_accounts",
            constraint="idx_client_accounts_platform_account",
        )


class NewAccount(TypedDict):
    """What an account begins with; what is left out takes the table's defaults."""

    user_id: UUID
    platform: ClientAccountPlatform
    platform_account_id: str
    username: str
    profile_picture_url: NotRequired[str]
    metadata: NotRequired[Mapping[str, Any]]


class AccountChanges(TypedDict, total=False):
    """What may be changed of an account."""

    username: str
    profile_picture_url: str | None
    follower_count: int
    following_count: int
    media_count: int
    status: ClientAccountStatus
    metadata: Mapping[str, Any]
    last_sync_at: datetime


class ClientAccounts(Repository[ClientAccount]):
    """Client accounts in PostgreSQL, on a pool or in a transaction."""

    def __init__(self, queries: Queries) -> None:
        super().__init__(
            queries,
            ClientAccount,
            insertable=NewAccount.__annotations__,
            updatable=AccountChanges.__annotations__,
            documents=("metadata",),
        )

    def connect(self, new: NewAccount) -> ClientAccount:
        """Connect an account, or connect it again: then its name is what it is now. Raises AccountTaken."""
        name = "client_accounts.connect"
        statement, values = self._inserting(new)
        connected = self._queries.one_or_none(statement + _AGAIN, values, row=ClientAccount, name=name)
        if connected is None:
            raise AccountTaken(name)
        return connected

    def find_by_id(self, account: UUID) -> ClientAccount | None:
        """The account of that id."""
        return self._queries.one_or_none(_BY_ID, (account,), row=ClientAccount, name="client_accounts.find_by_id")

    def find_by_platform(self, platform: ClientAccountPlatform, platform_account_id: str) -> ClientAccount | None:
        """The account that a platform calls so: what a webhook is for."""
        values, name = (platform, platform_account_id), "client_accounts.find_by_platform"
        return self._queries.one_or_none(_BY_PLATFORM, values, row=ClientAccount, name=name)

    def of_user(self, user: UUID) -> Sequence[ClientAccount]:
        """All of a user's accounts, by platform, the oldest first."""
        return self._queries.query(_OF_USER, (user,), row=ClientAccount, name="client_accounts.of_user")

    def in_status(self, status: ClientAccountStatus, *, limit: int = PAGE) -> Sequence[ClientAccount]:
        """Accounts in a state: whom to ask to connect anew."""
        return self._queries.query(_IN_STATUS, (status, limit), row=ClientAccount, name="client_accounts.in_status")

    def to_sync(self, *, limit: int = PAGE) -> Sequence[ClientAccount]:
        """What is to be synchronised next: accounts that never were, then those that were so the longest ago."""
        return self._queries.query(_TO_SYNC, (limit,), row=ClientAccount, name="client_accounts.to_sync")

    def update(self, account: UUID, changes: AccountChanges) -> ClientAccount | None:
        """Change an account; None where there is none. Raises UsageError for other columns."""
        if not changes:
            return self.find_by_id(account)
        statement, values = self._updating(changes)
        name = "client_accounts.update"
        return self._queries.one_or_none(statement + _CHANGED, [*values, account], row=ClientAccount, name=name)

    def disconnect(self, account: UUID) -> bool:
        """Delete an account softly; whether there was one. Its conversations stay."""
        return self._queries.none(_DISCONNECT, (account,), name="client_accounts.disconnect") == 1

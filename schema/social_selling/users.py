"""Users: what may be done with them, and how PostgreSQL does it.

Nobody sees a user that was deleted softly: it is neither found nor counted nor changed, and its address is free.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NotRequired, Protocol, TypedDict
from uuid import UUID

from psycopg import sql

from pgcontract.database import Queries
from pgcontract.database.repository import Repository
from pgcontract.errors import QueryError
from schema.social_selling.rows import User, UserSubscriptionTier

PAGE: Final = 50
_EMAIL_INDEX: Final = "idx_users_email"
_LIVING: Final = f"SELECT {User.COLUMNS} FROM {User.TABLE} WHERE deleted_at IS NULL"
_BY_ID: Final = f"{_LIVING} AND id = %s"
_BY_EMAIL: Final = f"{_LIVING} AND email = %s"
_FIRST_PAGE: Final = f"{_LIVING} ORDER BY created_at ASC, id ASC LIMIT %s"
_NEXT_PAGE: Final = f"{_LIVING} AND (created_at, id) > (%s, %s) ORDER BY created_at ASC, id ASC LIMIT %s"
_RETURNING: Final = sql.SQL(f" RETURNING {User.COLUMNS}")


class EmailTaken(QueryError):
    """A living user has this address already."""

    def __init__(self, query: str) -> None:
        super().__init__("The address is taken", query=query, sqlstate="23505", table="users", constraint=_EMAIL_INDEX)


class NewUser(TypedDict):
    """What a user begins with; what is left out takes the table's defaults."""

    email: str
    password_hash: str
    name: str
    timezone: NotRequired[str]
    language: NotRequired[str]
    subscription_tier: NotRequired[UserSubscriptionTier]


class UserChanges(TypedDict, total=False):
    """What may be changed of a user."""

    email: str
    password_hash: str
    name: str
    timezone: str
    language: str
    subscription_tier: UserSubscriptionTier
    email_verified: bool
    email_verification_token: str | None
    password_reset_token: str | None
    password_reset_expires: datetime | None
    last_login_at: datetime
    last_login_ip: str | None


class UserRepository(Protocol):
    """What an application needs of users, wherever they are kept."""

    def find_by_id(self, user_id: UUID) -> User | None:
        """The living user of that id."""

    def find_by_email(self, email: str) -> User | None:
        """The living user of that address."""

    def find_all(self, *, after: User | None = None, limit: int = PAGE) -> Sequence[User]:
        """A page of living users, the oldest first: those that come ``after`` the last of the page before."""

    def create(self, new: NewUser) -> User:
        """Add a user. Raises EmailTaken."""

    def update(self, user_id: UUID, changes: UserChanges) -> User | None:
        """Change a living user; None where there is none. Raises EmailTaken."""

    def delete(self, user_id: UUID) -> bool:
        """Take a user away for good, living or deleted softly, with all that is theirs; whether there was one."""

    def soft_delete(self, user_id: UUID) -> bool:
        """Delete a living user softly; whether there was one."""

    def count(self) -> int:
        """How many live."""

    def exists_by_email(self, email: str) -> bool:
        """Whether a living user has that address."""


class PostgresUserRepository(Repository[User]):
    """Users in PostgreSQL, on a pool or in a transaction."""

    def __init__(self, queries: Queries) -> None:
        super().__init__(queries, User, insertable=NewUser.__annotations__, updatable=UserChanges.__annotations__)

    def find_by_id(self, user_id: UUID) -> User | None:
        """See UserRepository."""
        return self._queries.one_or_none(_BY_ID, (user_id,), row=User, name="users.find_by_id")

    def find_by_email(self, email: str) -> User | None:
        """See UserRepository."""
        return self._queries.one_or_none(_BY_EMAIL, (email,), row=User, name="users.find_by_email")

    def find_all(self, *, after: User | None = None, limit: int = PAGE) -> Sequence[User]:
        """See UserRepository."""
        if after is None:
            return self._queries.query(_FIRST_PAGE, (limit,), row=User, name="users.find_all")
        place = (after.created_at, after.id, limit)
        return self._queries.query(_NEXT_PAGE, place, row=User, name="users.find_all")

    def create(self, new: NewUser) -> User:
        """See UserRepository."""
        name = "users.create"
        statement, values = self._inserting(new)
        # no error of the database, which would end the caller's transaction
        otherwise = sql.SQL(" ON CONFLICT (email) WHERE deleted_at IS NULL DO NOTHING")
        created = self._queries.one_or_none(statement + otherwise + _RETURNING, values, row=User, name=name)
        if created is None:
            raise EmailTaken(name)
        return created

    def update(self, user_id: UUID, changes: UserChanges) -> User | None:
        """See UserRepository. Raises UsageError for other columns."""
        if not changes:
            return self.find_by_id(user_id)
        name = "users.update"
        statement, values = self._updating(changes)
        living = sql.SQL(" WHERE id = %s AND deleted_at IS NULL")
        query, values = statement + living + _RETURNING, [*values, user_id]
        taken = False
        try:
            if "email" not in changes:
                return self._queries.one_or_none(query, values, row=User, name=name)
            with self._queries.tx() as tx:
                return tx.one_or_none(query, values, row=User, name=name)
        except QueryError as error:
            taken = error.constraint == _EMAIL_INDEX
            if not taken:
                raise
        raise EmailTaken(name)

    def delete(self, user_id: UUID) -> bool:
        """See UserRepository."""
        return self._queries.none("DELETE FROM public.users WHERE id = %s", (user_id,), name="users.delete") == 1

    def soft_delete(self, user_id: UUID) -> bool:
        """See UserRepository."""
        statement = "UPDATE public.users SET deleted_at = now() WHERE id = %s AND deleted_at IS NULL"
        return self._queries.none(statement, (user_id,), name="users.soft_delete") == 1

    def count(self) -> int:
        """See UserRepository."""
        (number,) = self._queries.one("SELECT count(*) FROM public.users WHERE deleted_at IS NULL", name="users.count")
        assert isinstance(number, int)
        return number

    def exists_by_email(self, email: str) -> bool:
        """See UserRepository."""
        query = "SELECT EXISTS (SELECT FROM public.users WHERE email = %s AND deleted_at IS NULL)"
        return self._queries.one(query, (email,), name="users.exists_by_email") == (True,)

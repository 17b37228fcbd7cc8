"""The repository of users does as a plain model in Python does, and costs little more than its queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pgcontract.database import Database, Settings
from pgcontract.errors import QueryError, UsageError
from schema.social_selling.rows import User
from schema.social_selling.users import EmailTaken, NewUser, PostgresUserRepository, UserChanges, UserRepository

HASH = "$2b$12$" + "a" * 53
ADDRESSES = tuple(f"{name}@example.com" for name in "abcd")
EMAILS = st.sampled_from(ADDRESSES)
NOBODY = UUID(int=0)


@pytest.fixture
def database(social_selling_database: str) -> Iterator[Database]:
    """A pool on a database with the schema in it."""
    with Database(social_selling_database, Settings(min_size=1, max_size=4)) as database:
        yield database


@pytest.fixture
def users(database: Database) -> UserRepository:
    """The repository, as an application sees it."""
    return PostgresUserRepository(database)


def new(email: str = "ana@example.com") -> NewUser:
    """What is needed to add somebody."""
    return {"email": email, "password_hash": HASH, "name": "Ana"}


class RollBack(Exception):
    """What a transaction ends with that is not to be committed."""


class Users(RuleBasedStateMachine):
    """Users come, change, and go softly or for good; the model is a dictionary of those who live."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self._transaction = self.database.tx()
        self.users = PostgresUserRepository(self._transaction.__enter__())
        self.living: dict[UUID, User] = {}
        self.gone: list[UUID] = []

    def teardown(self) -> None:
        """Nothing of it stays."""
        with suppress(RollBack):
            self._transaction.__exit__(RollBack, RollBack(), None)

    def pick(self, number: int) -> UUID:
        """Somebody who lives, was deleted, or never was."""
        known = [*self.living, *self.gone, NOBODY]
        return known[number % len(known)]

    def takes(self, email: str, *, besides: UUID = NOBODY) -> bool:
        """Whether somebody else has the address."""
        return any(user.email == email and id_ != besides for id_, user in self.living.items())

    @rule(email=EMAILS)
    def create(self, email: str) -> None:
        if self.takes(email):
            with pytest.raises(EmailTaken):
                self.users.create(new(email))
        else:
            user = self.users.create(new(email))
            assert (user.email, user.deleted_at, user.language) == (email, None, "pt-BR")
            self.living[user.id] = user

    @rule(number=st.integers(0, 9), name=st.sampled_from(["Ana", "Bia"]), email=st.none() | EMAILS)
    def update(self, number: int, name: str, email: str | None) -> None:
        user_id = self.pick(number)
        changes: UserChanges = {"name": name} if email is None else {"name": name, "email": email}
        if user_id not in self.living:
            assert self.users.update(user_id, changes) is None
        elif email is not None and self.takes(email, besides=user_id):
            with pytest.raises(EmailTaken):
                self.users.update(user_id, changes)
        else:
            changed = self.users.update(user_id, changes)
            assert changed is not None
            assert (changed.name, changed.email) == (name, email or self.living[user_id].email)
            self.living[user_id] = changed

    @rule(number=st.integers(0, 9))
    def soft_delete(self, number: int) -> None:
        user_id = self.pick(number)
        assert self.users.soft_delete(user_id) == (user_id in self.living)
        if self.living.pop(user_id, None):
            self.gone.append(user_id)

    @rule(number=st.integers(0, 9))
    def delete(self, number: int) -> None:
        user_id = self.pick(number)
        assert self.users.delete(user_id) == (user_id != NOBODY)
        self.living.pop(user_id, None)
        self.gone = [id_ for id_ in self.gone if id_ != user_id]

    @invariant()
    def each_is_found(self) -> None:
        for user_id in (*self.living, *self.gone, NOBODY):
            assert self.users.find_by_id(user_id) == self.living.get(user_id)
        by_address = {user.email: user for user in self.living.values()}
        for address in ADDRESSES:
            assert self.users.find_by_email(address) == by_address.get(address)
            assert self.users.exists_by_email(address) == (address in by_address)

    @invariant()
    def all_are_there(self) -> None:
        assert self.users.count() == len(self.living)
        ordered = sorted(self.living.values(), key=lambda user: (user.created_at, user.id))
        assert list(self.users.find_all()) == ordered
        if ordered:
            assert list(self.users.find_all(after=ordered[0], limit=2)) == ordered[1:3]


@pytest.mark.thorough
def test_users_are_as_a_plain_model_says(database: Database) -> None:
    """Any history of additions, changes and deletions; the address of who was deleted softly can be used again."""
    machine = type("UsersHere", (Users,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)),
    )


def test_columns_that_nobody_may_write_are_refused(users: UserRepository) -> None:
    """Unknown ones and forbidden ones, whatever they look like; nothing is sent to the database."""
    ana = users.create(new())
    for column in ("id", "deleted_at", "created_at", "nmae", "name\" = 'x', \"email"):
        changes: UserChanges = {column: "x", "name": "Bia"}  # type: ignore[misc]
        with pytest.raises(UsageError, match="Columns that may not be written"):
            users.update(ana.id, changes)
        unknown: NewUser = {**new("b@example.com"), column: "x"}  # type: ignore[misc]
        with pytest.raises(UsageError):
            users.create(unknown)
    assert users.find_by_id(ana.id) == ana
    assert users.update(ana.id, {}) == ana


def test_what_may_be_written_are_columns(users: UserRepository) -> None:
    """What the protocol's dictionaries name is what the contract has."""
    columns = {field.name for field in fields(User)}
    assert set(UserChanges.__annotations__) < columns
    assert set(NewUser.__annotations__) < columns
    del users


def test_an_address_that_is_taken_does_not_end_a_transaction(database: Database) -> None:
    """Neither at its creation nor at its change."""
    with database.tx() as tx:
        users = PostgresUserRepository(tx)
        ana = users.create(new("a@example.com"))
        users.create(new("b@example.com"))
        with pytest.raises(EmailTaken):
            users.create(new("a@example.com"))
        with pytest.raises(EmailTaken) as raised:
            users.update(ana.id, {"email": "b@example.com"})
        assert (raised.value.query, raised.value.constraint) == ("users.update", "idx_users_email")
        assert users.count() == 2
    assert PostgresUserRepository(database).count() == 2


def test_other_violations_are_told_as_they_are(users: UserRepository) -> None:
    """By the constraint's name."""
    with pytest.raises(QueryError) as raised:
        users.create({"email": "nowhere", "password_hash": HASH, "name": "Ana"})
    assert raised.value.constraint == "chk_users_email_shape"
    assert not isinstance(raised.value, EmailTaken)


def test_pages_have_every_user_once(users: UserRepository) -> None:
    """Also those who came at the same moment."""
    made = {users.create(new(f"{uuid4()}@example.com")).id for _ in range(25)}
    seen: list[UUID] = []
    last = None
    while page := users.find_all(after=last, limit=7):
        seen += [user.id for user in page]
        last = page[-1]
    assert len(seen) == len(made)
    assert set(seen) == made

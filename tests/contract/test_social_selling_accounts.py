"""Client accounts by their typed layer: an account has one living owner, and who was disconnected is seen by nobody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields
from datetime import timedelta
from typing import get_args, get_type_hints
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pgcontract.database import Database
from pgcontract.errors import QueryError, UsageError
from schema.social_selling.client_accounts import (
    AccountChanges,
    AccountTaken,
    ClientAccounts,
    NewAccount,
)
from schema.social_selling.rows import ClientAccount, ClientAccountPlatform, ClientAccountStatus
from tests.contract.fix_social_selling import ANA, BIA, NOON

NOBODY = UUID(int=0)


@pytest.fixture
def accounts(two_users: Database) -> ClientAccounts:
    """The repository."""
    return ClientAccounts(two_users)


def new(
    number: int = 1, *, user: UUID = ANA, platform: ClientAccountPlatform = "instagram", name: str = "ana"
) -> NewAccount:
    """The n-th account of a platform."""
    return {"user_id": user, "platform": platform, "platform_account_id": str(number), "username": name}


class RollBack(Exception):
    """What a transaction ends with that is not to be committed."""


class Accounts(RuleBasedStateMachine):
    """Accounts are connected, again, by others, changed and disconnected; the model is a dictionary of the living."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self._transaction = self.database.tx()
        self.accounts = ClientAccounts(self._transaction.__enter__())
        self.living: dict[tuple[ClientAccountPlatform, str], ClientAccount] = {}
        self.gone: list[UUID] = []

    def teardown(self) -> None:
        """Nothing of it stays."""
        with suppress(RollBack):
            self._transaction.__exit__(RollBack, RollBack(), None)

    def pick(self, number: int) -> UUID:
        """One that lives, was disconnected, or never was."""
        known = [*(account.id for account in self.living.values()), *self.gone, NOBODY]
        return known[number % len(known)]

    def known(self, account: UUID) -> ClientAccount | None:
        """What the model says of it."""
        return next((one for one in self.living.values() if one.id == account), None)

    @rule(
        number=st.integers(1, 2),
        user=st.sampled_from([ANA, BIA]),
        platform=st.sampled_from(get_args(ClientAccountPlatform)),
        name=st.sampled_from(["ana", "bia"]),
    )
    def connect(self, number: int, user: UUID, platform: ClientAccountPlatform, name: str) -> None:
        before = self.living.get((platform, str(number)))
        if before is not None and before.user_id != user:
            with pytest.raises(AccountTaken):
                self.accounts.connect(new(number, user=user, platform=platform, name=name))
            return
        found = self.accounts.connect(new(number, user=user, platform=platform, name=name))
        assert (found.user_id, found.username, found.status) == (user, name, "active")
        assert before is None or found.id == before.id
        self.living[platform, str(number)] = found

    @rule(number=st.integers(0, 9), status=st.sampled_from(get_args(ClientAccountStatus)), followers=st.integers(0, 10))
    def update(self, number: int, status: ClientAccountStatus, followers: int) -> None:
        account = self.pick(number)
        before = self.known(account)
        found = self.accounts.update(account, {"status": status, "follower_count": followers})
        assert (found is None) == (before is None)
        if found is not None:
            assert (found.status, found.follower_count) == (status, followers)
            self.living[found.platform, found.platform_account_id] = found

    @rule(number=st.integers(0, 9))
    def disconnect(self, number: int) -> None:
        account = self.pick(number)
        before = self.known(account)
        assert self.accounts.disconnect(account) == (before is not None)
        if before is not None:
            self.living = {key: one for key, one in self.living.items() if one.id != account}
            self.gone.append(account)

    @invariant()
    def each_is_found(self) -> None:
        for account in (*(one.id for one in self.living.values()), *self.gone, NOBODY):
            assert self.accounts.find_by_id(account) == self.known(account)
        for platform in get_args(ClientAccountPlatform):
            for number in ("1", "2"):
                assert self.accounts.find_by_platform(platform, number) == self.living.get((platform, number))

    @invariant()
    def lists_hold_the_living(self) -> None:
        for user in (ANA, BIA):
            mine = [one for one in self.living.values() if one.user_id == user]
            ordered = sorted(mine, key=lambda one: (one.platform, one.created_at, one.id))
            assert list(self.accounts.of_user(user)) == ordered
        for status in get_args(ClientAccountStatus):
            mine = [one for one in self.living.values() if one.status == status]
            assert list(self.accounts.in_status(status)) == sorted(mine, key=lambda one: one.id)
        assert {one.id for one in self.accounts.to_sync()} == {one.id for one in self.living.values()}


@pytest.mark.thorough
def test_accounts_are_as_a_plain_model_says(two_users: Database) -> None:
    """Any history; who was disconnected can be connected anew, by anybody."""
    run_state_machine_as_test(
        type("AccountsHere", (Accounts,), {"database": two_users}),
        settings=settings(stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)),
    )


def test_an_account_that_many_connect_at_once_has_one_owner(accounts: ClientAccounts) -> None:
    """Both users, many times: all of one's are the same account, and all of the other's are refused."""

    def connect(number: int) -> UUID | None:
        with suppress(AccountTaken):
            return accounts.connect(new(user=(ANA, BIA)[number % 2])).id
        return None

    with ThreadPoolExecutor(16) as both:
        found = list(both.map(connect, range(64)))
    assert found.count(None) == 32
    assert len(set(found)) == 2
    (owner,) = {one.user_id for one in accounts.to_sync()}
    with pytest.raises(AccountTaken) as raised:
        accounts.connect(new(user=ANA if owner == BIA else BIA))
    assert (raised.value.sqlstate, raised.value.constraint) == ("23505", "idx_client_accounts_platform_account")


def test_who_was_synchronised_least_lately_is_next(accounts: ClientAccounts) -> None:
    """Those that never were come first."""
    first, second, never = (accounts.connect(new(number)).id for number in (1, 2, 3))
    accounts.update(first, {"last_sync_at": NOON})
    accounts.update(second, {"last_sync_at": NOON - timedelta(days=1)})
    assert [one.id for one in accounts.to_sync()] == [never, second, first]
    assert [one.id for one in accounts.to_sync(limit=1)] == [never]


def test_documents_come_back_as_they_were(accounts: ClientAccounts) -> None:
    """Metadata is JSON on the way there and on the way back."""
    metadata = {"bio": "Olá", "links": ["a", None, {"b": 1}]}
    account = accounts.connect({**new(), "metadata": metadata})
    assert account.metadata == metadata
    changed = accounts.update(account.id, {"metadata": {}})
    assert changed is not None
    assert changed.metadata == {}
    with pytest.raises(QueryError) as raised:
        accounts.update(account.id, {"metadata": []})  # type: ignore[typeddict-item]
    assert raised.value.constraint == "chk_client_accounts_metadata"


def test_columns_that_nobody_may_write_are_refused(accounts: ClientAccounts) -> None:
    """An account never changes its owner; and what may be written are columns."""
    account = accounts.connect(new())
    for column in ("user_id", "platform", "deleted_at", "id"):
        with pytest.raises(UsageError, match="Columns that may not be written"):
            accounts.update(account.id, {column: None})  # type: ignore[misc]
    assert accounts.update(account.id, {}) == account
    columns = {field.name for field in fields(ClientAccount)}
    assert {*get_type_hints(NewAccount), *get_type_hints(AccountChanges)} < columns

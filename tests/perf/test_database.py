"""What the pool and typed rows cost beside the bare call of the driver that they make."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import class_row
from pytest_benchmark.fixture import BenchmarkFixture

from pgcontract.compare.pinning import pinned
from pgcontract.database import Database, Settings
from schema.social_selling.rows import User
from schema.social_selling.users import PostgresUserRepository
from tests.integration.test_database import Person

pytestmark = pytest.mark.perf

READ = "SELECT id, name FROM people WHERE id = %s"
TURNS = 4000
MOST = 1.3


def timed(work: Callable[[], Any]) -> float:
    """Seconds for one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_a_read_costs_little_more_than_the_drivers_own(benchmark: BenchmarkFixture, people_dsn: str) -> None:
    """One row by its key, by turns with psycopg's own ``execute`` and ``fetchone`` on an open connection.

    Client and servers share a core, so that nobody's being woken up hides what is computed.
    """
    settings = Settings(min_size=1, max_size=1)
    with psycopg.connect(people_dsn, autocommit=True) as bare, Database(people_dsn, settings) as database:
        database.none("INSERT INTO people SELECT n, 'person ' || n FROM generate_series(1, 1000) AS n")

        def drivers() -> Person | None:
            with bare.cursor(row_factory=class_row(Person)) as cursor:
                return cursor.execute(READ, (500,)).fetchone()

        def ours() -> Person | None:
            return database.one_or_none(READ, (500,), row=Person, name="people.find_by_id")

        assert ours() == Person(500, "person 500")
        held = database._take("pinned")
        database._give_back(held)
        with pinned([bare, held]):
            compared(benchmark, drivers, ours)


def compared(benchmark: BenchmarkFixture, drivers: Callable[[], Any], ours: Callable[[], Any]) -> None:
    """Take turns, and hold the medians' ratio to what is allowed."""
    assert drivers() == ours()
    seconds: dict[str, list[float]] = {"driver": [], "ours": []}

    def both() -> None:
        for _ in range(TURNS):
            seconds["driver"].append(timed(drivers))
            seconds["ours"].append(timed(ours))

    benchmark.pedantic(both, rounds=1)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    ratio = medians["ours"] / medians["driver"]
    benchmark.extra_info |= {f"{name}_us": round(median * 1e6, 1) for name, median in medians.items()}
    benchmark.extra_info["ratio"] = round(ratio, 3)
    print(f"\n{benchmark.extra_info}")  # noqa: T201 - the figures are what this benchmark is for
    assert ratio <= MOST


def test_a_repositorys_read_costs_little_more_than_the_drivers_own(
    benchmark: BenchmarkFixture, social_selling_database: str
) -> None:
    """A user by the key, sixteen columns, by turns with the bare call of the same query."""
    settings = Settings(min_size=1, max_size=1)
    with (
        psycopg.connect(social_selling_database, autocommit=True) as bare,
        Database(social_selling_database, settings) as database,
    ):
        users = PostgresUserRepository(database)
        user = users.create({"email": "a@example.com", "password_hash": "$2b$12$" + "a" * 53, "name": "Ana"})
        query = f"SELECT {User.COLUMNS} FROM {User.TABLE} WHERE deleted_at IS NULL AND id = %s"

        def drivers() -> User | None:
            with bare.cursor(row_factory=class_row(User)) as cursor:
                return cursor.execute(query, (user.id,)).fetchone()

        held = database._take("pinned")
        database._give_back(held)
        with pinned([bare, held]):
            compared(benchmark, drivers, lambda: users.find_by_id(user.id))

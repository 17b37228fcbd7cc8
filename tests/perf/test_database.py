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
from schema.social_selling.products import Products
from schema.social_selling.rows import Product, User
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


def compared(
    benchmark: BenchmarkFixture, drivers: Callable[[], Any], ours: Callable[[], Any], *, turns: int = TURNS
) -> None:
    """Take turns, and hold the medians' ratio to what is allowed."""
    assert drivers() == ours()
    seconds: dict[str, list[float]] = {"driver": [], "ours": []}

    def both() -> None:
        for _ in range(turns):
            seconds["driver"].append(timed(drivers))
            seconds["ours"].append(timed(ours))

    benchmark.pedantic(both, rounds=1)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    ratio = medians["ours"] / medians["driver"]
    benchmark.extra_info |= {f"{name}_us": round(median * 1e6, 1) for name, median in medians.items()}
    benchmark.extra_info["ratio"] = round(ratio, 3)
    print(f"\n{benchmark.extra_info}")  # noqa: T201 - the figures are what this benchmark is for
    assert ratio <= MOST


LIVING = "WHERE deleted_at IS NULL"
LISTED = "user_id = %s AND is_available ORDER BY created_at DESC, id DESC LIMIT 50"
READS: dict[str, tuple[str, type[User | Product]]] = {
    "a user": (f"SELECT {User.COLUMNS} FROM {User.TABLE} {LIVING} AND id = %s", User),
    "a product": (f"SELECT {Product.COLUMNS} FROM {Product.TABLE} {LIVING} AND id = %s", Product),
    "a page of products": (f"SELECT {Product.COLUMNS} FROM {Product.TABLE} {LIVING} AND {LISTED}", Product),
}


@pytest.mark.parametrize("read", READS)
def test_a_repositorys_read_costs_little_more_than_the_drivers_own(
    benchmark: BenchmarkFixture, social_selling_database: str, read: str
) -> None:
    """One row by its key, of sixteen columns each, or fifty of them, by turns with the bare call of the same query."""
    query, row = READS[read]
    several = "page" in read
    settings = Settings(min_size=1, max_size=1)
    with (
        psycopg.connect(social_selling_database, autocommit=True) as bare,
        Database(social_selling_database, settings) as database,
    ):
        users, products = PostgresUserRepository(database), Products(database)
        user = users.create({"email": "a@example.com", "password_hash": "$2b$12$" + "a" * 53, "name": "Ana"})
        *_, product = (products.create({"user_id": user.id, "name": f"Caneca {n}"}) for n in range(60))
        asked = product.id if read == "a product" else user.id
        repositories: dict[str, Callable[[], Any]] = {
            "a user": lambda: users.find_by_id(asked),
            "a product": lambda: products.find_by_id(asked),
            "a page of products": lambda: products.listing(asked),
        }

        def drivers() -> Any:
            with bare.cursor(row_factory=class_row(row)) as cursor:
                found = cursor.execute(query, (asked,))
                return found.fetchall() if several else found.fetchone()

        held = database._take("pinned")
        database._give_back(held)
        with pinned([bare, held]):
            compared(benchmark, drivers, repositories[read], turns=500 if several else TURNS)

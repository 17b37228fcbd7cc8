"""Databases with the schema of optimizer, and a session that asks the invariants after every step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pgcontract.ephemeral import template_of
from pgcontract.server import Server
from pgcontract.system import System

OPTIMIZER = Path(__file__).parents[2] / "schema" / "optimizer"
SYSTEM = System.load(OPTIMIZER)
INVARIANTS = {path.stem: path.read_bytes() for path in sorted((OPTIMIZER / "invariants").glob("*.sql"))}
INSTALLATION = """
    INSERT INTO app_instances (instance_id, site_host, plan_id, credits_total)
    VALUES ('shop', 'shop.example.com', 'free', 100)
"""
AGREES = "job_status_agrees"
"""The constraint by whose name a status that items contradict is refused."""
WORKERS = 16

# who waits for longer has been locked out
LIMITS = "-c lock_timeout=20s -c statement_timeout=60s"
LONG = 60.0
"""Seconds after which something that must come true will not."""


def connect(dsn: str, **settings: Any) -> psycopg.Connection:
    """A session that does not wait for ever."""
    return psycopg.connect(dsn, options=LIMITS, **settings)


def number(n: int) -> UUID:
    """The n-th name that a test gives to a row."""
    return UUID(int=n)


@dataclass
class Desk:
    """A session on a database with one installation, ``shop``, and the database's DSN."""

    session: psycopg.Connection
    dsn: str

    def run(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run it, then ask every invariant. Gives what the statement returned."""
        cursor = self.session.execute(query.encode(), parameters)
        rows = cursor.fetchall() if cursor.description else []
        self.check(query)
        return rows

    def check(self, after: str) -> None:
        """Ask every invariant."""
        for name, query in INVARIANTS.items():
            assert self.session.execute(query).fetchall() == [], f"{name} does not hold after {after}"

    def job(self, n: int, *items: str, status: str = "PENDING") -> UUID:
        """A job with items in these states, in one transaction. The items' names count from 100 times ``n``."""
        with self.session.transaction():
            started = None if status == "PENDING" else "now"
            finished = None if status in ("PENDING", "RUNNING") else "now"
            self.session.execute(
                "INSERT INTO jobs (id, instance_id, status, source_scope, started_at, finished_at)"
                " VALUES (%s, 'shop', %s, 'PRODUCTS', %s, %s)",
                (number(n), status, started, finished),
            )
            self.items(n, *items)
        self.check("inserting a job")
        return number(n)

    def items(self, n: int, *statuses: str, start: int = 0) -> None:
        """Items of job ``n``, by one statement, in an order of creation that is their order here."""
        self.session.execute(
            "INSERT INTO job_items (id, job_id, product_id, attribute, status, created_at)"
            " SELECT id, %s, 'mug', 'title', status::item_status, now() + ordinal * INTERVAL '1 second'"
            " FROM unnest(%s::UUID[], %s::TEXT[]) WITH ORDINALITY AS given (id, status, ordinal)",
            (number(n), [number(100 * n + start + i) for i in range(len(statuses))], list(statuses)),
        )

    def status(self, n: int) -> str:
        """A job's status."""
        ((status,),) = self.session.execute("SELECT status::TEXT FROM jobs WHERE id = %s", (number(n),)).fetchall()
        assert isinstance(status, str)
        return status

    def row(self, n: int) -> tuple[str, bool, bool, str | None]:
        """A job's status, whether it was started and finished, and its error."""
        found = self.session.execute(
            "SELECT status::TEXT, started_at IS NOT NULL, finished_at IS NOT NULL, error FROM jobs WHERE id = %s",
            (number(n),),
        ).fetchone()
        assert found is not None
        return found

    def statuses(self, n: int) -> Sequence[str]:
        """The states of a job's items, by their names."""
        rows = self.session.execute("SELECT status::TEXT FROM job_items WHERE job_id = %s ORDER BY id", (number(n),))
        return [status for (status,) in rows]


def waits(desk: Desk, name: str) -> bool:
    """Whether the session of this name waits for a lock."""
    waiting = "SELECT FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
    return desk.session.execute(waiting, (name,)).rowcount == 1


def together(work: Callable[[int], object], workers: int = WORKERS) -> list[Any]:
    """Run it by so many threads, which start at once; what they gave."""
    start = threading.Barrier(workers)

    def run(worker: int) -> object:
        start.wait(timeout=30)
        return work(worker)

    with ThreadPoolExecutor(workers) as pool:
        return [done.result(timeout=120) for done in [pool.submit(run, worker) for worker in range(workers)]]


def deadlocks(desk: Desk) -> int:
    """How many there were in the database."""
    ((found,),) = desk.run("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert isinstance(found, int)
    return found


def try_to(session: psycopg.Connection, query: str, *parameters: object) -> psycopg.Error | None:
    """Run it; the error where it was refused."""
    try:
        session.execute(query.encode(), parameters)
    except psycopg.Error as error:
        return error
    return None


@pytest.fixture
def optimizer_database(pgcontract_server: Server) -> Iterator[str]:
    """The DSN of a database of this test's own, with the schema of optimizer in it."""
    with pgcontract_server.clone(pgcontract_server.template(template_of(SYSTEM))) as clone:
        yield clone.dsn


@pytest.fixture
def optimizer(optimizer_database: str) -> Iterator[psycopg.Connection]:
    """An autocommitting session on such a database."""
    with connect(optimizer_database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def desk(optimizer: psycopg.Connection, optimizer_database: str) -> Desk:
    """One installation, without jobs."""
    optimizer.execute(INSTALLATION)
    return Desk(optimizer, optimizer_database)

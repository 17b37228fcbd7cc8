"""The queue and the credits by their typed layer: with many workers at once nothing is lost, doubled or overdrawn."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from pgcontract.database import Database
from pgcontract.ephemeral import template_of
from pgcontract.errors import QueryError
from pgcontract.server import Server
from schema.optimizer import rows
from schema.optimizer.rows import ItemStatus, Job, JobItem, JobStatus
from schema.optimizer.work import Credits, Queue
from tests.contract.fix_optimizer import INSTALLATION, INVARIANTS, SYSTEM, number

AT_ONCE = timedelta(0)


@pytest.fixture
def database(pgcontract_server: Server) -> Iterator[Database]:
    """A pool on a database with one installation, ``shop``."""
    with pgcontract_server.clone(pgcontract_server.template(template_of(SYSTEM))) as clone:
        with psycopg.connect(clone.dsn) as connection:
            connection.execute(INSTALLATION.encode())
        with Database(clone.dsn, configure=rows.register) as database:
            yield database
            with psycopg.connect(clone.dsn) as connection:
                for name, query in INVARIANTS.items():
                    assert connection.execute(query).fetchall() == [], name


def jobs(database: Database, count: int, items: int) -> None:
    """So many jobs with so many items each."""
    with database.tx() as tx:
        for n in range(1, count + 1):
            tx.none("INSERT INTO jobs (id, instance_id, source_scope) VALUES (%s, 'shop', 'PRODUCTS')", (number(n),))
            tx.none(
                "INSERT INTO job_items (job_id, product_id, attribute, before_value)"
                " SELECT %s, 'mug ' || i, 'title', 'A mug' FROM generate_series(1, %s) AS i",
                (number(n), items),
            )


def job(database: Database, n: int = 1) -> Job:
    """The n-th job."""
    return database.one(f"SELECT {Job.COLUMNS} FROM {Job.TABLE} WHERE id = %s", (number(n),), row=Job)


def all_items(database: Database) -> list[JobItem]:
    """All items."""
    return database.query(f"SELECT {JobItem.COLUMNS} FROM {JobItem.TABLE}", row=JobItem)


def test_an_item_goes_its_way(database: Database) -> None:
    """Claimed, finished, and its job with it; typed, enums too."""
    jobs(database, 1, 2)
    queue = Queue(database)
    first, second = queue.claim(5)
    assert (first.status, job(database).status) == (ItemStatus.RUNNING, JobStatus.RUNNING)
    assert queue.claim() == []
    assert queue.finish(first, "A better mug")
    assert not queue.finish(first, "too late")
    extended = queue.extend(second)
    assert extended is not None
    assert (queue.extend(second), queue.fail(second, "the claim is an old one")) == (None, False)
    assert queue.fail(extended, "no answer")
    assert (job(database).status, job(database).finished_at is not None) == (JobStatus.FAILED, True)
    assert queue.retry(second.id)
    assert not queue.retry(second.id)
    (again,) = queue.claim()
    assert (again.id, again.error) == (second.id, None)
    assert queue.finish(again, "A nicer mug")
    assert job(database).status is JobStatus.DONE
    assert {item.after_value for item in all_items(database)} == {"A better mug", "A nicer mug"}


def test_what_a_canceled_job_had_is_not_done_again(database: Database) -> None:
    """Neither by its worker, who is late, nor by a retry."""
    jobs(database, 1, 1)
    queue = Queue(database)
    (item,) = queue.claim()
    database.none("UPDATE jobs SET status = 'CANCELED'")
    assert (queue.finish(item, "late"), queue.fail(item, "late"), queue.extend(item)) == (False, False, None)
    assert not queue.retry(item.id)
    assert not queue.retry(UUID(int=0))
    assert job(database).status is JobStatus.CANCELED


def test_many_workers_do_everything_once(database: Database) -> None:
    """Sixteen of them, of whom some fail and some die with an item in their hands."""
    jobs(database, 6, 25)
    done: Counter[UUID] = Counter()
    died: set[UUID] = set()
    lock = threading.Lock()

    def do(item: JobItem) -> str:
        with lock:
            if item.id.int % 7 == 0 and item.id not in died:
                died.add(item.id)
                # as a process that is killed: nothing of it is written
                raise KeyboardInterrupt
            done[item.id] += 1
        if item.id.int % 5 == 0:
            raise ValueError("what nobody is to read")
        return f"better {item.product_id}"

    def worker(_: int) -> None:
        queue = Queue(database)
        while True:
            try:
                if queue.work(do) is None:
                    return
            except KeyboardInterrupt:
                continue

    with ThreadPoolExecutor(16) as workers:
        list(workers.map(worker, range(16)))
    queue = Queue(database)
    assert queue.requeue(AT_ONCE) == len(died)
    with ThreadPoolExecutor(16) as workers:
        list(workers.map(worker, range(16)))
    found = all_items(database)
    assert done == Counter({item.id: 1 for item in found})
    assert len(found) == 150
    for item in found:
        failed = item.id.int % 5 == 0
        assert item.status is (ItemStatus.FAILED if failed else ItemStatus.DONE)
        assert (item.error, item.after_value) == (
            ("ValueError", None) if failed else (None, f"better {item.product_id}")
        )
    for n in range(1, 7):
        failed = any(item.status is ItemStatus.FAILED for item in found if item.job_id == number(n))
        assert job(database, n).status is (JobStatus.FAILED if failed else JobStatus.DONE)


def test_credits_are_never_overdrawn(database: Database) -> None:
    """Forty who spend three of a hundred at once: thirty-three may."""
    credit = Credits(database)
    with ThreadPoolExecutor(40) as spenders:
        assert Counter(spenders.map(lambda _: credit.spend("shop", 3), range(40))) == {True: 33, False: 7}
    assert (credit.left("shop"), credit.left("nobody"), credit.spend("nobody", 1)) == (1, None, False)
    with pytest.raises(QueryError) as raised:
        credit.spend("shop", -1)
    assert (raised.value.query, raised.value.sqlstate) == ("credits.spend", "22023")


def test_a_month_is_begun_once_while_credits_are_spent(database: Database) -> None:
    """Many who reset and who spend: one reset, and then a hundred credits, no more and no fewer."""
    credit = Credits(database)
    assert credit.spend("shop", 100)
    assert credit.reset() == 0
    # a month ago
    database.none("UPDATE app_instances SET credits_reset_on = (now() AT TIME ZONE 'UTC')::DATE")
    with ThreadPoolExecutor(16) as both:
        resets = [both.submit(credit.reset) for _ in range(8)]
        spent = [both.submit(credit.spend, "shop", 1) for _ in range(200)]
        assert sum(reset.result() for reset in resets) == 1
        # before the reset nothing was left to be spent
        assert sum(one.result() for one in spent) + (credit.left("shop") or 0) == 100

"""What the pool does when connections die and servers go and come back."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pgcontract.database import Database, Transaction
from pgcontract.errors import ConnectionLost, OutcomeUnknown, PgContractError, QueryError, ServerError
from tests.integration.fix_database import Stoppable
from tests.integration.fix_server import eventually

pytestmark = pytest.mark.thorough

ADD = "INSERT INTO people (id, name) VALUES (%s, 'Ada')"
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s"


@pytest.fixture(autouse=True)
def _quiet_pool(caplog: pytest.LogCaptureFixture) -> None:
    """The pool's log tells of every attempt to connect, and that is right."""
    caplog.set_level(logging.ERROR, "psycopg.pool")


def backend(tx: Transaction) -> int:
    """The server's process for a transaction."""
    (pid,) = tx.one("SELECT pg_backend_pid()")
    assert isinstance(pid, int)
    return pid


def end(database: Database, pid: int) -> None:
    """End a session from outside, and wait until it has gone."""
    database.query(END, (pid,))
    assert eventually(lambda: database.query("SELECT FROM pg_stat_activity WHERE pid = %s", (pid,)) == [], within=10)


def test_a_connection_that_dies_in_a_transaction_is_one_clear_error(people_pool: Database) -> None:
    """Nothing of the transaction is left, the pool replaces the connection, and the next transaction succeeds."""
    with pytest.raises(ConnectionLost) as raised, people_pool.tx() as tx:
        tx.none(ADD, (1,))
        end(people_pool, backend(tx))
        tx.none(ADD, (2,), name="people.add")
    assert (raised.value.query, raised.value.sqlstate) == ("people.add", "57P01")
    assert isinstance(raised.value, QueryError)
    assert isinstance(raised.value, ServerError)
    assert not isinstance(raised.value, OutcomeUnknown)
    assert people_pool.query("SELECT id FROM people") == []
    with people_pool.tx() as tx:
        tx.none(ADD, (3,))
    assert people_pool.query("SELECT id FROM people") == [(3,)]
    status = people_pool.connection_status()
    assert (status.in_use, status.lost) == (0, 1)


def test_a_connection_that_dies_in_a_savepoint_is_the_same_error(people_pool: Database) -> None:
    """However deep it was, and where the caller catches it, the end says it again."""
    with pytest.raises(ConnectionLost) as raised, people_pool.tx() as tx:
        pid = backend(tx)
        with pytest.raises(ConnectionLost), tx.tx() as inner:
            end(people_pool, pid)
            inner.none(ADD, (1,), name="people.add")
    assert isinstance(raised.value, ConnectionLost)
    assert people_pool.query("SELECT id FROM people") == []


def test_nobody_claims_to_know_whether_a_lost_commit_was_done(people_pool: Database) -> None:
    """It has an error of its own, and is not run again."""
    tries = 0

    def work(tx: Transaction) -> None:
        nonlocal tries
        tries += 1
        tx.none(ADD, (1,))
        end(people_pool, backend(tx))

    with pytest.raises(OutcomeUnknown):
        people_pool.run(work)
    assert tries == 1
    assert people_pool.query("SELECT id FROM people") == []


def test_connections_that_died_while_idle_are_never_lent(people_pool: Database) -> None:
    """All of them, and no query notices: none costs a round trip for that."""
    for _ in range(2):
        with ThreadPoolExecutor(8) as tasks:
            list(tasks.map(lambda _: people_pool.query("SELECT pg_sleep(0.02)"), range(16)))
        with people_pool.tx() as tx:
            tx.query(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with ThreadPoolExecutor(8) as tasks:
            assert list(tasks.map(lambda n: people_pool.one("SELECT %s::INTEGER", (n,)), range(40))) == [
                (n,) for n in range(40)
            ]
    assert people_pool.connection_status().failed_requests == 0


def test_a_restarted_server_is_met_without_an_error(stoppable: Stoppable, stoppable_pool: Database) -> None:
    """The pool was full of connections to the old one."""
    for _ in range(2):
        with ThreadPoolExecutor(10) as tasks:
            list(tasks.map(lambda _: stoppable_pool.query("SELECT pg_sleep(0.05)"), range(20)))
        stoppable.restart()
        assert stoppable_pool.query("SELECT 1") == [(1,)]
        assert stoppable_pool.is_healthy()


@pytest.mark.thorough
def test_an_outage_is_told_in_time_and_ends_by_itself(stoppable: Stoppable, stoppable_pool: Database) -> None:
    """While the server is away every query fails within its patience; soon after it is back, all succeed."""
    assert stoppable_pool.is_healthy()
    stoppable.stop()
    # longer than the pool tries by itself
    until = time.monotonic() + 5
    while time.monotonic() < until:
        began = time.monotonic()
        with pytest.raises(ServerError) as raised:
            stoppable_pool.query("SELECT 1", name="one")
        assert time.monotonic() - began < 5
        assert "one" in str(raised.value)
    assert not stoppable_pool.is_healthy()
    status = stoppable_pool.connection_status()
    assert status.in_use == 0
    assert status.failed_connections > 0
    stoppable.start()
    assert eventually(stoppable_pool.is_healthy, within=10)
    with ThreadPoolExecutor(10) as tasks:
        assert list(tasks.map(lambda n: stoppable_pool.one("SELECT %s::INTEGER", (n,)), range(100))) == [
            (n,) for n in range(100)
        ]


def test_a_server_that_stops_under_load_gives_answers_or_errors_of_this_hierarchy(
    stoppable: Stoppable, stoppable_pool: Database
) -> None:
    """Twenty threads write through a restart: what they were told is committed is there, once, and nothing else is."""
    stoppable_pool.query("CREATE TABLE marks (id INTEGER PRIMARY KEY)")
    told: list[int] = []
    unknown: list[int] = []
    restarted = False

    def write(first: int) -> int:
        others = n = 0
        while not restarted or n < 5:
            n += 1
            mark = first + n
            try:
                with stoppable_pool.tx() as tx:
                    tx.none("INSERT INTO marks VALUES (%s)", (mark,))
            except OutcomeUnknown:
                unknown.append(mark)
            except PgContractError:
                others += 1
            else:
                told.append(mark)
        return others

    with ThreadPoolExecutor(20) as tasks:
        running = [tasks.submit(write, thread * 1_000_000) for thread in range(20)]
        assert eventually(lambda: len(told) > 200, within=20)
        stoppable.restart()
        before = len(told)
        assert eventually(lambda: len(told) > before + 200, within=20)
        restarted = True
        for one in running:
            one.result()
    there = {id_ for (id_,) in stoppable_pool.query("SELECT id FROM marks")}
    assert set(told) <= there
    assert there <= set(told) | set(unknown)

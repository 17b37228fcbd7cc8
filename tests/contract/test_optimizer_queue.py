"""The workers' queue of optimizer with real connections: no item twice, none lost, and nobody locked out."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.contract.fix_optimizer import LONG, WORKERS, Desk, connect, deadlocks, number, together, try_to, waits
from tests.integration.fix_server import eventually

CLAIM = "SELECT id, job_id, status::TEXT, updated_at FROM claim_items(%s)"
FINISH = "SELECT finish_item(%s, %s, %s)"
FAIL = "SELECT fail_item(%s, %s, %s)"
EXTEND = "SELECT extend_claim(%s, %s)"
REQUEUE = "SELECT requeue_items(%s)"
# as it stands in every manual; the schema's own functions are not the only way
PLAIN_CLAIM = """
    UPDATE job_items SET status = 'RUNNING'
    WHERE id = (
      SELECT id FROM job_items WHERE status = 'PENDING' ORDER BY created_at ASC FOR UPDATE SKIP LOCKED LIMIT 1
    )
    RETURNING id, job_id, status::TEXT, updated_at
"""
PLAIN_FINISH = (
    "UPDATE job_items SET status = 'DONE', after_value = %(value)s"
    " WHERE id = %(id)s AND updated_at = %(stamp)s RETURNING TRUE"
)
# every time that an item is claimed or done, whoever does it
JOURNAL = """
    CREATE TABLE journal (item UUID, status item_status);
    CREATE FUNCTION note() RETURNS TRIGGER LANGUAGE plpgsql
      AS 'BEGIN INSERT INTO public.journal VALUES (NEW.id, NEW.status); RETURN NULL; END';
    CREATE TRIGGER note AFTER UPDATE ON job_items FOR EACH ROW
      WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION note();
"""


def fill(desk: Desk, jobs: int, items: int) -> int:
    """So many pending items in each of so many jobs; their number."""
    for n in range(1, jobs + 1):
        desk.job(n)
        desk.run(
            "INSERT INTO job_items (job_id, product_id, attribute)"
            " SELECT %s, 'p' || i, 'title' FROM generate_series(1, %s) AS i",
            *(number(n), items),
        )
    return jobs * items


def claim(desk: Desk, most: int = 1) -> list[tuple[Any, ...]]:
    return desk.run(CLAIM, most)


def done_once(desk: Desk, total: int) -> None:
    """Every item is DONE, and came to that once."""
    assert desk.run("SELECT COUNT(*) FROM job_items WHERE status = 'DONE'") == [(total,)]
    twice = "SELECT item FROM journal WHERE status = 'DONE' GROUP BY item HAVING COUNT(*) > 1"
    assert desk.run(twice) == []
    assert desk.run("SELECT DISTINCT status::TEXT FROM jobs") == [("DONE",)]


def test_a_claim_takes_the_oldest_items_of_one_job(desk: Desk) -> None:
    """As many as are asked for and there are; they run, and so does their job."""
    desk.job(1, "PENDING", "PENDING", "PENDING")
    desk.run("UPDATE job_items SET created_at = created_at - INTERVAL '1 hour' WHERE id = %s", number(102))
    desk.job(2, "PENDING")
    first = claim(desk)
    assert [(row[0], row[2]) for row in first] == [(number(102), "RUNNING")]
    assert desk.run("SELECT updated_at FROM job_items WHERE id = %s", number(102)) == [(first[0][3],)]
    assert [desk.status(1), desk.status(2)] == ["RUNNING", "PENDING"]
    assert {row[0] for row in claim(desk, 9)} == {number(100), number(101)}
    assert [row[0] for row in claim(desk, 9)] == [number(200)]
    assert claim(desk, 9) == []


@pytest.mark.parametrize("most", [0, -1, None])
def test_nobody_claims_nothing(desk: Desk, most: int | None) -> None:
    """NULL is no limit that means all."""
    desk.job(1, "PENDING")
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        desk.run(CLAIM, most)


def test_what_others_hold_is_passed_over_and_not_waited_for(desk: Desk) -> None:
    """Another item of the job, then another job's, then none."""
    desk.job(1, "PENDING", "PENDING")
    desk.job(2, "PENDING")
    with connect(desk.dsn) as other:
        other.execute("SELECT FROM job_items WHERE id = %s FOR UPDATE", (number(100),))
        assert [row[0] for row in claim(desk)] == [number(101)]
        assert [row[0] for row in claim(desk)] == [number(200)]
        assert claim(desk) == []
    assert [row[0] for row in claim(desk)] == [number(100)]


def test_a_claim_that_waits_for_one_job_holds_no_other(desk: Desk) -> None:
    """The lock of a job that had nothing to give is given back: who waits could be waited for."""
    desk.job(1, "PENDING")
    desk.run("UPDATE job_items SET created_at = created_at - INTERVAL '1 hour'")
    desk.job(2, "PENDING")
    write = "UPDATE jobs SET user_prompt = 'shorter' WHERE id = %s"
    with connect(desk.dsn) as holder, connect(desk.dsn) as writer, ThreadPoolExecutor(1) as pool:
        holder.execute("SELECT FROM job_items WHERE id = %s FOR UPDATE", (number(100),))
        writer.execute(write, (number(2),))

        def work() -> list[tuple[Any, ...]]:
            with connect(desk.dsn, autocommit=True, application_name="claims") as session:
                return session.execute(CLAIM, (1,)).fetchall()

        claimed = pool.submit(work)
        assert eventually(partial(waits, desk, "claims"), within=LONG)
        writer.execute(write, (number(1),))
        writer.commit()
        assert [row[0] for row in claimed.result(timeout=LONG)] == [number(200)]


def test_a_claim_that_is_rolled_back_has_claimed_nothing(desk: Desk) -> None:
    """The item is there for the next one, and its job waits as before."""
    desk.job(1, "PENDING")
    with connect(desk.dsn) as other:
        assert other.execute(CLAIM, (1,)).fetchall()
        other.rollback()
    assert desk.row(1) == ("PENDING", False, False, None)
    assert len(claim(desk)) == 1


def test_whoever_holds_a_claim_ends_it(desk: Desk) -> None:
    """Done with its result, or failed with its reason; a second time it is nobody's any more."""
    desk.job(1, "PENDING", "PENDING")
    (one, _, _, stamp), (other, _, _, later) = sorted(claim(desk, 2))
    assert desk.run(FINISH, one, stamp, "Blue Mug") == [(True,)]
    assert desk.status(1) == "RUNNING"
    assert desk.run(FAIL, other, later, "too long") == [(True,)]
    rows = desk.run("SELECT status::TEXT, after_value, error FROM job_items ORDER BY id ASC")
    assert rows == [("DONE", "Blue Mug", None), ("FAILED", None, "too long")]
    assert desk.status(1) == "FAILED"
    assert desk.run(FINISH, other, later, "Red Mug") == desk.run(FAIL, one, stamp, "no") == [(False,)]
    assert desk.run(EXTEND, one, stamp) == [(None,)]
    assert desk.run("SELECT status::TEXT, after_value, error FROM job_items ORDER BY id ASC") == rows


def test_an_item_fails_though_nobody_can_say_why(desk: Desk) -> None:
    """An exception without a text is a failure, too."""
    desk.job(1, "PENDING", "PENDING")
    for reason in ("", None):
        ((item, _, _, stamp),) = claim(desk)
        assert desk.run(FAIL, item, stamp, reason) == [(True,)]
    assert desk.run("SELECT status::TEXT, error FROM job_items") == [("FAILED", None)] * 2


def test_a_claim_that_was_lost_writes_nothing(desk: Desk) -> None:
    """To a requeue, to another worker, to whoever canceled or deleted the job."""
    desk.job(1, "PENDING")
    ((item, _, _, stale),) = claim(desk)
    assert desk.run(REQUEUE, timedelta(0)) == [(1,)]
    assert desk.run(FINISH, item, stale, "late") == [(False,)]
    ((_, _, _, fresh),) = claim(desk)
    assert fresh != stale
    for ended in ((FINISH, item, stale, "late"), (FAIL, item, stale, "late")):
        assert desk.run(*ended) == [(False,)]
    assert desk.run(EXTEND, item, stale) == [(None,)]
    assert desk.run("SELECT status::TEXT, updated_at FROM job_items") == [("RUNNING", fresh)]
    desk.run("UPDATE jobs SET status = 'CANCELED'")
    assert desk.run(FINISH, item, fresh, "late") == [(False,)]
    assert desk.run("SELECT status::TEXT, after_value, error FROM job_items") == [("FAILED", None, "canceled")]
    desk.run("DELETE FROM jobs")
    assert desk.run(FINISH, item, fresh, "late") == [(False,)]


def age(desk: Desk, item: UUID, minutes: int) -> datetime:
    """Make the item's stamp so old, as no client could."""
    with desk.session.transaction():
        desk.session.execute("SET LOCAL session_replication_role = replica")
        row = desk.session.execute(
            "UPDATE job_items SET updated_at = now() - %s WHERE id = %s RETURNING updated_at",
            (timedelta(minutes=minutes), item),
        ).fetchone()
    assert row is not None
    stamp = row[0]
    assert isinstance(stamp, datetime)
    return stamp


def test_only_what_has_been_silent_for_so_long_is_put_back(desk: Desk) -> None:
    """Whoever says that it lives keeps its claim, with a new stamp."""
    desk.job(1, "PENDING", "PENDING", "PENDING")
    desk.job(2, "PENDING")
    claim(desk, 3)
    claim(desk)
    dead = age(desk, number(100), 20)
    alive = age(desk, number(101), 20)
    age(desk, number(200), 5)
    ((renewed,),) = desk.run(EXTEND, number(101), alive)
    assert renewed > alive
    assert desk.run(REQUEUE, timedelta(minutes=10)) == [(1,)]
    assert [*desk.statuses(1), *desk.statuses(2)] == ["PENDING", "RUNNING", "RUNNING", "RUNNING"]
    assert desk.run(FINISH, number(100), dead, "late") == [(False,)]
    assert desk.run(FINISH, number(101), renewed, "Blue Mug") == [(True,)]
    assert [row[0] for row in claim(desk, 9)] == [number(100)]
    assert desk.run(REQUEUE, timedelta(minutes=1)) == [(1,)]


@pytest.mark.parametrize("silent", [timedelta(seconds=-1), None])
def test_living_workers_are_not_robbed(desk: Desk, silent: timedelta | None) -> None:
    """A time that nobody can be silent for is refused."""
    desk.job(1, "PENDING")
    claim(desk)
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        desk.run(REQUEUE, silent)


@pytest.mark.parametrize("own", [True, False], ids=["functions", "plain SQL"])
@pytest.mark.parametrize("jobs", [1, 6])
def test_sixteen_workers_take_every_item_once(desk: Desk, jobs: int, *, own: bool) -> None:
    """Of one hot job and of several, by single items and by several at once: none twice, none left, no deadlock."""
    desk.session.execute(JOURNAL.encode())
    total = fill(desk, jobs, 240 // jobs)

    def work(worker: int) -> list[UUID]:
        taken: list[UUID] = []
        with connect(desk.dsn, autocommit=True) as session:
            for _ in range(total + 1):
                claimed = (
                    session.execute(CLAIM, (1 + worker % 3,)) if own else session.execute(PLAIN_CLAIM)
                ).fetchall()
                if not claimed:
                    return taken
                for item, _, _, stamp in claimed:
                    taken.append(item)
                    if own:
                        ended = session.execute(FINISH, (item, stamp, f"by {worker}"))
                    else:
                        ended = session.execute(PLAIN_FINISH, {"value": f"by {worker}", "id": item, "stamp": stamp})
                    assert ended.fetchone() == (True,)
        raise AssertionError("there was always something to claim")

    taken = Counter(item for items in together(work) for item in items)
    assert (len(taken), set(taken.values())) == (total, {1})
    done_once(desk, total)
    assert deadlocks(desk) == 0
    desk.check("sixteen workers")


def test_nothing_is_lost_when_workers_backends_are_terminated(desk: Desk) -> None:
    """In the middle of whatever they do: what they held is put back, and done once by others."""
    desk.session.execute(JOURNAL.encode())
    total = fill(desk, 4, 50)
    stopped = threading.Event()

    def work(worker: int) -> int:
        """Work until nothing is left; whoever is terminated begins again as another, which has no claim."""
        deaths = 0
        while not stopped.is_set():
            try:
                with connect(desk.dsn, autocommit=True, application_name="worker") as session:
                    while not stopped.is_set():
                        claimed = session.execute(CLAIM, (2,)).fetchall()
                        for item, _, _, stamp in claimed:
                            session.execute(FINISH, (item, stamp, f"by {worker}"))
                        if not claimed:
                            session.execute(REQUEUE, (timedelta(milliseconds=200),))
            except (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable):
                raise
            except psycopg.OperationalError:
                deaths += 1
        return deaths

    def reap(_: int) -> int:
        draw = random.Random(0)

        def done() -> bool:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'worker' AND datname = current_database() AND hashint4(pid) %% 16 = %s",
                (draw.randrange(16),),
            )
            return session.execute("SELECT FROM job_items WHERE status <> 'DONE' LIMIT 1").rowcount == 0

        with connect(desk.dsn, autocommit=True) as session:
            try:
                assert eventually(done, within=LONG)
            finally:
                stopped.set()
        return 0

    deaths = together(lambda n: reap(n) if n == 0 else work(n), WORKERS + 1)

    assert sum(deaths) > 0
    done_once(desk, total)
    assert deadlocks(desk) == 0
    desk.check("terminated workers")


PROCESS = f"""
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True, application_name="worker") as session:
    while claimed := session.execute({CLAIM!r}, (2,)).fetchall():
        for item, _, _, stamp in claimed:
            session.execute({FINISH!r}, (item, stamp, sys.argv[2]))
            print("working", flush=True)
"""


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [4, pytest.param(WORKERS, marks=pytest.mark.thorough)])
def test_nothing_is_lost_when_worker_processes_are_killed(desk: Desk, workers: int) -> None:
    """SIGKILL of every second one in the middle of its work; the others and a last one do what is left, once."""
    desk.session.execute(JOURNAL.encode())
    total = fill(desk, 3, 50 * workers)
    command = [sys.executable, "-c", PROCESS, desk.dsn]
    processes = [subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE) for n in range(workers)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"working\n"
        for process in processes[::2]:
            os.kill(process.pid, signal.SIGKILL)
        ended = [process.wait(timeout=60) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert ended[::2] == [-signal.SIGKILL] * (workers // 2)
    assert ended[1::2] == [0] * (workers // 2)
    desk.check("killed processes")
    # the server's side of one that was killed ends what it was told to do
    alive = "SELECT FROM pg_stat_activity WHERE application_name = 'worker'"
    assert eventually(lambda: desk.run(alive) == [], within=LONG)
    desk.run(REQUEUE, timedelta(0))
    subprocess.run([*command, "last"], check=True, timeout=60, stdout=subprocess.DEVNULL)
    done_once(desk, total)


def test_workers_that_die_with_a_claim_leave_it_to_be_put_back(desk: Desk) -> None:
    """A process that holds three claims when it is killed: they run, until they are put back."""
    total = fill(desk, 1, 3)
    holder = f"""
import sys, time, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as session:
    print(len(session.execute({CLAIM!r}, (3,)).fetchall()), flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", holder, desk.dsn], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"3\n"
    process.kill()
    process.communicate()
    assert desk.statuses(1) == ["RUNNING"] * total
    assert claim(desk, 9) == []
    assert desk.run(REQUEUE, timedelta(hours=1)) == [(0,)]
    assert desk.run(REQUEUE, timedelta(0)) == [(total,)]
    assert len(claim(desk, 9)) == total


def disturb(session: psycopg.Connection, kind: int, job: UUID) -> psycopg.Error | None:
    """What others do to a job while workers work on it."""
    match kind:
        case 0:
            return try_to(session, "UPDATE jobs SET status = 'CANCELED' WHERE id = %s", job)
        case 1:
            return try_to(session, "UPDATE jobs SET status = 'RUNNING' WHERE id = %s", job)
        case 2:
            return try_to(session, "DELETE FROM jobs WHERE id = %s", job)
        case 3:
            insert = (
                "INSERT INTO jobs (id, instance_id, source_scope) VALUES (%s, 'shop', 'ALL') ON CONFLICT DO NOTHING"
            )
            return try_to(session, insert, job)
        case 4:
            return try_to(session, REQUEUE, timedelta(0))
        case _:
            return try_to(session, "INSERT INTO job_items (job_id, product_id, attribute) VALUES (%s, 'p', 'a')", job)


def test_workers_and_those_who_cancel_do_not_lock_each_other_out(desk: Desk) -> None:
    """Claims, ends, requeues, new items, cancels, new starts and deletes at once: no deadlock, no contradiction."""
    fill(desk, 8, 12)

    def work(worker: int) -> list[psycopg.Error]:
        draw = random.Random(worker)
        errors = []
        with connect(desk.dsn, autocommit=True) as session:
            for _ in range(80):
                if worker % 3 == 0:
                    errors.append(
                        disturb(session, draw.choice([0, 1, 2, 3, 4, 5, 5, 5, 5, 5]), number(draw.randint(1, 8)))
                    )
                    continue
                for item, _, _, stamp in session.execute(CLAIM, (3,)).fetchall():
                    session.execute(FAIL if draw.random() < 0.1 else FINISH, (item, stamp, "x"))
        return [error for error in errors if error is not None]

    refused = Counter(error.diag.constraint_name or str(error) for errors in together(work) for error in errors)
    # an item for a job that was canceled meanwhile, or deleted
    assert set(refused) <= {"job_status_agrees", "fk_job_items_job"}
    assert refused["job_status_agrees"] > 0
    assert deadlocks(desk) == 0
    desk.check("everything at once")

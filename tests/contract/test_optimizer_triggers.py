"""The triggers of optimizer: a job's status and its items, stamps, errors, and credits under another plan.

``Desk.run`` asks the system's own invariants after every step, so that a step is judged by what must hold, not by what
its author expected.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest

from tests.contract.fix_optimizer import AGREES, LONG, Desk, connect, number, waits
from tests.integration.fix_server import eventually


def refused(desk: Desk, query: str, *parameters: object, by: str = AGREES) -> None:
    """The statement fails by this constraint, and leaves everything as it was."""
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        desk.run(query, *parameters)
    assert caught.value.diag.constraint_name == by
    desk.check(f"refusing {query}")


def set_item(desk: Desk, n: int, status: str) -> None:
    desk.run("UPDATE job_items SET status = %s WHERE id = %s", status, number(n))


def test_a_job_runs_with_its_first_item_and_ends_with_its_last(desk: Desk) -> None:
    """It is started and finished by that alone."""
    desk.job(1, "PENDING", "PENDING")
    assert desk.row(1) == ("PENDING", False, False, None)
    set_item(desk, 100, "RUNNING")
    assert desk.row(1) == ("RUNNING", True, False, None)
    set_item(desk, 100, "DONE")
    assert desk.row(1) == ("RUNNING", True, False, None)
    set_item(desk, 101, "DONE")
    assert desk.row(1) == ("DONE", True, True, None)


@pytest.mark.parametrize(
    ("items", "status"),
    [
        (["PENDING", "PENDING"], "PENDING"),
        (["PENDING", "DONE"], "RUNNING"),
        (["PENDING", "FAILED"], "RUNNING"),
        (["RUNNING"], "RUNNING"),
        (["RUNNING", "FAILED"], "RUNNING"),
        (["DONE", "DONE"], "DONE"),
        (["DONE", "FAILED"], "FAILED"),
        (["FAILED"], "FAILED"),
    ],
)
def test_a_job_s_status_follows_from_its_items(desk: Desk, items: list[str], status: str) -> None:
    """Inserted with them, moved to them, or left with them by a delete."""
    desk.job(1, *items)
    desk.job(2)
    desk.job(3, *items, "PENDING")
    desk.job(4, *items, "FAILED")
    assert desk.status(1) == status
    moved = [number(400 + n) for n in range(len(items))]
    desk.run("UPDATE job_items SET job_id = %s WHERE id = ANY (%s)", number(2), moved)
    assert [desk.status(2), desk.status(4)] == [status, "FAILED"]
    desk.run("DELETE FROM job_items WHERE id = %s", number(300 + len(items)))
    # that it was pending beside others has not started it again, but what was running goes on
    assert desk.status(3) == status


def test_what_is_to_be_done_again_makes_a_finished_job_run_again(desk: Desk) -> None:
    """A failed item that is retried, a done one, a new one: its end and its error are gone, its start stays."""
    desk.job(1, "DONE", "FAILED")
    desk.run("UPDATE jobs SET error = 'token revoked'")
    ((started,),) = desk.run("SELECT started_at FROM jobs")
    set_item(desk, 101, "PENDING")
    assert desk.row(1) == ("RUNNING", True, False, None)
    set_item(desk, 101, "DONE")
    assert desk.status(1) == "DONE"
    set_item(desk, 100, "PENDING")
    assert desk.status(1) == "RUNNING"
    set_item(desk, 100, "DONE")
    desk.items(1, "PENDING", start=5)
    desk.check("a late item")
    assert desk.row(1) == ("RUNNING", True, False, None)
    assert desk.run("SELECT started_at FROM jobs") == [(started,)]


@pytest.mark.parametrize("status", ["DONE", "FAILED"])
def test_a_finished_job_of_which_all_is_to_be_done_again_runs(desk: Desk, status: str) -> None:
    """It does not become PENDING: it has been started."""
    desk.job(1, status, status)
    desk.run("UPDATE job_items SET status = 'PENDING'")
    assert desk.row(1) == ("RUNNING", True, False, None)


def test_an_item_that_is_done_again_has_no_error_any_more(desk: Desk) -> None:
    """Unless the statement writes one, which is then refused."""
    desk.job(1, "FAILED", "FAILED", "FAILED")
    desk.run("UPDATE job_items SET error = 'too long'")
    set_item(desk, 100, "PENDING")
    assert desk.run("SELECT error FROM job_items ORDER BY id ASC") == [(None,), ("too long",), ("too long",)]
    refused(
        desk,
        "UPDATE job_items SET status = 'DONE', error = 'odd' WHERE id = %s",
        number(101),
        by="chk_job_items_error",
    )
    desk.run("UPDATE job_items SET error = 'too short' WHERE id = %s", number(102))
    assert desk.run("SELECT error FROM job_items WHERE id = %s", number(102)) == [("too short",)]


def test_canceling_fails_what_was_not_finished(desk: Desk) -> None:
    """With that as its error; what is finished stays, and other jobs are left in peace."""
    desk.job(1, "PENDING", "RUNNING", "DONE", "FAILED")
    desk.job(2, "PENDING")
    desk.job(3, "PENDING", "RUNNING")
    desk.run("UPDATE job_items SET error = 'its own' WHERE id = %s", number(103))
    desk.run("UPDATE jobs SET status = 'CANCELED' WHERE id = %s", number(1))
    assert desk.row(1) == ("CANCELED", True, True, None)
    rows = desk.run("SELECT status::TEXT, error FROM job_items WHERE job_id = %s ORDER BY id ASC", number(1))
    assert rows == [("FAILED", "canceled"), ("FAILED", "canceled"), ("DONE", None), ("FAILED", "its own")]
    assert desk.statuses(2) == ["PENDING"]
    assert desk.statuses(3) == ["PENDING", "RUNNING"]
    desk.run("UPDATE jobs SET status = 'CANCELED'")
    assert [desk.row(2), desk.row(3)] == [("CANCELED", False, True, None), ("CANCELED", True, True, None)]
    assert [*desk.statuses(2), *desk.statuses(3)] == ["FAILED"] * 3


def test_failing_a_job_fails_what_was_not_finished_with_its_error(desk: Desk) -> None:
    """One that says nothing fails them all the same; an item that has failed already keeps its own error."""
    desk.job(1, "PENDING", "DONE")
    desk.job(2, "RUNNING")
    desk.run("UPDATE jobs SET status = 'FAILED', error = 'token revoked' WHERE id = %s", number(1))
    desk.run("UPDATE jobs SET status = 'FAILED' WHERE id = %s", number(2))
    assert [desk.row(1), desk.row(2)] == [("FAILED", True, True, "token revoked"), ("FAILED", True, True, None)]
    rows = desk.run("SELECT status::TEXT, error FROM job_items ORDER BY id ASC")
    assert rows == [("FAILED", "token revoked"), ("DONE", None), ("FAILED", "job failed")]


def test_no_item_undoes_what_was_canceled(desk: Desk) -> None:
    """Unfinished ones are refused, be they new, moved there or to be retried; until the job is opened again."""
    desk.job(1, "PENDING", "DONE", "FAILED")
    desk.run("UPDATE jobs SET status = 'CANCELED'")
    desk.job(2, "PENDING")
    retry = "UPDATE job_items SET status = 'PENDING' WHERE id = %s"
    move = "UPDATE job_items SET job_id = %s WHERE id = %s"
    for status in ("PENDING", "RUNNING"):
        refused(
            desk,
            "INSERT INTO job_items (job_id, product_id, attribute, status) VALUES (%s, 'mug', 'title', %s)",
            *(number(1), status),
        )
    refused(desk, move, number(1), number(200))
    refused(desk, retry, number(100))
    desk.run(move, number(2), number(101))
    desk.run("DELETE FROM job_items WHERE id = %s", number(102))
    assert desk.status(1) == "CANCELED"
    desk.run("UPDATE jobs SET status = 'RUNNING' WHERE id = %s", number(1))
    desk.run(retry, number(100))
    assert desk.row(1) == ("RUNNING", True, False, None)


CONTRADICTED = {
    "DONE with pending items": (["DONE", "PENDING"], "DONE"),
    "DONE with running items": (["DONE", "RUNNING"], "DONE"),
    "DONE with failed items": (["DONE", "FAILED"], "DONE"),
    "FAILED without a failed item": (["DONE"], "FAILED"),
    "FAILED without any item": ([], "FAILED"),
    "PENDING with running items": (["RUNNING"], "PENDING"),
    "PENDING with done items": (["PENDING", "DONE"], "PENDING"),
    "PENDING with failed items": (["FAILED"], "PENDING"),
}


@pytest.mark.parametrize("what", CONTRADICTED)
def test_a_status_that_items_contradict_is_refused(desk: Desk, what: str) -> None:
    """By name, when the transaction ends, whatever it calls the job then."""
    items, status = CONTRADICTED[what]
    desk.job(1, *items)
    refused(desk, "UPDATE jobs SET status = %s", status)
    with connect(desk.dsn) as session:
        session.execute("UPDATE jobs SET status = %s", (status,))
        with pytest.raises(psycopg.errors.CheckViolation):
            session.execute("SET CONSTRAINTS job_status_agrees IMMEDIATE")
        session.rollback()
        if not items:
            session.execute("UPDATE jobs SET status = %s", (status,))
            session.execute("UPDATE jobs SET id = %s", (number(9),))
            with pytest.raises(psycopg.errors.CheckViolation):
                session.commit()


@pytest.mark.parametrize("what", CONTRADICTED)
def test_a_status_that_items_come_to_agree_with_is_not(desk: Desk, what: str) -> None:
    """Job and items may be written in any order within a transaction."""
    items, status = CONTRADICTED[what]
    desk.job(1, *items)
    with desk.session.transaction():
        desk.session.execute("UPDATE jobs SET status = %s", (status,))
        desk.session.execute("DELETE FROM job_items")
        desk.items(1, status, start=50)
        # a job that runs again by what came in between is told so again
        desk.session.execute("UPDATE jobs SET status = %s", (status,))
    desk.check("both")
    assert desk.status(1) == status


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "DONE", "CANCELED"])
def test_a_job_without_items_may_be_inserted_in_any_status_but_failed(desk: Desk, status: str) -> None:
    """Nothing contradicts it; that it has failed, an item must show."""
    desk.job(1, status=status)
    assert desk.status(1) == status
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        desk.job(2, status="FAILED")
    assert caught.value.diag.constraint_name == AGREES


def test_a_job_that_is_stored_before_its_items_keeps_its_error(desk: Desk) -> None:
    """Though the item that failed comes last; where it never comes, the job is refused."""

    def store(*statuses: str) -> None:
        with desk.session.transaction():
            desk.session.execute(
                "INSERT INTO jobs (id, instance_id, source_scope, status, error, started_at, finished_at)"
                " VALUES (%s, 'shop', 'PRODUCTS', 'FAILED', 'quota', now(), now())",
                (number(1),),
            )
            for start, status in enumerate(statuses):
                desk.items(1, status, start=start)

    with pytest.raises(psycopg.errors.CheckViolation):
        store("DONE", "DONE")
    store("DONE", "DONE", "FAILED")
    desk.check("storing")
    assert desk.row(1) == ("FAILED", True, True, "quota")


def test_a_moved_item_counts_for_the_job_that_it_came_to(desk: Desk) -> None:
    """Both jobs follow, also where two swap their items in one statement."""
    desk.job(1, "PENDING", "DONE")
    desk.job(2, "FAILED")
    desk.run("UPDATE job_items SET job_id = %s WHERE id = %s", number(2), number(100))
    assert [desk.status(1), desk.status(2)] == ["DONE", "RUNNING"]
    desk.run("UPDATE job_items SET job_id = CASE job_id WHEN %s THEN %s ELSE %s END", number(1), number(2), number(1))
    assert [desk.status(1), desk.status(2)] == ["RUNNING", "DONE"]
    desk.run("UPDATE job_items SET id = gen_random_uuid(), job_id = %s, status = 'DONE', error = NULL", number(2))
    assert desk.status(2) == "DONE"


def test_deleting_items_is_followed(desk: Desk) -> None:
    """What is left decides; a failed job needs the item that failed, or goes with it."""
    desk.job(1, "DONE", "PENDING")
    desk.run("DELETE FROM job_items WHERE status = 'PENDING'")
    assert desk.status(1) == "DONE"
    desk.run("DELETE FROM job_items")
    assert desk.status(1) == "DONE"
    desk.job(2, "DONE", "FAILED")
    desk.run("DELETE FROM job_items WHERE status = 'FAILED'")
    assert desk.status(2) == "DONE"
    desk.job(3, "FAILED")
    refused(desk, "DELETE FROM job_items WHERE job_id = %s", number(3))
    desk.run("DELETE FROM jobs WHERE id = %s", number(3))
    desk.run("DELETE FROM app_instances")
    assert desk.run("SELECT COUNT(*) FROM job_items") == [(0,)]


def test_upserts_count_what_they_insert_and_what_they_change(desk: Desk) -> None:
    """One statement that does both; MERGE does, too; doing nothing changes nothing."""
    desk.job(1, "DONE")
    desk.job(2, "DONE")
    upsert = (
        "INSERT INTO job_items (id, job_id, product_id, attribute, status)"
        " VALUES (%s, %s, 'mug', 'title', 'FAILED'), (%s, %s, 'mug', 'title', 'FAILED') ON CONFLICT (id) "
    )
    parameters = (number(100), number(1), number(299), number(2))
    desk.run(upsert + "DO UPDATE SET status = 'RUNNING'", *parameters)
    assert [desk.status(1), desk.status(2)] == ["RUNNING", "FAILED"]
    desk.run(upsert + "DO NOTHING", *parameters)
    assert [desk.status(1), desk.status(2)] == ["RUNNING", "FAILED"]
    desk.run(
        "MERGE INTO job_items USING (VALUES (%s::UUID), (%s)) AS given (id) ON job_items.id = given.id"
        " WHEN MATCHED THEN UPDATE SET status = 'DONE'"
        " WHEN NOT MATCHED THEN INSERT (id, job_id, product_id, attribute) VALUES (given.id, %s, 'mug', 'title')",
        *(number(100), number(399), number(2)),
    )
    assert [desk.status(1), desk.status(2)] == ["DONE", "RUNNING"]


def test_a_job_and_its_items_may_be_written_by_one_statement(desk: Desk) -> None:
    """Canceling a job that gets its first item in the same statement fails that, too."""
    desk.job(1, "PENDING")
    desk.run(
        "WITH canceled AS (UPDATE jobs SET status = 'CANCELED' RETURNING id)"
        " INSERT INTO job_items (job_id, product_id, attribute) SELECT id, 'mug', 'title' FROM canceled"
    )
    assert (desk.status(1), desk.statuses(1)) == ("CANCELED", ["FAILED", "FAILED"])
    desk.run(
        "WITH made AS (INSERT INTO jobs (id, instance_id, source_scope, status, started_at, finished_at)"
        " VALUES (%s, 'shop', 'PRODUCTS', 'FAILED', now(), now()) RETURNING id)"
        " INSERT INTO job_items (job_id, product_id, attribute, status) SELECT id, 'mug', 'title', 'FAILED' FROM made",
        number(2),
    )
    assert desk.status(2) == "FAILED"


def test_a_statement_s_own_stamps_count_and_are_judged(desk: Desk) -> None:
    """What it leaves alone follows the status; what it writes is for the CHECKs."""
    noon = datetime(2025, 6, 1, 12, tzinfo=UTC)
    desk.job(1, "PENDING")
    desk.run("UPDATE jobs SET status = 'RUNNING', started_at = %s", noon)
    desk.run(
        "UPDATE jobs SET status = 'CANCELED', finished_at = %s WHERE status = 'RUNNING'", noon + timedelta(hours=1)
    )
    assert desk.run("SELECT finished_at - started_at FROM jobs") == [(timedelta(hours=1),)]
    for assignment, name in (
        ("status = 'RUNNING', finished_at = now()", "chk_jobs_finished"),
        ("status = 'PENDING', started_at = now()", "chk_jobs_started"),
        ("status = 'DONE', finished_at = '-infinity'", "chk_jobs_order"),
        ("status = 'RUNNING', error = 'odd'", "chk_jobs_error"),
    ):
        refused(desk, f"UPDATE jobs SET {assignment}", by=name)


def test_a_transaction_that_is_older_than_a_job_s_start_can_finish_it(desk: Desk) -> None:
    """Its own clock stands before the start: the job ends when it started, not before."""
    with connect(desk.dsn) as older:
        older.execute("SELECT now()")
        desk.job(1, "PENDING")
        set_item(desk, 100, "RUNNING")
        older.execute("UPDATE job_items SET status = 'DONE'")
    assert desk.run("SELECT status::TEXT, finished_at = started_at FROM jobs") == [("DONE", True)]


def test_a_job_s_status_may_go_anywhere_where_no_item_contradicts(desk: Desk) -> None:
    """Every pair, for a job without items: its stamps and its error follow."""
    statuses = ("PENDING", "RUNNING", "DONE", "CANCELED")
    desk.job(1)
    for before in statuses:
        for after in statuses:
            desk.run("UPDATE jobs SET status = %s", before)
            desk.run("UPDATE jobs SET status = %s", after)
            assert desk.status(1) == after


def test_updated_at_does_not_go_back_nor_take_what_a_client_writes(desk: Desk) -> None:
    """An older transaction that commits later leaves the younger one's stamp; the future is refused."""
    desk.job(1, "PENDING")
    for table, column in (("job_items", "before_value"), ("app_instances", "site_host")):
        with connect(desk.dsn) as older:
            older.execute("SELECT now()")
            desk.run(f"UPDATE {table} SET {column} = 'younger', updated_at = '2001-01-01'")
            ((stamp,),) = desk.run(f"SELECT updated_at FROM {table}")
            assert stamp.year > 2001
            older.execute(f"UPDATE {table} SET {column} = 'older'".encode())
        assert desk.run(f"SELECT updated_at FROM {table}") == [(stamp,)]
        refused(desk, f"UPDATE {table} SET updated_at = now() + INTERVAL '1 day'", by=f"chk_{table}_updated_at")


def test_another_plan_gives_its_credits_and_leaves_no_more_used_than_there_are(desk: Desk) -> None:
    """Up and down, alone and for all at once; what a statement says itself counts; no other change touches them."""

    def left() -> tuple[int, int]:
        ((total, used),) = desk.run("SELECT credits_total, credits_used_month FROM app_instances")
        return total, used

    desk.run("UPDATE app_instances SET plan_id = 'pro'")
    assert left() == (5000, 0)
    desk.run("UPDATE app_instances SET credits_used_month = 3000")
    desk.run("UPDATE app_instances SET plan_id = 'scale'")
    assert left() == (25000, 3000)
    desk.run("UPDATE app_instances SET plan_id = 'free'")
    assert left() == (100, 100)
    desk.run("UPDATE app_instances SET plan_id = 'starter', credits_total = 1500, credits_used_month = 7")
    assert left() == (1500, 7)
    desk.run("UPDATE app_instances SET credits_total = 7, plan_id = plan_id")
    assert left() == (7, 7)
    refused(desk, "UPDATE app_instances SET credits_total = 6", by="chk_app_instances_credits")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        desk.run("UPDATE app_instances SET plan_id = 'gold'")


def test_an_item_s_text_is_none_of_its_job_s_business(desk: Desk) -> None:
    """Nor is a new name of it: the job's row is not even written."""
    desk.job(1, "RUNNING", "DONE")
    before = desk.run("SELECT xmin::TEXT, ctid::TEXT FROM jobs")
    desk.run("UPDATE job_items SET after_value = 'new', id = gen_random_uuid()")
    assert desk.run("SELECT xmin::TEXT, ctid::TEXT FROM jobs") == before


def test_many_items_of_many_jobs_are_followed_by_one_statement(desk: Desk) -> None:
    """Each job once, whatever became of the others."""
    for n in range(1, 9):
        desk.job(n, *["PENDING"] * n)
    desk.run(
        "UPDATE job_items SET status = CASE WHEN job_id < %s THEN 'DONE' ELSE 'FAILED' END::item_status", number(5)
    )
    assert [desk.status(n) for n in range(1, 9)] == ["DONE"] * 4 + ["FAILED"] * 4
    desk.run("UPDATE job_items SET status = 'RUNNING' WHERE id::TEXT LIKE '%%0'")
    desk.run("UPDATE jobs SET status = 'CANCELED'")
    assert desk.run("SELECT COUNT(*) FROM job_items WHERE status IN ('PENDING', 'RUNNING')") == [(0,)]


def test_two_transactions_that_saw_the_same_cannot_both_be_right(desk: Desk) -> None:
    """Under REPEATABLE READ the second of two that finish a job's last items is told to begin again."""
    desk.job(1, "RUNNING", "RUNNING")
    with connect(desk.dsn) as one, connect(desk.dsn) as other:
        for session in (one, other):
            session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            session.execute("SELECT FROM jobs")
        one.execute("UPDATE job_items SET status = 'DONE' WHERE id = %s", (number(100),))
        one.commit()
        with pytest.raises(psycopg.errors.SerializationFailure):
            other.execute("UPDATE job_items SET status = 'DONE' WHERE id = %s", (number(101),))
        other.rollback()
        other.execute("UPDATE job_items SET status = 'DONE' WHERE id = %s", (number(101),))
    assert desk.status(1) == "DONE"


def test_whoever_finishes_last_closes_the_job_though_both_began_before(desk: Desk) -> None:
    """The second waits for the first, and then looks at what there is."""
    desk.job(1, "RUNNING", "RUNNING")
    done = "UPDATE job_items SET status = 'DONE' WHERE id = %s"
    with connect(desk.dsn) as one:
        one.execute(done, (number(100),))

        def second() -> None:
            with connect(desk.dsn, application_name="second") as other:
                other.execute(done, (number(101),))

        thread = threading.Thread(target=second, daemon=True)
        thread.start()
        assert eventually(partial(waits, desk, "second"), within=LONG)
        one.commit()
        thread.join(timeout=30)
    assert desk.status(1) == "DONE"


def test_a_job_that_is_canceled_while_items_come_has_nothing_left_to_do(desk: Desk) -> None:
    """Whoever comes second is refused or follows; both orders, each held until the other waits."""
    item = "INSERT INTO job_items (job_id, product_id, attribute) VALUES (%s, 'mug', 'title')"
    cancel = "UPDATE jobs SET status = 'CANCELED' WHERE id = %s"
    for n, (first, second) in enumerate([(item, cancel), (cancel, item)], 1):
        desk.job(n, "PENDING")
        problems: list[str | None] = []

        def work(query: str = second, n: int = n, problems: list[str | None] = problems) -> None:
            try:
                with connect(desk.dsn, application_name=f"second {n}", autocommit=True) as other:
                    other.execute(query.encode(), (number(n),))
            except psycopg.Error as error:
                problems.append(error.diag.constraint_name)

        with connect(desk.dsn) as one:
            one.execute(first.encode(), (number(n),))
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            assert eventually(partial(waits, desk, f"second {n}"), within=LONG)
            one.commit()
        thread.join(timeout=30)
        desk.check(f"{first} and {second}")
        assert (desk.status(n), set(desk.statuses(n))) == ("CANCELED", {"FAILED"})
        assert problems == ([] if second is cancel else [AGREES])

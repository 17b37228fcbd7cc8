"""The pool's promises to its callers: numbers of rows, transactions, what errors and the log say, and do not say."""

from __future__ import annotations

import logging
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from pgcontract.database import Database, Settings, Transaction
from pgcontract.errors import (
    OutcomeUnknown,
    PgContractError,
    PoolExhausted,
    QueryError,
    ServerError,
    UsageError,
    WrongRowCount,
)
from tests.integration.fix_server import eventually

SECRET = "correct horse"
ADD = "INSERT INTO people (id, name) VALUES (%s, %s)"
ALL = "SELECT id, name FROM people ORDER BY id ASC"


@dataclass(frozen=True, slots=True)
class Person:
    """A row of people."""

    id: int
    name: str


def count(database: Database) -> int:
    """How many people have been committed."""
    return len(database.query(ALL))


def test_rows_are_typed_by_their_class(people_pool: Database) -> None:
    """Each way to ask gives the class's instances, and tuples without one."""
    assert people_pool.none(ADD, (1, "Ada")) == 1
    ada = Person(1, "Ada")
    assert people_pool.query(ALL, row=Person) == [ada]
    assert people_pool.one(ALL, row=Person) == ada
    assert people_pool.one_or_none(ALL, row=Person) == ada
    assert people_pool.many(ALL, row=Person) == [ada]
    assert people_pool.one("SELECT name FROM people WHERE id = %(id)s", {"id": 1}) == ("Ada",)
    assert people_pool.query("SELECT name FROM people WHERE id = 2") == []
    assert people_pool.one_or_none("SELECT name FROM people WHERE id = 2") is None
    assert people_pool.none("SELECT name FROM people WHERE id = 2") == 0


@pytest.mark.parametrize(
    ("method", "rows", "expected"),
    [
        ("one", 0, "exactly one row"),
        ("one", 2, "exactly one row"),
        ("one_or_none", 2, "at most one row"),
        ("many", 0, "at least one row"),
        ("none", 1, "no rows"),
    ],
)
def test_a_wrong_number_of_rows_is_an_error_that_says_it(
    people_pool: Database, method: str, rows: int, expected: str
) -> None:
    """Which query, what its caller takes, and how many there were."""
    with pytest.raises(WrongRowCount) as raised:
        getattr(people_pool, method)("SELECT generate_series(1, %s)", (rows,), name="numbers")
    assert (raised.value.query, raised.value.expected, raised.value.found) == ("numbers", expected, rows)


@pytest.mark.parametrize("header", ["", "-- of two\n", "/* of two */ ", "WITH two AS (SELECT 1) "])
def test_a_write_with_the_wrong_number_of_rows_changes_nothing(people_pool: Database, header: str) -> None:
    """It is undone, although no transaction was asked for."""
    text = sql.SQL(header + "INSERT INTO people VALUES (1, 'Ada'), (2, 'Grace') RETURNING id")
    with pytest.raises(WrongRowCount):
        people_pool.one(text)
    assert count(people_pool) == 0
    with pytest.raises(WrongRowCount):
        people_pool.none(text)
    assert count(people_pool) == 0
    assert people_pool.many(text) == [(1,), (2,)]


def test_one_of_a_statement_without_rows_is_refused(people_pool: Database) -> None:
    """An INSERT without RETURNING has none."""
    with pytest.raises(WrongRowCount, match="got 0 rows"):
        people_pool.one(ADD, (1, "Ada"))
    assert count(people_pool) == 0


@pytest.mark.parametrize("method", ["query", "one", "one_or_none", "many", "none"])
@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("SELECT 1; SELECT 2", ()),
        ("SELECT %s; SELECT 2", (1,)),
        ("INSERT INTO people VALUES (1, 'Ada'); INSERT INTO people VALUES (2, 'Grace')", ()),
        ("-- two;\nDELETE FROM people; SELECT 1 FROM people", ()),
    ],
)
def test_several_statements_are_refused(
    people_pool: Database, method: str, text: LiteralString, parameters: tuple[int, ...]
) -> None:
    """Only the last one's rows could be given: none of them is run, with parameters or without."""
    for statement in (text, sql.SQL(text)):
        with pytest.raises(QueryError) as raised:
            getattr(people_pool, method)(statement, parameters, name="two")
        assert (raised.value.query, raised.value.sqlstate) == ("two", "42601")
        assert (
            raised.value.remedy
            == "correct the text; of several statements, give each a query of its own, in `tx()` together"
        )
    with pytest.raises(QueryError) as raised, people_pool.tx() as tx:
        getattr(tx, method)(text, parameters)
    assert raised.value.sqlstate == "42601"
    assert count(people_pool) == 0


def test_one_statement_may_hold_semicolons(people_pool: Database) -> None:
    """At its end, in a comment, a text, a name or a body."""
    for text in ("SELECT ';'", 'SELECT 1 AS ";";', "SELECT 1 /* ; */ ;\n", "-- one; two\nSELECT 1; -- that is all"):
        assert len(people_pool.one(text)) == 1
    assert people_pool.none("DO $$ BEGIN PERFORM 1; PERFORM 2; END $$") == 0
    assert people_pool.none("INSERT INTO people VALUES (1, ';')") == 1
    with people_pool.tx() as tx:
        assert tx.query(sql.SQL("SELECT name, {} FROM people").format("; ' ;")) == [(";", "; ' ;")]
    with pytest.raises(QueryError) as raised:
        people_pool.query("SELEC 1")
    assert raised.value.remedy is None


def test_a_transaction_is_committed_or_undone(people_pool: Database) -> None:
    """At the end of its block, or where that raises, whatever it raises."""
    with people_pool.tx() as tx:
        tx.none(ADD, (1, "Ada"))
        assert count(people_pool) == 0
    assert count(people_pool) == 1
    with pytest.raises(KeyError), people_pool.tx() as tx:
        tx.none(ADD, (2, "Grace"))
        raise KeyError
    assert count(people_pool) == 1


def test_a_nested_transaction_is_a_savepoint(people_pool: Database) -> None:
    """What fails in it is undone alone, at any depth, and the outer one decides about all."""
    with people_pool.tx() as tx:
        tx.none(ADD, (1, "Ada"))
        with pytest.raises(QueryError), tx.tx() as inner:
            inner.none(ADD, (2, "Grace"))
            inner.none(ADD, (1, "Ada again"))
        with tx.tx() as inner, inner.tx() as innermost:
            innermost.none(ADD, (3, "Barbara"))
    assert people_pool.query(ALL) == [(1, "Ada"), (3, "Barbara")]
    with pytest.raises(KeyError), people_pool.tx() as tx:
        with tx.tx() as inner:
            inner.none(ADD, (4, "Edsger"))
        raise KeyError
    assert count(people_pool) == 2


def test_a_failure_that_is_passed_over_is_raised_at_the_end(people_pool: Database) -> None:
    """PostgreSQL would answer COMMIT by rolling back without a word."""
    with pytest.raises(QueryError) as raised, people_pool.tx() as tx:
        tx.none(ADD, (1, "Ada"))
        with pytest.raises(QueryError):
            tx.none(ADD, (1, "Ada"), name="again")
    assert (raised.value.query, raised.value.sqlstate) == ("again", "23505")
    assert count(people_pool) == 0
    with people_pool.tx() as tx:
        tx.none(ADD, (1, "Ada"))
        with pytest.raises(QueryError), tx.tx() as inner, pytest.raises(QueryError):
            inner.none(ADD, (1, "Ada"), name="again")
    assert count(people_pool) == 1


def test_a_transaction_has_the_isolation_that_it_asks_for_and_leaves_none_behind(people_dsn: str) -> None:
    """Also whether it may write; the next one on the same connection is as usual."""
    with Database(people_dsn, Settings(min_size=1, max_size=1)) as database:
        show = "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')"
        with database.tx(isolation="SERIALIZABLE", read_only=True) as tx:
            assert tx.one(show) == ("serializable", "on")
        with pytest.raises(KeyError), database.tx(isolation="REPEATABLE READ") as tx:
            assert tx.one(show) == ("repeatable read", "off")
            raise KeyError
        with database.tx() as tx:
            assert tx.one(show) == ("read committed", "off")
        with pytest.raises(UsageError), database.tx(isolation="SNAPSHOT"):  # type: ignore[arg-type]
            pass
        assert database.one(show) == ("read committed", "off")


def test_a_transaction_is_of_no_use_after_its_end(people_pool: Database) -> None:
    """Its connection may be somebody else's by then."""
    with people_pool.tx() as tx:
        with tx.tx() as inner:
            pass
        with pytest.raises(UsageError):
            inner.query("SELECT 1")
    with pytest.raises(UsageError):
        tx.query("SELECT 1")


def test_a_violation_names_the_constraint_and_shows_no_value(people_pool: Database) -> None:
    """Neither the error, nor its traceback, nor what it is caused by."""
    people_pool.none(ADD, (1, SECRET))
    people_pool.none("CREATE UNIQUE INDEX people_name ON people (name)")
    with pytest.raises(QueryError) as raised:
        people_pool.none(ADD, (2, SECRET), name="people.add")
    error = raised.value
    assert (error.query, error.sqlstate, error.table, error.constraint) == (
        "people.add",
        "23505",
        "people",
        "people_name",
    )
    assert "UniqueViolation (23505)" in str(error)
    assert SECRET not in "".join(traceback.format_exception(error))
    assert error.__cause__ is None
    assert error.__context__ is None
    with pytest.raises(QueryError) as raised:
        people_pool.none(ADD, (3, None))
    assert (raised.value.sqlstate, raised.value.column) == ("23502", "name")
    assert "name" in str(raised.value)
    with pytest.raises(QueryError) as raised:
        people_pool.one("SELECT %s::INTEGER", (SECRET,))
    assert raised.value.sqlstate == "22P02"
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_a_mistake_in_the_text_is_told(people_pool: Database) -> None:
    """What the server says of it names what is in the text, and no values."""
    with pytest.raises(QueryError, match='column "nmae" does not exist'):
        people_pool.query("SELECT nmae FROM people")
    with pytest.raises(QueryError, match="2 placeholders but 1 parameters"):
        people_pool.query("SELECT %s, %s", (1,))
    with pytest.raises(QueryError, match="columns do not fit Person") as raised:
        people_pool.one("SELECT 1 AS id, 'Ada' AS nmae", row=Person)
    assert raised.value.seen == "id, nmae"


def test_the_log_has_durations_and_texts_and_no_values(people_dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    """In development only; values composed into a text are left out, too, and failures are told."""
    composed = sql.SQL("SELECT id FROM people WHERE name = {} AND {}").format(
        sql.Literal(SECRET), sql.SQL("name = {}").format(SECRET)
    )
    settings = Settings.from_environment({"PGCONTRACT_ENV": "development"})
    with caplog.at_level(logging.DEBUG, "pgcontract"), Database(people_dsn, settings) as database:
        database.none(ADD, (1, SECRET), name="people.add")
        database.query(composed, name="people.find")
        with pytest.raises(QueryError), database.tx() as tx:
            tx.none(ADD, (1, SECRET), name="people.again")
    told = [record.getMessage() for record in caplog.records if record.name == "pgcontract.database"]
    assert len(told) == 3
    assert told[0].startswith("people.add: ")
    assert told[0].endswith(f" ms, 1 row: {ADD}")
    assert told[1].endswith(" ms, 1 row: SELECT id FROM people WHERE name = … AND name = …")
    assert "failed (23505)" in told[2]
    assert SECRET not in caplog.text
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "pgcontract"), Database(people_dsn, Settings.from_environment({})) as database:
        database.query(ALL)
    assert [record for record in caplog.records if record.name == "pgcontract.database"] == []


def test_settings_come_from_the_environment() -> None:
    """The documents' defaults where it says nothing; what is no number is an error that names the variable."""
    assert Settings.from_environment({}) == Settings(2, 20, 30.0, 2.0, log_queries=False)
    given = {"PGCONTRACT_POOL_MIN": "1", "PGCONTRACT_POOL_MAX": "5", "PGCONTRACT_POOL_IDLE": "1.5"}
    assert Settings.from_environment({**given, "PGCONTRACT_POOL_CONNECT": "7"}) == Settings(1, 5, 1.5, 7.0)
    with pytest.raises(UsageError, match="PGCONTRACT_POOL_MAX"):
        Settings.from_environment({"PGCONTRACT_POOL_MAX": "many"})
    for wrong in ((3, 2), (-1, 2), (0, 0), (1, 1, 0), (1, 1, 1, float("nan"))):
        with pytest.raises(UsageError):
            Settings(*wrong)


def test_the_environment_names_the_database(people_dsn: str) -> None:
    """DATABASE_URL, as for the commands."""
    with Database.from_environment({"DATABASE_URL": people_dsn, "PGCONTRACT_POOL_MIN": "1"}) as database:
        assert database.is_healthy()
        assert database.connection_status().min_size == 1


def test_a_dsn_is_never_shown_with_its_password() -> None:
    """Neither a good one nor one that cannot be read, nor where nobody answers."""
    dsn = f"postgresql://ada:{SECRET.replace(' ', '%20')}@127.0.0.1:1/shop"
    with Database(dsn, Settings(connect_seconds=0.2)) as database:
        assert repr(database) == "Database(host=127.0.0.1 port=1 dbname=shop user=ada)"
        with pytest.raises(ServerError) as raised:
            database.query("SELECT 1")
    assert not isinstance(raised.value, PoolExhausted)
    assert "horse" not in "".join(traceback.format_exception(raised.value))
    with pytest.raises(UsageError) as unreadable:
        Database(f"host=127.0.0.1 password={SECRET}")
    assert "horse" not in "".join(traceback.format_exception(unreadable.value))


def test_a_network_that_swallows_everything_is_given_up(people_dsn: str) -> None:
    """After half a minute, or as the DSN says."""
    for dsn, expected in ((people_dsn, "30000"), (f"{people_dsn}&tcp_user_timeout=5", "5")):
        with Database(dsn) as database, database.tx() as tx:
            assert tx._held.info.get_parameters()["tcp_user_timeout"] == expected


def test_a_database_that_is_not_open_says_so(people_dsn: str) -> None:
    """Before and after."""
    database = Database(people_dsn)
    with pytest.raises(UsageError, match="not open"):
        database.query("SELECT 1")
    assert not database.is_healthy()
    with database:
        assert database.is_healthy()
        assert database.connection_status().open
    with pytest.raises(UsageError, match="not open"):
        database.query("SELECT 1")
    assert not database.connection_status().open


def test_an_exhausted_pool_is_an_error_in_time_and_is_whole_again(people_dsn: str) -> None:
    """It says how many are in use; nobody who waits for less than that is refused."""
    with Database(people_dsn, Settings(min_size=1, max_size=2, connect_seconds=0.3)) as database:
        with database.tx(), database.tx():
            assert database.connection_status().in_use == 2
            with pytest.raises(PoolExhausted, match="2 of 2 in use"):
                database.query("SELECT 1")
        with database.tx() as tx, ThreadPoolExecutor(8) as others:
            tx.query("SELECT 1")
            assert list(others.map(lambda n: database.one("SELECT %s::INTEGER", (n,)), range(50))) == [
                (n,) for n in range(50)
            ]
        status = database.connection_status()
        assert (status.in_use, status.waiting, status.failed_requests) == (0, 0, 1)


def test_a_thousand_tasks_over_twenty_connections_lose_nothing_and_starve_nobody(people_pool: Database) -> None:
    """All at once, each a transaction: every row is there, and never more than twenty are at work."""
    together = threading.Barrier(1000)
    most = 0

    def task(n: int) -> int:
        nonlocal most
        together.wait(60)
        with people_pool.tx() as tx:
            most = max(most, people_pool.connection_status().in_use)
            tx.none(ADD, (n, f"person {n}"))
            (found,) = tx.one("SELECT id FROM people WHERE id = %s", (n,))
        assert isinstance(found, int)
        return found

    with ThreadPoolExecutor(1000) as tasks:
        assert list(tasks.map(task, range(1000))) == list(range(1000))
    assert count(people_pool) == 1000
    status = people_pool.connection_status()
    assert most <= 20
    assert (status.failed_requests, status.in_use, status.waiting) == (0, 0, 0)


@pytest.mark.thorough
def test_idle_connections_are_closed_down_to_the_least(people_dsn: str) -> None:
    """After the time that was set."""
    with Database(people_dsn, Settings(min_size=1, max_size=8, idle_seconds=0.3)) as database:
        with ThreadPoolExecutor(8) as tasks:
            list(tasks.map(lambda _: database.query("SELECT pg_sleep(0.05)"), range(16)))
        assert database.connection_status().size > 1
        assert eventually(lambda: database.connection_status().size == 1, within=15)


def test_each_new_connection_is_configured(people_dsn: str) -> None:
    """Before its first query."""

    def configure(connection: psycopg.Connection) -> None:
        connection.execute("SET search_path = pg_catalog")

    with Database(people_dsn, configure=configure) as database:
        assert database.one("SHOW search_path") == ("pg_catalog",)


def test_a_lost_update_is_run_again(people_pool: Database) -> None:
    """Ten threads count up by reading and writing, serializable: none is lost. One without retries gives up."""
    people_pool.none(ADD, (1, "0"))
    tries: list[None] = []

    def count_up(tx: Transaction) -> None:
        tries.append(None)
        (seen,) = tx.one("SELECT name FROM people WHERE id = 1")
        tx.none("UPDATE people SET name = %s WHERE id = 1", (str(int(seen) + 1),), name="count up")

    with ThreadPoolExecutor(10) as tasks:
        for done in [tasks.submit(people_pool.run, count_up, retries=100, isolation="SERIALIZABLE") for _ in range(30)]:
            done.result()
    assert people_pool.one("SELECT name FROM people") == ("30",)
    assert len(tries) > 30


def test_who_has_no_retries_left_gets_the_failure(people_pool: Database) -> None:
    """The last one, with its SQLSTATE, after one try more than there are retries."""
    people_pool.none(ADD, (1, "0"))
    tries = 0

    def always_late(tx: Transaction) -> None:
        nonlocal tries
        tries += 1
        tx.one("SELECT name FROM people")
        people_pool.none("UPDATE people SET name = name || '.'")
        tx.none("UPDATE people SET name = 'mine'", name="late")

    with pytest.raises(QueryError) as raised:
        people_pool.run(always_late, retries=2, isolation="REPEATABLE READ")
    assert (raised.value.query, raised.value.sqlstate, tries) == ("late", "40001", 3)


@pytest.mark.parametrize("retries", [-1, 1.5, float("nan"), True, None, "3"])
def test_retries_are_a_whole_number_from_0_on(people_pool: Database, retries: Any) -> None:
    """Nothing is run otherwise: what is no number would end by an error of Python's, or never."""
    with pytest.raises(UsageError, match="retries") as raised:
        people_pool.run(lambda tx: tx.none(ADD, (1, "Ada")), retries=retries)
    assert raised.value.seen == repr(retries)
    assert count(people_pool) == 0


def test_a_deadlock_is_run_again(people_pool: Database) -> None:
    """Two that lock two rows the other way round both end well."""
    people_pool.none("INSERT INTO people VALUES (1, ''), (2, '')")
    met = threading.Barrier(2)
    tries = 0

    def lock(tx: Transaction, first: int, second: int) -> None:
        nonlocal tries
        tries += 1
        tx.none("SET LOCAL deadlock_timeout = '10ms'")
        tx.none("UPDATE people SET name = name || 'x' WHERE id = %s", (first,))
        if tries <= 2:
            met.wait(10)
        tx.none("UPDATE people SET name = name || 'x' WHERE id = %s", (second,))

    with ThreadPoolExecutor(2) as tasks:
        both = [tasks.submit(people_pool.run, lambda tx, ids=ids: lock(tx, *ids)) for ids in ((1, 2), (2, 1))]
        for one in both:
            one.result()
    assert people_pool.query("SELECT name FROM people") == [("xx",), ("xx",)]
    # one more at least: who was the victim may be faster than who was waiting, and meet the same again
    assert tries >= 3


def test_other_failures_are_not_run_again(people_pool: Database) -> None:
    """Neither the database's nor the caller's own."""
    tries = 0

    def wrong(tx: Transaction) -> None:
        nonlocal tries
        tries += 1
        tx.none("INSERT INTO people VALUES (1, NULL)")

    with pytest.raises(QueryError, match="23502"):
        people_pool.run(wrong)
    assert tries == 1
    with pytest.raises(ZeroDivisionError):
        people_pool.run(lambda tx: tx.query("SELECT 1") and 1 // 0)


def test_what_is_refused_at_commit_is_an_error_of_this_hierarchy(people_pool: Database) -> None:
    """A deferred constraint speaks at COMMIT, and its connection is of use again."""
    people_pool.query("ALTER TABLE people ADD CONSTRAINT people_once UNIQUE (name) DEFERRABLE INITIALLY DEFERRED")
    people_pool.none(ADD, (1, "Ada"))
    with pytest.raises(PgContractError) as raised, people_pool.tx() as tx:
        tx.none(ADD, (2, "Ada"))
    assert isinstance(raised.value, QueryError)
    assert not isinstance(raised.value, OutcomeUnknown)
    assert (raised.value.query, raised.value.sqlstate, raised.value.constraint) == ("COMMIT", "23505", "people_once")
    assert count(people_pool) == 1

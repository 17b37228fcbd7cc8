"""Functions that lock, judged by two sessions: right ones are proven, and what one session cannot tell is seen."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from pgcontract.arena import Arena
from pgcontract.catalog import read_catalog
from pgcontract.contract import Contract
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.model import Catalog, Verdict
from pgcontract.mutation import Plan, mutate
from pgcontract.promises import promises
from pgcontract.promises.meetings import Meeting, Onlooker
from pgcontract.prover import Prover
from pgcontract.rows.statements import Statement
from pgcontract.rows.worlds import Worlds
from pgcontract.server import Server
from pgcontract.session import Session
from pgcontract.system import System
from tests.integration.judging import template

TABLES = """
CREATE TABLE accounts (id INTEGER PRIMARY KEY, latest INTEGER, number INTEGER NOT NULL DEFAULT 0);
CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  amount INTEGER NOT NULL
);
"""
RENEWED = """
  UPDATE accounts SET latest = (SELECT max(amount) FROM entries WHERE account_id = accounts.id) WHERE id = {row};
"""
OF_ROWS = """
CREATE FUNCTION keep_latest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  {lock}
  {work}
  RETURN NULL;
END $$;
CREATE TRIGGER keep AFTER DELETE ON entries FOR EACH ROW EXECUTE FUNCTION keep_latest();
"""
OF_STATEMENTS = """
CREATE FUNCTION keep_latest() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE one integer;
BEGIN
  FOR one IN SELECT DISTINCT account_id FROM gone ORDER BY account_id {order} LOOP
    UPDATE accounts SET number = number - 1 WHERE id = one;
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER keep AFTER DELETE ON entries REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION keep_latest();
"""
LOCK = "PERFORM FROM accounts WHERE id = OLD.account_id FOR UPDATE;"
ADVISORY = "PERFORM pg_advisory_xact_lock(OLD.account_id);"
WHOLE = "LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE;"
NOTHING = "NULL;"


def of_rows(lock: str) -> str:
    """A function that locks so before it looks at what is left."""
    return OF_ROWS.format(lock=lock, work=RENEWED.format(row="OLD.account_id"))


class Judged:
    """A frozen function, and whatever is there in its place."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def __call__(self, frozen: str, live: str) -> Verdict:
        with self._server.clone(template(self._server, TABLES + frozen)) as made:
            catalog = self._catalog(made.dsn)
        name = template(self._server, TABLES + live)
        with self._server.clone(name) as clone, self._server.clone(name) as other:
            with (
                closing(Session(psycopg.connect(clone.dsn, autocommit=True))) as session,
                closing(Arena(other.dsn)) as arena,
            ):
                prover = Prover(session, Worlds(self._catalog(clone.dsn), session), examples=2, arena=lambda: arena)
                (verdict,) = [prover.verdict(p) for id_, p in promises(catalog) if id_ == "entries.keep"]
            self.left = self._rows(other.dsn)
            return verdict

    @staticmethod
    def _catalog(dsn: str) -> Catalog:
        with psycopg.connect(dsn) as connection:
            return read_catalog(connection)

    @staticmethod
    def _rows(dsn: str) -> list[str]:
        """What the live function is afterwards."""
        with psycopg.connect(dsn) as connection:
            found = connection.execute("SELECT prosrc FROM pg_proc WHERE proname = 'keep_latest'").fetchall()
            return [source for (source,) in found]


@pytest.fixture
def judge(pgcontract_server: Server) -> Judged:
    """A judge of functions."""
    return Judged(pgcontract_server)


@pytest.mark.parametrize("lock", [LOCK, ADVISORY, WHOLE])
@pytest.mark.thorough
def test_a_function_that_locks_is_proven(judge: Judged, lock: str) -> None:
    """By meetings of which some show what the lock does; afterwards it is there as it was."""
    verdict = judge(of_rows(lock), of_rows(lock))
    assert (verdict.verdict, verdict.counterexample) == ("proven", None)
    assert "meetings of two sessions" in (verdict.reason or "")
    assert ", 0 of which" not in (verdict.reason or "")
    assert lock in judge.left[0]


@pytest.mark.parametrize(
    ("frozen", "live"),
    [
        pytest.param(LOCK, NOTHING, id="no lock"),
        pytest.param(LOCK, LOCK.replace("FOR UPDATE", ""), id="only a look"),
        pytest.param(LOCK, LOCK.replace(" = ", " <> "), id="the other rows"),
        pytest.param(LOCK, LOCK.replace("WHERE id = OLD.account_id", ""), id="all rows"),
        pytest.param(LOCK, LOCK.replace("UPDATE", "SHARE"), id="a weaker lock"),
        pytest.param(LOCK, LOCK.replace("FOR UPDATE", "FOR UPDATE SKIP LOCKED"), id="no waiting"),
        pytest.param(LOCK, LOCK.replace("FOR UPDATE", "FOR UPDATE NOWAIT"), id="an error"),
        pytest.param(ADVISORY, NOTHING, id="no number"),
        pytest.param(ADVISORY, ADVISORY.replace("(OLD.account_id", "(1 + OLD.account_id"), id="another number"),
        pytest.param(WHOLE, NOTHING, id="no table"),
        pytest.param(WHOLE, WHOLE.replace("SHARE ROW EXCLUSIVE", "ROW SHARE"), id="a table's weaker lock"),
    ],
)
@pytest.mark.thorough
def test_another_lock_is_seen(judge: Judged, frozen: str, live: str) -> None:
    """Though the rows at the end of one session are the same."""
    verdict = judge(of_rows(frozen), of_rows(live))
    assert verdict.verdict == "broken"
    assert "-- a second session meanwhile" in (verdict.counterexample or "")
    assert live.split("FOR", maxsplit=1)[0] in judge.left[0]


@pytest.mark.thorough
def test_the_order_in_which_rows_are_locked_is_seen(judge: Judged) -> None:
    """By what is locked while another session holds one of them."""
    up, down = OF_STATEMENTS.format(order="ASC"), OF_STATEMENTS.format(order="DESC")
    assert judge(up, up).verdict == "proven"
    broken = judge(up, down)
    assert broken.verdict == "broken"
    assert "locked at that time" in (broken.reason or "")


def test_rows_are_as_they_were_after_sessions_have_met(pgcontract_server: Server) -> None:
    """Whatever was committed is put back, and no transaction stays open."""
    name = template(pgcontract_server, TABLES + of_rows(LOCK))
    with pgcontract_server.clone(name) as clone, psycopg.connect(clone.dsn, autocommit=True) as looking:
        catalog = read_catalog(looking)
        looking.execute("INSERT INTO accounts VALUES (7)")
        with closing(Arena(clone.dsn)) as arena:
            prepared = (
                Statement("SELECT set_config('pgcontract.clock', now()::text, true)"),
                Statement("INSERT INTO accounts VALUES (1), (2)"),
                Statement("INSERT INTO entries VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30)"),
            )
            assert arena.place(catalog.tables, prepared) is None
            before = looking.execute("TABLE accounts").fetchall(), looking.execute("TABLE entries").fetchall()
            delete = "DELETE FROM entries WHERE id = "
            meeting = Meeting((Statement(delete + "1"),), (Statement(delete + "2"),), commits=True)
            course = arena.course(meeting, Onlooker((), "", Statement("SELECT latest FROM accounts WHERE id = 1")))
            assert (course.waits, course.refused, course.rows) == (True, "", ((None,),))
            assert (looking.execute("TABLE accounts").fetchall(), looking.execute("TABLE entries").fetchall()) == before
            open_ = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in %'"
            )
            assert looking.execute(open_).fetchone() == (0,)
            # another stage is put in the place of the first one
            assert arena.place(catalog.tables, prepared[:2]) is None
            assert looking.execute("SELECT count(*) FROM entries").fetchone() == (0,)
            assert looking.execute("SELECT array_agg(id ORDER BY id) FROM accounts").fetchone() == ([1, 2, 7],)


def test_rows_are_put_back_in_the_order_in_which_they_lay(pgcontract_server: Server) -> None:
    """A statement comes to rows in that order, and so do its locks: what is left of changes must not move them."""
    name = template(pgcontract_server, TABLES)
    with pgcontract_server.clone(name) as clone, psycopg.connect(clone.dsn, autocommit=True) as looking:
        catalog = read_catalog(looking)
        with closing(Arena(clone.dsn)) as arena:
            rows = Statement("INSERT INTO accounts SELECT n FROM generate_series(1, 40) AS n")
            update = Statement("UPDATE accounts SET number = 7 WHERE id < 9")
            clock = Statement("SELECT set_config('pgcontract.clock', '', true)")
            assert arena.place(catalog.tables, (clock, rows, update)) is None
            before = looking.execute("SELECT id FROM accounts ORDER BY ctid").fetchall()
            for number in range(3, 30, 4):
                change = Statement(f"UPDATE accounts SET number = 8 WHERE id % {number} = 0")
                arena.course(Meeting((change,), (change,), commits=True), Onlooker((), "", Statement("SELECT 1")))
            assert looking.execute("SELECT id FROM accounts ORDER BY ctid").fetchall() == before


@pytest.mark.thorough
def test_mutants_of_locks_are_killed_by_meetings(tmp_path: Path, pgcontract_server: Server) -> None:
    """A lock that is not taken any more, or of other rows; afterwards the function is there as it was."""
    file = tmp_path / "accounts.sql"
    file.write_text(TABLES + of_rows(LOCK))
    system = System.load(file)
    with staged(system, pgcontract_server, ServerChoice()) as stage:
        contract = Contract(system.name, stage.read_catalog())
        found = mutate(stage, contract, Plan(kinds=("function",), examples=2, workers=1))
    of_lock = [j for j in found.judged if "FOR UPDATE" in j.what]
    assert {(j.operator, j.fate) for j in of_lock} == {
        (operator, "killed by proof")
        for operator in ("delete_statement", "negate_condition", "drop_condition", "replace_operator", "swap_names")
    }
    alone = [j for j in of_lock if j.operator != "swap_names"]
    assert all("-- a second session meanwhile" in (j.evidence or "") for j in alone)
    assert found.of("survived", "killed by drift only") == ()

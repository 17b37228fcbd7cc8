"""Invariants on small schemas: what breaks is found and shown, what is no invariant is refused by its file's name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from pgcontract.catalog import read_catalog
from pgcontract.contract import Contract
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.invariants import Exploration, InvariantError, invariants_of
from pgcontract.invariants.files import shown
from pgcontract.migrations import prepare
from pgcontract.server import Server
from pgcontract.session import Answer, Session
from pgcontract.system import System
from pgcontract.verify import Plan, Result, verify
from tests.integration.test_command_verify import pgcontract, refused

pytestmark = pytest.mark.thorough

BANK = """
CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance BIGINT NOT NULL DEFAULT 0);
CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL CONSTRAINT fk_account REFERENCES accounts (id) ON DELETE CASCADE,
  amount INTEGER NOT NULL CONSTRAINT chk_amount CHECK (amount BETWEEN -1000 AND 1000)
);
-- names are not qualified: users' functions seldom do
CREATE FUNCTION balance() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    UPDATE accounts SET balance = balance - OLD.amount WHERE id = OLD.account_id;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    UPDATE accounts SET balance = balance + NEW.amount WHERE id = NEW.account_id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER balance AFTER INSERT OR UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION balance();
CREATE FUNCTION derived() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.balance := 0;
  ELSIF pg_trigger_depth() = 1 THEN
    NEW.balance := OLD.balance;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER derived BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION derived();
"""
BALANCE = """-- An account's balance is the sum of its entries.
SELECT accounts.id, balance, COALESCE(SUM(amount), 0) AS total
FROM accounts
LEFT JOIN entries ON entries.account_id = accounts.id
GROUP BY accounts.id
HAVING balance <> COALESCE(SUM(amount), 0);
"""
MOVED_WRONG = BANK.replace("WHERE id = OLD.account_id", "WHERE id = COALESCE(NEW.account_id, OLD.account_id)")

Made = Callable[..., System]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Make a system: its schema, its invariants by name, further lines of system.toml."""

    def make(schema: str, settings: str = "", **invariants: str) -> System:
        root = tmp_path / "bank"
        for folder in ("migrations", "invariants"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "migrations" / "001-bank.sql").write_text(f"{schema}\n-- ROLLBACK\nSELECT 1;\n")
        (root / "system.toml").write_text(f'name = "bank"\n{settings}\n')
        for name, text in invariants.items():
            (root / "invariants" / f"{name}.sql").write_text(text)
        return System.load(root)

    return make


def verified(server: Server, system: System, *, examples: int = 20, seed: int = 0, workers: int = 1) -> Result:
    """Verify the system's invariants."""
    with staged(system, server, ServerChoice()) as stage:
        plan = Plan(examples, seed, ("invariants",), workers)
        return verify(stage, Contract(system.name, stage.read_catalog()), plan)


def test_an_invariant_that_holds_is_proven(made: Made, pgcontract_server: Server) -> None:
    """It is a verdict of its own kind; what was reached is told."""
    result = verified(pgcontract_server, made(BANK, balance=BALANCE))
    (verdict,) = result.verdicts
    assert (verdict.id, verdict.kind, verdict.verdict) == ("invariants.balance", "invariant", "proven")
    assert verdict.clause == "An account's balance is the sum of its entries."
    assert result.explored is not None
    assert verdict.accepts == result.explored.steps > 300
    assert result.explored.reach.missed == ()
    assert str(result.explored.reach) == "2 of 2 tables, 2 of 2 triggers, 9 of 9 branches"


def test_a_defect_of_a_trigger_is_found_with_sql_to_paste(made: Made, pgcontract_server: Server) -> None:
    """Shortest: two accounts, an entry, its move; the pasted SQL shows it, and the replay finds it again."""
    system = made(MOVED_WRONG, balance=BALANCE)
    result = pgcontract("verify", system.root, "--only", "invariants", "--json", system.root / "out.json")
    assert result.returncode == 1, result.stdout + result.stderr
    found = json.loads((system.root / "out.json").read_text())
    (broken,) = found["broken"]
    assert (broken["id"], broken["kind"]) == ("invariants.balance", "invariant")
    script = broken["counterexample"]
    statements = [line for line in script.splitlines() if line.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(statements) <= 3, script
    assert "UPDATE" in statements[-1]
    template = staged(system, pgcontract_server, ServerChoice())
    with template as stage, stage.clone() as clone, psycopg.connect(clone.dsn, autocommit=True) as connection:
        seen = [r for r in _results(connection, script.removesuffix("ROLLBACK;")) if r]
        assert len(seen) == 1
    replay = next(line for line in result.stdout.splitlines() if "replay: pgcontract " in line)
    arguments = replay.partition("replay: pgcontract ")[2].split()
    again = pgcontract(*arguments)
    assert again.returncode == 1
    assert script.splitlines()[-3] in again.stdout


def _results(connection: psycopg.Connection, script: str) -> list[list[tuple[object, ...]]]:
    cursor = connection.execute(script.encode())
    found = []
    while True:
        found.append(cursor.fetchall() if cursor.description else [])
        if not cursor.nextset():
            return found


@pytest.mark.thorough
def test_the_same_seed_finds_the_same(made: Made, pgcontract_server: Server) -> None:
    """Whatever the number of workers; another seed finds it in another way."""
    system = made(MOVED_WRONG, balance=BALANCE)
    found = [
        verified(pgcontract_server, system, examples=60, seed=seed, workers=workers).verdicts[0].counterexample
        for seed, workers in ((3, 1), (3, 2), (3, 1), (4, 1))
    ]
    assert found[0] is not None
    assert found[0] == found[1] == found[2] != found[3]


def test_one_broken_invariant_leaves_the_others_to_be_tried(made: Made, pgcontract_server: Server) -> None:
    """Each has its own verdict."""
    low = "SELECT id FROM entries WHERE amount < -1000"
    none = "SELECT id FROM entries WHERE amount = 1000 AND id % 2 = 0"
    result = verified(pgcontract_server, made(BANK, low=low, balance=BALANCE, none=none), examples=40)
    assert {v.id: v.verdict for v in result.verdicts} == {
        "invariants.balance": "proven",
        "invariants.low": "proven",
        "invariants.none": "broken",
    }
    assert min(v.accepts for v in result.of("proven")) > 500


def test_what_the_migrations_break_themselves_is_broken_at_once(made: Made, pgcontract_server: Server) -> None:
    """With no statement at all."""
    schema = f"{BANK} INSERT INTO accounts VALUES (1, 0); ALTER TABLE accounts DISABLE TRIGGER ALL;"
    schema += "UPDATE accounts SET balance = 7; ALTER TABLE accounts ENABLE TRIGGER ALL;"
    (verdict,) = verified(pgcontract_server, made(schema, balance=BALANCE)).verdicts
    assert verdict.verdict == "broken"
    assert verdict.reason == "promised: no row; seen: (id = 1, balance = 7, total = 0)"
    assert verdict.counterexample is not None
    assert not re.search("INSERT|UPDATE|DELETE", verdict.counterexample)


def test_where_nothing_can_be_written_nothing_is_proven(made: Made, pgcontract_server: Server) -> None:
    """Unproven, with what refused the rows."""
    schema = """
    CREATE TABLE closed (id INTEGER PRIMARY KEY);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON closed FOR EACH ROW EXECUTE FUNCTION refuse();
    CREATE TABLE open (id INTEGER PRIMARY KEY);
    """
    result = verified(
        pgcontract_server, made(schema, closed="SELECT id FROM closed", open="SELECT 1 FROM open WHERE id IS NULL")
    )
    closed, open_ = result.verdicts
    assert closed.verdict == "unproven"
    assert "never" in (closed.reason or "")
    assert open_.verdict == "proven"


def test_a_function_that_fails_is_no_refusal(made: Made, pgcontract_server: Server) -> None:
    """A trigger that names a column that is not there leaves its tables' invariants unproven, with the change."""
    schema = BANK.replace("balance - OLD.amount", "balance - OLD.amuont")
    (verdict,) = verified(pgcontract_server, made(schema, balance=BALANCE)).verdicts
    assert verdict.verdict == "unproven"
    assert "42703" in (verdict.reason or "")
    assert "amuont" in (verdict.reason or "")
    assert re.search('(UPDATE|DELETE FROM) "public"."entries"', verdict.counterexample or "")


def test_a_table_that_no_row_can_be_made_for_leaves_its_invariants_unproven(
    made: Made, pgcontract_server: Server
) -> None:
    """Also where other tables that it reads were changed."""
    schema = BANK.replace("balance + NEW.amount", "balance + NEW.amuont")
    (verdict,) = verified(pgcontract_server, made(schema, balance=BALANCE)).verdicts
    assert verdict.verdict == "unproven"
    assert "nothing could be written to entries" in (verdict.reason or "")


def test_an_invariant_that_fails_on_some_rows_is_broken(made: Made, pgcontract_server: Server) -> None:
    """It says nothing then, which is no success."""
    (verdict,) = verified(pgcontract_server, made(BANK, odd="SELECT id FROM entries WHERE 1 / amount > 1")).verdicts
    assert verdict.verdict == "broken"
    assert "22012" in (verdict.reason or "")


WRITER = """
CREATE FUNCTION note() RETURNS INTEGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO accounts VALUES (99, 0);
  RETURN 1;
END $$;
CREATE FUNCTION note_later() RETURNS INTEGER LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM entries) THEN
    DELETE FROM entries;
  END IF;
  RETURN 1;
END $$;
"""
BAD = {
    "does not parse": ("SELECT id FROM\n  accounts WHERE (id = 1;", ["bad.sql, line 2", "syntax error"]),
    "is empty": ("", ["no statement"]),
    "is a comment": ("-- to be done\n", ["no statement"]),
    "is two statements": ("SELECT 1 WHERE false; SELECT 2", ["2 statements"]),
    "is no query": ("-- all of them\nDELETE FROM accounts", ["line 2", "DELETE"]),
    "is a command": ("SET search_path = x", ["SET"]),
    "makes a table": ("SELECT 1 AS a INTO stays", ["changes nothing"]),
    "writes in a CTE": ("WITH gone AS (DELETE FROM accounts RETURNING id) SELECT id FROM gone", ["writes", "25006"]),
    "writes in a function": ("SELECT 1 WHERE note() = 2", ["writes", "25006"]),
    "writes in a function later": ("SELECT 1 WHERE note_later() = 2", ["writes", "25006"]),
    "counts a sequence up": ("SELECT 1 WHERE nextval('numbers') = 0", ["writes", "25006"]),
    "locks": ("SELECT id FROM accounts WHERE false FOR UPDATE", ["writes", "25006"]),
    "returns no column": ("SELECT FROM accounts", ["no column"]),
    "runs for ever": (
        "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT * FROM n",
        ["too long", "57014"],
    ),
    "sleeps once there is a row": ("SELECT pg_sleep(3) FROM accounts WHERE id > 1", ["too long", "invariant_seconds"]),
    "names no table": ("SELECT id\nFROM acounts", ["bad.sql, line 2", "42P01", "acounts"]),
    "names no column": ("\n\nSELECT idd FROM accounts", ["bad.sql, line 3", "42703"]),
    "has a parameter": ("SELECT id FROM accounts WHERE id = $1", ["bad.sql"]),
    "holds a NUL": ("SELECT 1\0", ["NUL"]),
}


@pytest.mark.thorough
@pytest.mark.parametrize("what", BAD)
def test_what_is_no_invariant_is_refused_by_its_files_name(what: str, made: Made, pgcontract_server: Server) -> None:
    """With the line where there is one, and what to do."""
    text, words = BAD[what]
    system = made(f"{BANK} {WRITER} CREATE SEQUENCE numbers;", "invariant_seconds = 1", good=BALANCE, bad=text)
    with pytest.raises(InvariantError) as caught:
        verified(pgcontract_server, system)
    told = str(caught.value)
    assert "bad.sql" in told
    assert "remedy:" in told
    for word in words:
        assert word in told


def test_a_file_that_is_no_text_is_refused(made: Made) -> None:
    """By its name, before any server is asked."""
    system = made(BANK)
    (system.root / "invariants" / "latin.sql").write_bytes("SELECT 'é'".encode("latin-1"))
    with pytest.raises(InvariantError, match="cannot be read"):
        invariants_of(system)


def test_the_command_ends_with_one_message(made: Made) -> None:
    """Exit code 2, no traceback, also from a worker process."""
    system = made(f"{BANK} {WRITER}", bad="SELECT 1 WHERE note() = 2")
    refused(pgcontract("verify", system.root, "--examples", "60"), "bad.sql", "25006", "An invariant writes")


@pytest.mark.parametrize("setting", ["0", "-1", "true", '"10"', "1.5"])
def test_a_time_limit_is_a_number_of_seconds(made: Made, setting: str) -> None:
    """Anything else is refused by name."""
    with pytest.raises(Exception, match="invariant_seconds"):
        made(BANK, f"invariant_seconds = {setting}")


def test_an_id_names_one_invariant_and_the_folder_all(made: Made, pgcontract_server: Server) -> None:
    """``--only invariants.low`` asks that one alone."""
    system = made(BANK, low="SELECT id FROM entries WHERE amount < -1000", balance=BALANCE)
    with staged(system, pgcontract_server, ServerChoice()) as stage:
        contract = Contract(system.name, stage.read_catalog())
        one = verify(stage, contract, Plan(5, only=("invariants.low",), workers=1))
        all_ = verify(stage, contract, Plan(5, workers=1))
    assert [v.id for v in one.verdicts] == ["invariants.low"]
    assert [v.id for v in all_.verdicts if v.kind == "invariant"] == ["invariants.balance", "invariants.low"]
    assert len(all_.verdicts) > 10


def test_an_owner_without_further_rights_can_try_histories(made: Made, empty_database: str) -> None:
    """No superuser is needed, nothing stays behind, and the session is as it was."""
    system = made(BANK, balance=BALANCE)
    role = sql.Identifier("owner_of_bank")
    with psycopg.connect(empty_database, autocommit=True) as administrator:
        administrator.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
        administrator.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        name = sql.Identifier(administrator.info.dbname)
        try:
            administrator.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, role))
            dsn = psycopg.conninfo.make_conninfo(empty_database, user="owner_of_bank")
            prepare(dsn, system)
            with psycopg.connect(dsn, autocommit=True) as connection:
                catalog = read_catalog(connection, ignore=[system.tracking_table])
            session = Session(psycopg.connect(dsn, autocommit=True))
            invariants = invariants_of(system)
            exploration = Exploration(session, catalog, {}, invariants, invariants, 10)
            explored = exploration.histories(range(12), 0)
            assert explored.reach.missed == ()
            assert not explored.broken
            session.close()
            left = "SELECT (SELECT COUNT(*) FROM accounts) + (SELECT COUNT(*) FROM entries)"
            assert administrator.execute(left).fetchone() == (0,)
            bodies = (
                "SELECT COUNT(*) FROM pg_proc WHERE prosrc LIKE '%nextval%' AND pronamespace = 'public'::regnamespace"
            )
            assert administrator.execute(bodies).fetchone() == (0,)
        finally:
            administrator.execute(sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(name))
            administrator.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(role))
            administrator.execute(sql.SQL("DROP ROLE {}").format(role))


STRANGE = """
CREATE SCHEMA "we.ird";
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS INTEGER CHECK (VALUE > 0);
CREATE TABLE "we.ird"."Ta""ble" ("Id" INTEGER PRIMARY KEY, "select" TEXT NOT NULL CHECK ("select" <> ''), m mood);
CREATE TABLE no_key (a INTEGER, b JSON, c POINT);
CREATE TABLE always (
  id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n positive, twice INTEGER GENERATED ALWAYS AS (n * 2) STORED
);
CREATE TABLE serials (id SERIAL PRIMARY KEY, always_id INTEGER REFERENCES always (id) ON DELETE SET NULL);
CREATE TABLE parted (id INTEGER, day DATE NOT NULL, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parted_all PARTITION OF parted DEFAULT;
CREATE TABLE trees (
  id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES trees (id), left_id INTEGER REFERENCES trees (id)
);
CREATE TABLE pairs (
  a INTEGER, b INTEGER, PRIMARY KEY (a, b),
  mutual BOOLEAN NOT NULL DEFAULT FALSE,
  b_mutual INTEGER GENERATED ALWAYS AS (CASE WHEN mutual THEN b END) STORED,
  CONSTRAINT fk_mutual FOREIGN KEY (b_mutual, a) REFERENCES pairs (a, b) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE nothing ();
"""


@pytest.mark.thorough
def test_any_schema_can_be_explored(made: Made, pgcontract_server: Server) -> None:
    """Odd names, no key, no column, identity and generated columns, partitions, trees, deferrable pairs."""
    system = made(STRANGE, fine="SELECT a FROM pairs WHERE mutual AND a IS NULL")
    result = verified(pgcontract_server, system, examples=40)
    assert result.explored is not None
    assert result.of("broken") == ()
    assert result.explored.reach.missed == (), result.explored.refused
    share = sum(result.explored.refused.values()) / (result.explored.steps + sum(result.explored.refused.values()))
    assert share < 0.15, result.explored.refused


def test_deferred_constraints_are_kept_by_steps_of_several_rows(made: Made, pgcontract_server: Server) -> None:
    """A pair whose two rows need each other is made, and its absence would be noticed."""
    never = "SELECT one.a, one.b FROM pairs AS one JOIN pairs AS other ON (other.a, other.b) = (one.b, one.a)"
    (verdict,) = verified(
        pgcontract_server, made(STRANGE, never=f"{never} WHERE one.mutual AND one.a <> one.b"), examples=40
    ).verdicts
    assert verdict.verdict == "broken"
    assert verdict.counterexample is not None


def test_a_contract_of_pytest_has_its_invariants(made: Made, pgcontract_server: Server) -> None:
    """They are cases of their own, which fail with the SQL to paste."""
    from pgcontract.contract import write  # noqa: PLC0415
    from pgcontract.harness import BrokenPromise, Harness, cases  # noqa: PLC0415

    system = made(MOVED_WRONG, balance=BALANCE, low="SELECT id FROM entries WHERE amount < -1000")
    with staged(system, pgcontract_server, ServerChoice()) as stage:
        write(system.contract, Contract(system.name, stage.read_catalog()))
    mine = {case.id: case for case in cases(system.root) if case.promise.kind == "invariant"}
    assert [str(case) for case in mine.values()] == ["bank/invariants.balance-accepts", "bank/invariants.low-accepts"]
    harness = Harness(pgcontract_server, ServerChoice(), 25, 0)
    try:
        assert harness.prove(mine["invariants.low"]).held > 100
        with pytest.raises(BrokenPromise, match="INSERT INTO") as caught:
            harness.prove(mine["invariants.balance"])
        assert "--only invariants.balance" in str(caught.value)
    finally:
        harness.close()


def test_what_an_invariant_returns_is_cut_and_harmless() -> None:
    """A long value floods no terminal, and a control character reaches none."""
    told = shown(Answer(rows=[(b"x" * 1_000_000, "\x1b[2Jé".encode(), None)] * 5, columns=("a", "b", "c"), count=5))
    assert len(told) < 1500
    assert "\x1b" not in told
    assert "é, c = NULL" in told
    assert told.endswith("and 2 more")

"""Development data: the same rows however often and by however many it is loaded, and never in production."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from pgcontract.cli import main
from pgcontract.migrations import seed
from pgcontract.system import System
from tests.contract.fix_systems import broken_invariants, content
from tests.integration.fix_migrations import SOCIAL_SELLING

# rows that belong to the schema itself: migrations bring them, in production, too
BROUGHT_BY_MIGRATIONS = {"optimizer": {"plans"}}


def brought_by(system: System) -> set[str]:
    return BROUGHT_BY_MIGRATIONS.get(system.name, set())


def counts(dsn: str, system: System) -> dict[str, int]:
    return {table: len(rows) for table, rows in content(dsn, system).items()}


def test_seeding_thrice_gives_the_same_rows(system: System, system_database: str) -> None:
    """In every table, to the last column: nothing is added, and nothing is touched."""
    seen = []
    for _ in range(3):
        seed(system_database, system)
        seen.append(content(system_database, system))
    assert seen[0] == seen[1] == seen[2]


def test_the_seed_is_no_part_of_up(system: System, system_database: str) -> None:
    """After `up` there is nothing but what migrations bring, and the seed adds to that."""
    assert system.seed not in system.sources()
    before = counts(system_database, system)
    assert set(before) == brought_by(system)
    seed(system_database, system)
    after = counts(system_database, system)
    assert set(after) > set(before)
    assert all(after[table] == rows for table, rows in before.items())


def test_every_invariant_holds_after_the_seed(system: System, system_database: str) -> None:
    """The data is an example of what the schema promises."""
    assert system.invariants is not None
    assert list(system.invariants.glob("*.sql"))
    seed(system_database, system)
    assert broken_invariants(system_database, system) == {}


def mark(dsn: str, value: str) -> None:
    """What an operator does to a production database."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        database = sql.Identifier(connection.info.dbname)
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET pgcontract.environment = {}").format(database, sql.Literal(value))
        )


MARKS = {
    "the environment": ("production", None, ""),
    "the environment, in capitals and with a space": (" Production", None, ""),
    "the database": (None, "production", ""),
    "the database, in capitals": (None, "PRODUCTION", ""),
    "the database, whatever the session says": (None, "production", "-c pgcontract.environment=development"),
    "the session": (None, None, "-c pgcontract.environment=production"),
}


@pytest.mark.parametrize("what", MARKS)
def test_the_seed_is_refused_in_production(
    system: System,
    system_database: str,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With exit code 2 and one message; nothing is written."""
    variable, setting, options = MARKS[what]
    if variable:
        monkeypatch.setenv("PGCONTRACT_ENV", variable)
    if setting:
        mark(system_database, setting)
    before = content(system_database, system)
    dsn = psycopg.conninfo.make_conninfo(system_database, options=options)
    monkeypatch.setattr(sys, "argv", ["pgcontract", "migrate", "seed", str(system.root), "--dsn", dsn])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "No seed data in production" in capsys.readouterr().err
    assert content(system_database, system) == before


@pytest.mark.parametrize("value", ["production", "Production"])
def test_the_file_itself_refuses_a_database_marked_as_production(
    system: System, system_database: str, value: str
) -> None:
    """Whoever feeds it to psql is no better off."""
    assert system.seed is not None
    mark(system_database, value)
    with (
        psycopg.connect(system_database, autocommit=True) as connection,
        pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState),
    ):
        connection.execute(system.seed.read_bytes())


@pytest.mark.parametrize("value", ["", "development", "preproduction"])
def test_every_other_mark_lets_the_seed_in(
    system: System, system_database: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only `production` is production."""
    monkeypatch.setenv("PGCONTRACT_ENV", value)
    mark(system_database, value)
    before = counts(system_database, system)
    seed(system_database, system)
    assert set(counts(system_database, system)) > set(before)


def lose_leaves(connection: psycopg.Connection, tables: Iterable[str]) -> None:
    """Delete all rows of those tables that none of the others refers to: a seed that is half there."""
    leaves = connection.execute(
        """
        SELECT c.relname
        FROM pg_class AS c
        WHERE c.relname = ANY (%(tables)s) AND c.relnamespace = 'public'::REGNAMESPACE AND NOT EXISTS (
          SELECT FROM pg_constraint AS k
          JOIN pg_class AS other ON other.oid = k.conrelid AND other.relname = ANY (%(tables)s)
          WHERE k.confrelid = c.oid AND k.contype = 'f' AND k.conrelid <> c.oid
        )
        """,
        {"tables": list(tables)},
    ).fetchall()
    assert leaves
    for (table,) in leaves:
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


def build_gate(connection: psycopg.Connection, tables: Iterable[str]) -> None:
    """Whoever inserts waits at the gate, after its statement has looked at what is there."""
    connection.execute("CREATE TABLE gate ()")
    connection.execute(
        "CREATE FUNCTION wait_at_gate() RETURNS TRIGGER LANGUAGE plpgsql"
        " AS 'BEGIN LOCK TABLE public.gate IN ACCESS SHARE MODE; RETURN NULL; END'"
    )
    for table in tables:
        statement = "CREATE TRIGGER gate BEFORE INSERT ON {} FOR EACH STATEMENT EXECUTE FUNCTION wait_at_gate()"
        connection.execute(sql.SQL(statement).format(sql.Identifier(table)))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "half",
    [pytest.param(True, id="half of it there"), pytest.param(False, id="nothing there", marks=pytest.mark.thorough)],
)
def test_two_processes_that_seed_at_once_load_the_rows_once(
    system: System, system_database: str, *, half: bool
) -> None:
    """Both come to the first row together, and end well."""
    seed(system_database, system)
    wanted = counts(system_database, system)
    command = [sys.executable, "-m", "pgcontract", "migrate", "seed", str(system.root), "--dsn", system_database]
    with (
        psycopg.connect(system_database, autocommit=True) as connection,
        psycopg.connect(system_database, autocommit=True) as watch,
        ThreadPoolExecutor(2) as pool,
    ):
        if half:
            lose_leaves(connection, set(wanted) - brought_by(system))
        else:
            connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(listed(set(wanted) - brought_by(system))))
        build_gate(connection, wanted)
        with connection.transaction():
            connection.execute("LOCK TABLE gate IN ACCESS EXCLUSIVE MODE")
            started = [pool.submit(subprocess.run, command, capture_output=True, timeout=60) for _ in range(2)]
            # at the gate, or at the runner's own lock
            arrived = (
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgcontract migrate'"
                " AND datname = current_database() AND (wait_event_type = 'Lock' OR query ~ 'pg_try_advisory_lock')"
            )
            while watch.execute(arrived).fetchone() != (2,):
                assert not any(run.done() for run in started)
        for run in started:
            ended = run.result()
            assert ended.returncode == 0, ended.stderr.decode()
    assert counts(system_database, system) == wanted
    assert broken_invariants(system_database, system) == {}


def listed(tables: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, tables))


def test_the_demo_shop_is_what_the_documents_say(social_selling_database: str) -> None:
    """20 products in 4 categories at 50 to 550, all available, and the demo user with a hash of its real password."""
    seed(social_selling_database, System.load(SOCIAL_SELLING))
    with psycopg.connect(social_selling_database) as connection:
        products = connection.execute(
            """
            SELECT count(*), min(price)::INT, max(price)::INT, array_agg(DISTINCT category),
              array_agg(DISTINCT currency), bool_and(is_available),
              bool_and(description = 'Description for product ' || substr(p.name, 9)),
              count(DISTINCT p.name) FILTER (WHERE p.name ~ '^Product [0-9]+$')
            FROM products AS p
            JOIN users AS u ON u.id = p.user_id AND u.email = 'demo@socialselling.com'
            """
        ).fetchone()
        assert products == (20, 50, 550, ["Beauty", "Electronics", "Fashion", "Food"], ["BRL"], True, True, 20)
        users = connection.execute(
            "SELECT email, name, email_verified, password_hash = crypt('Demo123!', password_hash) FROM users"
        ).fetchall()
        assert users == [("demo@socialselling.com", "Demo User", True, True)]


def test_the_seed_s_products_are_the_same_on_every_database(social_selling_database: str) -> None:
    """Nothing about them is drawn by chance."""
    seed(social_selling_database, System.load(SOCIAL_SELLING))
    with psycopg.connect(social_selling_database) as connection:
        rows = connection.execute("SELECT sku, name, category, price::TEXT FROM products ORDER BY sku").fetchall()
    assert rows[0] == ("DEMO-001", "Product 1", "Electronics", "50.00")
    assert rows[10] == ("DEMO-011", "Product 11", "Beauty", "313.16")
    assert rows[19] == ("DEMO-020", "Product 20", "Food", "550.00")

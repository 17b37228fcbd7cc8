"""The plugin from outside: somebody else's project, run by its own pytest."""

from __future__ import annotations

import textwrap
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pgcontract.contract import Contract, write
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.harness import cases
from pgcontract.server import Server
from pgcontract.server.places import cache_root
from pgcontract.system import System

SHOP = """
CREATE TYPE size AS ENUM ('small', 'large');
CREATE TABLE customers (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL UNIQUE
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL CONSTRAINT fk_customer REFERENCES customers (id) ON DELETE CASCADE,
  size size NOT NULL DEFAULT 'small',
  amount NUMERIC(8, 2) NOT NULL CONSTRAINT chk_amount CHECK (amount > 0)
);
"""


@pytest.fixture
def frozen(shop: Path, pgcontract_server: Server) -> Path:
    """The system, with its contract frozen."""
    freeze(shop, pgcontract_server)
    return shop


def freeze(folder: Path, server: Server) -> None:
    """Freeze what the migrations promise now."""
    system = System.load(folder)
    with staged(system, server, ServerChoice()) as stage:
        write(system.contract, Contract(system.name, stage.read_catalog()))


CACHE = cache_root()
"""Found before pytester gives its runs another HOME: they would fetch PostgreSQL anew."""


@pytest.fixture(autouse=True)
def _cache(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    del pytester
    monkeypatch.setenv("PGCONTRACT_CACHE", str(CACHE))


@pytest.fixture
def shop(pytester: pytest.Pytester) -> Path:
    """A project with one schema file, and two lines of configuration."""
    folder = pytester.path / "db"
    migrations = folder / "migrations"
    migrations.mkdir(parents=True)
    migrations.joinpath("001-shop.sql").write_text(
        f"{SHOP}\n-- ROLLBACK\nDROP TABLE orders, customers; DROP TYPE size;\n"
    )
    pytester.makepyprojecttoml('[tool.pgcontract]\nsystems = ["db"]\n')
    return folder


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run pytest in a process of its own, as that project's owner does."""
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "--contract-examples", "5", *args)


@pytest.mark.thorough
def test_two_lines_of_configuration_put_a_schema_under_contract(pytester: pytest.Pytester, frozen: Path) -> None:
    """No test is written: every promise is a test with a readable id, and the server's version is in the header."""
    result = run(pytester, "-v")
    result.assert_outcomes(passed=len(cases(frozen)))
    result.stdout.fnmatch_lines(["pgcontract: db on PostgreSQL *"])
    result.stdout.fnmatch_lines_random(
        [
            "db/contract.toml::contract?db/orders.chk_amount-rejects? PASSED*",
            "db/contract.toml::contract?db/size-accepts? PASSED*",
            "db/contract.toml::contract?db/orders.fk_customer.on_delete-accepts? PASSED*",
        ]
    )


@pytest.mark.thorough
@pytest.mark.usefixtures("frozen")
def test_one_promise_is_run_by_its_id(pytester: pytest.Pytester) -> None:
    """The id that a run shows can be given back to pytest."""
    run(pytester, "db/contract.toml::contract[db/orders.chk_amount-rejects]").assert_outcomes(passed=1)


@pytest.mark.thorough
def test_a_broken_promise_fails_with_sql_to_paste(pytester: pytest.Pytester, frozen: Path) -> None:
    """The failure is the counterexample and the command that replays it."""
    migration = frozen / "migrations" / "001-shop.sql"
    migration.write_text(migration.read_text().replace("amount > 0", "amount >= 0"))
    result = run(pytester)
    result.assert_outcomes(failed=1, passed=result.parseoutcomes()["passed"])
    result.stdout.fnmatch_lines(
        ["*orders.chk_amount is broken*", '*INSERT INTO "public"."orders"*', "replay: pgcontract verify *"]
    )


@pytest.mark.thorough
@pytest.mark.usefixtures("frozen")
def test_a_test_that_asks_for_promises_gets_those_of_its_kinds(pytester: pytest.Pytester) -> None:
    """The marker chooses kinds; nothing is collected twice."""
    pytester.makepyfile(
        test_shop=textwrap.dedent(
            """
            import pytest

            @pytest.mark.promises("check")
            def test_checks(promise):
                promise.prove()
            """
        )
    )
    result = run(pytester, "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_checks*db/orders.chk_amount-accepts* PASSED*"])


@pytest.mark.thorough
def test_xdist_workers_share_one_server(pytester: pytest.Pytester, frozen: Path) -> None:
    """The same tests with the same ids pass on two workers."""
    run(pytester, "-n", "2").assert_outcomes(passed=len(cases(frozen)))


@pytest.mark.thorough
def test_mutants_are_tests_where_they_are_asked_for(
    pytester: pytest.Pytester, shop: Path, pgcontract_server: Server
) -> None:
    """One a promise: it fails with the mutants that no proof has noticed, unless survivors.toml has a reason."""
    migration = shop / "migrations" / "001-shop.sql"
    blind = "CREATE FUNCTION fine(x numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT x <> 987654';\n"
    added = "ALTER TABLE orders ADD CONSTRAINT chk_fine CHECK (fine(amount));\n"
    migration.write_text(f"{blind}{SHOP}{added}\n-- ROLLBACK\nDROP TABLE orders, customers;\n")
    freeze(shop, pgcontract_server)
    assert not any("mutants[" in line for line in run(pytester, "--collect-only", "-q").outlines)
    result = run(pytester, "--contract-mutants", "-k", "mutants", "-rA")
    result.assert_outcomes(passed=len([x for x in result.outlines if x.startswith("PASSED")]), failed=1)
    result.stdout.fnmatch_lines(
        [
            "1 of 1 mutant of orders.chk_fine go unnoticed.",
            "*DROP CONSTRAINT*chk_fine*",
            "*try harder: pgcontract mutate*--only orders.chk_fine",
            "FAILED *mutants?db/orders.chk_fine?*",
        ]
    )
    (shop / "survivors.toml").write_text('"orders.chk_fine drop_check chk_fine" = "one number in a million"\n')
    listed = run(pytester, "--contract-mutants", "-k", "mutants and chk_fine")
    listed.assert_outcomes(passed=1, deselected=listed.parseoutcomes()["deselected"])


@pytest.mark.thorough
@pytest.mark.usefixtures("shop")
def test_a_missing_contract_ends_the_run_with_one_message(pytester: pytest.Pytester) -> None:
    """The remedy is the command that freezes it."""
    result = run(pytester)
    assert result.ret == 2
    combined = result.stdout.str() + result.stderr.str()
    assert "pgcontract freeze" in combined
    assert "Traceback" not in combined


def test_a_project_without_systems_is_left_alone(pytester: pytest.Pytester) -> None:
    """The plugin neither starts a server nor adds a line nor imports what is heavy."""
    pytester.makepyprojecttoml("[tool.other]\n")
    pytester.makepyfile(
        "import sys\ndef test_light():\n"
        "    assert not {'postgast', 'rich', 'typer', 'pgcontract.verify', 'pgcontract.server'} & set(sys.modules)\n"
    )
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("pgcontract:*")


@pytest.mark.thorough
@pytest.mark.usefixtures("frozen")
def test_a_server_that_dies_ends_the_run_once(pytester: pytest.Pytester) -> None:
    """One clear end with exit code 2, not a failure for every test that is left."""
    pytester.makeconftest(
        textwrap.dedent(
            """
            import os, signal, psycopg, pytest

            @pytest.hookimpl(trylast=True)
            def pytest_runtest_teardown(item):
                from pgcontract.plugin import SERVER
                if "chk_amount-accepts" in item.name:
                    with psycopg.connect(item.config.stash[SERVER].address.dsn(), autocommit=True) as connection:
                        folder = connection.execute("SHOW data_directory").fetchone()[0]
                    os.kill(int(open(f"{folder}/postmaster.pid").readline()), signal.SIGQUIT)
            """
        )
    )
    result = run(pytester)
    combined = result.stdout.str() + result.stderr.str()
    assert result.ret == 2, combined
    assert combined.count("The PostgreSQL server has gone") == 1, combined
    assert "failed" not in result.parseoutcomes()


@pytest.mark.thorough
def test_a_listed_promise_is_expected_to_fail(pytester: pytest.Pytester, frozen: Path) -> None:
    """With its reason; what is listed as unproven must not be broken."""
    migration = frozen / "migrations" / "001-shop.sql"
    migration.write_text(migration.read_text().replace("amount > 0", "amount >= 0"))
    baseline = frozen / "baseline.toml"
    baseline.write_text('[broken]\n"orders.chk_amount" = "free samples"\n')
    result = run(pytester, "-rx")
    result.assert_outcomes(xfailed=1, passed=result.parseoutcomes()["passed"])
    result.stdout.fnmatch_lines(["*orders.chk_amount* - free samples"])
    baseline.write_text('[unproven]\n"orders.chk_amount" = "free samples"\n')
    run(pytester).assert_outcomes(failed=1, passed=result.parseoutcomes()["passed"])


@pytest.mark.thorough
@pytest.mark.parametrize("workers", ["0", "2"])
def test_junit_names_are_readable(pytester: pytest.Pytester, frozen: Path, workers: str) -> None:
    """A case is called by promise and direction, in a class of system and kind; a test of one's own keeps its name."""
    pytester.makepyfile(test_own="def test_own(): pass")
    run(pytester, "-n", workers, "--junitxml=out.xml", "-k", "chk_amount or own").assert_outcomes(passed=3)
    cases_ = ET.parse(pytester.path / "out.xml").iter("testcase")
    named = {(one.get("classname"), one.get("name")): one for one in cases_}
    assert set(named) == {
        ("db.check", "orders.chk_amount accepts"),
        ("db.check", "orders.chk_amount rejects"),
        ("test_own", "test_own"),
    }
    told = named["db.check", "orders.chk_amount rejects"].iter("property")
    assert {"promise": "orders.chk_amount", "kind": "check"}.items() <= {
        p.get("name"): p.get("value") for p in told
    }.items()
    assert frozen.exists()

"""Templates and clones: each trap that slow or wrong isolation has been seen to fall into."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pytest_postgresql import factories

from pgcontract.errors import ServerError
from pgcontract.server import Server, Template, attach
from pgcontract.server.databases import KEPT_TEMPLATES
from tests.integration.fix_server import PEOPLE, eventually, people

noproc = factories.postgresql_noproc(depends_on="people_server")
client = factories.postgresql("noproc")


def databases(server: Server) -> set[str]:
    """The names of the databases that there are."""
    with psycopg.connect(server.address.dsn()) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


@pytest.mark.thorough
def test_twenty_thousand_examples_fit_into_one_transaction(people_server: Server) -> None:
    """Rolling back to one kept savepoint takes no lock and no memory that 20,000 examples would use up."""
    with people_server.clone(people_server.template(PEOPLE)) as clone, psycopg.connect(clone.dsn) as connection:
        connection.execute("SAVEPOINT example")
        with connection.pipeline():
            for number in range(20_000):
                connection.execute("INSERT INTO people (id, name) VALUES (%s, 'x')", [number])
                connection.execute("ROLLBACK TO example")
        assert connection.execute("SELECT count(*) FROM people").fetchone() == (0,)
        connection.close()


def test_a_clone_keeps_what_create_database_loses(people_server: Server) -> None:
    """Settings for all and for a role, privileges, comment, connection limit and owner are as in the template."""

    def apply(dsn: str) -> None:
        people(dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            database = sql.Identifier(connection.info.dbname)
            for statement in (
                "DROP ROLE IF EXISTS losing_reader, losing_owner",
                "CREATE ROLE losing_reader",
                "CREATE ROLE losing_owner",
                "COMMENT ON DATABASE {} IS 'it''s ours'",
                "ALTER DATABASE {} CONNECTION LIMIT 7",
                "ALTER ROLE losing_reader IN DATABASE {} SET statement_timeout TO '3s'",
                "ALTER DATABASE {} OWNER TO losing_owner",
                "REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC",
                "GRANT CONNECT ON DATABASE {} TO losing_reader WITH GRANT OPTION",
            ):
                connection.execute(sql.SQL(statement).format(database))

    template = people_server.template(Template("tests: losses", apply))
    seen = []
    with people_server.clone(template) as clone, psycopg.connect(people_server.address.dsn()) as connection:
        for name in (template, clone.name):
            row = connection.execute(
                "SELECT pg_get_userbyid(datdba), datconnlimit, shobj_description(oid, 'pg_database'),"
                " ARRAY(SELECT a::text FROM unnest(datacl) AS a ORDER BY 1),"
                " ARRAY(SELECT (s.setrole, s.setconfig)::text FROM pg_db_role_setting AS s WHERE setdatabase = d.oid"
                " ORDER BY 1) FROM pg_database AS d WHERE datname = %s",
                [name],
            ).fetchone()
            seen.append(row)
        with psycopg.connect(clone.dsn) as inside:
            shown = [inside.execute(f"SHOW {name}").fetchone() for name in ("search_path", "work_mem", "app.tenant")]
    assert seen[0] == seen[1]
    assert seen[1] is not None
    assert seen[1][:3] == ("losing_owner", 7, "it's ours")
    assert shown == [("public, pg_catalog",), ("7MB",), ("a, 'b'",)]
    assert len(seen[1][4]) == 2


def test_a_clone_is_gone_once_it_is_dropped(people_server: Server) -> None:
    """Dropping waits for the backend of a connection that was just closed, and throws out one left open."""
    template = people_server.template(PEOPLE)
    closed, left = people_server.clone(template), people_server.clone(template)
    psycopg.connect(closed.dsn).close()
    closed.drop()
    connection = psycopg.connect(left.dsn)
    left.drop()
    assert {closed.name, left.name}.isdisjoint(databases(people_server))
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    left.drop()  # the second time it is nothing


def test_dropping_a_closed_clone_does_not_fall_into_the_servers_pause(people_server: Server) -> None:
    """DROP DATABASE looks every 100 ms for a backend that is going; we wait until there is none, so it never has to.

    The server itself says so: pg_stat_statements counts its time, which is far below one such pause.
    """
    template = people_server.template(PEOPLE)
    with psycopg.connect(people_server.address.dsn(), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        connection.execute("SELECT pg_stat_statements_reset()")
        for _ in range(5):
            clone = people_server.clone(template)
            psycopg.connect(clone.dsn).close()
            clone.drop()
        row = connection.execute(
            "SELECT count(*), min(min_exec_time) FROM pg_stat_statements"
            " WHERE query LIKE 'DROP DATABASE%' AND query NOT LIKE '%FORCE%'"
        ).fetchone()
    assert row is not None
    assert row[0] == 5
    assert row[1] < 100


def test_a_template_that_fails_leaves_nothing_and_passes_its_exception_on(people_server: Server) -> None:
    """What apply raises comes out unchanged, no database of it stays, and the next try starts afresh."""

    def broken(dsn: str) -> None:
        people(dsn)
        raise LookupError("the third statement")

    before = databases(people_server)
    for _ in range(2):
        with pytest.raises(LookupError, match="the third statement"):
            people_server.template(Template("tests: broken", broken))
    assert databases(people_server) == before


def test_a_template_takes_no_connections(people_server: Server) -> None:
    """Somebody connected to it would make every clone fail, so nobody can be."""
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(people_server.address.dsn(people_server.template(PEOPLE)))


@pytest.mark.thorough
def test_two_processes_make_a_template_once(people_server: Server, tmp_path: Path) -> None:
    """Whoever comes second waits and takes what the first one made; a leftover of a killed builder is dropped."""
    tally = tmp_path / "tally"
    code = """
import sys, time
from pathlib import Path
import psycopg
from pgcontract.server import Template, attach
def apply(dsn):
    with open(sys.argv[2], "a") as file:
        file.write("made\\n")
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE t (id INTEGER)")
        connection.execute("SELECT pg_sleep(0.3)")
with attach(sys.argv[1]) as server:
    with server.clone(server.template(Template("tests: two at once", apply))) as clone:
        with psycopg.connect(clone.dsn) as connection:
            print(connection.execute("SELECT count(*) FROM t").fetchone()[0])
"""
    left = "pgcontract_b_" + Template("tests: two at once", people).digest + "_left"
    with psycopg.connect(people_server.address.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {left}")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, people_server.address.dsn(), str(tally)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["0\n"] * 3
    assert tally.read_text() == "made\n"
    assert left not in databases(people_server)


def test_clones_of_a_killed_run_are_swept_and_others_stay(people_server: Server) -> None:
    """On a server that lives on, a run that was killed leaves clones; the next run drops them, and no other's."""
    code = """
import os, signal, sys
from pgcontract.server import attach
server = attach(sys.argv[1])
print(server.clone(sys.argv[2]).name, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    template = people_server.template(PEOPLE)
    ours = people_server.clone(template)
    done = subprocess.run(
        [sys.executable, "-c", code, people_server.address.dsn(), template],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    left = done.stdout.strip()
    assert left in databases(people_server)
    with attach(people_server.address.dsn()) as second:

        def swept() -> bool:
            second.sweep()
            return left not in databases(second)

        assert eventually(swept, within=10)  # the killed process's backend has to notice first
        assert ours.name in databases(second)
    ours.drop()


def test_templates_that_one_made_can_be_dropped_and_those_in_use_stay(people_server: Server) -> None:
    """``drop_templates`` takes this process's own work away, unless another process has it in use."""
    shared, own = Template("tests: shared", people), Template("tests: own", people)
    with attach(people_server.address.dsn()) as first, attach(people_server.address.dsn()) as second:
        names = [first.template(shared), first.template(own)]
        second.template(shared)
        first.drop_templates()
        assert names[1] not in databases(first)
        assert names[0] in databases(first)
        second.clone(names[0]).drop()


def test_templates_of_ones_own_stay_on_a_users_server(people_server: Server) -> None:
    """However many there are: only those that nobody uses are dropped."""
    with attach(people_server.address.dsn()) as users:
        names = [users.template(Template(f"tests: own {n}", lambda _: None)) for n in range(KEPT_TEMPLATES + 2)]
        with users.clone(names[0]) as clone, psycopg.connect(clone.dsn) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        users.drop_templates()


def test_pytest_postgresqls_client_gets_a_database_of_our_template(client: psycopg.Connection) -> None:
    """Its noproc way works on our server: a database a test, descended from the template."""
    client.execute("INSERT INTO people (id, name) VALUES (1, 'x')")
    client.commit()
    assert client.execute("SELECT count(*) FROM people").fetchone() == (1,)


def test_pytest_postgresqls_next_client_sees_nothing_of_it(client: psycopg.Connection) -> None:
    """What the test above committed is not there."""
    assert client.execute("SELECT count(*) FROM people").fetchone() == (0,)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # what users' forks do, too
def test_a_forked_child_shares_no_connection_with_its_parent(people_server: Server) -> None:
    """A child clones and drops on its own connection, and its parent's server and connection survive its end."""
    template = people_server.template(PEOPLE)
    people_server.clone(template).drop()
    pid = os.fork()
    if pid == 0:
        try:
            with people_server.clone(template) as clone, psycopg.connect(clone.dsn):
                pass
            people_server.stop()  # not its to stop
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert people_server.is_running()
    people_server.clone(template).drop()


def test_there_is_no_clone_of_nothing(people_server: Server) -> None:
    """A template that is not there is an error of ours, not the driver's."""
    with pytest.raises(ServerError, match="no such template"):
        people_server.clone("pgcontract_t_nothing")

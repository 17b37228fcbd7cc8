"""Schemas as others write them, on a real server: loaded whole, or refused with the file, the line and what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from pgcontract.catalog import read_catalog
from pgcontract.cli import main
from pgcontract.contract import Contract, drift
from pgcontract.ephemeral import ServerChoice, ephemeral, template_of
from pgcontract.errors import MigrationError, ServerError, UsageError
from pgcontract.inputs import existing
from pgcontract.migrations import MigrationFailed, prepare
from pgcontract.model import Name
from pgcontract.server import Server
from pgcontract.system import System
from pgcontract.verify import Plan, verify
from tests.integration.fix_server import TEST_MAJOR

OLDEST = 15
DUMP = r"""
\restrict wYQ0
SET statement_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
DROP DATABASE IF EXISTS "The Shop";
CREATE DATABASE "The Shop" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'pt_BR.UTF-8';
ALTER DATABASE "The Shop" OWNER TO input_owner;
\unrestrict wYQ0
\connect "The Shop"
\restrict wYQ0
SELECT pg_catalog.set_config('search_path', '', false);
ALTER DATABASE "The Shop" SET work_mem TO '7MB';
COMMENT ON DATABASE "The Shop" IS 'sells; \connect nothing';
CREATE FUNCTION public.doubled(n integer) RETURNS integer LANGUAGE sql AS $_$ SELECT n * 2; $_$;
ALTER FUNCTION public.doubled(n integer) OWNER TO input_owner;
CREATE TABLE public.goods (id integer NOT NULL, name text);
ALTER TABLE public.goods OWNER TO "Input Owner";
COPY public.goods (id, name) FROM stdin;
1	it's; DROP TABLE goods; $$
2	\N
3	\\.
\.
ALTER TABLE ONLY public.goods ADD CONSTRAINT goods_pkey PRIMARY KEY (id);
GRANT SELECT ON TABLE public.goods TO input_reader WITH GRANT OPTION;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
\unrestrict wYQ0
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    """A folder with these files below it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def loaded(dsn: str, path: Path, *, own: bool = True) -> psycopg.Connection:
    """A session on the database in which the system at the path has been made."""
    prepare(dsn, System.load(path), own=own)
    return psycopg.connect(dsn, autocommit=True)


def rows(connection: psycopg.Connection, query: str) -> list[tuple[object, ...]]:
    """What a query gives."""
    return connection.execute(query.encode()).fetchall()


def test_a_dump_is_loaded_whole(empty_database: str, tmp_path: Path) -> None:
    """Its data, its roles, what it says of its database; settings of another major are left out."""
    with loaded(empty_database, write(tmp_path, {"dump.sql": DUMP}) / "dump.sql") as session:
        assert rows(session, "SELECT id, name FROM goods ORDER BY id") == [
            (1, "it's; DROP TABLE goods; $$"),
            (2, None),
            (3, "\\."),
        ]
        owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'goods'"
        assert rows(session, owner) == [("Input Owner",)]
        assert rows(session, "SELECT has_table_privilege('input_reader', 'goods', 'SELECT')") == [(True,)]
        assert rows(session, "SHOW work_mem") == [("7MB",)]
        told = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        assert rows(session, told) == [("sells; \\connect nothing",)]
        assert rows(session, "SELECT count(*) FROM pg_database WHERE datname = 'The Shop'") == [(0,)]
        assert rows(session, "SELECT doubled(2)") == [(4,)]


def test_nothing_of_a_server_that_is_not_ours_is_changed(
    empty_database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Roles that it lacks are named, and what is about them left out; those that it has stay as they are."""
    text = (
        "CREATE ROLE input_new; ALTER ROLE input_there SET work_mem = '1MB'; DROP ROLE IF EXISTS input_there;"
        "CREATE TABLE t (id integer); ALTER TABLE t OWNER TO input_gone; GRANT SELECT ON t TO input_there;"
        "ALTER SYSTEM SET work_mem = '1MB';"
    )
    with psycopg.connect(empty_database, autocommit=True) as before:
        before.execute("CREATE ROLE input_there")
        try:
            with loaded(empty_database, write(tmp_path, {"a.sql": text}) / "a.sql", own=False) as session:
                here = "SELECT rolname, rolconfig FROM pg_roles WHERE rolname IN ('input_new', 'input_gone')"
                assert rows(session, here) == []
                there = "SELECT rolconfig FROM pg_roles WHERE rolname = 'input_there'"
                assert rows(session, there) == [(None,)]
                assert rows(session, "SELECT has_table_privilege('input_there', 't', 'SELECT')") == [(True,)]
                session.execute("DROP TABLE t")
        finally:
            before.execute("DROP ROLE input_there")
    assert "input_gone" in caplog.text
    assert "no role is made or changed" in caplog.text
    assert "the whole server" in caplog.text


def test_a_statement_that_fails_is_told_with_its_place(empty_database: str, tmp_path: Path) -> None:
    """The included file, the line within the statement, PostgreSQL's message; never what stands in quotes."""
    write(
        tmp_path,
        {"a.sql": "SELECT 1;\n\\ir b.sql\n", "b.sql": "\n\nCREATE TABLE t (\n  a nonsense DEFAULT 'secret'\n);"},
    )
    with pytest.raises(MigrationFailed) as caught:
        loaded(empty_database, tmp_path / "a.sql")
    assert (caught.value.where or "").startswith(f"{tmp_path / 'b.sql'}:4")
    assert caught.value.sqlstate == "42704"
    assert "PostgreSQL 1" in (caught.value.remedy or "")
    assert "secret" not in str(caught.value)


def test_what_copy_cannot_take_is_not_shown(empty_database: str, tmp_path: Path) -> None:
    """Data is somebody's."""
    write(tmp_path, {"a.sql": "CREATE TABLE t (a integer);\nCOPY t FROM stdin;\nsecret\n\\.\n"})
    with pytest.raises(MigrationFailed) as caught:
        loaded(empty_database, tmp_path / "a.sql")
    assert "a.sql:2" in (caught.value.where or "")
    assert "secret" not in str(caught.value)


def test_an_extension_that_is_not_there_is_named(empty_database: str, tmp_path: Path) -> None:
    """With the line, and how to go on without it; then what needs it fails by itself, or nothing does."""
    text = "SELECT 1;\nCREATE EXTENSION IF NOT EXISTS no_such;\nCOMMENT ON EXTENSION no_such IS ''; CREATE TABLE u ();"
    folder = write(tmp_path, {"a.sql": text})
    with pytest.raises(MigrationError, match="no extension no_such") as caught:
        loaded(empty_database, folder / "a.sql")
    assert (caught.value.where or "").endswith("a.sql:2")
    assert 'without = ["no_such"]' in (caught.value.remedy or "")
    write(
        tmp_path,
        {"system.toml": "schema = 'b.sql'\nwithout = ['no_such']", "b.sql": text.replace("TABLE t", "TABLE u")},
    )
    with loaded(empty_database, folder) as session:
        assert rows(session, "SELECT to_regclass('u') IS NOT NULL") == [(True,)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("CREATE TABLE t (); CREATE DATABASE x;\n\\c x\nCREATE TABLE u ();", "several databases"),
        ("CREATE DATABASE x;\n\\c x\nCREATE TABLE t ();\n\\c y\nCREATE TABLE u ();", "several databases"),
        ("BEGIN; CREATE TABLE t ();", "does not commit"),
        ("COPY t FROM stdin;\n1\n", "no end"),
        ("SELECT 1\n\\gset\n", "gset"),
    ],
)
def test_what_would_be_misread_is_refused(empty_database: str, tmp_path: Path, text: str, said: str) -> None:
    """Before the contract could say something else than the file."""
    with pytest.raises(MigrationError, match=said):
        loaded(empty_database, write(tmp_path, {"a.sql": text}) / "a.sql")


def test_copied_files_are_loaded_where_they_are(
    empty_database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that is not there is told; what then lacks its rows says so."""
    text = "CREATE TABLE t (id integer PRIMARY KEY);\n\\copy t FROM 'rows.csv' WITH (FORMAT csv, HEADER)\n"
    write(tmp_path, {"a.sql": text, "rows.csv": "id\n1\n2\n"})
    with loaded(empty_database, tmp_path / "a.sql") as session:
        assert rows(session, "SELECT count(*) FROM t") == [(2,)]
        session.execute("DROP TABLE t")
    (tmp_path / "rows.csv").unlink()
    write(tmp_path, {"a.sql": text + "CREATE TABLE u (t integer REFERENCES t);\nINSERT INTO u VALUES (1);"})
    with pytest.raises(MigrationFailed) as caught:
        loaded(empty_database, tmp_path / "a.sql")
    assert "rows.csv is not copied" in caplog.text
    assert "rows.csv" in (caught.value.remedy or "")


def test_migrations_run_as_their_tool_runs_them(empty_database: str, tmp_path: Path) -> None:
    """In a transaction, where that can be; settings of one do not reach the next."""
    files = {
        "V1__a.sql": "SET search_path TO pg_temp;\nCREATE TEMP TABLE x ON COMMIT DROP AS SELECT 1 AS a;\n"
        "CREATE TABLE public.t AS SELECT a FROM x;",
        "V2__b.sql": "CREATE INDEX CONCURRENTLY i ON t (a);",
        "V3__c.sql": "INSERT INTO t VALUES (2); COMMIT AND CHAIN; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s;",
        "V4__d.sql": "BEGIN;\nINSERT INTO t VALUES (3);\nCOMMIT;\nVACUUM t;",
        "V10__e.sql": "INSERT INTO t SELECT count(*) + 100 FROM t;",
    }
    with loaded(empty_database, write(tmp_path, files)) as session:
        assert rows(session, "SELECT a FROM t ORDER BY a") == [(1,), (2,), (3,), (103,)]


def test_triggers_on_diesels_own_table_can_be_made(empty_database: str, tmp_path: Path) -> None:
    """It is there before the first migration, and no part of the contract."""
    files = {
        "2020-01-01-0_a/up.sql": "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n"
        "CREATE TRIGGER f BEFORE INSERT ON __diesel_schema_migrations FOR EACH ROW EXECUTE FUNCTION f();"
    }
    system = System.load(write(tmp_path, files))
    with loaded(empty_database, tmp_path) as session:
        assert read_catalog(session, ignore=[system.tracking_table]).tables == ()


def test_golang_migrates_own_table_can_be_altered(empty_database: str, tmp_path: Path) -> None:
    """It is there where a migration counts on it, and made by the migration that makes it."""
    files = {"1_a.up.sql": "ALTER TABLE schema_migrations ADD n integer;", "1_a.down.sql": ""}
    system = System.load(write(tmp_path, files))
    with loaded(empty_database, tmp_path) as session:
        assert read_catalog(session, ignore=[system.tracking_table]).tables == ()
        session.execute("DROP TABLE schema_migrations")
    write(tmp_path, {"0_a.up.sql": "CREATE TABLE IF NOT EXISTS schema_migrations (mine integer);"})
    with loaded(empty_database, tmp_path) as session:
        assert rows(session, "SELECT mine, n FROM schema_migrations") == []


def test_a_transaction_that_the_tool_would_end_is_ended(empty_database: str, tmp_path: Path) -> None:
    """The file has committed the tool's own and begun another; what needs one has one, whatever the tool."""
    text = "-- +migrate Up\nCREATE TABLE t (a integer);\nCOMMIT;\nBEGIN;\nINSERT INTO t VALUES (1);"
    with loaded(empty_database, write(tmp_path / "marked", {"1_a.sql": text})) as session:
        assert rows(session, "SELECT a FROM t") == [(1,)]
        session.execute("DROP TABLE t")
    files = {"1.sql": "CREATE TABLE t (a integer);", "2.sql": "LOCK t;\nINSERT INTO t VALUES (2);"}
    with loaded(empty_database, write(tmp_path / "plain", files)) as session:
        assert rows(session, "SELECT a FROM t") == [(2,)]


COMMAND = """
import os, sys, psycopg
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
    assert session.info.dbname == os.environ["PGDATABASE"]
    assert "PGAPPNAME" not in os.environ
    with psycopg.connect("") as by_variables:
        assert by_variables.info.dbname == session.info.dbname
    session.execute("CREATE TABLE made (id integer PRIMARY KEY)")
"""


def commanded(folder: Path, program: str) -> Path:
    """A system whose schema this Python program makes."""
    text = f"apply = ['{sys.executable}', 'make it.py']\ntracking_table = 'alembic_version'\n"
    return write(folder, {"make it.py": program, "system.toml": text})


def test_a_command_makes_the_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the database by DATABASE_URL and libpq's variables, whatever this process was given; no shell runs it."""
    monkeypatch.setenv("PGAPPNAME", "another")
    monkeypatch.setenv("DATABASE_URL", "postgresql://another/one")
    system = System.load(commanded(tmp_path, COMMAND))
    with ephemeral(system, ServerChoice(TEST_MAJOR)) as stage:
        assert [table.name for table in stage.read_catalog().tables] == [Name("public", "made")]


def test_a_command_that_fails_is_told_without_secrets(tmp_path: Path) -> None:
    """Its exit code and what it said; the password is cut out in every spelling."""
    program = "import os, sys\nprint('cannot', os.environ['DATABASE_URL'], os.environ['PGPASSWORD'])\nsys.exit(3)"
    system = System.load(commanded(tmp_path, program))
    with pytest.raises(MigrationError, match="exit code 3") as caught:
        prepare_only_command("postgresql://me:s%3Acret%2F1@localhost/shop", system)
    assert "cannot postgresql://me:…@localhost/shop" in (caught.value.seen or "")
    assert "s%3Acret" not in str(caught.value)
    assert "s:cret" not in str(caught.value)


def prepare_only_command(dsn: str, system: System) -> None:
    """Run a system's command, without a look at the database."""
    from pgcontract.inputs.commands import run  # noqa: PLC0415 - only here

    run(system.apply, dsn, system.root)


def test_a_command_that_is_not_there_is_a_users_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and a message, never a traceback."""
    write(tmp_path, {"system.toml": "apply = 'no-such-tool upgrade head'"})
    monkeypatch.setattr(sys, "argv", ["pgcontract", "freeze", str(tmp_path), "--pg", str(TEST_MAJOR)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "no-such-tool" in capsys.readouterr().err


def test_an_existing_database_is_rebuilt(zoo_servers: Callable[[int], Server], tmp_path: Path) -> None:
    """From its dump, on another major: nothing that was promised is lost, and nothing is written where it is."""
    source = zoo_servers(OLDEST).address.dsn("zoo")
    next_transaction = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
    with psycopg.connect(source, autocommit=True) as session:
        frozen, before = read_catalog(session), rows(session, next_transaction)
        try:
            with existing.existing(source, tmp_path / "zoo.toml") as system:
                assert rows(session, next_transaction) == before
                assert system.contract == tmp_path / "zoo.toml"
                with ephemeral(system, ServerChoice(TEST_MAJOR)) as stage:
                    rebuilt = stage.read_catalog()
        except ServerError as error:
            if "No pg_dump" not in error.what:
                raise
            pytest.skip("no pg_dump on this machine")
    # PostgreSQL prints these otherwise when it has read what it printed
    reprinted = {"body_of_statements(x integer, OUT y integer, OUT z text)", "nth(integer)", "everything.c_between"}
    assert {difference.promise_id for difference in drift(frozen, rebuilt)} <= reprinted
    assert system.sql_file is not None
    assert not system.sql_file.exists()


def test_a_role_that_may_not_read_is_told(zoo_servers: Callable[[int], Server]) -> None:
    """What pg_dump says, and which database it was."""
    server = zoo_servers(OLDEST)
    with psycopg.connect(server.address.dsn("zoo"), autocommit=True) as session:
        session.execute("CREATE ROLE input_nobody LOGIN")
        try:
            with (
                pytest.raises(ServerError) as caught,
                existing.existing(f"{source_of(server)} user=input_nobody", None),
            ):
                pass
        finally:
            session.execute("DROP ROLE input_nobody")
    if "No pg_dump" in caught.value.what:
        pytest.skip("no pg_dump on this machine")
    assert "permission denied" in (caught.value.seen or "")
    assert "dbname=zoo" in (caught.value.where or "")


def test_what_the_environment_sets_for_sessions_holds(
    zoo_servers: Callable[[int], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PGOPTIONS is libpq's own way to set a role, for the look at the database and for pg_dump alike."""
    server = zoo_servers(OLDEST)
    source = server.address.dsn("zoo")
    monkeypatch.setenv("PGOPTIONS", "-c no_such_setting=1")
    with pytest.raises(ServerError, match="cannot be reached") as unknown, existing.existing(source, None):
        pass
    assert "no_such_setting" in (unknown.value.seen or "")
    with psycopg.connect(source, autocommit=True, options="") as session:
        session.execute("CREATE ROLE input_nobody NOLOGIN")
        monkeypatch.setenv("PGOPTIONS", "-c role=input_nobody")
        try:
            with pytest.raises(ServerError) as caught, existing.existing(source, None):
                pass
        finally:
            session.execute("DROP ROLE input_nobody")
    if "No pg_dump" in caught.value.what:
        pytest.skip("no pg_dump on this machine")
    assert "permission denied" in (caught.value.seen or "")


def test_the_environments_patience_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """PGCONNECT_TIMEOUT, where the connection string names none: it is read, and so one that is no number is told."""
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "soon")
    with pytest.raises(ServerError) as caught, existing.existing("host=/nowhere", None):
        pass
    assert "'soon'" in (caught.value.seen or "")


def source_of(server: Server) -> str:
    """The zoo's address, without who connects."""
    return f"host={server.address.host} port={server.address.port} dbname=zoo"


def test_a_database_that_cannot_be_reached_is_told_without_its_password() -> None:
    """Nor is what cannot be read as a connection string repeated."""
    with (
        pytest.raises(ServerError, match="cannot be reached") as caught,
        existing.existing("postgresql://me:s3cret@/x?host=/nowhere", None),
    ):
        pass
    assert "host=/nowhere" in (caught.value.where or "")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(UsageError) as unread, existing.existing("postgresql://me:s3cret@[x", None):
        pass
    assert "s3cret" not in str(unread.value)


def test_a_pg_dump_that_is_too_old_is_not_used() -> None:
    """What was found is listed, and how to go on without one."""
    with pytest.raises(ServerError, match="No pg_dump of PostgreSQL 99") as caught:
        existing.pg_dump(99, None)
    assert "pg_dump --schema-only" in (caught.value.remedy or "")


def test_templates_differ_with_what_is_left_out(tmp_path: Path) -> None:
    """A cached one is never taken for another."""
    write(tmp_path, {"a.sql": "", "system.toml": "schema = 'a.sql'"})
    one = template_of(System.load(tmp_path)).key
    write(tmp_path, {"system.toml": "schema = 'a.sql'\nwithout = ['x']"})
    assert template_of(System.load(tmp_path)).key != one


def test_a_live_database_is_frozen_as_it_is(
    zoo_servers: Callable[[int], Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`freeze --from` writes what `diff --from` then finds unchanged, under the database's name or where PATH says."""
    source = zoo_servers(TEST_MAJOR).address.dsn("zoo")
    monkeypatch.chdir(tmp_path)
    for words in (
        ["freeze", "--from", source],
        ["freeze", "other.toml", "--from", source],
        ["diff", "zoo.contract.toml", "--from", source],
    ):
        monkeypatch.setattr(sys, "argv", ["pgcontract", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 0, capsys.readouterr()
    assert (tmp_path / "other.toml").exists()
    assert "every promise is as it was frozen" in capsys.readouterr().out


def test_rows_that_a_dump_brought_break_no_promise(tmp_path: Path) -> None:
    """A key that is drawn and there already says nothing of the key's promise."""
    text = (
        "CREATE TABLE goods (id smallint PRIMARY KEY, code text, lower_bound integer);\n"
        "INSERT INTO goods SELECT n, 'A' || n, n FROM generate_series(-40, 40) AS n;\n"
        "CREATE UNIQUE INDEX by_code ON goods (lower(code)) WHERE lower_bound > 0;\n"
        "CREATE TABLE parts (id serial PRIMARY KEY, goods smallint NOT NULL UNIQUE REFERENCES goods);\n"
        "INSERT INTO parts (goods) SELECT id FROM goods;\n"
    )
    system = System.load(write(tmp_path, {"a.sql": text}) / "a.sql")
    with ephemeral(system, ServerChoice(TEST_MAJOR)) as stage:
        result = verify(stage, Contract("a", stage.read_catalog()), Plan(examples=50, workers=1))
    assert [(one.id, one.reason) for one in result.verdicts if one.verdict != "proven"] == []

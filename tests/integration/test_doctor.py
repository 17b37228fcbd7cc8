"""The doctor: a healthy database has no cross, and each cross is seen alone, with what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from pgcontract.cli import commands
from pgcontract.doctor import Check, Examination, Facts, checks, examine
from pgcontract.doctor.checks import Wanted
from pgcontract.doctor.searches import filled_tables, spelt_out, unnamed_searches
from pgcontract.errors import ContractError, MigrationError, PgContractError, UsageError
from pgcontract.migrations import runner_of, seed
from pgcontract.server import Binaries, Server, start
from pgcontract.system import System
from tests.contract.fix_systems import PATHS, census, content
from tests.integration.fix_migrations import SOCIAL_SELLING, Write

pytestmark = pytest.mark.thorough

SECRET = "hunter2-is-secret"
MIGRATION = "CREATE TABLE public.people (id BIGINT PRIMARY KEY);\n-- ROLLBACK\nDROP TABLE public.people;\n"


def failed(found: Examination) -> dict[str, Check]:
    return {check.name: check for check in found.checks if check.ok is False}


def social_selling_crosses(dsn: str) -> dict[str, Check]:
    return failed(examine(dsn, System.load(SOCIAL_SELLING), "schema/social_selling"))


def other_user(dsn: str, user: str) -> str:
    return psycopg.conninfo.make_conninfo(dsn, user=user)


@pytest.fixture
def stranger(social_selling_database: str) -> Iterator[str]:
    """A role of this test's own that may log in and nothing else."""
    name = f"stranger_{os.getpid()}"
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        yield name
        connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}".encode())


def test_a_healthy_database_has_no_cross_and_is_left_as_it_was(system_database: str, system: System) -> None:
    """Each system, freshly migrated: all ticks; nothing in it has changed."""
    before = census(system_database), content(system_database, system)
    found = examine(system_database, system, "here")
    assert failed(found) == {}
    assert found.healthy
    assert all(check.ok and check.remedy is None for check in found.checks)
    names = [check.name for check in found.checks]
    assert names[:4] == ["server", "version", "primary", "encoding"]
    assert len(set(names)) == len(names)
    assert (census(system_database), content(system_database, system)) == before


def test_seeded_rows_are_shown_with_their_numbers(social_selling_database: str) -> None:
    """Those of seed.sql by table; before it was run, that it was not."""
    system = System.load(SOCIAL_SELLING)
    seen = {c.name: c.seen for c in examine(social_selling_database, system, "here").checks}
    assert "users 0, products 0; development data is not loaded (pgcontract migrate seed here)" in seen["rows"]
    seed(social_selling_database, system)
    found = examine(social_selling_database, system, "here")
    seen = {check.name: check.seen for check in found.checks}
    assert seen["rows"] == "from seed.sql: users 1, products 20; no rows elsewhere"
    assert json.loads(found.as_json())["rows"]["products"] == 20
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        connection.execute("DELETE FROM products")
    seen = {c.name: c.seen for c in examine(social_selling_database, system, "here").checks}
    assert "development data is not in products (pgcontract migrate seed here)" in seen["rows"]


def test_rows_that_migrations_brought_are_missed(empty_database: str) -> None:
    """The optimizer's plans come with its migrations: an empty table is a cross."""
    (path,) = [path for path in PATHS if path.name == "optimizer"]
    system = System.load(path)
    runner_of(empty_database, system).up()
    found = examine(empty_database, system, "here")
    assert "from migrations: plans 4" in {check.name: check.seen for check in found.checks}["rows"]
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("DELETE FROM plans")
    crosses = failed(examine(empty_database, system, "here"))
    assert set(crosses) == {"rows"}
    assert re.fullmatch(
        r"run by hand, with psql, what brought them: INSERT INTO plans at \S+/001-initial-schema\.sql:\d+"
        r"; or restore them from a backup",
        crosses["rows"].remedy or "",
    )
    # the place is that of the statement
    place = re.search(r"at (\S+):(\d+)", crosses["rows"].remedy or "")
    assert place is not None
    assert Path(place[1]).read_text().splitlines()[int(place[2]) - 1].startswith("INSERT INTO plans")


def test_a_server_that_cannot_be_reached_is_the_only_check() -> None:
    """A port where nobody listens, and a host that does not exist: exit code 2, and what to do."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        for dsn in (f"postgresql://me@127.0.0.1:{port}/shop", "postgresql://me@nowhere.invalid/shop"):
            found = examine(dsn, System.load(SOCIAL_SELLING), "here")
            (check,) = found.checks
            assert (check.name, check.ok) == ("server", False)
            assert check.remedy is not None
            assert "user=me" in found.address
            result = CliRunner().invoke(commands(), ["doctor", str(SOCIAL_SELLING), "--dsn", dsn])
            assert result.exit_code == 2
            assert "nothing else could be checked" in result.output


def test_a_part_of_the_dsn_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given, or by the environment."""
    for dsn, variable in (("host=/nowhere connect_timeout=soon", ""), ("host=/nowhere", "soon")):
        monkeypatch.setenv("PGCONNECT_TIMEOUT", variable)
        (check,) = examine(dsn, System.load(SOCIAL_SELLING), "here").checks
        assert (check.name, check.ok) == ("server", False)
        assert "'soon'" in check.seen


def test_a_database_that_is_not_there_is_said_to_be_missing(social_selling_database: str) -> None:
    """The server answers and says so."""
    dsn = psycopg.conninfo.make_conninfo(social_selling_database, dbname="no_such_shop")
    (check,) = examine(dsn, System.load(SOCIAL_SELLING), "here").checks
    assert (check.name, check.ok) == ("server", False)
    assert "no_such_shop" in check.seen


def test_a_wrong_password_is_refused_and_never_shown(test_binaries: Binaries, tmp_path: Path) -> None:
    """Neither in the output nor in the JSON, however the DSN is written; the right one is let in."""
    with start(test_binaries) as server:
        with psycopg.connect(server.address.dsn(), autocommit=True) as connection:
            connection.execute("CREATE ROLE locked LOGIN PASSWORD 'right-password'")
            row = connection.execute("SHOW hba_file").fetchone()
            assert row is not None
            rules = "local all locked scram-sha-256\nlocal all all trust\n"
            copy = sql.SQL("COPY (SELECT unnest({}::TEXT[])) TO {}").format(rules.splitlines(), row[0])
            connection.execute(copy)
            connection.execute("SELECT pg_reload_conf()")
        address = server.address
        uri = replace(address, user="locked", password=SECRET).dsn()
        for dsn in (psycopg.conninfo.make_conninfo(uri), uri):
            file = tmp_path / "doctor.json"
            result = CliRunner().invoke(commands(), ["doctor", str(SOCIAL_SELLING), "--dsn", dsn, "--json", str(file)])
            assert result.exit_code == 2, result.output
            assert "password authentication failed" in result.output
            assert SECRET not in result.output + file.read_text()
        right = replace(address, user="locked", password="right-password").dsn()
        found = examine(right, System.load(SOCIAL_SELLING), "here")
        assert found.facts is not None
        assert "right-password" not in found.as_json()


def test_a_dsn_that_cannot_be_read_is_not_repeated() -> None:
    """It may hold a password."""
    with pytest.raises(UsageError) as caught:
        examine(f"postgresql://me:{SECRET}@[broken", System.load(SOCIAL_SELLING), "here")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_database_that_was_never_migrated_says_what_to_run(empty_database: str) -> None:
    """Extensions, migrations and tables are missing; each with its command."""
    crosses = social_selling_crosses(empty_database)
    assert {"migrations", "tables", "extension pg_trgm"} <= set(crosses)
    assert crosses["migrations"].seen.startswith("0 of 13 applied; pending: 001-initial-schema")
    assert crosses["migrations"].remedy == "pgcontract migrate up schema/social_selling"
    assert crosses["tables"].seen == "none"


UNNAMED = """
    CREATE FUNCTION found(q TEXT) RETURNS BIGINT
    LANGUAGE sql
    AS 'SELECT count(*) FROM products WHERE to_tsvector(name) @@ plainto_tsquery(q)'
"""
PLANTED = {
    "a missing extension": ("DROP EXTENSION pgcrypto CASCADE", "extension pgcrypto", "CREATE EXTENSION pgcrypto"),
    "a table away": ("DROP TABLE notifications", "tables", "pgcontract diff"),
    "a pending migration": ("DELETE FROM migrations WHERE id = 13", "migrations", "pgcontract migrate up"),
    "an edited migration": ("UPDATE migrations SET checksum = 'x' WHERE id = 3", "edited migrations", "--accept 3"),
    "a missing file": (
        "INSERT INTO migrations (id, name, checksum) VALUES (14, '014-gone', 'x')",
        "missing files",
        "repair schema/social_selling --forget 014-gone",
    ),
    "a renamed file": (
        "UPDATE migrations SET name = '013-messages' WHERE id = 13",
        "renamed files",
        "repair schema/social_selling --accept 13",
    ),
    "a timezone": ("ALTER DATABASE {} SET timezone = 'America/Sao_Paulo'", "timezone", "SET timezone = 'UTC'"),
    "a datestyle": ("ALTER DATABASE {} SET datestyle = 'German'", "datestyle", "SET datestyle"),
    "strings": ("ALTER DATABASE {} SET standard_conforming_strings = off", "standard strings", "SET standard"),
    "replica": ("ALTER DATABASE {} SET session_replication_role = replica", "triggers and foreign keys", "origin"),
    "a search path": (
        "ALTER DATABASE {} SET search_path = pg_catalog",
        "search_path",
        "SET search_path = pg_catalog, public",
    ),
    "read only": ("ALTER DATABASE {} SET default_transaction_read_only = on", "primary", "RESET default_transaction"),
    "a disabled trigger": ("ALTER TABLE messages DISABLE TRIGGER ALL", "disabled triggers", "ENABLE TRIGGER ALL"),
    "a search without a configuration": (
        UNNAMED,
        "text search",
        "name it in found",
    ),
}


@pytest.mark.parametrize(("statement", "name", "remedy"), PLANTED.values(), ids=list(PLANTED))
def test_each_thing_that_is_wrong_has_a_cross_of_its_own(
    social_selling_database: str, statement: str, name: str, remedy: str
) -> None:
    """It alone, and what to do; the command ends with 1."""
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        connection.execute(statement.format(connection.info.dbname).encode())
    crosses = social_selling_crosses(social_selling_database)
    assert set(crosses) == {name}, crosses
    assert remedy in (crosses[name].remedy or "")
    result = CliRunner().invoke(commands(), ["doctor", str(SOCIAL_SELLING), "--dsn", social_selling_database])
    assert result.exit_code == 1, result.output
    assert "1 failed" in result.output.splitlines()[-1]


@pytest.mark.parametrize(("state", "on"), [("started", "migrate up here"), ("undoing", "migrate down here")])
def test_a_migration_that_is_half_there_is_no_tick(social_selling_database: str, state: str, on: str) -> None:
    """Neither beside the totals nor beside its name; `repair` is named, and the command that goes on."""
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        connection.execute("UPDATE migrations SET state = %s WHERE id = 13", (state,))
    crosses = failed(examine(social_selling_database, System.load(SOCIAL_SELLING), "here"))
    assert set(crosses) == {"migrations", "unfinished migrations"}
    assert "half there: 013-create-message-triggers" in crosses["migrations"].seen
    remedy = crosses["unfinished migrations"].remedy or ""
    assert "pgcontract migrate repair here --clear 13" in remedy
    assert on in remedy


@pytest.mark.parametrize(
    ("setting", "remedy"),
    [
        ("ALTER DATABASE {database} SET", "ALTER DATABASE {database} RESET default_transaction_read_only"),
        ("ALTER ROLE {role} SET", "ALTER ROLE {role} RESET default_transaction_read_only"),
        (
            "ALTER ROLE {role} IN DATABASE {database} SET",
            "ALTER ROLE {role} IN DATABASE {database} RESET default_transaction_read_only",
        ),
    ],
)
def test_a_role_that_only_reads_is_told_what_makes_it_so(
    social_selling_database: str, stranger: str, setting: str, remedy: str
) -> None:
    """The command that takes it back, where it was set; it works."""
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        names = {"database": connection.info.dbname, "role": stranger}
        dsn = other_user(social_selling_database, stranger)
        refused = examine(dsn, System.load(SOCIAL_SELLING), "here").checks[0].remedy or ""
        connect = f"GRANT CONNECT ON DATABASE {names['database']} TO {stranger}"
        assert connect in refused
        connection.execute(connect.encode())
        connection.execute(f"{setting.format(**names)} default_transaction_read_only = on".encode())
    told = social_selling_crosses(dsn)["primary"].remedy or ""
    assert told.startswith(remedy.format(**names))
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(told.partition(";")[0].encode())
    assert "primary" not in social_selling_crosses(dsn)


def test_the_default_configuration_is_right_where_it_is_that_of_the_indexes(social_selling_database: str) -> None:
    """The same search without a name, once the database's setting is the one by which the indexes are made."""
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        connection.execute(UNNAMED.encode())
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET default_text_search_config = 'pg_catalog.portuguese'".encode())
    assert social_selling_crosses(social_selling_database) == {}


def test_an_index_that_was_left_half_made_is_found(social_selling_database: str) -> None:
    """CREATE INDEX CONCURRENTLY that failed leaves an index that is written to and never read."""
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        seed(social_selling_database, System.load(SOCIAL_SELLING))
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY idx_half ON products (currency)")
    crosses = social_selling_crosses(social_selling_database)
    assert set(crosses) == {"invalid indexes"}
    assert crosses["invalid indexes"].seen == "idx_half"


def test_another_tool_s_tracking_table_is_named(empty_database: str, write: Write) -> None:
    """It is left alone, and the remedy is the runner's own."""
    folder = write({"001-a.sql": MIGRATION})
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE migrations (id SERIAL, name TEXT, run_on TIMESTAMP)")
    crosses = failed(examine(empty_database, System.load(folder), "here"))
    assert "node-pg-migrate" in crosses["migrations"].seen
    assert crosses["migrations"].remedy


def test_a_database_without_utf8_is_named(pgcontract_server: Server) -> None:
    """SQL_ASCII takes any bytes, and cannot be changed in place."""
    name = f"ascii_{os.getpid()}"
    with psycopg.connect(pgcontract_server.address.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'".encode())
        try:
            crosses = social_selling_crosses(pgcontract_server.address.dsn(name))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    assert crosses["encoding"].seen == "SQL_ASCII"
    assert "ENCODING 'UTF8'" in (crosses["encoding"].remedy or "")


def test_missing_rights_are_named_one_by_one(social_selling_database: str, stranger: str) -> None:
    """To connect; then to create, to own, to read; the tracking table is out of reach, too."""
    crosses = social_selling_crosses(other_user(social_selling_database, stranger))
    assert set(crosses) == {"server"}
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}; GRANT USAGE ON SCHEMA public TO {}")
        who = sql.Identifier(stranger)
        connection.execute(grant.format(sql.Identifier(connection.info.dbname), who, who))
    crosses = social_selling_crosses(other_user(social_selling_database, stranger))
    assert set(crosses) == {"right to create", "ownership", "right to read", "migrations"}
    assert crosses["right to create"].seen == f"{stranger} may not"
    assert "belong to postgres" in crosses["ownership"].seen
    assert f"GRANT CREATE ON SCHEMA public TO {stranger}" in (crosses["right to create"].remedy or "")
    assert f"GRANT postgres TO {stranger}" in (crosses["ownership"].remedy or "")
    assert "GRANT SELECT ON migrations" in (crosses["migrations"].remedy or "")
    # what is to be done can be done as it stands there
    grants = (crosses["right to read"].remedy or "").partition(" (as ")[0]
    assert f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {stranger}" in grants
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        connection.execute(grants.encode())
    crosses = social_selling_crosses(other_user(social_selling_database, stranger))
    assert set(crosses) == {"right to create", "ownership"}
    assert all("a role that only reads needs no such right" in (check.remedy or "") for check in crosses.values())


def test_a_role_that_the_scripts_make_is_missed(empty_database: str, write: Write) -> None:
    """By its name in system.toml."""
    root = write({"001-a.sql": MIGRATION}).parent
    name = f"absent_{os.getpid()}"
    (root / "system.toml").write_text(f'name = "here"\n[roles]\napp = "{name}"\n')
    system = System.load(root)
    runner_of(empty_database, system).up()
    crosses = failed(examine(empty_database, system, "here"))
    assert set(crosses) == {f"role {name}"}
    assert f"CREATE ROLE {name}" in (crosses[f"role {name}"].remedy or "")


def test_more_rows_than_are_worth_counting_are_estimated(empty_database: str, write: Write) -> None:
    """The planner's number, called one."""
    system = System.load(write({"001-a.sql": MIGRATION}))
    runner_of(empty_database, system).up()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("INSERT INTO people SELECT generate_series(1, 20000)")
        connection.execute("ANALYZE people")
    seen = {check.name: check.seen for check in examine(empty_database, system, "here").checks}
    assert seen["rows"] == "others: people about 20,000"


def test_a_single_file_has_no_migrations_to_check(empty_database: str, tmp_path: Path) -> None:
    """That check is not made, which is no failure."""
    file = tmp_path / "schema.sql"
    file.write_text("CREATE TABLE people (id BIGINT);")
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(file.read_bytes())
    found = examine(empty_database, System.load(file), "schema.sql")
    assert [check.name for check in found.checks if check.ok is None] == ["migrations"]
    assert found.healthy


HEALTHY = Facts("18.1", 18, standby=False, database="shop", user="me", superuser=False, encoding="UTF8",
                database_create=True, settings={"TimeZone": "UTC"})  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "name", "seen"),
    [
        (replace(HEALTHY, version="14.9", major=14), "version", "PostgreSQL 14.9"),
        (replace(HEALTHY, standby=True), "primary", "a standby: it only reads"),
        (replace(HEALTHY, collation=("2.31", "2.36")), "collation", "indexes were made with version 2.31, now it is"),
        (HEALTHY, "extension pgcrypto", "the server does not have it"),
        (
            replace(HEALTHY, installed={"pg_stat_statements": "1.10"}, preloaded=False),
            "extension pg_stat_statements",
            "installed, and counts nothing",
        ),
        (replace(HEALTHY, may_create=None, database_create=False), "right to create", "me: there is no such schema"),
    ],
)
def test_what_no_test_server_is_can_be_told_from_facts(facts: Facts, name: str, seen: str) -> None:
    """Checks are functions of what was read: an old version, a standby, another collation, a bare server."""
    wanted = Wanted("here", extensions=("pgcrypto", "pg_stat_statements"))
    (check,) = [check for check in checks(facts, wanted, None) if check.name == name]
    assert check.ok is False
    assert check.seen.startswith(seen)
    assert check.remedy


def test_searches_that_name_no_configuration_are_found_by_reading() -> None:
    """One argument is a search by the default; comments, strings and inner commas do not deceive."""
    texts = {
        "one": "SELECT to_tsvector(content) FROM m",
        "query": "SELECT x @@ websearch_to_tsquery($1)",
        "nested": "SELECT to_tsvector(coalesce(a, b) || ARRAY[1, 2]::TEXT)",
        "named": "SELECT to_tsvector('english', content) @@ plainto_tsquery('english', $1)",
        "comment": "SELECT 1 -- to_tsvector(content)",
        "string": "SELECT 'to_tsvector(content)'",
        "other": "SELECT my_to_tsvector(content), lower(x)",
        "broken": "SELECT 'to_tsvector(",
        "cut": "SELECT to_tsvector(a",
    }
    assert unnamed_searches(texts) == ("one", "query", "nested")


def test_tables_that_a_text_fills_are_found_by_reading() -> None:
    """A VALUES list brings rows; a SELECT may find none; what does not parse says nothing."""
    text = "INSERT INTO plans VALUES (1); INSERT INTO a.logs SELECT 1; INSERT INTO plans VALUES (2); SELECT 1;"
    assert filled_tables(text) == ("plans", "logs")
    assert spelt_out(text) == (("plans", 1), ("plans", 1))
    assert filled_tables("INSERT INTO") == ()
    assert spelt_out("INSERT INTO") == ()


def run(*words: str | Path) -> str:
    """The command's output; raises what it raises."""
    result = CliRunner().invoke(commands(), ["doctor", *map(str, words)], env=dict.fromkeys(("DATABASE_URL", "PGHOST")))
    if isinstance(result.exception, PgContractError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_prints_a_line_a_check_and_writes_json(social_selling_database: str, tmp_path: Path) -> None:
    """The same in both; nothing of the DSN but where it leads."""
    file = tmp_path / "doctor.json"
    lines = run(SOCIAL_SELLING, "--dsn", social_selling_database, "--json", file).splitlines()
    written = json.loads(file.read_text())
    assert (written["format"], written["system"], written["healthy"], written["reached"]) == (
        1,
        "social_selling",
        True,
        True,
    )
    assert len(written["checks"]) == len([line for line in lines[:-1] if line.startswith("✓")])
    assert all(set(check) == {"name", "ok", "seen", "remedy"} for check in written["checks"])
    assert re.fullmatch(r".*: (\d+) of \1 checks passed, on PostgreSQL [\d.]+\w*", lines[-1])


def test_a_terminal_without_utf8_gets_plain_letters(empty_database: str) -> None:
    """Words instead of ticks and crosses, and no traceback."""
    program = [sys.executable, "-m", "pgcontract", "doctor", str(SOCIAL_SELLING), "--dsn", empty_database]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(program, capture_output=True, env=environment, check=False)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.decode("ascii").splitlines()
    assert lines[0].startswith("ok    server")
    assert any(line.startswith("FAIL  migrations") for line in lines)


def test_bad_input_is_told_before_anybody_is_asked(empty_database: str, tmp_path: Path, write: Write) -> None:
    """No path, no database, a wrong migration, a broken contract, a file that cannot be written."""
    with pytest.raises(UsageError, match="nothing at this path"):
        run(tmp_path / "absent", "--dsn", empty_database)
    with pytest.raises(UsageError, match="Which database"):
        run(SOCIAL_SELLING)
    with pytest.raises(MigrationError, match="no line"):
        run(write({"001-a.sql": "SELECT 1;"}), "--dsn", empty_database)
    root = tmp_path / "broken"
    shutil.copytree(SOCIAL_SELLING, root)
    (root / "contract.toml").write_text("format = 1\n[")
    with pytest.raises(ContractError):
        run(root, "--dsn", empty_database)
    with pytest.raises(UsageError, match="cannot be written"):
        run(SOCIAL_SELLING, "--dsn", empty_database, "--json", tmp_path / "absent" / "file.json")

"""`pgcontract migrate …`: what it prints, writes and returns."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from pgcontract.cli.migrate import app
from pgcontract.errors import MigrationError, PgContractError, UsageError
from tests.integration.fix_migrations import SOCIAL_SELLING, Write

NO_ENVIRONMENT = dict.fromkeys(("DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE"))


def run(*words: str | Path, env: dict[str, str | None] | None = None) -> list[str]:
    """Run the command; the lines that it prints. Raises what it raises."""
    result = CliRunner().invoke(app, [str(word) for word in words], env={**NO_ENVIRONMENT, **(env or {})})
    if isinstance(result.exception, PgContractError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_up_status_and_down_tell_their_totals(empty_database: str, tmp_path: Path) -> None:
    """PATH first, a line a migration, the totals last; the JSON says the same."""
    up = run("up", SOCIAL_SELLING, "--dsn", empty_database)
    assert up[0].startswith("initialised 01-extensions.sql")
    assert up[2].startswith("applied     001-initial-schema (")
    assert up[-1] == "Total: 13 | Executed: 13 | Pending: 0"
    assert run("up", SOCIAL_SELLING, "--dsn", empty_database) == ["Nothing to apply.", up[-1]]
    down = run("down", SOCIAL_SELLING, "2", "--dsn", empty_database)
    assert [line.split()[:2] for line in down[:-1]] == [
        ["undone", "013-create-message-triggers"],
        ["undone", "012-create-notifications"],
    ]
    assert down[-1] == "Total: 13 | Executed: 11 | Pending: 2"
    status = run("status", SOCIAL_SELLING, "--dsn", empty_database, "--json", tmp_path / "status.json")
    assert status[-1] == down[-1]
    assert status[0].startswith("applied   001-initial-schema")
    assert status[12] == "pending   013-create-message-triggers"
    written = json.loads((tmp_path / "status.json").read_text())
    assert (written["total"], written["executed"], written["pending"]) == (13, 11, 2)
    assert [m["state"] for m in written["migrations"]] == ["applied"] * 11 + ["pending"] * 2


def test_exit_code_tells_pending_from_up_to_date_where_that_is_asked(empty_database: str, write: Write) -> None:
    """Without the option, pending migrations are no failure."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    arguments = ["status", str(folder), "--dsn", empty_database]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert CliRunner().invoke(app, [*arguments, "--exit-code"]).exit_code == 1
    run("up", folder, "--dsn", empty_database)
    assert CliRunner().invoke(app, [*arguments, "--exit-code"]).exit_code == 0


def test_the_database_comes_from_the_environment_where_no_dsn_is_given(empty_database: str, write: Write) -> None:
    """DATABASE_URL, or libpq's own variables; without any of them there is one message."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    assert run("up", folder, env={"DATABASE_URL": empty_database})[-1] == "Total: 1 | Executed: 1 | Pending: 0"
    given = psycopg.conninfo.conninfo_to_dict(empty_database)
    names = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD"}
    environment: dict[str, str | None] = {
        variable: str(given[key]) for key, variable in names.items() if given.get(key)
    }
    assert run("up", folder, env=environment)[0] == "Nothing to apply."
    with pytest.raises(UsageError) as caught:
        run("up", folder)
    assert "--dsn" in (caught.value.remedy or "")


def test_without_a_path_it_is_the_one_configured_system(
    empty_database: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two, one must be named; of none, too."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"}).parent
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError):
        run("up", "--dsn", empty_database)
    (folder / "pyproject.toml").write_text("[tool.pgcontract]\nsystems = ['migrations']\n")
    assert run("up", "--dsn", empty_database)[-1] == "Total: 1 | Executed: 1 | Pending: 0"
    (folder / "pyproject.toml").write_text("[tool.pgcontract]\nsystems = ['migrations', '.']\n")
    with pytest.raises(UsageError, match="One database"):
        run("status", "--dsn", empty_database)


def test_history_that_has_changed_can_be_allowed(empty_database: str, write: Write) -> None:
    """Each override has an option of its own."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    run("up", folder, "--dsn", empty_database)
    write({"001-a.sql": "SELECT 2;\n-- ROLLBACK\n-- none\n"})
    with pytest.raises(MigrationError, match="edited"):
        run("up", folder, "--dsn", empty_database, "--allow-missing", "--allow-out-of-order")
    assert run("up", folder, "--dsn", empty_database, "--allow-edited")[-1].endswith("Pending: 0")


@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_a_single_file_is_nothing_to_migrate(empty_database: str, tmp_path: Path, command: str) -> None:
    """It has no history; and a path with nothing there is named."""
    (tmp_path / "schema.sql").write_text("CREATE TABLE t ();")
    for path in (tmp_path / "schema.sql", tmp_path / "absent"):
        with pytest.raises(UsageError):
            run(command, path, "--dsn", empty_database)


def test_seed_data_is_refused_in_production(social_selling_database: str) -> None:
    """Whether the database says so or whoever runs the command; what was there is untouched."""
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        name = connection.info.dbname
        with pytest.raises(MigrationError, match="production") as by_variable:
            run("seed", SOCIAL_SELLING, "--dsn", social_selling_database, env={"PGCONTRACT_ENV": "production"})
        assert by_variable.value.seen == "PGCONTRACT_ENV=production"
        connection.execute(f"ALTER DATABASE \"{name}\" SET pgcontract.environment = 'production'")
        with pytest.raises(MigrationError, match="production"):
            run("seed", SOCIAL_SELLING, "--dsn", social_selling_database)
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
    # the file itself refuses, too: whoever feeds it to psql is no better off
    with (
        psycopg.connect(social_selling_database) as connection,
        pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState),
    ):
        connection.execute((SOCIAL_SELLING / "seed.sql").read_bytes())


def test_a_seed_that_fails_leaves_nothing(empty_database: str, write: Write) -> None:
    """And names the file, the line and the statement."""
    folder = write({"001-a.sql": "CREATE TABLE a ();\n-- ROLLBACK\nDROP TABLE a;\n"}).parent
    (folder / "seed.sql").write_text("CREATE TABLE b ();\nSELECT 1/0;\n")
    run("up", folder, "--dsn", empty_database)
    with pytest.raises(MigrationError) as caught:
        run("seed", folder, "--dsn", empty_database)
    assert caught.value.where == f"{folder / 'seed.sql'}:2 (statement 2)"
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT to_regclass('b')").fetchone() == (None,)

"""`pgcontract migrate …`: what it prints, writes and returns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from pgcontract.cli import commands, migrate, quick
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
    assert up[0].startswith("✓ initialised 01-extensions.sql")
    assert up[2].startswith("✓ applied     001-initial-schema (")
    assert up[-1] == "Total: 13 | Executed: 13 | Pending: 0"
    assert run("up", SOCIAL_SELLING, "--dsn", empty_database) == ["Nothing to apply.", up[-1]]
    down = run("down", SOCIAL_SELLING, "2", "--dsn", empty_database)
    assert [line.split()[1:3] for line in down[:-1]] == [
        ["undone", "013-create-message-triggers"],
        ["undone", "012-create-notifications"],
    ]
    assert down[-1] == "Total: 13 | Executed: 11 | Pending: 2"
    status = run("status", SOCIAL_SELLING, "--dsn", empty_database, "--json", tmp_path / "status.json")
    assert status[-1] == down[-1]
    assert status[0].startswith("✓ applied   001-initial-schema")
    assert status[12] == "- pending   013-create-message-triggers"
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


def test_a_dry_run_says_what_would_be_applied(empty_database: str, write: Write) -> None:
    """And applies nothing."""
    files = {
        "001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n",
        "002-b.sql": "-- no-transaction\nVACUUM;\n-- ROLLBACK\n-- none\n",
    }
    arguments = ("up", write(files), "--dsn", empty_database)
    told = ["- would apply 001-a", "- would apply 002-b (no transaction)"]
    assert run(*arguments, "--dry-run") == told
    assert run(*arguments, "--dry-run", "--to", "1") == told[:1]
    assert run(*arguments)[-1] == "Total: 2 | Executed: 2 | Pending: 0"
    assert run(*arguments, "--dry-run") == ["Nothing to apply."]


def test_down_takes_a_number_of_steps_or_one_to_stop_at(
    empty_database: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not both; a number alone is no path."""
    files = {f"00{n}-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n" for n in range(1, 6)}
    folder = write(files)
    (folder.parent / "pyproject.toml").write_text("[tool.pgcontract]\nsystems = ['migrations']\n")
    monkeypatch.chdir(folder.parent)
    run("up", folder, "--dsn", empty_database)
    with pytest.raises(UsageError):
        run("down", folder, "2", "--to", "1", "--dsn", empty_database)
    assert run("down", "2", "--dsn", empty_database)[-1] == "Total: 5 | Executed: 3 | Pending: 2"
    assert run("down", folder, "--to", "1", "--dsn", empty_database)[-1] == "Total: 5 | Executed: 1 | Pending: 4"


def test_exit_code_tells_history_that_has_changed_from_pending(empty_database: str, write: Write) -> None:
    """3, whatever is pending; the JSON goes where it is asked to, and says the state of the checksum."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    run("up", folder, "--dsn", empty_database)
    write({"001-a.sql": "SELECT 2;\n-- ROLLBACK\n-- none\n", "002-b.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    arguments = ["status", str(folder), "--dsn", empty_database, "--exit-code", "--json", "-"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert [(m["state"], m["checksum"]) for m in told["migrations"]] == [("edited", "changed"), ("pending", None)]
    assert not told["sound"]
    assert run("repair", folder, "--accept", "1", "--dsn", empty_database)[0].startswith("✓ accepted    001-a")
    assert CliRunner().invoke(app, arguments).exit_code == 1
    with pytest.raises(UsageError):
        run("repair", folder, "--dsn", empty_database)


def test_what_is_forgotten_is_told_with_what_stays(empty_database: str, write: Write) -> None:
    """A record without a file goes by its name, several at once; nothing is run."""
    files = {f"00{n}-a.sql": f"CREATE TABLE t{n} ();\n-- ROLLBACK\nDROP TABLE t{n};\n" for n in (1, 2, 3)}
    folder = write(files)
    run("up", folder, "--dsn", empty_database)
    for name in ("001-a.sql", "003-a.sql"):
        (folder / name).unlink()
    told = "no record any more, and nothing was run: what it has made stays in the database"
    assert run("repair", folder, "--forget", "003-a", "--forget", "001-a", "--dsn", empty_database) == [
        f"✓ forgotten   001-a: {told}",
        f"✓ forgotten   003-a: {told}",
    ]
    assert run("status", folder, "--dsn", empty_database)[-1] == "Total: 1 | Executed: 1 | Pending: 0"


@pytest.mark.parametrize("words", [("repair", "--accept", "1"), ("baseline",)])
def test_what_mends_records_does_not_wait_for_ever(empty_database: str, write: Write, words: tuple[str, ...]) -> None:
    """Somebody's lock on the tracking table ends it after --lock-timeout, and nothing has changed."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    run("up", folder, "--dsn", empty_database)
    write({"001-a.sql": "SELECT 2;\n-- ROLLBACK\n-- none\n"})
    with psycopg.connect(empty_database) as other:
        other.execute("LOCK TABLE migrations IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(MigrationError, match="55P03"):
            run(words[0], folder, *words[1:], "--dsn", empty_database, "--lock-timeout", "0.1")
    assert run("status", folder, "--dsn", empty_database)[0].startswith("✗ edited")


def test_exit_code_tells_what_is_half_there_from_pending(empty_database: str, write: Write) -> None:
    """3 for a migration that was started and has not finished: what it has left must be looked at."""
    text = "-- no-transaction\nCREATE TABLE a ();\nSELECT 1/0;\n-- ROLLBACK\nDROP TABLE a;\n"
    folder = write({"001-a.sql": text})
    with pytest.raises(MigrationError):
        run("up", folder, "--dsn", empty_database)
    arguments = ["status", str(folder), "--dsn", empty_database, "--exit-code", "--json", "-"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 3
    assert json.loads(result.stdout)["sound"] is False
    run("repair", folder, "--clear", "1", "--dsn", empty_database)
    assert CliRunner().invoke(app, arguments).exit_code == 1


def test_a_renamed_file_is_told_with_what_to_do(empty_database: str, write: Write) -> None:
    """In one line; the JSON has both names, the exit code is that of changed history."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    run("up", folder, "--dsn", empty_database)
    (folder / "001-a.sql").rename(folder / "001-b.sql")
    (line, totals) = run("status", folder, "--dsn", empty_database)
    assert line.startswith("✗ renamed   001-b  20")
    assert line.endswith("[applied as 001-a: give that name back, or repair --accept 1]")
    assert totals == "Total: 1 | Executed: 1 | Pending: 0"
    result = CliRunner().invoke(app, ["status", str(folder), "--dsn", empty_database, "--exit-code", "--json", "-"])
    assert result.exit_code == 3
    (told,) = json.loads(result.stdout)["migrations"]
    assert (told["name"], told["state"], told["recorded_as"], told["checksum"]) == ("001-b", "renamed", "001-a", "same")
    assert run("repair", folder, "--accept", "1", "--dsn", empty_database)[0].startswith("✓ accepted    001-b")


def test_a_gap_is_told_apart_from_the_result(empty_database: str, write: Write) -> None:
    """On the standard error, by `up` and `status`; not where system.toml says that it is right."""
    none = "SELECT 1;\n-- ROLLBACK\n-- none\n"
    root = write({"001-a.sql": none, "003-c.sql": none}).parent
    for words in (["up", "--dry-run"], ["up"], ["status"], ["status", "--json", "-", "--exit-code"]):
        result = CliRunner().invoke(app, [words[0], str(root), "--dsn", empty_database, *words[1:]])
        assert result.exit_code == 0
        told, *rest = result.stderr.splitlines()
        assert told == "gap         before 003-c: no migration bears the number 2"
        assert bool(rest) == ("--json" in words)
    assert json.loads(result.stdout)["gaps"] == ["no migration bears the number 2"]
    for rule in ("gap", '"gap:003-c"'):
        (root / "system.toml").write_text(f'[validate]\n{rule} = "002 was never merged"\n')
        for command in ("up", "status"):
            assert CliRunner().invoke(app, [command, str(root), "--dsn", empty_database]).stderr == ""


@pytest.mark.thorough
def test_every_json_may_go_to_the_standard_output(empty_database: str, write: Write) -> None:
    """And nothing else does then: what people read is on the standard error. `rehearse` has a test of its own."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n", "003-c.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    for words, key, shown in (
        (["migrate", "status", str(folder), "--dsn", empty_database], "migrations", "Total: 2"),
        (["migrate", "validate", str(folder)], "findings", "2 migrations"),
        (["doctor", str(folder), "--dsn", empty_database], "checks", "checks passed"),
    ):
        result = CliRunner().invoke(commands(), [*words, "--json", "-"])
        assert json.loads(result.stdout)[key], words
        assert shown in result.stderr
        quick = subprocess.run(
            [sys.executable, "-m", "pgcontract", *words, "--json=-"], capture_output=True, text=True, check=False
        )
        assert json.loads(quick.stdout)[key], words
        assert shown in quick.stderr
    assert not Path("-").exists()


def test_an_empty_folder_is_where_the_first_migration_is_written(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`create` writes it; the others say that there is none yet, and name that command."""
    folder = tmp_path / "fresh"
    folder.mkdir()
    (folder / ".gitkeep").touch()
    database = ("--dsn", empty_database)
    empty: list[tuple[str | Path, ...]] = [
        ("up", folder, *database),
        ("status", folder, *database),
        ("validate", folder),
    ]
    for words in empty:
        with pytest.raises(MigrationError, match="no migrations in this folder") as caught:
            run(*words)
        assert f"pgcontract migrate create NAME {folder}" in (caught.value.remedy or "")
    monkeypatch.chdir(folder)
    assert run("create", "add users", ".") == ["001-add-users.sql"]
    assert (folder / "001-add-users.sql").read_text().endswith("-- ROLLBACK\n")
    (folder / "001-add-users.sql").write_text("SELECT 1;\n-- ROLLBACK\n-- none\n")
    assert run("up", folder, "--dsn", empty_database)[-1] == "Total: 1 | Executed: 1 | Pending: 0"


def test_a_folder_of_other_things_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    """Nothing is written between somebody's notes."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match="no schema system"):
        run("create", "add users", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_failed_migration_without_a_transaction_is_cleared(empty_database: str, write: Write) -> None:
    """The INVALID index is named, and what stays is told."""
    text = "-- no-transaction\nCREATE TABLE a AS SELECT 1 AS b UNION ALL SELECT 1;\n"
    text += "CREATE UNIQUE INDEX CONCURRENTLY c ON a (b);\n-- ROLLBACK\nDROP TABLE a;\n"
    folder = write({"001-a.sql": text})
    with pytest.raises(MigrationError) as caught:
        run("up", folder, "--dsn", empty_database)
    assert "repair --clear 1" in (caught.value.remedy or "")
    assert run("repair", folder, "--clear", "1", "--dsn", empty_database) == [
        "✓ dropped     the invalid index public.c",
        "✓ cleared     001-a",
        "1 statement of it had finished: what that did stays in the database.",
    ]


def test_baseline_says_what_it_has_adopted(empty_database: str, write: Write) -> None:
    """Whose table there was, what it is called now, and what is recorded."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE migrations (id SERIAL, name TEXT, run_on TIMESTAMP)")
        connection.execute("INSERT INTO migrations (name, run_on) VALUES ('001-a', now())")
    assert run("baseline", folder, "--dsn", empty_database) == [
        "The table migrations was made by node-pg-migrate; its rows are left as they are.",
        "It is called migrations_of_node_pg_migrate now, because migrations is this command's own.",
        "✓ recorded    001-a",
        "Recorded: 1. `pgcontract migrate status` shows what is pending.",
    ]
    assert run("up", folder, "--dsn", empty_database)[0] == "Nothing to apply."


def test_validate_and_create_need_no_database(write: Write, tmp_path: Path) -> None:
    """Exit 1 where something was found; the findings are written for programs, too."""
    text = "CREATE TABLE users (id UUID, CONSTRAINT users_pkey PRIMARY KEY (id));\n-- ROLLBACK\nDROP TABLE users;\n"
    folder = write({"001-users.sql": text})
    assert run("validate", folder) == [f"✓ {folder}: 1 migration, 0 findings"]
    assert run("create", "add more", folder) == [str(folder / "002-add-more.sql")]
    result = CliRunner().invoke(app, ["validate", str(folder), "--json", str(tmp_path / "found.json")])
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == f"✗ {folder}: 2 migrations, 2 findings"
    told = json.loads((tmp_path / "found.json").read_text())["findings"]
    assert [finding["rule"] for finding in told] == ["empty", "rollback"]


@pytest.mark.parametrize("option", ["--lock-timeout", "--statement-timeout"])
def test_a_time_limit_that_no_server_takes_is_no_failed_connection(
    empty_database: str, write: Write, option: str
) -> None:
    """It is the option that is wrong."""
    folder = write({"001-a.sql": "SELECT 1;\n-- ROLLBACK\n-- none\n"})
    result = CliRunner().invoke(app, ["up", str(folder), "--dsn", empty_database, option, "1e20"])
    assert (result.exit_code, option in result.output) == (2, True)


@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_the_quick_way_knows_every_option_of_the_usual_one(command: str) -> None:
    """By the same names; one that it does not know would only be slow."""
    made = typer.main.get_group(app)
    found = made.get_command(None, command)  # type: ignore[arg-type]  # no context is needed here
    assert found is not None
    usual = {name: parameter.name for parameter in found.params for name in parameter.opts if name.startswith("--")}
    positional, options = quick.COMMANDS[command]
    assert {name: target for name, (target, _) in options.items()} == {
        name: target for name, target in usual.items() if name != "--help"
    }
    assert [name for name, _ in positional] == [p.name for p in found.params if p.param_type_name == "argument"]
    assert migrate.COMMANDS[command]


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (["up", "a", "--to", "3", "--dry-run"], {"path": Path("a"), "to": 3, "dry_run": True}),
        (["up", "--lock-timeout=1.5"], {"lock_timeout": 1.5}),
        (["down", "a", "2", "--dsn", "x"], {"path": Path("a"), "steps": 2, "dsn": "x"}),
        (["status", "--json", "-"], {"json_file": Path("-")}),
        (["up", "a", "b"], None),
        (["up", "--help"], None),
        (["up", "--no-init"], None),
        (["up", "--to"], None),
        (["up", "--to", "x"], None),
        (["up", "--wait", "-1"], None),
        (["up", "--wait", "nan"], None),
        (["up", "--statement-timeout", "1e20"], None),
        (["up", "--dry-run=1"], None),
        (["down", "a", "two"], None),
    ],
)
def test_the_quick_way_reads_only_what_is_plainly_right(words: list[str], read: dict[str, object] | None) -> None:
    """Everything else is left to the usual one."""
    assert quick.read(words[0], words[1:]) == read

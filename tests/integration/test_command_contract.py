"""`pgcontract freeze` and `pgcontract diff`: the file is written, and drift is told, with the right exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from pgcontract.catalog import read_catalog
from pgcontract.cli import contract as commands
from pgcontract.contract import Contract, dumps, read, write
from pgcontract.errors import ContractError, ServerError, UsageError
from pgcontract.model import Catalog, Name
from pgcontract.server import Server
from tests.integration.fix_server import TEST_MAJOR

app = typer.Typer()
app.command("freeze")(commands.freeze)
app.command("diff")(commands.diff)

TABLES = "CREATE TABLE notes (id integer PRIMARY KEY, title text NOT NULL, CONSTRAINT titled CHECK (title <> ''));\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A schema in one .sql file."""
    path = tmp_path / "shop.sql"
    path.write_text(TABLES, encoding="utf-8")
    return path


@pytest.fixture
def live(zoo_servers: Callable[[int], Server]) -> Iterator[str]:
    """The DSN of a database of its own with that schema in it."""
    server = zoo_servers(TEST_MAJOR)
    with psycopg.connect(server.address.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE live")
        with psycopg.connect(server.address.dsn("live"), autocommit=True) as inside:
            inside.execute(TABLES + "CREATE TABLE migrations (id integer)")
        yield server.address.dsn("live")
        connection.execute("DROP DATABASE live WITH (FORCE)")


def run(*arguments: object) -> Any:
    """Run a command; its errors are raised."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_freeze_writes_what_diff_then_finds_unchanged(shop: Path) -> None:
    """Both on servers of their own; freezing again tells that nothing is new, and what is after a change."""
    contract = shop.with_suffix(".contract.toml")
    first = run("freeze", shop, "--pg", TEST_MAJOR)
    assert first.exit_code == 0
    assert "promises, frozen" in first.output
    assert read(contract).catalog.table(Name("public", "notes")) is not None
    assert "as before" in run("freeze", shop, "--pg", TEST_MAJOR).output
    same = run("diff", shop, "--pg", TEST_MAJOR)
    assert (same.exit_code, same.output) == (0, "✓ shop: every promise is as it was frozen\n")
    shop.write_text(TABLES.replace(" NOT NULL", ""), encoding="utf-8")
    other = run("diff", shop, "--pg", TEST_MAJOR)
    assert other.exit_code == 1
    assert "notes.title.not_null: NOT NULL was dropped" in other.output
    assert "notes.title.not_null: NOT NULL was dropped" in run("freeze", shop, "--pg", TEST_MAJOR).output


def test_freezing_mends_a_contract_that_cannot_be_read(shop: Path) -> None:
    """It is what the error's own remedy tells people to do."""
    contract = shop.with_suffix(".contract.toml")
    contract.write_text("format = ", encoding="utf-8")
    assert run("freeze", shop, "--pg", TEST_MAJOR).exit_code == 0
    assert read(contract).system == "shop"


def test_diff_tells_the_drift_of_a_live_database_and_writes_nothing(shop: Path, live: str, tmp_path: Path) -> None:
    """In words with whom it breaks, and as JSON; the tracking table is no drift."""
    with psycopg.connect(live) as connection:
        frozen = read_catalog(connection, ignore=[Name("public", "migrations")])
    write(shop.with_suffix(".contract.toml"), Contract("shop", frozen))
    same = run("diff", shop, "--from", live)
    assert (same.exit_code, same.output) == (0, "✓ shop: every promise is as it was frozen\n")
    with psycopg.connect(live, autocommit=True) as connection:
        connection.execute("ALTER TABLE notes DROP CONSTRAINT titled, ADD COLUMN extra integer NOT NULL")
        connection.execute("ALTER DATABASE live SET default_transaction_read_only TO on")
    file = tmp_path / "drift.json"
    result = run("diff", shop, "--from", live, "--json", file)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "✗ notes.titled: the check was dropped: CHECK (title <> ''::text) (breaking for readers)",
        "✗ notes.extra.type: a column was added: extra integer (breaking for writers)",
        f'  if that is meant: pgcontract freeze {shop} --from "$FROM"',
        "✗ shop: 2 differences from the frozen contract, 2 of them breaking",
    ]
    written = json.loads(file.read_text(encoding="utf-8"))
    assert (written["format"], written["system"]) == (1, "shop")
    assert written["differences"][0] == {
        "id": "notes.titled",
        "kind": "check",
        "change": "removed",
        "frozen": "CHECK (title <> ''::text)",
        "live": None,
        "part_of": None,
        "breaks": ["readers"],
    }
    assert [one["id"] for one in written["differences"]] == ["notes.titled", "notes.extra.type", "notes.extra.not_null"]


def test_the_text_of_a_connection_is_the_text_of_the_file(live: str) -> None:
    """`freeze_text` is what `freeze` writes."""
    with psycopg.connect(live) as connection:
        text = commands.freeze_text(connection, "shop", ignore=[Name("public", "migrations")], roles={})
        assert text == dumps(Contract("shop", read_catalog(connection, ignore=[Name("public", "migrations")])))


def test_a_password_is_never_shown(shop: Path, live: str) -> None:
    """Not where the database refuses, and not where the DSN is none."""
    write(shop.with_suffix(".contract.toml"), Contract("shop", Catalog()))
    missing = live.replace("/live?", "/missing?").replace("postgres@", "postgres:hush@")
    with pytest.raises(ServerError, match="cannot be reached") as refused:
        run("diff", shop, "--from", missing)
    assert "missing" in str(refused.value.where)
    with pytest.raises(UsageError, match="no connection string") as wrong:
        run("diff", shop, "--from", "postgresql://u:hush@[::1/x")
    for raised in (refused, wrong):
        assert "hush" not in str(raised.value)


def test_diff_without_a_contract_says_how_to_make_one(shop: Path, live: str) -> None:
    """An error with exit code 2, not a drift."""
    with pytest.raises(ContractError) as raised:
        run("diff", shop, "--from", live)
    assert "pgcontract freeze" in str(raised.value.remedy)

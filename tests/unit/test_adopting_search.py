"""Where a repository's schema is found, whichever tool wrote its migrations; and what is written down of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pgcontract.errors import UsageError
from pgcontract.inputs.adopting import configure, search
from pgcontract.system import System, configured

TABLE = "CREATE TABLE t (id INTEGER);\n"


def laid_out(folder: Path, *files: str) -> Path:
    """A repository with these files; ``name=text`` where the text matters."""
    for one in files:
        name, _, text = one.partition("=")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or TABLE)
    return folder


@pytest.mark.parametrize(
    ("files", "path", "convention"),
    [
        (["db/migrations/20240101_a.sql=-- migrate:up\n"], "db", "dbmate"),
        (["sql/migrations/001_a.sql=-- +goose Up\n"], "sql", "goose"),
        (["schema/changes/001_a.sql=-- +goose Up\n"], "schema/changes", "goose"),
        (["migrations/1_a.sql=-- +migrate Up\n"], ".", "sql-migrate"),
        (["migrations/1_a.up.sql", "migrations/1_a.down.sql"], ".", "golang-migrate"),
        (["src/main/resources/db/migration/V1__a.sql", "src/test/x.sql"], ".", "Flyway"),
        (["db/migration/V1__a.sql"], ".", "Flyway"),
        (["services/shop/migrations/2024_a/up.sql", "Cargo.toml"], "services/shop", "diesel"),
        (["prisma/migrations/20240101_a/migration.sql"], "prisma", "Prisma"),
        (["supabase/migrations/20240101_a.sql"], "supabase", "plain"),
        ([f"db/migrations/001-a.sql={TABLE}-- ROLLBACK\nDROP TABLE t;\n"], "db", "pgcontract"),
        (["app/system.toml=migrations = 'm'\n", "app/m/001-a.sql"], "app", "pgcontract"),
        (["db/structure.sql", "db/migrate/001_a.rb"], "db/structure.sql", "one file"),
        (["schema.sql"], "schema.sql", "one file"),
        (["shop.sql"], "shop.sql", "one file"),
        # what is surer goes before what might be it
        (["db/migrations/1_a.sql=-- migrate:up\n", "db/schema.sql", "dump.sql"], "db", "dbmate"),
        (["initdb/01_a.sql", "migrations/001_a.sql"], ".", "plain"),
        (["db/migrations/1_a.up.sql", "node_modules/x/migrations/1_a.up.sql"], "db", "golang-migrate"),
        (["db/migrations/1_a.sql=-- migrate:up\n", "tests/migrations/1_a.sql=-- migrate:up\n"], "db", "dbmate"),
    ],
)
def test_a_schema_is_found_and_can_be_loaded(tmp_path: Path, files: list[str], path: str, convention: str) -> None:
    """By the folder around it, so that the contract lies beside the migrations and not among them."""
    folder = laid_out(tmp_path, *files)
    (found,) = search(folder)
    assert (found.path.as_posix(), found.convention) == (path, convention)
    system = System.load(folder / found.path)
    assert system.sources()
    if system.sql_file is None:
        assert not system.contract.parent.samefile(system.sources()[0].parent) or found.files == found.path


def test_all_that_are_as_sure_are_named(tmp_path: Path) -> None:
    """For a person to choose."""
    folder = laid_out(tmp_path, "a/migrations/1_a.up.sql", "b/migrations/1_a.up.sql", "c/schema.sql")
    assert [one.path.as_posix() for one in search(folder)] == ["a", "b"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["README.md"], "pg_dump --schema-only"),
        (["alembic.ini", "migrations/versions/3f2a_x.py"], 'apply = "alembic upgrade head"'),
        (["manage.py", "shop/migrations/0001_initial.py"], 'apply = "python manage.py migrate"'),
        (["Gemfile", "db/migrate/20240101_a.rb"], 'apply = "bin/rails db:migrate"'),
        (["db/20240101_a.ts"], 'apply = "the command"'),
    ],
)
def test_where_nothing_is_found_the_next_step_is_named(tmp_path: Path, files: list[str], words: str) -> None:
    """A dump, or the command of the tool that can run its programs."""
    with pytest.raises(UsageError) as raised:
        search(laid_out(tmp_path, *files))
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "before", [None, "", "[project]\nname = 'x'\n", "[project]\nname = 'x'", "# ü\r\n[a]\r\nb = 1\r\n"]
)
def test_what_is_written_is_read_and_what_was_there_stays(tmp_path: Path, before: str | None) -> None:
    """In pyproject.toml where there is one, line ends and all; else in a file of our own. Twice is refused."""
    folder = laid_out(tmp_path, "db/migrations/1_a.up.sql")
    pyproject = folder / "pyproject.toml"
    if before is not None:
        pyproject.write_bytes(before.encode())
    file = configure(folder, [Path("db")])
    assert file.name == ("pgcontract.toml" if before is None else "pyproject.toml")
    assert configured(folder) == [folder / "db"]
    if before is not None:
        after = pyproject.read_bytes().decode()
        assert after.startswith(before)
        assert tomllib.loads(after)["tool"]["pgcontract"] == {"systems": ["db"]}
        assert ("\r\n" in before) == ("\n" not in after.replace("\r\n", ""))
    with pytest.raises(UsageError):
        configure(folder, [Path("db")])

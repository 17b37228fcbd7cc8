"""Folders in other tools' conventions: recognised, put in order, and cut down to what `up` runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.errors import MigrationError, UsageError
from pgcontract.inputs.conventions import recognise, steps
from pgcontract.model import Name
from pgcontract.system import System


def folder_of(root: Path, files: dict[str, str]) -> Path:
    """A folder with these files, at these paths below it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def told(folder: Path) -> tuple[str, list[str]]:
    """The convention's name, and what is run, in its order."""
    convention = recognise(folder)
    assert convention is not None
    return convention.name, [step.text.strip() for step in steps(folder, convention)]


@pytest.mark.parametrize(
    ("name", "files"),
    [
        (
            "dbmate",
            {
                "20200101000000_a.sql": "-- why\n-- migrate:up\nA;\n\n-- migrate:down\nNOT A;\n",
                "20200102000000_b.sql": "-- migrate:up transaction:false\nB;\n-- migrate:down\n",
                "schema.sql": "-- dumped by dbmate itself",
            },
        ),
        (
            "goose",
            {
                "00001_a.sql": "-- +goose Up\nA;\n-- +goose Down\nNOT A;",
                "00002_b.sql": "-- +goose NO TRANSACTION\n-- +goose Up\nB;",
            },
        ),
        ("sql-migrate", {"1_a.sql": "-- +migrate Up\nA;\n-- +migrate Down\nNOT A;", "2_b.sql": "--+migrate Up\nB;"}),
        ("golang-migrate", {"2_a.up.sql": "A;", "2_a.down.sql": "NOT A;", "10_b.up.sql": "B;", "10_b.down.sql": ""}),
        ("golang-migrate", {"001_a_up.sql": "A;", "001_a_down.sql": "NOT A;", "2-b-up.sql": "B;", "2-b-down.sql": ""}),
        ("Flyway", {"V2__a.sql": "A;", "V10__b.sql": "B;", "U2__a.sql": "NOT A;", "other.sql": "x"}),
        ("diesel", {"2019-01-01-0_a/up.sql": "A;", "2019-01-01-0_a/down.sql": "x", "2019-01-02-0_b/up.sql": "B;"}),
        ("Prisma", {"20190101_a/migration.sql": "A;", "20190102_b/migration.sql": "B;"}),
        ("Prisma", {"20190101_b/migration.sql": "A;", "20190101_b_more/migration.sql": "B;"}),
        ("plain", {"2.sql": "A;", "10-b.sql": "B;", "10-b.down.sql": "NOT B;"}),
        ("plain", {"1.sqlite.sql": "x", "1.postgres.sql": "A;", "2.mysql.sql": "x", "2.sql": "B;"}),
        (
            "pop",
            {
                "1_a.up.sql": "x", "1_a.postgres.up.sql": "A;", "1_a.mysql.up.sql": "x", "1_a.postgres.down.sql": "x",
                "2_b.autocommit.up.sql": "x", "2_b.cockroach.autocommit.up.sql": "x", "2_b.postgres.up.sql": "B;",
                "3_c.sqlite3.up.sql": "x",
            },
        ),
    ],
)  # fmt: skip
def test_a_convention_is_known_by_its_files(tmp_path: Path, name: str, files: dict[str, str]) -> None:
    """Each with what it runs on the way up, numbers in the order of numbers, and nothing of the way down."""
    assert told(folder_of(tmp_path, files)) == (name, ["A;", "B;"])


def test_flyway_orders_versions_by_their_numbers(tmp_path: Path) -> None:
    """1.10 after 1.9, folders within, the newest baseline instead of what it holds, what is repeatable at the end."""
    names = ["V1__old", "V1.9__c", "V1.10__d", "B1.8__base", "B1__older", "R__z view", "R__a view", "later/V2_1__e"]
    folder_of(tmp_path, {f"{name}.sql": name.rpartition("__")[2] for name in names})
    assert told(tmp_path) == ("Flyway", ["base", "c", "d", "e", "a view", "z view"])


def test_flyways_callbacks_run_around_its_migrations(tmp_path: Path) -> None:
    """Before and after all; those that run between them are refused, those of other commands left out."""
    names = {"afterMigrate__grants.sql": "C", "V1__b.sql": "B", "beforeMigrate.sql": "A", "afterClean.sql": "x"}
    assert told(folder_of(tmp_path, {**names, "before_all.sql": "x"})) == ("Flyway", ["A", "B", "C"])
    (tmp_path / "afterEachMigrate.sql").write_text("x")
    with pytest.raises(MigrationError, match="a time of its own"):
        told(tmp_path)


def test_one_version_of_flyways_is_there_once(tmp_path: Path) -> None:
    """1.0 and 1 are one version; both files are named."""
    folder_of(tmp_path, {"V1__a.sql": "", "V1.0__b.sql": ""})
    with pytest.raises(MigrationError, match="same version") as caught:
        told(tmp_path)
    assert "V1__a.sql" in (caught.value.where or "")
    assert "V1.0__b.sql" in (caught.value.where or "")


def test_what_flyway_would_put_in_is_refused(tmp_path: Path) -> None:
    """A placeholder is never read as text; file and line are told."""
    folder_of(tmp_path, {"V1__a.sql": "SELECT 1;\nSELECT '${owner}';"})
    with pytest.raises(MigrationError) as caught:
        told(tmp_path)
    assert (caught.value.where or "").endswith("V1__a.sql:2")
    assert caught.value.seen == "${owner}"


def test_the_line_of_the_file_is_kept(tmp_path: Path) -> None:
    """What stands before the mark is not run, but counted; whether it runs in a transaction is read."""
    folder_of(tmp_path, {"1_a.sql": "-- one\n-- two\n-- migrate:up transaction:false\n\nA;\n"})
    convention = recognise(tmp_path)
    assert convention is not None
    (step,) = steps(tmp_path, convention)
    assert (step.line, step.text, step.transactional) == (3, "\n\nA;\n", False)


def test_a_file_without_the_others_mark_is_refused(tmp_path: Path) -> None:
    """It would otherwise run whole, its way down included."""
    folder_of(tmp_path, {"1_a.sql": "-- +goose Up\nA;", "2_b.sql": "B;"})
    with pytest.raises(MigrationError, match="goose") as caught:
        told(tmp_path)
    assert (caught.value.where or "").endswith("2_b.sql")


def test_a_program_among_gooses_files_is_refused(tmp_path: Path) -> None:
    """Leaving it out would make another schema; its test is none."""
    folder_of(tmp_path, {"1_a.sql": "-- +goose Up\nA;", "2_b_test.go": "package b"})
    assert told(tmp_path)[1] == ["A;"]
    (tmp_path / "2_b.go").write_text("package b")
    with pytest.raises(MigrationError, match="a program") as caught:
        told(tmp_path)
    assert "apply =" in (caught.value.remedy or "")


def test_parents_come_first(tmp_path: Path) -> None:
    """metadata.yaml orders what its number would not; a circle is told."""
    files = {"1_a/up.sql": "A", "1_a/metadata.yaml": "name: a\nparents: [3]\n", "2_b/up.sql": "B", "3_c/up.sql": "C"}
    assert told(folder_of(tmp_path, files))[1] == ["B", "C", "A"]
    (tmp_path / "3_c" / "metadata.yaml").write_text("parents:\n  - 1\n  - 99\n")
    with pytest.raises(MigrationError, match="wait for each other"):
        told(tmp_path)


def test_diesel_can_run_a_migration_without_a_transaction(tmp_path: Path) -> None:
    """metadata.toml says so."""
    folder_of(tmp_path, {"1_a/up.sql": "A", "1_a/metadata.toml": "run_in_transaction = false\n", "2_b/up.sql": "B"})
    convention = recognise(tmp_path)
    assert convention is not None
    assert [step.transactional for step in steps(tmp_path, convention)] == [False, True]


def test_diesels_stamps_are_no_numbers(tmp_path: Path) -> None:
    """They got longer over the years: a newer one with fewer digits comes last, as diesel compares them."""
    names = {"2025-09-19-132648-0000_b": "B", "2025-09-19-090047_a": "A", "2025-10-01-000000_c": "C"}
    folder_of(tmp_path, {f"{name}/up.sql": text for name, text in names.items()})
    assert told(tmp_path) == ("diesel", ["A", "B", "C"])


def test_a_folder_of_ours_stays_ours(tmp_path: Path) -> None:
    """One rollback section is enough; without any, files that bear our names are run whole, and stay ours."""
    folder_of(tmp_path, {"001-a.sql": "A;", "002-b.sql": "B;\n-- ROLLBACK\n"})
    system = System.load(tmp_path)
    assert (system.migrations, system.folder, system.convention) == (tmp_path, None, None)
    (tmp_path / "002-b.sql").write_text("B;")
    system = System.load(tmp_path)
    assert (system.migrations, system.folder) == (tmp_path, tmp_path)


@pytest.mark.parametrize("place", ["db/migrations", "db/migration", "src/main/resources/db/migration", "migrations"])
def test_a_project_is_looked_through(tmp_path: Path, place: str) -> None:
    """Where tools keep migrations; the system bears the project's name, and ignores the tool's own table."""
    folder_of(tmp_path / "shop", {f"{place}/V1__a.sql": "A;"})
    system = System.load(tmp_path / "shop")
    assert system.folder == tmp_path / "shop" / place
    assert system.migrations is None
    assert system.tracking_table == Name("public", "flyway_schema_history")
    assert (system.name, system.contract) == ("shop", tmp_path / "shop" / "contract.toml")
    assert [path.name for path in system.sources()] == ["V1__a.sql"]


def test_rails_keeps_a_dump(tmp_path: Path) -> None:
    """db/structure.sql stands for its Ruby migrations, from the project's folder and from db."""
    folder_of(tmp_path / "shop", {"db/structure.sql": "", "db/migrate/20200101_a.rb": ""})
    for path in (tmp_path / "shop", tmp_path / "shop" / "db"):
        system = System.load(path)
        assert (system.name, system.sql_file) == (path.name, tmp_path / "shop" / "db" / "structure.sql")


@pytest.mark.parametrize(
    "program", ["versions/1a2b3c4d_a.py", "20200101000000_a.js", "0001_initial.py", "env.py", "migrations/0001_a.py"]
)
def test_migrations_that_are_programs_need_a_command(tmp_path: Path, program: str) -> None:
    """The error names one, and the setting."""
    folder_of(tmp_path, {program: ""})
    with pytest.raises(UsageError, match="programs") as caught:
        System.load(tmp_path)
    assert "apply =" in (caught.value.remedy or "")


def test_what_only_works_on_ours_says_whose_these_are(tmp_path: Path) -> None:
    """The remedy says what does work."""
    error = System.load(folder_of(tmp_path, {"V1__a.sql": ""})).not_ours()
    assert "Flyway" in error.what
    assert "verify" in (error.remedy or "")


@pytest.mark.parametrize(
    "settings",
    ["apply = 3", "apply = ''", 'apply = "\'"', "apply = [1]", "without = 'x'", "apply = 'a'\nschema = 's.sql'"],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: str) -> None:
    """Each with its name."""
    folder_of(tmp_path, {"system.toml": settings, "s.sql": ""})
    with pytest.raises(UsageError):
        System.load(tmp_path)


def test_a_command_is_cut_as_a_shell_cuts_it(tmp_path: Path) -> None:
    """Its databases are one run's: what it reads is not known."""
    folder_of(tmp_path, {"system.toml": "apply = \"python 'my tool.py' up\"\nwithout = ['postgis']"})
    system = System.load(tmp_path)
    assert (system.apply, system.without) == (("python", "my tool.py", "up"), ("postgis",))
    assert not system.kept
    assert system.key() == system.key()


def test_a_schema_file_can_have_settings(tmp_path: Path) -> None:
    """system.toml names it; what it includes makes the database, too."""
    folder_of(
        tmp_path, {"system.toml": "schema = 'all.sql'", "all.sql": "\\ir tables.sql\n", "tables.sql": "SELECT 1;"}
    )
    system = System.load(tmp_path)
    assert system.sources() == (tmp_path / "all.sql", tmp_path / "tables.sql")
    before = system.key()
    (tmp_path / "tables.sql").write_text("SELECT 2;")
    assert system.key() != before

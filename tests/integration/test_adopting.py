"""Adoption in small steps, as people take them: `init`, what a branch touches, and what is known to be broken."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from pgcontract.contract import Contract
from pgcontract.contract import write as freeze
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.server import Server
from pgcontract.system import System
from tests.integration.test_command_verify import pgcontract, refused

# each runs the command as people do, in a process of its own
pytestmark = pytest.mark.thorough

SCHEMA = """
CREATE TABLE parents (id INTEGER PRIMARY KEY);
CREATE TABLE children (
  id INTEGER PRIMARY KEY,
  parent_id INTEGER CONSTRAINT fk_parent REFERENCES parents (id) ON DELETE SET NULL
);
CREATE TABLE strangers (id INTEGER PRIMARY KEY, age INTEGER NOT NULL CONSTRAINT chk_age CHECK (age > 0));
"""
# rows that a trigger refuses: nothing of them can be proven
REFUSED = """
CREATE TABLE sealed (id INTEGER PRIMARY KEY);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'sealed'; END $$;
CREATE TRIGGER sealing BEFORE INSERT ON sealed FOR EACH ROW EXECUTE FUNCTION refuse();
"""
DBMATE = "-- migrate:up\n{}\n-- migrate:down\nDROP SCHEMA public CASCADE;\n"


def git(folder: Path, *words: str) -> str:
    """Run git in the folder."""
    named = {f"GIT_{who}_{what}": "nobody@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "init.defaultBranch=main", *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **named},
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's repository, with dbmate's migrations and other folders; it is the working folder."""
    folder = tmp_path / "shop"
    migrations = folder / "db" / "migrations"
    migrations.mkdir(parents=True)
    (migrations / "20240101120000_begin.sql").write_text(DBMATE.format(SCHEMA))
    for other in ("src", "node_modules/x/migrations", ".cache/migrations"):
        (folder / other).mkdir(parents=True)
        (folder / other / "001_other.sql").write_text("SELECT 1;")
    (folder / "src" / "001_other.sql").rename(folder / "src" / "other.txt")
    monkeypatch.chdir(folder)
    return folder


def frozen(folder: Path, server: Server) -> Path:
    """The folder's system, with its contract frozen."""
    system = System.load(folder)
    with staged(system, server, ServerChoice()) as stage:
        freeze(system.contract, Contract(system.name, stage.read_catalog()))
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_init_brings_a_repository_under_contract(repository: Path) -> None:
    """It finds, writes, freezes, proves and says what comes next; a second run changes nothing and is green as well."""
    before = snapshot(repository)
    result = pgcontract("init", "--examples", "10")
    assert result.returncode == 0, result.stdout + result.stderr
    for words in (
        "found  db/migrations: migrations, as dbmate's",
        "wrote  pgcontract.toml",
        "froze  db/contract.toml",
        "promises proven",
        "git add pgcontract.toml db/contract.toml",
        "--changed-since",
    ):
        assert words in result.stdout
    after = snapshot(repository)
    assert before.items() <= after.items()
    assert sorted(after.keys() - before.keys()) == ["db/contract.toml", "pgcontract.toml"]
    assert tomllib.loads((repository / "pgcontract.toml").read_text()) == {"systems": ["db"]}
    again = pgcontract("init", "--examples", "10")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "kept   db/contract.toml" in again.stdout
    assert snapshot(repository) == after
    assert pgcontract("verify", "--only", "parents", "--examples", "5").returncode == 0


def test_init_lists_what_cannot_be_proven_and_starts_green(repository: Path, tmp_path: Path) -> None:
    """What is listed is known; what is new fails; what is proven again is told, and taken out when one asks for it."""
    (repository / "db" / "migrations" / "20240102120000_seal.sql").write_text(DBMATE.format(REFUSED))
    (repository / "pyproject.toml").write_text("[project]\r\nname = 'shop'")
    result = pgcontract("init", "--examples", "10")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (repository / "pyproject.toml").read_bytes() == (
        b"[project]\r\nname = 'shop'\r\n\r\n[tool.pgcontract]\r\nsystems = [\"db\"]\r\n"
    )
    baseline = repository / "db" / "baseline.toml"
    listed = tomllib.loads(baseline.read_text())
    assert set(listed) == {"unproven"}
    assert "sealed" in listed["unproven"]["sealed.id.not_null"]

    out = tmp_path / "out.json"
    green = pgcontract("verify", "--examples", "10", "--json", out)
    assert green.returncode == 0, green.stdout + green.stderr
    assert f"{len(listed['unproven'])} known" in green.stdout.splitlines()[-1]
    found = json.loads(out.read_text())
    assert found["kept"] is True
    assert {one["id"] for one in found["known"]} == set(listed["unproven"]) == {one["id"] for one in found["unproven"]}

    lines = [line for line in baseline.read_text().splitlines() if "sealed.id.not_null" not in line]
    baseline.write_text("\n".join([*lines, '"strangers.chk_age" = "was broken once"', '"gone.chk" = "is gone"\n']))
    new = pgcontract("verify", "--examples", "10")
    assert new.returncode == 1
    assert "unproven sealed.id.not_null" in new.stdout
    assert "strangers.chk_age is proven again: take it out of the baseline" in new.stdout
    assert "gone.chk is no promise any more" in new.stdout
    shrunk = pgcontract("verify", "--examples", "10", "--shrink-baseline")
    assert shrunk.returncode == 1, "what is new is not added"
    left = set(listed["unproven"]) - {"sealed.id.not_null"}
    assert set(tomllib.loads(baseline.read_text())["unproven"]) == left


def test_init_does_not_guess(repository: Path) -> None:
    """Two folders of migrations: both are named, nothing is written; so where they are programs, or nothing is."""
    other = repository / "billing" / "migrations"
    other.mkdir(parents=True)
    (other / "1_begin.up.sql").write_text("CREATE TABLE bills (id INTEGER);")
    before = snapshot(repository)
    refused(pgcontract("init"), "more than one schema", "billing", "db", "pgcontract init billing db")
    for file in (other / "1_begin.up.sql", repository / "db" / "migrations" / "20240101120000_begin.sql"):
        file.unlink()
    refused(pgcontract("init"), "No schema was found", "pgcontract init PATH", "pg_dump")
    (repository / "alembic.ini").write_text("[alembic]\n")
    (repository / "alembic" / "versions").mkdir(parents=True)
    (repository / "alembic" / "versions" / "3f2a_begin.py").write_text("def upgrade(): ...\n")
    refused(pgcontract("init"), "3f2a_begin.py", 'apply = "alembic upgrade head"')
    assert not any("toml" in name for name in snapshot(repository).keys() - before.keys())
    (repository / "pyproject.toml").write_text("[tool.pgcontract]\nexamples = 3\n")
    refused(pgcontract("init", "nowhere"), "nowhere")


def test_init_freezes_no_empty_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and once there is something, the same command goes on."""
    monkeypatch.chdir(tmp_path)
    schema = tmp_path / "schema.sql"
    schema.write_text("-- to be written\n")
    refused(pgcontract("init", "--examples", "1"), "promises nothing", "schema.sql")
    assert "schema.contract.toml" not in snapshot(tmp_path)
    schema.write_text("CREATE TABLE notes (id INTEGER);")
    result = pgcontract("init", "--examples", "1")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "notes" in (tmp_path / "schema.contract.toml").read_text()


def test_init_leaves_another_configuration_alone(repository: Path) -> None:
    """Where others are configured, or ours is there without systems, it says what to add."""
    (repository / "pyproject.toml").write_text("[tool.pgcontract]\nexamples = 3\n")
    refused(pgcontract("init"), "[tool.pgcontract]", 'systems = ["db"]')
    (repository / "pyproject.toml").write_text('[tool.pgcontract]\nsystems = ["db"]\n')
    other = repository / "other.sql"
    other.write_text("CREATE TABLE t (id INTEGER);")
    refused(pgcontract("init", "other.sql"), "Other systems are configured", "other.sql")


@pytest.fixture
def branch(repository: Path, pgcontract_server: Server) -> Path:
    """A branch of a repository whose contract is frozen on main."""
    frozen(repository / "db", pgcontract_server)
    git(repository, "init", "-q")
    git(repository, "add", "db")
    git(repository, "commit", "-q", "-m", "begin")
    git(repository, "checkout", "-q", "-b", "branch")
    return repository


def added(repository: Path, statement: str) -> Path:
    """A migration more."""
    number = len(list((repository / "db" / "migrations").iterdir()))
    file = repository / "db" / "migrations" / f"2025{number:010}_more.sql"
    file.write_text(DBMATE.format(statement))
    return file


def test_only_what_a_branch_touches_is_tried(branch: Path, pgcontract_server: Server, tmp_path: Path) -> None:
    """A CHECK on `parents` touches it and its children, not `strangers`; what main did since is no change of ours."""
    git(branch, "checkout", "-q", "main")
    added(branch, "ALTER TABLE strangers ADD COLUMN name TEXT;")
    git(branch, "add", "db")
    git(branch, "commit", "-q", "-m", "main goes on")
    git(branch, "checkout", "-q", "branch")
    added(branch, "ALTER TABLE parents ADD CONSTRAINT chk_id CHECK (id > 0);")
    frozen(branch / "db", pgcontract_server)
    out = tmp_path / "out.json"
    result = pgcontract("verify", "db", "--changed-since", "main", "--examples", "5", "--json", out)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "changed parents; they reach children" in result.stdout
    tables = {one["id"].partition(".")[0] for one in json.loads(out.read_text())["verdicts"]}
    assert tables == {"parents", "children"}


def test_a_touched_promise_that_is_broken_fails_and_drift_is_not_hidden(branch: Path) -> None:
    """A branch that forgets to freeze its new table fails by drift; one that drops a CHECK by the proof."""
    added(branch, "CREATE TABLE late (id INTEGER PRIMARY KEY); ALTER TABLE strangers DROP CONSTRAINT chk_age;")
    result = pgcontract("verify", "db", "--changed-since", "main", "--examples", "5")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "late: a table was added" in result.stdout
    assert "broken strangers.chk_age" in result.stdout
    assert "parents" not in result.stdout


@pytest.mark.usefixtures("branch")
def test_nothing_touched_is_nothing_to_try() -> None:
    """The same files: no promise is tried, and that is said."""
    result = pgcontract("verify", "db", "--changed-since", "main")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "nothing is touched" in result.stdout
    assert "0 of 0 promises proven" in result.stdout


def test_invariants_are_asked_when_one_changed_and_all_is_tried_where_all_is_new(branch: Path) -> None:
    """An invariant's file is what a branch touches, too; a system that was not there then is touched as a whole."""
    (branch / "db" / "invariants").mkdir()
    (branch / "db" / "invariants" / "young.sql").write_text("SELECT id FROM strangers WHERE age < 0;")
    result = pgcontract("verify", "db", "--changed-since", "main", "--examples", "5")
    assert "1 of 1 promise proven" in result.stdout, result.stdout + result.stderr
    git(branch, "rm", "-q", "-r", "--cached", "db")
    git(branch, "commit", "-q", "--amend", "--allow-empty", "-m", "nothing")
    result = pgcontract("verify", "db", "--changed-since", "HEAD", "--examples", "5")
    assert "the whole system is new" in result.stdout
    assert "0 of 0" not in result.stdout


def test_a_commit_that_is_not_there_is_told_with_the_remedy(branch: Path, tmp_path: Path) -> None:
    """Shallow clones of CI are what people run into."""
    refused(pgcontract("verify", "db", "--changed-since", "nowhere"), "nowhere", "fetch-depth: 0")
    lonely = tmp_path / "lonely.sql"
    lonely.write_text(SCHEMA)
    refused(pgcontract("verify", lonely, "--changed-since", "main"), "no git repository")
    refused(pgcontract("verify", "db", "--changed-since", "main", "--write-baseline"), "A baseline is of all promises")
    git(branch, "checkout", "-q", "--orphan", "other")
    git(branch, "commit", "-q", "--allow-empty", "-m", "another beginning")
    refused(pgcontract("verify", "db", "--changed-since", "main"), "no history in common")


def test_a_tightening_that_only_adds_is_no_success(repository: Path, pgcontract_server: Server) -> None:
    """A NOT NULL column that the contract does not know breaks who writes: exit 1, as `diff` says; a free one not."""
    frozen(repository / "db", pgcontract_server)
    harmless = added(repository, "ALTER TABLE strangers ADD COLUMN nickname TEXT;")
    result = pgcontract("verify", "db", "--only", "parents", "--examples", "5")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "! strangers.nickname.type: a column was added" in result.stdout
    harmless.write_text(DBMATE.format("ALTER TABLE strangers ADD COLUMN nickname TEXT NOT NULL;"))
    result = pgcontract("verify", "db", "--only", "parents", "--examples", "5")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "✗ strangers.nickname.type: a column was added: nickname text (breaking for writers)" in result.stdout
    assert "pgcontract freeze db" in result.stdout

"""``pgcontract verify`` as people run it: what it prints, how it ends, and what it says of bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from pgcontract.contract import Contract
from pgcontract.contract import write as freeze
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.server import Binaries, Server, start
from pgcontract.system import System
from tests.integration.fix_server import eventually

SCHEMA = """
CREATE TABLE parents (id INTEGER PRIMARY KEY);
CREATE TABLE children (
  id INTEGER PRIMARY KEY,
  parent_id INTEGER CONSTRAINT fk_parent REFERENCES parents (id) ON DELETE SET NULL,
  age INTEGER NOT NULL CONSTRAINT chk_age CHECK (age BETWEEN 0 AND 17)
);
"""


def pgcontract(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pgcontract", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )


def refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Bad input: exit code 2, every word told on the standard error, and no traceback."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


@pytest.fixture
def system(tmp_path: Path, pgcontract_server: Server) -> Path:
    """A system of two tables, frozen."""
    folder = tmp_path / "family"
    (folder / "migrations").mkdir(parents=True)
    write(folder, SCHEMA)
    found = System.load(folder)
    with staged(found, pgcontract_server, ServerChoice()) as stage:
        freeze(found.contract, Contract(found.name, stage.read_catalog()))
    return folder


def write(system: Path, schema: str) -> None:
    """Make this the system's one migration."""
    (system / "migrations" / "001-family.sql").write_text(f"{schema}\n-- ROLLBACK\nDROP TABLE children, parents;\n")


def test_all_promises_proven(system: Path, tmp_path: Path) -> None:
    """Exit 0, a table by kind, and the same numbers in the JSON."""
    result = pgcontract("verify", system, "--json", tmp_path / "out.json")
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["format"] == 1
    assert found["broken"] == found["unproven"] == []
    assert found["promises"] == found["proven"] + found["not_covered"] == len(found["verdicts"])
    assert {"system", "postgresql", "seconds"} <= set(found)
    one = next(v for v in found["verdicts"] if v["id"] == "children.chk_age")
    assert set(one) == {
        *("id", "kind", "clause", "verdict", "accepts", "rejects", "seconds", "reason", "counterexample", "because"),
        *("table", "accepted", "refused", "breaking"),
    }
    assert (one["table"], one["breaking"]) == ("children", None)
    assert {"age = '0'", "age = '17'"} <= set(one["accepted"])
    assert {"age = '-1'", "age = '18'"} <= set(one["refused"])
    assert (found["command"], found["seed"], found["commit"]) == ("verify", 0, None)
    children = next(table for table in found["tables"] if table["name"] == "children")
    assert [(fk["columns"], fk["references"]) for fk in children["foreign_keys"]] == [(["parent_id"], "parents")]
    assert one["accepts"] > 0 < one["rejects"]
    for heading in ("kind", "promises", "proven", "broken", "unproven", "seconds", "referential action"):
        assert heading in result.stdout


def test_a_broken_promise_is_shown_with_its_replay(system: Path, tmp_path: Path) -> None:
    """Exit 1; drift is told first; the counterexample is SQL, and a row in the JSON; the replay finds it again."""
    write(system, SCHEMA.replace("AND 17", "AND 18"))
    result = pgcontract("verify", system, "--json", tmp_path / "out.json")
    assert result.returncode == 1, result.stdout + result.stderr
    (broken,) = (v for v in json.loads((tmp_path / "out.json").read_text())["verdicts"] if v["verdict"] == "broken")
    assert (broken["breaking"]["promised"], broken["breaking"]["seen"]) == ("23514 naming chk_age", "accepted")
    (step,) = broken["breaking"]["change"]
    assert (step["table"], step["row"]["age"]) == ("children", "18")
    assert step["sql"] in broken["counterexample"]
    assert result.stdout.index("drifted") < result.stdout.index("broken children.chk_age")
    assert """INSERT INTO "public"."children" ("id", "age") VALUES""" in result.stdout
    replay = next(line for line in result.stdout.splitlines() if "replay: pgcontract " in line)
    again = subprocess.run(
        f"{sys.executable} -m {replay.partition('replay: ')[2]}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 1
    assert "broken children.chk_age" in again.stdout


@pytest.mark.thorough
def test_without_a_contract_the_promises_are_frozen_in_memory(tmp_path: Path) -> None:
    """One .sql file is enough, and the output says so."""
    file = tmp_path / "schema.sql"
    file.write_text(SCHEMA)
    result = pgcontract("verify", file)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{file} has no schema.contract.toml: its promises are frozen in memory" in result.stdout
    assert not list(tmp_path.glob("*.toml"))


@pytest.mark.thorough
def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    """Named, with what is taken instead."""
    refused(pgcontract("verify", tmp_path / "nowhere"), "nowhere")


@pytest.mark.thorough
def test_a_migration_that_does_not_parse(system: Path) -> None:
    """File and line, before any server work."""
    write(system, SCHEMA + "CREATE TABEL x (id INT);\n")
    refused(pgcontract("verify", system), "001-family.sql", "TABEL")


@pytest.mark.thorough
def test_a_migration_that_fails_at_its_third_statement(system: Path) -> None:
    """File, statement and PostgreSQL's message."""
    write(system, SCHEMA + "ALTER TABLE nobody ADD COLUMN x INT;\n")
    refused(pgcontract("verify", system), "001-family.sql", "nobody", "3")


@pytest.mark.thorough
def test_a_truncated_contract(system: Path) -> None:
    """The file is named."""
    contract = system / "contract.toml"
    contract.write_text(contract.read_text()[:-40].rstrip('"]}\n') + ' = "')
    refused(pgcontract("verify", system), "contract.toml")


@pytest.mark.thorough
def test_a_contract_of_a_newer_format(system: Path) -> None:
    """The remedy is a newer pgcontract."""
    contract = system / "contract.toml"
    contract.write_text(contract.read_text().replace("format = 1", "format = 99"))
    refused(pgcontract("verify", system), "contract.toml", "99")


@pytest.mark.thorough
def test_a_dsn_that_refuses(system: Path) -> None:
    """No password in the message."""
    result = pgcontract("verify", system, "--dsn", "postgresql://somebody:hunter2@127.0.0.1:1/nothing")
    refused(result, "127.0.0.1")
    assert "hunter2" not in result.stdout + result.stderr


@pytest.mark.thorough
def test_a_server_of_ones_own(system: Path, test_binaries: Binaries) -> None:
    """With --dsn, databases and roles are made there and nothing is left."""
    # on a server that other tests use as well, others' databases come and go
    with start(test_binaries) as server, psycopg.connect(server.address.dsn(), autocommit=True) as connection:
        everything = "SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1"
        before = connection.execute(everything).fetchall()
        result = pgcontract("verify", system, "--dsn", server.address.dsn())
        assert result.returncode == 0, result.stdout + result.stderr
        assert connection.execute(everything).fetchall() == before


@pytest.mark.thorough
def test_an_empty_schema(tmp_path: Path) -> None:
    """A wrong or empty file is no success."""
    file = tmp_path / "empty.sql"
    file.write_text("-- nothing\n")
    refused(pgcontract("verify", file), "promises nothing", "empty.sql")


@pytest.mark.thorough
def test_a_replay_names_the_server_but_no_password(system: Path, pgcontract_server: Server) -> None:
    """With --dsn it is replayed there; what a DSN holds is not printed."""
    write(system, SCHEMA.replace("AND 17", "AND 18"))
    result = pgcontract("verify", system, "--dsn", pgcontract_server.address.dsn())
    assert result.returncode == 1, result.stdout + result.stderr
    assert '--dsn "$DSN" --only children.chk_age' in result.stdout
    assert pgcontract_server.address.dsn() not in result.stdout


@pytest.mark.thorough
def test_an_id_that_names_nothing(system: Path) -> None:
    """A typing error is no success."""
    refused(pgcontract("verify", system, "--only", "children.chk_aeg"), "children.chk_aeg")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "key", "told"),
    [
        (("verify", "--examples", "1"), "promises", "promises proven"),
        (("diff",), "differences", "as it was frozen"),
        (("mutate", "--only", "children.chk_age"), "mutants", "killed"),
        (("bench", "plans", "--rows", "100"), "queries", "kept"),
    ],
    ids=["verify", "diff", "mutate", "bench plans"],
)
def test_the_json_may_stand_alone_on_the_standard_output(
    system: Path, words: tuple[str, ...], key: str, told: str
) -> None:
    """What people read is on the standard error then; also on GitHub, which reads its annotations there, too."""
    (system / "queries").mkdir()
    header = "-- A parent.\n-- uses: parents_pkey\n-- $1 integer: which; from parents.id\n"
    (system / "queries" / "one.sql").write_text(f"{header}SELECT id FROM parents WHERE id = $1;\n")
    result = pgcontract(*words, system, "--json", "-", GITHUB_ACTIONS="true")
    assert key in json.loads(result.stdout)
    assert told in result.stderr


@pytest.mark.thorough
def test_an_unwritable_result(system: Path, tmp_path: Path) -> None:
    """Where the JSON cannot be written, that is said before anything else is done."""
    for file in (tmp_path / "no" / "such" / "folder.json", tmp_path):
        refused(pgcontract("verify", system / "nowhere", "--json", file), "cannot be written", str(file))


@pytest.mark.thorough
def test_a_server_that_dies_in_the_middle(system: Path) -> None:
    """One clear end with exit code 2."""
    schema = SCHEMA + "".join(f"CREATE TABLE t{n} (id INT PRIMARY KEY, a TEXT, b TEXT, c TEXT);\n" for n in range(60))
    write(system, schema)
    (system / "contract.toml").unlink()
    with subprocess.Popen(
        [sys.executable, "-m", "pgcontract", "verify", str(system), "--examples", "1000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "frozen in memory" in process.stdout.readline()
        os.kill(_postmaster_below(process.pid), signal.SIGQUIT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 2, out + err
    assert err.count("pgcontract: ") == 1
    assert "Traceback" not in err


@pytest.mark.thorough
def test_nothing_outlives_a_killed_command(system: Path) -> None:
    """After SIGKILL, its workers, its server and the server's folder are gone within ten seconds."""
    write(system, SCHEMA + "".join(f"CREATE TABLE t{n} (id INT PRIMARY KEY, a TEXT);\n" for n in range(60)))
    (system / "contract.toml").unlink()
    command = [sys.executable, "-m", "pgcontract", "verify", str(system), "--examples", "1000", "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert "frozen in memory" in process.stdout.readline()
        # a worker is a fork of the command, and bears its command line
        mine = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert eventually(lambda: [_command(pid) for pid in _below(process.pid)].count(mine) == 2, within=20)
        below = _below(process.pid)
        data = Path(f"/proc/{_postmaster_below(process.pid)}/cwd").resolve()
        process.kill()
    assert eventually(lambda: not any(map(_alive, below)), within=10)
    assert eventually(lambda: not data.exists(), within=10)


def _postmaster_below(pid: int) -> int:
    """The postmaster that a process started, directly or through a supervisor."""
    for child in _below(pid):
        command = _command(child).split(b"\0")
        if command[0].endswith(b"postgres") and b"-D" in command:
            return child
    raise AssertionError("no server is running")


def _below(pid: int) -> list[int]:
    """Every process that a process started, and those that these started."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *_below(child)]
    return found


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

"""``pgcontract bench compare`` as people run it: majors, folders, commits, records of benchmarks, and bad input."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from pgcontract.cli.bench import app
from pgcontract.compare.benchmarks import FEWEST
from pgcontract.compare.clock import Clock
from pgcontract.compare.pinning import pinned
from pgcontract.errors import PgContractError, UsageError
from pgcontract.queries import QueryError
from pgcontract.server import Server
from tests.integration.comparing import QUERIES, WORK, notes

ROWS = ("--rows", "6000")


def run(*arguments: object) -> Result:
    """Run the command; its errors are raised."""
    result = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(kind: type[PgContractError], *arguments: object) -> str:
    """The error's whole text."""
    with pytest.raises(kind) as seen:
        run(*arguments)
    return str(seen.value)


def verdicts(file: Path) -> dict[str, str]:
    """By query, out of the JSON."""
    return {one["name"]: one["verdict"] for one in json.loads(file.read_text())["compared"]}


def git(folder: Path, *arguments: str) -> None:
    """Run git, as somebody."""
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A system with the usual work to do."""
    return notes(tmp_path / "shop")


# folders


@pytest.mark.thorough
def test_a_slower_folder_is_found(shop: Path, tmp_path: Path) -> None:
    """Exit 1 with what is slower, in words and as JSON; turned round it is faster, and the exit code 0."""
    slow, file = notes(tmp_path / "slow", work=2), tmp_path / "out.json"
    result = run(shop, slow, *ROWS, "--json", file)
    assert result.exit_code == 1
    assert f"{slow} beside {shop}: 3 slower, 0 faster, 2 same" in result.stdout
    found = json.loads(file.read_text())
    assert (found["format"], found["a"], found["b"]) == (1, str(shop), str(slow))
    assert (found["paired"], found["verdict"], found["rows"]) == (True, "slower", 6000)
    assert (found["slower"], found["faster"], found["same"], found["not_judged"]) == (3, 0, 2, 0)
    assert verdicts(file) == dict.fromkeys(WORK, "slower") | dict.fromkeys(QUERIES, "same")
    for one in found["compared"]:
        assert one["low"] <= one["ratio"] <= one["high"]
        assert one["blocks"] >= 20
        assert one["executions"] >= 4 * one["blocks"]
        assert one["a_milliseconds"] > 0 < one["b_milliseconds"]
        assert not one["note"]
    result = run(slow, shop, *ROWS, "--json", file)
    assert result.exit_code == 0
    assert verdicts(file) == dict.fromkeys(WORK, "faster") | dict.fromkeys(QUERIES, "same")


@pytest.mark.thorough
def test_a_querys_header_and_the_floor_say_what_counts(shop: Path, tmp_path: Path) -> None:
    """``slower`` in B's header goes before --floor, which is for all others; --only leaves the others out."""
    slow, file = notes(tmp_path / "slow", work=2), tmp_path / "out.json"
    sums = slow / "queries" / "sums.sql"
    sums.write_text(sums.read_text().replace("-- uses", "-- slower: 5\n-- uses"))
    result = run(shop, slow, *ROWS, "--only", "sums", "--only", "lengths", "--json", file)
    assert result.exit_code == 1
    assert verdicts(file) == {"sums": "same", "lengths": "slower"}
    assert {one["name"]: one["floor"] for one in json.loads(file.read_text())["compared"]} == {
        "sums": 5,
        "lengths": 1.1,
    }
    assert run(shop, slow, *ROWS, "--only", "lengths", "--floor", "4").exit_code == 0


@pytest.mark.thorough
def test_what_is_on_one_side_only_is_named(shop: Path, tmp_path: Path) -> None:
    """Queries without a partner, and those for whose parameters there are no values, are told and not judged."""
    other, file = notes(tmp_path / "other"), tmp_path / "out.json"
    for name in ("sums", "add", "lengths"):
        (other / "queries" / f"{name}.sql").unlink()
    note = other / "queries" / "note.sql"
    note.write_text(note.read_text().replace("from notes.id", "from notes.id where id < 0"))
    result = run(shop, other, *ROWS, "--json", file)
    assert result.exit_code == 0
    assert f"only in {shop}: add, lengths, sums" in result.stdout
    assert "no row gives its parameters values" in result.stdout
    found = json.loads(file.read_text())
    assert (found["only_a"], found["only_b"], found["not_judged"]) == (["add", "lengths", "sums"], [], 1)
    assert verdicts(file) == {"note": None, "page": "same"}
    assert "Nothing could be judged" in refused(UsageError, shop, other, *ROWS, "--only", "note")


@pytest.mark.thorough
def test_another_answer_is_not_judged(shop: Path, tmp_path: Path) -> None:
    """What takes longer because it returns more rows is no slower query; the figures are there all the same."""
    other, file = notes(tmp_path / "other"), tmp_path / "out.json"
    page = other / "queries" / "page.sql"
    page.write_text(page.read_text().replace("LIMIT 50", "LIMIT 200"))
    result = run(shop, other, *ROWS, "--only", "page", "--only", "note", "--json", file)
    assert result.exit_code == 0
    assert verdicts(file) == {"page": None, "note": "same"}
    assert "not the same answer: 150 rows in A, 600 in B" in result.stdout
    assert next(one["ratio"] for one in json.loads(file.read_text())["compared"] if one["name"] == "page") > 1.1


@pytest.mark.thorough
def test_a_query_that_fails_is_told(shop: Path, tmp_path: Path) -> None:
    """The database's own word for it, with the file; and nothing is written by what says that it reads."""
    other = notes(tmp_path / "other")
    page = other / "queries" / "page.sql"
    page.write_text(page.read_text().replace("title", "subtitle"))
    assert "42703" in (said := refused(QueryError, shop, other, *ROWS, "--only", "page"))
    assert str(page) in said
    page.write_text("-- A number.\n-- uses: notes_pkey\nSELECT nextval('notes_id_seq');\n")
    assert "25006" in refused(QueryError, shop, other, *ROWS, "--only", "page")


# majors


@pytest.mark.thorough
def test_majors(shop: Path, tmp_path: Path) -> None:
    """``15`` or ``pg15``, each on a server of its own; the system is --path."""
    file = tmp_path / "out.json"
    result = run("15", "pg18", "--path", shop, *ROWS, "--json", file)
    found = json.loads(file.read_text())
    assert (found["a"], found["b"]) == ("PostgreSQL 15", "PostgreSQL 18")
    assert [version.split(".")[0] for version in found["postgresql"]] == ["15", "18"]
    assert verdicts(file).keys() == QUERIES.keys() | WORK.keys()
    assert None not in verdicts(file).values()
    assert result.exit_code == (1 if "slower" in verdicts(file).values() else 0)


# commits


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A repository that holds the system two folders down, with a slower one in its second commit."""
    repository = tmp_path / "repository"
    system = notes(repository / "schema" / "shop")
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(repository))
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=first")
    shutil.rmtree(system)
    notes(system, work=2)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=second")
    return system


@pytest.mark.thorough
def test_commits(committed: Path, tmp_path: Path) -> None:
    """Two commits, or one beside the folder as it is now; nothing in the repository changes."""
    file = tmp_path / "out.json"
    assert run("git:HEAD~1", "git:main", "--path", committed, *ROWS, "--json", file).exit_code == 1
    assert verdicts(file) == dict.fromkeys(WORK, "slower") | dict.fromkeys(QUERIES, "same")
    assert json.loads(file.read_text())["a"] == "git:HEAD~1"
    assert run("git:HEAD", committed, *ROWS, "--only", "sums").exit_code == 0
    clean = subprocess.run(["git", "-C", committed, "status", "--porcelain"], check=True, capture_output=True)
    assert clean.stdout == b""


@pytest.mark.thorough
def test_an_old_commits_files_may_have_another_form(committed: Path) -> None:
    """A query file that cannot be read in A is B's, and said to be; what A does not say of its rows, B says."""
    (committed / "queries" / "page.sql").write_text("SELECT title FROM notes;\n")
    settings = (committed / "system.toml").read_text()
    (committed / "system.toml").write_text('name = "notes"\n')
    git(committed, "commit", "--quiet", "--all", "--message=a bad one")
    (committed / "queries" / "page.sql").write_text(QUERIES["page"])
    (committed / "system.toml").write_text(settings)
    result = run("git:HEAD", committed, *ROWS, "--only", "page")
    assert result.exit_code == 0
    assert "A's file of this query cannot be read: B's is asked of both" in result.stdout


def test_commits_that_are_not_there(committed: Path, tmp_path: Path) -> None:
    """No such ref, no such folder in it, no repository, and a ref that looks like an option."""
    assert "no such commit" in (said := refused(UsageError, "git:nowhere", "git:main", "--path", committed))
    assert "nowhere" in said
    assert "no such commit" in refused(UsageError, "git:--all", "git:main", "--path", committed)
    notes(committed.parent / "new")
    said = refused(UsageError, "git:main", committed.parent / "new")
    assert "not in this commit" in said
    assert "no git repository" in refused(UsageError, "git:main", notes(tmp_path / "outside"))


# records of pytest-benchmark

BENCHMARKS = """
import pytest

def test_slow(benchmark):
    benchmark.extra_info["slower"] = 3
    benchmark.pedantic(sorted, args=([3, 1, 2],), rounds=200)

@pytest.mark.parametrize("values", [[3, 1, 2]], ids=["few"])
def test_usual(benchmark, values):
    benchmark(sorted, values)

def test_once(benchmark):
    benchmark.pedantic(sorted, args=([3, 1, 2],), rounds=1)
"""


@pytest.fixture(scope="module")
def whole_record(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A record as pytest-benchmark writes it."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "test_recorded.py").write_text(BENCHMARKS)
    # a project of its own: whatever configuration stands above the folder is another's
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "--benchmark-json=out.json", "--benchmark-max-time=0.1"]
    # pytest-benchmark measures nothing where it finds itself in a worker of xdist's
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env=alone)
    return (folder / "out.json").read_text()


@pytest.fixture
def recorded(whole_record: str, tmp_path: Path) -> Callable[[str, float], Path]:
    """Give a record all of whose times are so many times as long."""

    def record(name: str, factor: float) -> Path:
        content = json.loads(whole_record)
        for one in content["benchmarks"]:
            one["stats"]["data"] = [factor * seconds for seconds in one["stats"]["data"]]
        file = tmp_path / name
        file.write_text(json.dumps(content))
        return file

    return record


@pytest.mark.thorough
def test_records_of_benchmarks(recorded: Callable[[str, float], Path], tmp_path: Path) -> None:
    """Judged by rounds, and said not to be paired; too few are not judged; ``extra_info`` may name a floor."""
    file = tmp_path / "out.json"
    result = run(recorded("a.json", 1), recorded("b.json", 2), "--json", file)
    assert result.exit_code == 1
    assert "not measured in turns" in result.stdout
    found = json.loads(file.read_text())
    assert (found["paired"], found["pinned"], found["postgresql"]) == (False, False, None)
    names = {name.partition("::")[2]: verdict for name, verdict in verdicts(file).items()}
    assert names == {"test_slow": "same", "test_usual[few]": "slower", "test_once": None}
    assert "test_usual[few] " in result.stdout
    assert f"fewer than {FEWEST} tell nothing" in result.stdout
    assert run(recorded("a.json", 1), recorded("b.json", 0.5)).exit_code == 0
    result = run(recorded("a.json", 1), recorded("b.json", 1), "--json", file)
    assert result.exit_code == 0
    assert set(verdicts(file).values()) == {"same", None}


@pytest.mark.thorough
def test_records_of_other_machines(recorded: Callable[[str, float], Path]) -> None:
    """Are compared, and doubted."""
    other = recorded("b.json", 1)
    content = json.loads(other.read_text())
    content["machine_info"]["node"] = "elsewhere"
    other.write_text(json.dumps(content))
    assert "recorded on different machines" in run(recorded("a.json", 1), other).stdout


def test_records_that_are_none(recorded: Callable[[str, float], Path], tmp_path: Path) -> None:
    """No file, no JSON, not pytest-benchmark's, without rounds, nothing in common: each says what to do."""
    good, bad = recorded("a.json", 1), tmp_path / "bad.json"

    def said(content: Any) -> str:
        bad.write_text(content if isinstance(content, str) else json.dumps(content))
        return refused(UsageError, good, bad)

    assert "cannot be read" in refused(UsageError, good, tmp_path / "nothing.json")
    assert "no JSON" in said("benchmarks")
    others: list[Any] = [[], {}, {"benchmarks": {}}, {"benchmarks": [1]}, {"benchmarks": [{"fullname": "x"}]}]
    for content in others:
        assert "none of pytest-benchmark's" in said(content)
    for rounds in ("1", [0], [-1], ["1"], [True]):
        stats = {"fullname": "x", "stats": {"data": rounds}}
        assert "no seconds" in said({"benchmarks": [stats]})
    assert "--benchmark-save-data" in said({"benchmarks": [{"fullname": "x", "stats": {"median": 1}}]})
    one = {"fullname": "x", "stats": {"data": [1]}}
    assert "twice" in said({"benchmarks": [one, one]})
    assert "no benchmark in common" in said({"benchmarks": [one]})


# bad input


def test_what_cannot_be_compared(shop: Path, tmp_path: Path) -> None:
    """Things of two kinds, a path where nothing is, floors that are none: told before any server is started."""
    empty = notes(tmp_path / "empty")
    shutil.rmtree(empty / "queries")
    renamed = notes(tmp_path / "renamed")
    for path in (renamed / "queries").iterdir():
        path.rename(path.with_name(f"other_{path.name}"))
    for other in (empty, renamed):
        assert "no hot query in common" in refused(UsageError, shop, other)
    assert "with another one only" in refused(UsageError, "18", shop)
    assert "compared with another one" in refused(UsageError, shop, "a.json")
    assert "nothing at this path" in refused(UsageError, shop, tmp_path / "nowhere")
    assert "nothing at this path" in refused(UsageError, "17", "18", "--path", tmp_path / "nowhere")
    assert "--pg says" in refused(UsageError, "17", "18", "--path", shop, "--pg", "18")
    assert "--floor" in refused(UsageError, shop, shop, "--floor", "1")
    assert "--floor" in refused(UsageError, shop, shop, "--floor", "nan")
    assert "Not both have this query" in refused(UsageError, shop, shop, "--only", "nothing")
    assert "not supported" in refused(PgContractError, "9", "18", "--path", shop)
    page = shop / "queries" / "page.sql"
    page.write_text(page.read_text().replace("-- uses", "-- slower: 0.5\n-- uses"))
    assert "no factor above 1" in refused(QueryError, shop, shop)
    assert run(shop, shop, "--blocks", "5").exit_code == 2


# the machine


def on_cores(process: int) -> set[int]:
    """The cores that a process may run on."""
    return set(os.sched_getaffinity(process))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system pins no process")
def test_what_was_pinned_is_free_again(pgcontract_server: Server) -> None:
    """This process and its backends share one core, and are let go also where something fails."""
    before = on_cores(0)
    with psycopg.connect(pgcontract_server.address.dsn()) as a, psycopg.connect(pgcontract_server.address.dsn()) as b:
        processes = (0, a.info.backend_pid, b.info.backend_pid)
        with suppress(RuntimeError), pinned([a, b]) as core:
            assert [on_cores(process) for process in processes] == [{core}] * 3
            raise RuntimeError
        assert [on_cores(process) for process in processes] == [before] * 3


def test_only_waiting_for_the_core_is_left_out(pgcontract_server: Server) -> None:
    """A server that sleeps is timed in full, whether or not the system counts what processes wait."""
    with psycopg.connect(pgcontract_server.address.dsn(), autocommit=True) as connection:
        for process in (connection.info.backend_pid, -1):
            with Clock(process) as clock:
                assert clock.is_net <= (process > 0)
                clock.start()
                connection.execute("SELECT pg_sleep(0.05)")
                assert clock.stop() >= 45_000_000

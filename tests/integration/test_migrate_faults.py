"""Runners that are killed, cut off, and lose their server, at random moments: afterwards nothing is half there.

PGCONTRACT_KILLS says how many times, PGCONTRACT_KILLS_KIND that all of them are of one kind (SIGKILL, cut, crash); the
figures are printed with `pytest -s`.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from pgcontract.migrations import Runner
from pgcontract.server import Binaries
from pgcontract.server.runs import Run
from pgcontract.server.starting import _Starter
from tests.integration.faults import Forks
from tests.integration.fix_migrations import Write
from tests.integration.fix_server import eventually

KILLS = int(os.environ.get("PGCONTRACT_KILLS", "50"))
SEED = int(os.environ.get("PGCONTRACT_KILLS_SEED", "1"))
KIND = os.environ.get("PGCONTRACT_KILLS_KIND")
KINDS = {"SIGKILL": 6, "cut": 3, "crash": 1}
CLEAN_WITHIN = 2.0

PLAIN = """
CREATE TABLE t{n} (id INT PRIMARY KEY);
SELECT pg_sleep(0.003);
INSERT INTO t{n} SELECT generate_series(1, 500);
CREATE INDEX i{n} ON t{n} ((id % 7));
SELECT pg_sleep(0.003);
CREATE FUNCTION f{n}() RETURNS INT LANGUAGE sql AS 'SELECT {n}';
-- ROLLBACK
DROP FUNCTION f{n}();
SELECT pg_sleep(0.003);
DROP TABLE t{n};
"""
ALONE = """-- no-transaction
SET lock_timeout = '10s';
CREATE TABLE t{n} AS SELECT generate_series(1, 3000) AS id;
CREATE INDEX CONCURRENTLY IF NOT EXISTS i{n} ON t{n} (id);
CREATE FUNCTION f{n}() RETURNS INT LANGUAGE sql AS 'SELECT {n}';
-- ROLLBACK
DROP FUNCTION f{n}();
DROP INDEX CONCURRENTLY i{n};
DROP TABLE t{n};
"""
NUMBERS = range(1, 8)
ALONE_ONES = {3, 6}
FILES = {f"{n:03}-m{n}.sql": (ALONE if n in ALONE_ONES else PLAIN).format(n=n) for n in NUMBERS}


class Crashing:
    """A server that can be shut down at once and started again."""

    def __init__(self, binaries: Binaries) -> None:
        self.run = Run()
        self._starter = _Starter(self.run, binaries, {})
        self._starter.bring_up(None)
        self.dsn = self._starter.address.dsn("postgres")

    def crash(self) -> None:
        """Shut it down immediately, and start it again."""
        status = self.run.data / "postmaster.pid"
        os.kill(int(status.read_text().split()[0]), signal.SIGQUIT)
        self.run._wait_for_end("an immediate shutdown", 20)
        # what is left of it would tell that it is ready
        status.unlink(missing_ok=True)
        self._starter._launch()
        self.run.wait_until_ready(20)


@pytest.fixture(scope="module")
def crashing(test_binaries: Binaries) -> Iterator[Crashing]:
    """A server of this module's own."""
    server = Crashing(test_binaries)
    yield server
    server.run.stop()


@pytest.fixture
def forks() -> Iterator[Forks]:
    """A process that forks runners."""
    made = Forks()
    yield made
    made.close()


def half_done(dsn: str) -> list[str]:
    """Whatever contradicts the records: parts of a migration, one without a record, a record without its migration."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        exists = connection.execute("SELECT to_regclass('migrations') IS NOT NULL").fetchone() == (True,)
        rows = connection.execute("SELECT name, state FROM migrations").fetchall() if exists else []
        parts = connection.execute(
            """
            SELECT substr(c.relname, 2)::INT, c.relkind::TEXT
            FROM pg_class AS c
            LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
            WHERE c.relname ~ '^[ti][0-9]+$' AND i.indisvalid IS NOT FALSE
            UNION ALL
            SELECT substr(proname, 2)::INT, 'f' FROM pg_proc WHERE proname ~ '^f[0-9]+$'
            """
        ).fetchall()
        invalid = connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone()
    states = {int(name.partition("-")[0]): state for name, state in rows}
    found = Counter(number for number, _ in parts)
    wrong = [
        f"{n} is {states.get(n)}, with {found[n]} of 3 parts" for n in NUMBERS if not _fits(states.get(n), found[n])
    ]
    if invalid != (0,) and not {"started", "undoing"} & set(states.values()):
        wrong.append(f"{invalid} invalid indexes and nothing unfinished")
    return wrong


def _fits(state: str | None, parts: int) -> bool:
    return {None: parts == 0, "applied": parts == 3}.get(state, state in {"started", "undoing"})


def migrating(dsn: str) -> bool:
    """Whether a runner's session is still there."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgcontract migrate%'"
        return connection.execute(query).fetchone() != (0,)


def cut_off(dsn: str) -> None:
    """End every runner's session."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgcontract migrate%'"
        )


def undisturbed(forks: Forks, command: str, dsn: str, folder: Path) -> float:
    """How long a run takes that nobody disturbs."""
    began = time.monotonic()
    forks.start(command, dsn, folder)
    assert forks.end() == "done"
    return time.monotonic() - began


@pytest.mark.thorough
def test_runners_that_are_killed_leave_nothing_half_done(crashing: Crashing, forks: Forks, write: Write) -> None:
    """SIGKILL, a cut connection, an immediate shutdown; the next run ends clean within two seconds."""
    folder = write(dict(FILES))
    dsn = crashing.dsn
    chance = random.Random(SEED)
    kinds: Counter[str] = Counter()
    seconds: list[float] = []
    interrupted = unfinished = 0
    length: dict[str, float] = {}
    for turn in range(KILLS):
        if turn % 50 == 0:
            # how long an undisturbed run takes changes with what else the machine does
            length = {command: undisturbed(forks, command, dsn, folder) for command in ("up", "down")}
        command = "up" if turn % 2 == 0 else "down"
        kind = KIND or chance.choices(list(KINDS), weights=list(KINDS.values()))[0]
        assert kind in KINDS
        kinds[kind] += 1
        child = forks.start(command, dsn, folder)
        time.sleep(chance.uniform(0, 1.1 * length[command]))
        if kind == "SIGKILL":
            os.kill(child, signal.SIGKILL)
        elif kind == "cut":
            cut_off(dsn)
        else:
            crashing.crash()
        since = time.monotonic()
        said = forks.end()
        interrupted += said != "done"
        assert said in {"done", "killed"} or "ServerError" in said, said
        assert eventually(lambda: not migrating(dsn), within=CLEAN_WITHIN), f"turn {turn}: still there after {kind}"
        wrong = half_done(dsn)
        assert not wrong, f"turn {turn}, {command}, {kind}: {wrong}"
        with psycopg.connect(dsn) as connection:
            if connection.execute("SELECT to_regclass('migrations')").fetchone() != (None,):
                row = connection.execute(
                    "SELECT count(*) FROM migrations WHERE state IN ('started', 'undoing')"
                ).fetchone()
                unfinished += row is not None and row[0]
        runner = Runner(dsn, folder, lock_seconds=CLEAN_WITHIN)
        # what was being undone must be undone to its end: the same command goes on
        result = runner.up() if command == "up" else runner.down(to=0)
        seconds.append(time.monotonic() - since)
        assert result.pending == (0 if command == "up" else len(FILES))
        assert half_done(dsn) == []
        assert eventually(lambda: not migrating(dsn), within=1)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    print(  # noqa: T201 - the figures are asked for
        f"\n{KILLS} faults ({told}): {interrupted} runs interrupted, {unfinished} inside a migration without a"
        f" transaction; clean again after {statistics.median(seconds):.2f} s (median), {max(seconds):.2f} s (longest)"
    )
    assert max(seconds) < CLEAN_WITHIN
    assert interrupted > KILLS / 4


@pytest.mark.thorough
def test_twenty_runners_on_an_empty_database(empty_database: str, write: Write) -> None:
    """With CREATE INDEX CONCURRENTLY among the migrations: each is applied once, none fails, nothing deadlocks."""
    folder = write(dict(FILES))
    helpers = [Forks() for _ in range(20)]
    try:
        for helper in helpers:
            helper.start("up", empty_database, folder)
        with ThreadPoolExecutor(20) as pool:
            said = list(pool.map(Forks.end, helpers))
    finally:
        for helper in helpers:
            helper.close()
    assert said == ["done"] * 20
    assert half_done(empty_database) == []
    with psycopg.connect(empty_database) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY id")]
    assert names == [Path(name).stem for name in sorted(FILES)]


def test_the_lock_of_a_killed_runner_is_free_at_once(empty_database: str, forks: Forks, write: Write) -> None:
    """Although its statement would run for half a minute: the server looks whether its client is still there."""
    folder = write({"001-long.sql": "CREATE TABLE t1 ();\nSELECT pg_sleep(30);\n-- ROLLBACK\nDROP TABLE t1;\n"})
    child = forks.start("up", empty_database, folder)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        assert eventually(lambda: connection.execute(query).fetchone() == (1,), within=20)
    os.kill(child, signal.SIGKILL)
    write({"001-long.sql": "CREATE TABLE t1 ();\n-- ROLLBACK\nDROP TABLE t1;\n"})
    assert Runner(empty_database, folder, lock_seconds=CLEAN_WITHIN).up().pending == 0
    assert forks.end() == "killed"

"""How long the command takes, beside a bare psycopg script that does the same; in one run, by turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pgcontract.server import Server
from tests.integration.fix_migrations import EMPTY, Write

pytestmark = pytest.mark.perf

TURNS = int(os.environ.get("PGCONTRACT_TURNS", "25"))
AT_MOST = 1.15
IMPORT_MS = 120
COMMAND = [sys.executable, "-m", "pgcontract", "migrate"]
FILES = {
    f"{n:03}-m{n}.sql": f"""
CREATE TABLE t{n} (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  name TEXT NOT NULL,
  made_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT t{n}_pkey PRIMARY KEY (id)
);
CREATE INDEX t{n}_name_idx ON t{n} (name);
COMMENT ON TABLE t{n} IS 'number {n}';
-- ROLLBACK
DROP TABLE t{n};
"""
    for n in range(1, 15)
}
# the same session, lock, record and transactions, and not one line more
SCRIPT = """
import hashlib, pathlib, sys, time
import psycopg
command, dsn, folder = sys.argv[1:]
files = sorted(pathlib.Path(folder).glob("*.sql"))
texts = {f.stem: f.read_bytes().decode("utf-8-sig").replace("\\r\\n", "\\n") for f in files}
sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
with psycopg.connect(dsn, autocommit=True) as c:
    c.execute("SET client_connection_check_interval = '250ms'")
    if command == "up":
        while not c.execute("SELECT pg_try_advisory_lock(7)").fetchone()[0]:
            time.sleep(0.05)
        c.execute("CREATE TABLE IF NOT EXISTS migrations (id INT GENERATED ALWAYS AS IDENTITY, name TEXT PRIMARY KEY,"
                  " checksum TEXT NOT NULL, applied_at TIMESTAMPTZ DEFAULT now(), by TEXT DEFAULT session_user)")
    applied = dict(c.execute("SELECT name, checksum FROM migrations").fetchall())
    for name, text in texts.items():
        if applied.get(name) == sums[name]:
            print("applied", name)
        elif command == "up":
            c.execute("BEGIN")
            c.execute(text.partition("-- ROLLBACK")[0])
            c.execute("INSERT INTO migrations (name, checksum) VALUES (%s, %s)", (name, sums[name]))
            c.execute("COMMIT")
            print("applied", name)
    if command == "up":
        c.execute("SELECT pg_advisory_unlock(7)")
"""


def timed(words: list[str]) -> float:
    """The seconds that a process takes."""
    started = time.perf_counter()
    ran = subprocess.run(words, capture_output=True, check=False, text=True)
    seconds = time.perf_counter() - started
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("applied") in {0, len(FILES)}
    return seconds


def compared(what: str, ours: Callable[[], float], bare: Callable[[], float]) -> float:
    """The median of the ratios of neighbouring runs, each pair in another order than the last."""
    ratios = []
    both: list[tuple[float, float]] = []
    for turn in range(TURNS):
        if turn % 2:
            second = bare()
            first = ours()
        else:
            first = ours()
            second = bare()
        both.append((first, second))
        ratios.append(first / second)
    ratio = statistics.median(ratios)
    fastest = min(first for first, _ in both) / min(second for _, second in both)
    middle = [statistics.median(column) * 1000 for column in zip(*both, strict=True)]
    print(  # noqa: T201 - the figures are asked for
        f"\n{what}: {middle[0]:.0f} ms, the script {middle[1]:.0f} ms (medians of {TURNS}); ratio {ratio:.2f},"
        f" of the fastest {fastest:.2f}"
    )
    return ratio


def test_up_of_fourteen_small_migrations(pgcontract_server: Server, write: Write) -> None:
    """At most 1.15 times the script, from the start of the process to its end."""
    folder = write(dict(FILES))
    template = pgcontract_server.template(EMPTY)

    def run(words: Callable[[str], list[str]]) -> float:
        with pgcontract_server.clone(template) as clone:
            return timed(words(clone.dsn))

    ratio = compared(
        "up, 14 migrations",
        lambda: run(lambda dsn: [*COMMAND, "up", str(folder), "--dsn", dsn]),
        lambda: run(lambda dsn: [sys.executable, "-c", SCRIPT, "up", dsn, str(folder)]),
    )
    assert ratio <= AT_MOST


def test_status_with_nothing_to_do(pgcontract_server: Server, write: Write) -> None:
    """At most 1.15 times the script, and so is `up`."""
    folder = write(dict(FILES))
    template = pgcontract_server.template(EMPTY)
    with pgcontract_server.clone(template) as ours, pgcontract_server.clone(template) as bare:
        timed([*COMMAND, "up", str(folder), "--dsn", ours.dsn])
        timed([sys.executable, "-c", SCRIPT, "up", bare.dsn, str(folder)])
        ratio = compared(
            "status, nothing to do",
            lambda: timed([*COMMAND, "status", str(folder), "--dsn", ours.dsn]),
            lambda: timed([sys.executable, "-c", SCRIPT, "status", bare.dsn, str(folder)]),
        )
    assert ratio <= AT_MOST


def test_the_command_is_imported_fast() -> None:
    """Python's own start taken off, by turns."""
    program = "import pgcontract.cli"
    both = [(timed([sys.executable, "-c", program]), timed([sys.executable, "-c", "pass"])) for _ in range(TURNS)]
    milliseconds = statistics.median(first - second for first, second in both) * 1000
    print(f"\nimport of the command: {milliseconds:.0f} ms over Python's own start")  # noqa: T201
    assert milliseconds < IMPORT_MS


def test_no_heavy_library_is_loaded_before_it_is_needed() -> None:
    """Neither by importing the command nor by what `migrate up` and `status` of a folder need."""
    heavy = ("typer", "rich", "hypothesis", "pytest", "postgast", "google.protobuf", "pgcontract.model")
    modules = "pgcontract.cli, pgcontract.cli.migrating, pgcontract.migrations.apply, pgcontract.migrations.state"
    code = f"import sys, {modules}; print([m for m in {heavy!r} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ran.stdout.strip() == "[]"


def test_a_file_of_fifty_megabytes(pgcontract_server: Server, tmp_path: Path) -> None:
    """It is read, checked, applied and undone; the figures are printed."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    line = "INSERT INTO large (content) VALUES ('" + "x; -- ROLLBACK $$ " * 28 + "');\n"
    rows = 50_000_000 // len(line) + 1
    text = "CREATE TABLE large (content TEXT);\n" + line * rows + "-- ROLLBACK\nDROP TABLE large;\n"
    (folder / "001-large.sql").write_text(text)
    with pgcontract_server.clone(pgcontract_server.template(EMPTY)) as clone:
        for command in ("up", "status", "down"):
            started = time.perf_counter()
            subprocess.run([*COMMAND, command, str(folder), "--dsn", clone.dsn], check=True, capture_output=True)
            print(f"\n{command} of {len(text) / 1e6:.0f} MB: {time.perf_counter() - started:.1f} s")  # noqa: T201

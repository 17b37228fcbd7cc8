"""``pgcontract server``: what it prints, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from pgcontract.server import SUPPORTED, Binaries


def command(*arguments: str) -> list[str]:
    """The command in this interpreter."""
    return [sys.executable, "-m", "pgcontract", "server", *arguments]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_run_prints_its_dsn_and_ends_cleanly(test_binaries: Binaries, number: signal.Signals) -> None:
    """Stdout is the DSN and nothing else, so that a script can read it; the end is exit code 0, and nothing is left."""
    process = subprocess.Popen(
        command("run", "--pg", str(test_binaries.major), "--pg-bin", str(test_binaries.bin_dir)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    dsn = process.stdout.readline().strip()
    with psycopg.connect(dsn) as connection:
        assert connection.info.server_version // 10000 == test_binaries.major
        folder = Path(connection.info.host)
    process.send_signal(number)
    rest, told = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, "")
    assert "Traceback" not in told
    assert not folder.exists()


def test_run_says_when_its_server_dies(test_binaries: Binaries) -> None:
    """Exit code 2, the end of the log, no traceback."""
    process = subprocess.Popen(
        command("run", "--pg-bin", str(test_binaries.bin_dir)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with psycopg.connect(process.stdout.readline().strip()) as connection:
        folder = Path(connection.info.host)
    os.kill(int((folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "has gone" in told
    assert "Traceback" not in told


def test_list_shows_every_major(test_binaries: Binaries) -> None:
    """Where each was found, and how to get those that were not."""
    done = subprocess.run(command("list"), capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert {int(row[0]) for row in rows} == set(SUPPORTED)
    assert [str(test_binaries.major), test_binaries.version, test_binaries.source, "all"] in [row[:4] for row in rows]


def test_installing_an_unsupported_major_is_refused(tmp_path: Path) -> None:
    """Exit code 2, and the ones that there are."""
    environment = os.environ | {"PGCONTRACT_CACHE": str(tmp_path)}
    done = subprocess.run(command("install", "14"), capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert "15, 16, 17, 18" in done.stderr


def test_what_the_driver_warns_of_is_not_for_the_terminal() -> None:
    """As of a rollback that Ctrl-C cut short: the command itself says what a person is to know."""
    program = (
        "import logging, sys; from pgcontract.cli import main; sys.argv[1:] = ['server', 'list']\n"
        "try: main()\n"
        "finally: logging.getLogger('psycopg').warning('error ignored in rollback')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""

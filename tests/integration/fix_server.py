"""Fixtures of the server room: real servers, and processes that hold one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from pgcontract.server import DEFAULT_MAJOR, Binaries, Server, Template, find_binaries, places, start

USUAL_CACHE = os.environ.get("PGCONTRACT_CACHE")
TEST_MAJOR = int(os.environ.get("PGCONTRACT_TEST_PG", DEFAULT_MAJOR))


def people(dsn: str) -> None:
    """A small schema with everything that a clone would lose."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute("CREATE TABLE people (id BIGINT PRIMARY KEY, name TEXT NOT NULL)")
        connection.execute(f"ALTER DATABASE {name} SET search_path TO public, pg_catalog")
        connection.execute(f"ALTER DATABASE {name} SET work_mem TO '7MB'")
        connection.execute(f"ALTER DATABASE {name} SET app.tenant TO 'a, ''b'''")


PEOPLE = Template("tests: people", people)


@pytest.fixture(scope="session")
def test_binaries() -> Binaries:
    """The PostgreSQL that this run tests with: PGCONTRACT_TEST_PG, else the default."""
    return find_binaries(TEST_MAJOR)


@pytest.fixture(scope="session")
def people_server(test_binaries: Binaries) -> Iterator[Server]:
    """A server with the template ``people`` in it."""
    with start(test_binaries, template=PEOPLE) as server:
        yield server


@pytest.fixture(scope="session")
def quiet_server(test_binaries: Binaries) -> Iterator[Server]:
    """A server that no other worker uses: its log and its list of databases tell what one test has done."""
    with start(test_binaries) as server:
        yield server


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that nobody else uses."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("PGCONTRACT_CACHE", str(cache))
    return cache


@pytest.fixture
def cache_with_bare_cluster(test_binaries: Binaries, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one's own that spares initdb: it has the usual cache's bare cluster."""
    with monkeypatch.context() as usual:
        usual.delenv("PGCONTRACT_CACHE")
        if USUAL_CACHE is not None:
            usual.setenv("PGCONTRACT_CACHE", USUAL_CACHE)
        with start(test_binaries):
            pass
        found = list((places.cache_root() / "clusters").glob(f"bare-{test_binaries.version}-*.cluster"))
    (empty_cache / "clusters").mkdir(parents=True)
    newest = max(found, key=lambda cluster: cluster.stat().st_mtime_ns)
    shutil.copy2(newest, empty_cache / "clusters")
    return empty_cache


@pytest.fixture
def hearing() -> Iterator[None]:
    """What is started hears SIGINT: a shell's background job ignores it, and so would all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def eventually(claim: Callable[[], bool], *, within: float) -> bool:
    """Tell whether a claim comes true within so many seconds."""
    give_up = time.monotonic() + within
    while not claim():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True


@dataclass
class Holder:
    """A process that holds a server: ``said`` is the first line that it printed."""

    process: subprocess.Popen[str]
    said: str


Hold = Callable[..., Holder]


@pytest.fixture
def hold(test_binaries: Binaries) -> Iterator[Hold]:
    """Run Python that starts a server, prints one line and waits; it is killed at the end."""
    holders: list[Holder] = []

    def run(code: str, *, prefix: tuple[str, ...] = (), **environment: str) -> Holder:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-c", code, str(test_binaries.bin_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        assert process.stdout is not None
        holders.append(Holder(process, process.stdout.readline().strip()))
        return holders[-1]

    yield run
    for holder in holders:
        holder.process.kill()
        holder.process.communicate()


# for `hold`: a server in `server`, its folder printed, then waiting for the end of stdin
START = """
import os, sys
from pathlib import Path
from pgcontract.server import find_binaries, start
server = start(find_binaries(None, pg_bin=Path(sys.argv[1])))
"""
SAY_AND_WAIT = """
print(server.address.host, flush=True)
sys.stdin.read()
"""

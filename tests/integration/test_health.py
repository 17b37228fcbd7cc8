"""`pgcontract health serve`: a real process asked by a real client, while the database goes and comes back."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgcontract.cli import health as command
from pgcontract.errors import UsageError
from pgcontract.health import Monitor
from pgcontract.server import Server
from tests.integration.fix_database import Stoppable
from tests.integration.fix_server import eventually

pytestmark = pytest.mark.thorough

OPTIMIZER = Path(__file__).parents[2] / "schema" / "optimizer"
PATIENCE = 30.0
UP = {"status": "up"}


@dataclass
class Service:
    """The running command."""

    process: subprocess.Popen[str]
    host: str
    port: int

    def get(self, path: str, method: str = "GET") -> tuple[int, Any, http.client.HTTPMessage]:
        """Ask once: the status, the body, and the headers."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            is_json = answer.headers.get_content_type() == "application/json"
            return answer.status, json.loads(body) if is_json and body else body, answer.headers
        finally:
            connection.close()

    def turns(self, status: int) -> bool:
        """Whether /health comes to answer so."""
        return eventually(lambda: self.get("/health")[0] == status, within=PATIENCE)

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Interrupt it; its exit code, and what it told on its standard error."""
        self.process.send_signal(number)
        _, told = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, told


Serve = Callable[..., Service]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start the command; it is ended with the test."""
    running: list[subprocess.Popen[str]] = []

    def start(dsn: str, *arguments: str) -> Service:
        process = subprocess.Popen(
            [sys.executable, "-m", "pgcontract", "health", "serve", *arguments, "--dsn", dsn, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PGCONTRACT_POOL_CONNECT": "1"},
        )
        running.append(process)
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], PATIENCE)[0]
        where = process.stdout.readline().strip().removeprefix("http://").removesuffix("/health")
        host, _, port = where.rpartition(":")
        return Service(process, host, int(port))

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.thorough
def test_it_follows_a_database_through_an_outage_and_back(stoppable: Stoppable, serve: Serve) -> None:
    """200, then 503 while nobody answers, then 200 again; all of it without being started anew."""
    service = serve(stoppable.dsn, "--app-version", "1.2.3")
    status, body, headers = service.get("/health")
    assert (status, body) == (
        200,
        {"status": "ok", "version": "1.2.3", "info": {"database": UP}, "error": {}, "details": {"database": UP}},
    )
    assert headers["cache-control"] == "no-store"
    assert headers["server"] is None
    for _ in range(2):
        stoppable.stop()
        assert service.turns(503)
        for _ in range(3):
            status, body, _ = service.get("/health")
            assert (status, body["status"]) == (503, "error")
            assert body["info"] == {}
            assert body["error"] == body["details"] == {"database": {"status": "down"}}
        status, body, _ = service.get("/health/db")
        assert status == 503
        assert body["error"]["database"]["latency_ms"] is None
        stoppable.start()
        assert service.turns(200)
        assert service.get("/health/db")[0] == 200


def test_it_can_be_started_before_its_database(stoppable: Stoppable, serve: Serve) -> None:
    """Nothing waits for the other."""
    stoppable.stop()
    service = serve(stoppable.dsn)
    assert service.get("/health")[0] == 503
    stoppable.start()
    assert service.turns(200)


@pytest.mark.thorough
def test_a_database_that_hangs_is_down_and_is_met_again(stoppable: Stoppable, serve: Serve) -> None:
    """Nobody waits for it without end, however many ask; it answers again as soon as it goes on."""
    service = serve(stoppable.dsn)
    assert service.turns(200)
    with psycopg.connect(stoppable.dsn, autocommit=True) as connection:
        backends = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchall()
    postmaster = int((stoppable.starter.run.data / "postmaster.pid").read_text().split()[0])
    frozen = [postmaster, *(pid for (pid,) in backends)]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert service.turns(503)
        began = time.monotonic()
        with ThreadPoolExecutor(30) as askers:
            answers = list(askers.map(lambda _: service.get("/health")[0], range(60)))
        assert answers == [503] * 60
        assert time.monotonic() - began < PATIENCE / 2
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    assert service.turns(200)


def test_the_details_are_figures(pgcontract_server: Server, serve: Serve) -> None:
    """Latency, the pool, the server's major, and the migrations where it is told of a system."""
    from pgcontract.ephemeral import template_of  # noqa: PLC0415 - nothing else here needs it
    from pgcontract.system import System  # noqa: PLC0415

    system = System.load(OPTIMIZER)
    with pgcontract_server.clone(pgcontract_server.template(template_of(system))) as clone:
        service = serve(clone.dsn, str(OPTIMIZER))
        status, body, _ = service.get("/health/db")
        found = body["details"]["database"]
        assert status == 200
        assert found["migrations"] == {"state": "current", "applied": 4, "pending": 0}
        assert found["postgresql"] == str(pgcontract_server.major)
        assert found["latency_ms"] > 0
        assert found["pool"]["max"] == 2
        assert set(found) == {"status", "latency_ms", "postgresql", "migrations", "pool"}
        assert service.end()[0] == 0
        with psycopg.connect(clone.dsn) as connection:
            connection.execute("DELETE FROM pgmigrations WHERE name LIKE '004%'")
        service = serve(clone.dsn, str(OPTIMIZER))
        assert service.get("/health/db")[1]["details"]["database"]["migrations"] == {
            "state": "pending",
            "applied": 3,
            "pending": 1,
        }
        assert service.end(signal.SIGTERM) == (0, "")


def test_it_tells_nobody_where_the_database_is_and_why_it_is_down(stoppable: Stoppable, serve: Serve) -> None:
    """Neither address nor user, password nor reason is in an answer; the reason is in the log, without the password."""
    service = serve(f"{stoppable.dsn}&application_name=shop&password=hunter2")
    stoppable.stop()
    assert service.turns(503)
    answers = [json.dumps(service.get(path)[1]) for path in ("/health", "/health/db")]
    stoppable.start()
    assert service.turns(200)
    answers += [json.dumps(service.get(path)[1]) for path in ("/health", "/health/db")]
    socket = str(stoppable.starter.run.sockets)
    for secret in ("hunter2", socket, "postgres@", "5432", "shop", "connection"):
        assert [answer for answer in answers if secret in answer] == []
    code, told = service.end()
    assert code == 0
    assert "did not let us in" in told
    assert "hunter2" not in told


def test_other_paths_and_methods_are_refused(stoppable: Stoppable, serve: Serve) -> None:
    """HEAD is answered, as some checkers ask so."""
    service = serve(stoppable.dsn)
    assert service.get("/health", "HEAD")[:2] == (200, b"")
    assert service.get("/health", "POST")[0] == 405
    assert service.get("/")[0] == 404
    assert service.get("/health/../etc/passwd")[0] == 404


def test_what_cannot_be_served_is_one_clear_error(stoppable: Stoppable, serve: Serve) -> None:
    """A port that is taken, and a DSN that cannot be read."""
    service = serve(stoppable.dsn)
    with pytest.raises(UsageError, match="Nobody can listen there"):
        command.serve(dsn=stoppable.dsn, host=service.host, port=service.port, app_version=None)
    with pytest.raises(UsageError, match="DSN cannot be read"):
        command.serve(dsn="host=x secret", host=service.host, port=0, app_version=None)


def test_a_database_is_asked_once_a_second_however_many_ask(people_pool: Any) -> None:
    """A flood of requests is none for the database."""
    monitor = Monitor(people_pool)
    with ThreadPoolExecutor(16) as askers:
        assert all(found.up for found in askers.map(lambda _: monitor.health(), range(500)))
    assert people_pool.connection_status().requests <= 5

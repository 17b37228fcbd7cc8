"""A database behind `pgcontract.database`, and a server that can be stopped and started again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pgcontract.database import Database, Settings
from pgcontract.server import Binaries, Server
from pgcontract.server.runs import Run
from pgcontract.server.starting import _Starter
from tests.integration.fix_server import PEOPLE

PATIENCE = 30.0


@pytest.fixture
def people_dsn(people_server: Server) -> Iterator[str]:
    """A database of this test's own, with an empty table ``people``."""
    with people_server.clone(people_server.template(PEOPLE)) as clone:
        yield clone.dsn


@pytest.fixture
def people_pool(people_dsn: str) -> Iterator[Database]:
    """A pool with the default settings."""
    with Database(people_dsn) as database:
        yield database


@dataclass
class Stoppable:
    """A server with one database, that is stopped as a restart stops it, and comes back at the same address."""

    starter: _Starter
    dsn: str

    def stop(self) -> None:
        """Shut down as ``pg_ctl stop`` does: sessions are ended, then nobody listens."""
        self.starter.run.halt(PATIENCE)

    def start(self) -> None:
        """Start again on the same data."""
        self.starter._launch()
        self.starter.run.wait_until_ready(PATIENCE)

    def restart(self) -> None:
        """Stop, and start again."""
        self.stop()
        self.start()


@pytest.fixture
def stoppable(test_binaries: Binaries) -> Iterator[Stoppable]:
    """A server of this test's own."""
    run = Run()
    try:
        starter = _Starter(run, test_binaries, {})
        starter.bring_up(None)
        yield Stoppable(starter, starter.address.dsn())
    finally:
        run.stop()


@pytest.fixture
def stoppable_pool(stoppable: Stoppable) -> Iterator[Database]:
    """A pool on it that does not wait for long."""
    with Database(stoppable.dsn, Settings(min_size=2, max_size=10, connect_seconds=1)) as database:
        yield database

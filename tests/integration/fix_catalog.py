"""Fixtures of the catalog room: servers of every major with a zoo in them, one of everything that a catalog holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from pgcontract.server import SUPPORTED, Server, find_binaries, start
from tests.integration.fix_server import TEST_MAJOR

ZOO = Path(__file__).with_name("zoo.sql")
ROLES = ("zoo_reader", "zoo_writer")

Dsn = Callable[[int], str]


def _zoo(server: Server) -> str:
    """Make the database ``zoo``; its DSN."""
    with psycopg.connect(server.address.dsn(), autocommit=True) as connection:
        for role in ROLES:
            connection.execute(f"CREATE ROLE {role}")
        connection.execute("CREATE DATABASE zoo")
        connection.execute("REVOKE TEMPORARY ON DATABASE zoo FROM PUBLIC")
        connection.execute("GRANT CREATE ON DATABASE zoo TO zoo_reader")
        connection.execute("CREATE DATABASE empty")
    dsn = server.address.dsn("zoo")
    with psycopg.connect(dsn) as connection:
        connection.execute(ZOO.read_bytes())
    return dsn


@pytest.fixture(scope="session")
def zoo_servers() -> Iterator[Callable[[int], Server]]:
    """A server of a major with the databases ``zoo`` and ``empty``, started when it is first asked for."""
    with ExitStack() as stack:
        running: dict[int, Server] = {}

        def of(major: int) -> Server:
            if major not in running:
                running[major] = stack.enter_context(start(find_binaries(major)))
                _zoo(running[major])
            return running[major]

        yield of


@pytest.fixture(scope="session", params=SUPPORTED)
def every_zoo(request: pytest.FixtureRequest, zoo_servers: Callable[[int], Server]) -> str:
    """The DSN of the zoo, on each supported major."""
    return zoo_servers(request.param).address.dsn("zoo")


@pytest.fixture
def zoo(zoo_servers: Callable[[int], Server]) -> Iterator[psycopg.Connection]:
    """An idle connection to the zoo of the major under test."""
    with psycopg.connect(zoo_servers(TEST_MAJOR).address.dsn("zoo")) as connection:
        yield connection


@pytest.fixture
def empty(zoo_servers: Callable[[int], Server]) -> Iterator[psycopg.Connection]:
    """A connection to an empty database, whose transaction is rolled back at the end."""
    with psycopg.connect(zoo_servers(TEST_MAJOR).address.dsn("empty")) as connection:
        yield connection
        connection.rollback()

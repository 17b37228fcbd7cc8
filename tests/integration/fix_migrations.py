"""Databases for tests of migrations: empty ones, and social_selling's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from pgcontract.migrations import prepare
from pgcontract.server import Server, Template
from pgcontract.system import System

SOCIAL_SELLING = Path(__file__).parents[2] / "schema" / "social_selling"

EMPTY = Template("empty", lambda _dsn: None)

Write = Callable[..., Path]


@pytest.fixture
def empty_database(pgcontract_server: Server) -> Iterator[str]:
    """The DSN of a database of this test's own, with nothing in it."""
    with pgcontract_server.clone(pgcontract_server.template(EMPTY)) as clone:
        yield clone.dsn


@pytest.fixture
def social_selling_database(pgcontract_server: Server) -> Iterator[str]:
    """The DSN of a database of this test's own, with the schema of social_selling in it."""
    system = System.load(SOCIAL_SELLING)
    template = Template(system.key(), lambda dsn: prepare(dsn, system))
    with pgcontract_server.clone(pgcontract_server.template(template)) as clone:
        yield clone.dsn


@pytest.fixture
def social_selling(social_selling_database: str) -> Iterator[psycopg.Connection]:
    """An autocommitting session on such a database."""
    with psycopg.connect(social_selling_database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files into a folder of migrations: ``write({"001-a.sql": "…"})`` gives the folder."""

    def write_files(files: dict[str, str | bytes]) -> Path:
        folder = tmp_path / "migrations"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return folder

    return write_files

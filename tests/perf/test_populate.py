"""How fast rows come: beside COPY in binary form of the very same rows, into the same table, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pgcontract.catalog import read_catalog
from pgcontract.ephemeral import template_of
from pgcontract.model import Catalog, Name
from pgcontract.populate import Overrides, Plan, populate
from pgcontract.server import Server
from pgcontract.system import System

pytestmark = pytest.mark.perf

SYSTEM = System.load(Path(__file__).parents[2] / "schema" / "social_selling")
MESSAGES = Name("public", "messages")
PARENTS = ("users", "client_accounts", "conversations")
ROWS = 100_000
ROUNDS = 3
LEAST = 0.8


def test_populate_beside_copy(benchmark: BenchmarkFixture, pgcontract_server: Server) -> None:
    """With the same constraints, triggers and indexes, at least 0.8 of COPY's rows a second; ANALYZE is included."""
    made = pgcontract_server.template(template_of(SYSTEM))
    seconds: dict[str, list[float]] = {"populate": [], "copy": []}

    def once() -> None:
        with pgcontract_server.clone(made) as ours, psycopg.connect(ours.dsn, autocommit=True) as source:
            catalog = read_catalog(source, ignore=[SYSTEM.tracking_table])
            seconds["populate"].append(_populated(source, catalog))
            assert source.execute("SELECT count(*) FROM messages").fetchone() == (ROWS,)
            with pgcontract_server.clone(made) as theirs, psycopg.connect(theirs.dsn, autocommit=True) as target:
                for table in PARENTS:
                    _copied(source, target, f"SELECT * FROM {table}", table)
                target.execute("UPDATE conversations SET last_message_at = NULL, unread_count = 0")
                blocks = _blocks(source, "SELECT * FROM messages")
                seconds["copy"].append(_timed(lambda: _sent(target, "messages", blocks)))
                assert target.execute("SELECT count(*) FROM messages").fetchone() == (ROWS,)

    benchmark.pedantic(once, rounds=ROUNDS)
    rates = {way: ROWS / median(taken) for way, taken in seconds.items()}
    ratio = rates["populate"] / rates["copy"]
    benchmark.extra_info |= {"rows": ROWS, "ratio": ratio, **{f"{way} rows a second": r for way, r in rates.items()}}
    assert ratio >= LEAST, rates


def _populated(connection: psycopg.Connection[Any], catalog: Catalog) -> float:
    """Seconds from the first message to the commit."""
    began: list[float] = []

    def tell(table: Name, done: int, _: int) -> None:
        if table == MESSAGES and done == 0:
            began.append(time.perf_counter())

    overrides = Overrides.of(SYSTEM.populate, catalog, "system.toml")
    populate(connection, catalog, Plan({MESSAGES: ROWS}), overrides=overrides, progress=tell)
    return time.perf_counter() - began[-1]


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _blocks(source: psycopg.Connection[Any], query: str) -> list[bytes]:
    with source.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)".encode()) as copy:
        return [bytes(block) for block in copy]


def _sent(target: psycopg.Connection[Any], table: str, blocks: list[bytes]) -> None:
    with target.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)".encode()) as copy:
        for block in blocks:
            copy.write(block)


def _copied(source: psycopg.Connection[Any], target: psycopg.Connection[Any], query: str, table: str) -> None:
    _sent(target, table, _blocks(source, query))

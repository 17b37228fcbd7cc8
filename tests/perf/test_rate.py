"""How fast examples go: each is one round trip, beside Hypothesis drawing the same rows without a database."""

from __future__ import annotations

import os
import time
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pgcontract.contract import read
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.promises import promises
from pgcontract.promises.base import Cases, Change, Direction, Promise
from pgcontract.prover import explore
from pgcontract.rows.worlds import Worlds
from pgcontract.server import Server
from pgcontract.session import Session
from pgcontract.system import System

pytestmark = pytest.mark.perf

SOCIAL_SELLING = Path(__file__).parents[2] / "schema" / "social_selling"
EXAMPLES = 100


def drawn(worlds: Worlds, promise: Promise) -> list[Cases]:
    """The cases of a promise that Hypothesis draws."""
    directions = {Direction.ACCEPTS: promise.accepts, Direction.REJECTS: promise.rejects}
    made = (directions[d](worlds) for d in promise.directions)
    return [cases for cases in made if cases.drawn is not None]


def test_examples_a_second(benchmark: BenchmarkFixture, pgcontract_server: Server) -> None:
    """Every promise of social_selling that draws, 100 examples a direction, with and without the database."""
    system = System.load(SOCIAL_SELLING)
    with (
        staged(system, pgcontract_server, ServerChoice()) as stage,
        stage.clone() as clone,
        closing(Session(psycopg.connect(clone.dsn, autocommit=True))) as session,
    ):
        core = {min(os.sched_getaffinity(0))}
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, core)
        with suppress(OSError):
            os.sched_setaffinity(session.backend, core)
        worlds = Worlds(stage.read_catalog(), session)
        work = [c for _, p in promises(read(system.contract).catalog) for c in drawn(worlds, p)]
        counted = {"with": 0, "without": 0}
        seconds = {"with": 0.0, "without": 0.0}

        def draw(cases: Cases) -> list[Change]:
            changes: list[Change] = []
            assert cases.drawn is not None

            def collected(change: Change) -> bool:
                changes.append(change)
                return False

            explore(cases.drawn, collected, EXAMPLES, 0)
            return changes

        def send(cases: Cases) -> int:
            return len(list(session.run_all([change.statements for change in draw(cases)])))

        def only_draw(cases: Cases) -> int:
            return len(draw(cases))

        def both() -> None:
            # one promise's examples with the database, then without: what else the machine does meets both alike
            for cases in work:
                session.enter(cases.world.setup if cases.world else ())
                for name, way in (("with", send), ("without", only_draw)):
                    started = time.perf_counter()
                    counted[name] += way(cases)
                    seconds[name] += time.perf_counter() - started

        benchmark.pedantic(both, rounds=1)
        os.sched_setaffinity(0, before)
    rates = {name: counted[name] / seconds[name] for name in counted}
    benchmark.extra_info |= {
        "postgresql": pgcontract_server.version,
        "examples": counted["with"],
        "examples_per_second": round(rates["with"]),
        "hypothesis_alone_per_second": round(rates["without"]),
        "ratio": round(rates["with"] / rates["without"], 3),
    }
    print(f"\n{benchmark.extra_info}")  # noqa: T201 - the figures are what this benchmark is for

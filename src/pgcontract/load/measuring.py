"""A system's database under load: filled, asked at a rate over a pool of connections, and its invariants at the end."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psycopg

from pgcontract.ephemeral import ServerChoice, ephemeral
from pgcontract.errors import ServerError
from pgcontract.execution import filled
from pgcontract.invariants import Invariant, invariants_of
from pgcontract.invariants.files import asked_alone
from pgcontract.load.figures import Summary, summary
from pgcontract.load.running import PATIENCE, run
from pgcontract.load.schedule import rehearsal, schedule
from pgcontract.load.sessions import Worker, drawn_from
from pgcontract.load.workload import LoadError, Workload
from pgcontract.model import Catalog
from pgcontract.session import Session
from pgcontract.system import System

POOL: Final = 20
DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")
REHEARSED: Final = 6
"""How many times each session does each transaction beforehand: after five a plan for all values may be taken."""
_INVARIANT_SECONDS: Final = 300
_FLUSHES: Final = 20


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that does not hold, and what it returned."""

    invariant: str
    clause: str
    shown: str


@dataclass
class Target:
    """A system's filled database, and the connections of a pool to it, each with every step prepared."""

    system: System
    workload: Workload
    dsn: str
    version: str
    workers: Sequence[Worker]
    control: psycopg.Connection[Any]
    flush: float
    """Milliseconds that a commit takes which only flushes the log, the median of some."""
    settings: dict[str, str]
    machine: list[float] = field(default_factory=list)
    """The machine's load (1 minute) before each run, which others' work is part of."""
    runs: int = 0

    @property
    def durable(self) -> bool:
        """Whether what was committed is on the disk."""
        return "off" not in self.settings.values()

    def run(self, rate: float, seconds: float, seed: int, *, patience: float = PATIENCE) -> Summary:
        """Ask at this rate for so long. Each run of one seed draws other values: what is once only stays so."""
        self.machine.append(round(os.getloadavg()[0], 2))
        # what filling and the run before left to be written is not this run's
        self.control.execute("CHECKPOINT")
        arrivals = schedule(self.workload.weights, rate, seconds, seed * 1_000 + self.runs)
        self.runs += 1
        done = run(arrivals, self.workers, patience=patience)
        return summary(done, self.workload.weights, rate, seconds)

    def broken(self) -> tuple[Broken, ...]:
        """The invariants that do not hold now. Raises InvariantError where one cannot be asked."""
        invariants: Sequence[Invariant] = invariants_of(self.system)
        with closing(psycopg.connect(self.dsn, autocommit=True)) as connection:
            session = Session(connection)
            # here are more rows than where they are asked after each step
            session.set("statement_timeout", f"{max(_INVARIANT_SECONDS, self.system.invariant_seconds)}s")
            answers = asked_alone(session, invariants)
        return tuple(
            Broken(one.id, one.clause, shown)
            for one, shown in zip(invariants, answers, strict=True)
            if shown is not None
        )


@contextmanager
def ready(
    system: System, workload: Workload, choice: ServerChoice, *, users: int, pool: int = POOL
) -> Iterator[Target]:
    """Start a durable server (or use the user's), fill a database for so many users, and connect the pool.

    Raises ServerError, MigrationError, PopulateError, UsageError, LoadError.
    """
    with ExitStack() as stack:
        stage = stack.enter_context(ephemeral(system, replace(choice, durable=True)))
        dsn = stack.enter_context(stage.clone()).dsn
        control = stack.enter_context(closing(psycopg.connect(dsn, autocommit=True)))
        catalog = stage.catalog(control)
        _known(workload, catalog)
        filled(control, replace(system, bench=workload.rows), catalog, users)
        control.execute("VACUUM (ANALYZE)")
        drawn = drawn_from(control, workload)
        try:
            connections = [
                stack.enter_context(closing(psycopg.connect(dsn, autocommit=True, application_name="pgcontract load")))
                for _ in range(pool)
            ]
        except psycopg.OperationalError as error:
            raise ServerError(
                "The server does not take so many connections.",
                seen=f"--pool {pool}: {str(error).strip().splitlines()[0]}",
                remedy="Ask for a smaller --pool, or raise its max_connections.",
            ) from error
        workers = [Worker(connection, workload, drawn) for connection in connections]
        for number, worker in enumerate(workers):
            # a pool's sessions live long: functions are compiled, catalogs read and plans made once in that time
            for arrival in rehearsal(workload.weights, REHEARSED, number):
                worker.perform(arrival)
        settings = {name: _setting(control, name) for name in DURABLE}
        yield Target(system, workload, dsn, stage.server.version, workers, control, _flush(control), settings)


def _known(workload: Workload, catalog: Catalog) -> None:
    names = {str(table.name) for table in catalog.tables}
    for name in workload.rows:
        if name not in names:
            raise LoadError(
                "[rows] names a table that is not there.",
                where=str(workload.path),
                seen=name,
                remedy=f"Known are {', '.join(sorted(names))}.",
            )


def _setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


def _flush(connection: psycopg.Connection[Any]) -> float:
    taken = []
    for _ in range(_FLUSHES):
        begun = time.perf_counter()
        connection.execute("SELECT pg_logical_emit_message(TRUE, 'pgcontract', 'flush')")
        taken.append(time.perf_counter() - begun)
    return round(statistics.median(taken) * 1000, 3)

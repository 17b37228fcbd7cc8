"""What derived counts cost: no trigger, plain row triggers, and the shipped statement triggers, on one hot parent.

The variants take turns, each in a database of its own on one server, with everything on one core: what else the machine
does meets all alike. Where the system tells it, what counts is the processor time of the server's process. That the
variants write the same rows is asserted; speed is not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import psycopg
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pgcontract.ephemeral import template_of
from pgcontract.server import Server
from pgcontract.system import System
from tests.perf.fix_triggers import TRIALS, Step, Trial

pytestmark = pytest.mark.perf

ROUNDS = {1: 60, 10: 20, 100: 5, 1_000: 2, 10_000: 1}
"""How often a statement of so many rows is measured; of single rows, so many blocks."""
BLOCK = 20
"""Statements in a block of single rows."""
ENOUGH = 20
"""Rounds from which bounds can be told."""


def _none(trial: Trial) -> str:
    return "".join(f"DROP TRIGGER {name} ON {when.split()[0]};" for name, (when, _) in trial.triggers.items())


def _instead(trial: Trial, each: Callable[[str], str], *, empty: bool = False) -> str:
    """Other triggers under the shipped ones' names; ``each`` gives what stands between an event and the function."""
    made = [_none(trial)]
    for name, (when, body) in trial.triggers.items():
        table, event = when.split(maxsplit=1)
        made += [
            f"CREATE FUNCTION variant_{name}() RETURNS TRIGGER LANGUAGE plpgsql",
            f"AS $$ BEGIN {'' if empty else body} RETURN NULL; END $$;",
            f"CREATE TRIGGER {name} {event} ON {table} {each(event)} EXECUTE FUNCTION variant_{name}();",
        ]
    return "\n".join(made)


def _each_row(_: str) -> str:
    return "FOR EACH ROW"


def _each_statement(event: str) -> str:
    tables = {"INSERT": "NEW TABLE AS n", "UPDATE": "OLD TABLE AS o NEW TABLE AS n", "DELETE": "OLD TABLE AS o"}
    return f"REFERENCING {tables[event.rsplit(maxsplit=1)[-1]]} FOR EACH STATEMENT"


SOUND: dict[str, Callable[[Trial], str]] = {
    "row": lambda trial: _instead(trial, _each_row),
    "shipped": lambda _: "",
}
VARIANTS = {"none": _none, **SOUND}
# what triggers cost that do nothing, with the transition tables that the shipped ones have: for single rows only
FLOORS: dict[str, Callable[[Trial], str]] = {
    "empty row": lambda trial: _instead(trial, _each_row, empty=True),
    "empty statement": lambda trial: _instead(trial, _each_statement, empty=True),
}


@dataclass
class Bench:
    """A variant's database: ``session`` is measured, ``keeper`` puts back."""

    trial: Trial
    session: psycopg.Connection
    keeper: psycopg.Connection
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def clock(self) -> float:
        """Seconds that the server's process has used, or that have passed where the system does not tell."""
        with suppress(OSError):
            told = Path(f"/proc/{self.session.info.backend_pid}/schedstat").read_text(encoding="ascii")
            return int(told.split()[0]) / 1e9
        return time.perf_counter()

    def run(self, step: Step, rows: int, numbers: Iterable[int]) -> None:
        """One step with all its rows in one statement, or with each in its own; the time of a statement is kept."""
        started = self.clock()
        if rows > 1:
            self.session.execute(step.bulk.encode(), {"rows": rows}, prepare=True)
            statements = 1
        else:
            for statements, number in enumerate(numbers, 1):  # noqa: B007 - their number is wanted afterwards
                self.session.execute(step.single.encode(), {"number": number}, prepare=True)
        self.seconds.setdefault(step.name, []).append((self.clock() - started) / statements)

    def read(self, queries: Iterable[str]) -> list[list[tuple[Any, ...]]]:
        """What the queries return."""
        return [self.keeper.execute(query.encode()).fetchall() for query in queries]

    def reset(self) -> None:
        """As before the first step."""
        for statement in self.trial.reset:
            self.keeper.execute(statement.encode())


@contextmanager
def one_core(sessions: Iterable[psycopg.Connection]) -> Iterator[None]:
    """This process and the servers' processes of these sessions, all on one core."""
    before = os.sched_getaffinity(0)
    core = {min(before)}
    os.sched_setaffinity(0, core)
    for session in sessions:
        with suppress(OSError):
            os.sched_setaffinity(session.info.backend_pid, core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def benches(trial: Trial, server: Server, variants: dict[str, Callable[[Trial], str]]) -> Iterator[dict[str, Bench]]:
    """A database for each variant, with the same rows in it."""
    template = server.template(template_of(System.load(trial.root)))
    with ExitStack() as stack:
        made = {}
        for name, ddl in variants.items():
            dsn = stack.enter_context(server.clone(template)).dsn
            session, keeper = (stack.enter_context(psycopg.connect(dsn, autocommit=True)) for _ in range(2))
            trial.populate(keeper)
            keeper.execute(ddl(trial).encode())
            keeper.execute("VACUUM ANALYZE")
            keeper.execute("SET session_replication_role = replica")
            made[name] = Bench(trial, session, keeper)
        stack.enter_context(one_core(bench.session for bench in made.values()))
        yield made


@dataclass(frozen=True)
class Cost:
    """What a statement costs with each variant: seconds of every round, in which the variants took turns."""

    seconds: dict[str, list[float]]

    @property
    def microseconds(self) -> dict[str, float]:
        """The median of each variant."""
        return {name: round(median(every) * 1e6, 1) for name, every in self.seconds.items()}

    @property
    def ratio(self) -> tuple[float, ...]:
        """How many times the row triggers' time the shipped ones take: the median of the rounds' ratios.

        Where there are enough rounds to tell, with the bounds in which it lies in 95 of 100 drawings of them.
        """
        ratios = [shipped / row for shipped, row in zip(self.seconds["shipped"], self.seconds["row"], strict=True)]
        found = [median(ratios)]
        if len(ratios) >= ENOUGH:
            draw = Random(0)
            drawn = sorted(median(draw.choices(ratios, k=len(ratios))) for _ in range(1000))
            found += [drawn[25], drawn[974]]
        return tuple(round(one, 3) for one in found)


def measured(trial: Trial, server: Server, rows: int) -> dict[str, Cost]:
    """What each step costs with so many rows."""
    variants = VARIANTS | (FLOORS if rows == 1 else {})
    with benches(trial, server, variants) as places:
        order = list(places)
        # the largest takes minutes: its only round counts. Elsewhere the first is for the caches
        spare = int(ROUNDS[rows] > 1)
        for number in range(ROUNDS[rows] + spare):
            if spare and number == 1:
                for bench in places.values():
                    bench.seconds.clear()
            for step in trial.steps:
                for name in order:
                    places[name].run(step, rows, range(1, BLOCK + 1))
                assert_same(trial, places)
            for bench in places.values():
                bench.reset()
            order = [*order[1:], order[0]]
        return {step.name: Cost({name: places[name].seconds[step.name] for name in variants}) for step in trial.steps}


def assert_same(trial: Trial, places: dict[str, Bench]) -> None:
    """All variants have written the same rows, and those that count the same counts."""
    first, *others = (bench.read(trial.compared) for bench in places.values())
    assert all(other == first for other in others)
    row, shipped = (places[name].read(trial.derived) for name in SOUND)
    assert row == shipped


def table(found: dict[int, dict[str, Cost]]) -> str:
    """Microseconds by step, rows and variant, and the shipped triggers' ratio to the row triggers."""
    lines = ["".join(f"{word:>16}" for word in ("step", "rows", *VARIANTS, *FLOORS)) + "     shipped/row"]
    for rows, costs in found.items():
        for step, cost in costs.items():
            told = cost.microseconds
            cells = (
                step,
                f"{rows:,}",
                *(f"{told[name]:,.0f}" if name in told else "" for name in (*VARIANTS, *FLOORS)),
            )
            ratio, *bounds = (f"{one:.3f}" for one in cost.ratio)
            lines.append("".join(f"{cell:>16}" for cell in (*cells, ratio)) + "".join(f"  {one}" for one in bounds))
    return "\n".join(lines)


@pytest.mark.parametrize("name", TRIALS)
def test_row_and_statement_triggers(name: str, benchmark: BenchmarkFixture, pgcontract_server: Server) -> None:
    """The same rows by all variants; what each costs for 1 to 10,000 rows of one parent."""
    found: dict[int, dict[str, Cost]] = {}

    def run() -> None:
        for rows in ROUNDS:
            found[rows] = measured(TRIALS[name], pgcontract_server, rows)

    benchmark.pedantic(run, rounds=1)
    costs = {f"{step} {rows}": cost for rows, steps in found.items() for step, cost in steps.items()}
    benchmark.extra_info |= {
        "postgresql": pgcontract_server.version,
        "server_time_only": Path("/proc/self/schedstat").exists(),
        "microseconds": {what: cost.microseconds for what, cost in costs.items()},
        "shipped_to_row": {what: cost.ratio for what, cost in costs.items()},
    }
    print(f"\n{name}, microseconds a statement\n{table(found)}")  # noqa: T201 - what this benchmark is for

"""How fast one worker proves promises, and judges mutants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pgcontract.contract import read
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.mutation import Plan as Mutants
from pgcontract.mutation import mutate
from pgcontract.server import Server
from pgcontract.system import System
from pgcontract.verify import Plan, verify

pytestmark = pytest.mark.perf

SYSTEM = System.load(Path(__file__).parents[2] / "schema" / "social_selling")
EXAMPLES = 25
SAMPLE = 240
"""Mutants, spread evenly over all of them."""


def test_promises_a_second(benchmark: BenchmarkFixture, pgcontract_server: Server) -> None:
    """Those of all tables of social_selling, 25 examples a direction; the worker's start is included."""
    contract = read(SYSTEM.contract)
    tables = tuple(str(table.name) for table in contract.catalog.tables)
    with staged(SYSTEM, pgcontract_server, ServerChoice()) as stage:
        found = benchmark.pedantic(lambda: verify(stage, contract, Plan(EXAMPLES, only=tables, workers=1)), rounds=1)
    assert len(found.of("proven")) == len(found.verdicts) > 0
    examples = sum(v.accepts + v.rejects for v in found.verdicts)
    told(
        benchmark,
        {
            "postgresql": found.postgresql,
            "promises": len(found.verdicts),
            "examples": examples,
            "seconds": round(found.seconds, 2),
            "promises_per_second": round(len(found.verdicts) / found.seconds, 1),
            "examples_per_second": round(examples / found.seconds),
        },
    )


def test_mutants_a_second(benchmark: BenchmarkFixture, pgcontract_server: Server) -> None:
    """A sample of social_selling's, by one worker, the sound schema's cases included."""
    with staged(SYSTEM, pgcontract_server, ServerChoice()) as stage:
        plan = Mutants(sample=SAMPLE, examples=EXAMPLES, workers=1)
        found = benchmark.pedantic(lambda: mutate(stage, read(SYSTEM.contract), plan), rounds=1)
    fates: dict[str, int] = {}
    for one in found.judged:
        fates[one.fate] = fates.get(one.fate, 0) + 1
    assert len(found.judged) == SAMPLE
    told(
        benchmark,
        {
            "postgresql": found.postgresql,
            "mutants": len(found.judged),
            "fates": fates,
            "seconds": round(found.seconds, 2),
            "mutants_per_second": round(len(found.judged) / found.seconds, 1),
        },
    )


def told(benchmark: BenchmarkFixture, figures: dict[str, Any]) -> None:
    """The figures in the record and on the screen."""
    benchmark.extra_info |= figures
    print(f"\n{figures}")  # noqa: T201 - the figures are what this benchmark is for

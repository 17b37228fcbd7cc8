"""A schema of 370 tables, 760 foreign keys, 660 CHECKs: how long it takes, how much memory, and half as much of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pgcontract.contract import Contract
from pgcontract.ephemeral import ServerChoice, staged
from pgcontract.server import Server
from pgcontract.system import System
from pgcontract.verify import Plan, Result, verify
from tests.perf.fix_large import large

pytestmark = pytest.mark.perf

TABLES, FOREIGN_KEYS, CHECKS = 370, 760, 660
PART = 4
"""The smaller schema is so many times smaller."""
MOST_SECONDS = 600
MOST_MEMORY = 2**30
MOST_GROWTH = 1.5
"""Of the seconds that a promise takes."""


@dataclass
class Memory:
    """The most that this process and all that it started, the server's included, took at once."""

    peak: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look now and then, until it is over."""
        while not self._over.wait(1):
            self.peak = max(self.peak, sum(map(_proportional, _family())))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look while the block runs."""
        watching = threading.Thread(target=self.watch)
        watching.start()
        try:
            yield
        finally:
            self._over.set()
            watching.join()


def _family() -> list[int]:
    """This process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [os.getpid()]
    for process in found:
        found += children.get(process, [])
    return found


def _proportional(process: int) -> int:
    """A process's memory, of what it shares its part, in bytes; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def test_a_large_schema(benchmark: BenchmarkFixture, pgcontract_server: Server, tmp_path: Path) -> None:
    """With the default examples on two cores: nothing broken, nearly all proven, in ten minutes and a GiB, linearly."""
    found: dict[str, Result] = {}
    memory = Memory()

    def both() -> None:
        for name, part in (("part", PART), ("whole", 1)):
            found[name] = _verified(pgcontract_server, tmp_path / f"{name}.sql", part)

    with memory.watched():
        benchmark.pedantic(both, rounds=1)
    each = {name: result.seconds / len(result.verdicts) for name, result in found.items()}
    whole = found["whole"]
    benchmark.extra_info |= {
        "postgresql": pgcontract_server.version,
        "promises": len(whole.verdicts),
        "proven": len(whole.of("proven")),
        "reasons": {str(reason): count for reason, count in whole.reasons()},
        "seconds": round(whole.seconds, 1),
        "promises_per_second": round(1 / each["whole"], 1),
        "growth": round(each["whole"] / each["part"], 2),
        "peak_mib": memory.peak // 2**20,
    }
    print(f"\n{benchmark.extra_info}")  # noqa: T201 - the figures are what this benchmark is for
    assert not whole.of("broken")
    assert len(whole.of("proven")) >= 0.97 * len(whole.verdicts)
    assert memory.peak < MOST_MEMORY
    assert each["whole"] <= MOST_GROWTH * each["part"], each
    assert whole.seconds < MOST_SECONDS


def _verified(server: Server, file: Path, part: int) -> Result:
    file.write_text(large(TABLES // part, FOREIGN_KEYS // part, CHECKS // part))
    system = System.load(file)
    with staged(system, server, ServerChoice()) as stage:
        contract = Contract(system.name, stage.read_catalog())
        return verify(stage, contract, Plan(workers=2))

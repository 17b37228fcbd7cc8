"""How long the whole contract suite takes: what somebody waits for who runs `pgcontract verify` on every system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pgcontract.system import System
from tests.contract.fix_systems import PATHS

pytestmark = pytest.mark.perf

EXAMPLES = 50
MINUTES_AT_MOST = 3  # what is aimed at, on two cores; told beside the figures, not asserted


def verified(system: System, folder: Path, pg: int | None) -> dict[str, Any]:
    """What `verify --json` writes for a system: its own server is started, and stopped, each time."""
    file = folder / f"{system.name}.json"
    words = [sys.executable, "-m", "pgcontract", "verify", str(system.root), "--examples", str(EXAMPLES), "--quiet"]
    words += ["--json", str(file), *(["--pg", str(pg)] if pg else [])]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=1800)
    # a broken promise is the contract suite's business; here it must only have come to its end
    assert file.exists(), ended.stdout + ended.stderr
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def figures(result: dict[str, Any]) -> dict[str, Any]:
    """The size of a run: what was proven by how many examples; how many of the verdicts are the state machine's."""
    verdicts = result["verdicts"]
    return {
        "seconds": round(result["seconds"], 1),
        "promises": result["promises"],
        "proven": result["proven"],
        "not_proven": len(result["broken"]) + len(result["unproven"]) + result["not_covered"],
        "examples": sum(v["accepts"] + v["rejects"] for v in verdicts),
        "invariants": sum(v["kind"] == "invariant" for v in verdicts),
    }


def test_the_whole_contract_suite(benchmark: BenchmarkFixture, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """All configured systems, one after the other: 50 examples a promise and direction, state machines included."""
    systems = [System.load(path) for path in PATHS]
    results: dict[str, dict[str, Any]] = {}

    def run() -> None:
        for system in systems:
            results[system.name] = verified(system, tmp_path, pytestconfig.getoption("--pg"))

    benchmark.pedantic(run, rounds=1)
    # a run that is fast because it went wrong tells nothing
    assert {name: figures(result)["not_proven"] for name, result in results.items()} == dict.fromkeys(results, 0)
    of_each = {name: figures(result) for name, result in results.items()}
    benchmark.extra_info |= {
        "postgresql": next(iter(results.values()))["postgresql"],
        "cores": len(os.sched_getaffinity(0)),
        "examples_a_direction": EXAMPLES,
        "seconds_aimed_at": 60 * MINUTES_AT_MOST,
        **{what: sum(f[what] for f in of_each.values()) for what in ("seconds", "promises", "proven", "examples")},
        "systems": of_each,
    }
    print(f"\n{benchmark.extra_info}")  # noqa: T201 - the figures are what this benchmark is for

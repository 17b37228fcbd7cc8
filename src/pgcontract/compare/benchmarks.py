"""Two files of pytest-benchmark compared by the rounds that they record. They were not measured in turns."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeGuard

from pgcontract.compare.result import Compared, Result
from pgcontract.compare.statistics import unpaired
from pgcontract.errors import UsageError
from pgcontract.queries import DEFAULT_SLOWER
from pgcontract.signs import count

FEWEST: Final = 5
"""Rounds of which a median can be told to lie apart from another; pytest-benchmark makes as many unless it is told."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One benchmark of a file: the seconds of each round, and the threshold that its ``extra_info`` names."""

    seconds: tuple[float, ...]
    slower: float | None


@dataclass(frozen=True, slots=True)
class Record:
    """One file: benchmarks by full name, and the machine that they ran on."""

    benchmarks: Mapping[str, Recorded]
    machine: str


def compare_benchmarks(a: Path, b: Path, *, floor: float = DEFAULT_SLOWER) -> Result:
    """The benchmarks that both files have. Raises UsageError: unreadable, not pytest-benchmark's, nothing in common."""
    of_a, of_b = read_benchmarks(a), read_benchmarks(b)
    common = [name for name in of_b.benchmarks if name in of_a.benchmarks]
    if not common:
        raise UsageError(
            "The two files have no benchmark in common.",
            where=f"{a}: {count(len(of_a.benchmarks), 'benchmark')}; {b}: {count(len(of_b.benchmarks), 'benchmark')}",
            remedy="Compare two runs of the same tests.",
        )
    warnings = ["A and B were not measured in turns: what else the machine did may be all of a difference"]
    if of_a.machine != of_b.machine:
        warnings.append(f"recorded on different machines: {of_a.machine} and {of_b.machine}")
    return Result(
        str(a),
        str(b),
        compare_records(of_a, of_b, floor=floor),
        paired=False,
        pinned=False,
        net=False,
        only_a=tuple(sorted(of_a.benchmarks.keys() - of_b.benchmarks.keys())),
        only_b=tuple(sorted(of_b.benchmarks.keys() - of_a.benchmarks.keys())),
        warnings=tuple(warnings),
    )


def compare_records(a: Record, b: Record, *, floor: float = DEFAULT_SLOWER) -> tuple[Compared, ...]:
    """The benchmarks that both have, in the order of B."""
    common = (name for name in b.benchmarks if name in a.benchmarks)
    return tuple(_compared(name, a.benchmarks[name], b.benchmarks[name], floor) for name in common)


def read_benchmarks(path: Path) -> Record:
    """What a file of ``--benchmark-json`` holds. Raises UsageError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError("The file cannot be read.", where=str(path), seen=error.strerror) from error
    except ValueError as error:
        raise UsageError(
            "The file is no JSON.", where=str(path), seen=str(error), remedy="Write it with pytest --benchmark-json."
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("benchmarks"), list):
        raise _not_benchmarks(path, "no list `benchmarks`")
    found: dict[str, Recorded] = {}
    for number, one in enumerate(content["benchmarks"]):
        name, recorded = _recorded(path, number, one)
        if name in found:
            raise _not_benchmarks(path, f"{name} twice")
        found[name] = recorded
    return Record(found, _machine(content.get("machine_info")))


def _recorded(path: Path, number: int, one: Any) -> tuple[str, Recorded]:
    stats = one.get("stats") if isinstance(one, dict) else None
    name = one.get("fullname") if isinstance(one, dict) else None
    if not isinstance(stats, dict) or not isinstance(name, str):
        raise _not_benchmarks(path, f"benchmark {number} without `fullname` and `stats`")
    data = stats.get("data")
    if data is None:
        raise UsageError(
            "The file holds no rounds, only what they come to.",
            where=str(path),
            seen=name,
            remedy="Write it with --benchmark-json, or save it with --benchmark-save-data.",
        )
    if not isinstance(data, list) or not all(_is_seconds(t) for t in data):
        raise _not_benchmarks(path, f"{name} with rounds that are no seconds")
    extra = one.get("extra_info")
    slower = extra.get("slower") if isinstance(extra, dict) else None
    return name, Recorded(tuple(map(float, data)), slower if _is_seconds(slower) and slower > 1 else None)


def _is_seconds(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _machine(info: Any) -> str:
    if not isinstance(info, dict):
        return "unknown"
    cpu = info.get("cpu")
    brand = cpu.get("brand_raw", "") if isinstance(cpu, dict) else ""
    return ", ".join(str(part) for part in (info.get("node"), brand) if part) or "unknown"


def _compared(name: str, a: Recorded, b: Recorded, floor: float) -> Compared:
    threshold = b.slower or floor
    if min(len(a.seconds), len(b.seconds)) < FEWEST:
        note = f"{count(len(a.seconds), 'round')} in A, {len(b.seconds)} in B: fewer than {FEWEST} tell nothing"
        return Compared(name, threshold, note=note)
    typical_a, typical_b = (1000 * median(one.seconds) for one in (a, b))
    estimate = unpaired(a.seconds, b.seconds)
    return Compared(name, threshold, estimate, typical_a, typical_b, 0, len(a.seconds) + len(b.seconds))


def _not_benchmarks(path: Path, seen: str) -> UsageError:
    return UsageError(
        "The file is none of pytest-benchmark's.",
        where=str(path),
        seen=seen,
        remedy="Write it with pytest --benchmark-json.",
    )

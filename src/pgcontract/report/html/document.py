"""The data of the whole page, from everything that was found."""

from __future__ import annotations

from typing import Any

from pgcontract.report.html.changes import changes
from pgcontract.report.html.mutants import mutating
from pgcontract.report.html.promising import promising
from pgcontract.report.html.queries import querying
from pgcontract.report.html.results import Results


def document(results: Results, *, made: str, version: str) -> dict[str, Any]:
    """Plain data for JSON: a mapping a system, and the comparisons of all. ``made``: when; ``version``: by which."""
    return {
        "made": made,
        "version": version,
        "systems": [_system(results, name) for name in results.systems],
        "changes": changes(results),
        "benchmarks": _benchmarks(results),
    }


def _system(results: Results, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "promises": promising([one for one in results.verified if one.origin.system == name]),
        "mutants": mutating([one for one in results.mutated if one.origin.system == name]),
        "queries": querying([one for one in results.planned if one.origin.system == name]),
    }


def _benchmarks(results: Results) -> list[dict[str, Any]]:
    """Each record's benchmarks: the median and the quarters of its rounds, in milliseconds."""
    return [
        {
            "file": one.file,
            "date": one.date,
            "commit": one.commit,
            "items": [[name, *_quarters(found.seconds)] for name, found in one.record.benchmarks.items()],
        }
        for one in results.benchmarked
    ]


def _quarters(seconds: tuple[float, ...]) -> list[float]:
    ordered = sorted(seconds)
    return [round(1000 * ordered[min(len(ordered) * n // 4, len(ordered) - 1)], 4) for n in (2, 1, 3)]

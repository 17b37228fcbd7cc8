"""Comparisons as often as a nightly run makes them: none of a thing with itself differs, and 15 % are always found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import median

import pytest

from pgcontract.compare.sides import Side
from pgcontract.compare.systems import Effort, rivals
from pgcontract.ephemeral import ServerChoice
from pgcontract.system import System
from tests.integration.comparing import QUERIES, WORK, notes

pytestmark = pytest.mark.perf

TRIALS = 40
FILLINGS = 8
ROWS = 6000
PLANTED = 1.15
MORE = 1.3
"""Work to learn from how much of the time hangs on it: not so much that another plan is chosen."""


def trials(a: Path, b: Path) -> dict[str, list[tuple[str | None, float]]]:
    """The verdicts and ratios of each query, in new sessions each time, on new servers every fifth."""
    found: dict[str, list[tuple[str | None, float]]] = {}
    first, second = (Side(str(path), System.load(path), None) for path in (a, b))
    for _ in range(FILLINGS):
        with rivals(first, second, Effort(rows=ROWS), ServerChoice()) as both:
            results = [both.timed() for _ in range(TRIALS // FILLINGS)]
        for one in (one for result in results for one in result.compared):
            assert one.estimate is not None
            found.setdefault(one.name, []).append((one.verdict, one.estimate.ratio))
    for name, seen in found.items():
        ratios = [ratio for _, ratio in seen]
        counts = dict(Counter(verdict for verdict, _ in seen))
        # the figures are what this benchmark is for
        print(f"\n{name}: {counts}, ratio {min(ratios):.3f} to {max(ratios):.3f}, median {median(ratios):.3f}", end="")  # noqa: T201
    return found


def calibrated(usual: Path, more: Path) -> dict[str, float]:
    """How many times as much is to be done, so that it takes 15 % longer: some time passes whatever is done."""
    first, second = (Side(str(path), System.load(path), None) for path in (usual, more))
    with rivals(first, second, Effort(rows=ROWS, blocks=60, only=tuple(WORK)), ServerChoice()) as both:
        results = [both.timed() for _ in range(3)]
    ratios = {
        name: median(one.estimate.ratio for r in results for one in r.compared if one.name == name and one.estimate)
        for name in WORK
    }
    found = {name: 1 + (PLANTED - 1) * (MORE - 1) / (ratio - 1) for name, ratio in ratios.items()}
    print(f"\nwork for {PLANTED}: {found}", end="")  # noqa: T201
    return found


def verdicts(found: dict[str, list[tuple[str | None, float]]], names: Iterable[str]) -> set[str | None]:
    """All that were given to these queries."""
    return {verdict for name in names for verdict, _ in found[name]}


def test_a_thing_beside_itself_is_the_same(tmp_path: Path) -> None:
    """No verdict but *same* in 40 of 40 trials, for queries of microseconds and of milliseconds that read or write."""
    system = notes(tmp_path / "a")
    found = trials(system, system)
    assert found.keys() == QUERIES.keys() | WORK.keys()
    assert verdicts(found, found) == {"same"}


def test_fifteen_per_cent_are_found(tmp_path: Path) -> None:
    """Queries with 15 % more to do are *slower* in 40 of 40 trials; those beside them stay the *same*."""
    usual = notes(tmp_path / "usual")
    found = trials(usual, notes(tmp_path / "slow", work=calibrated(usual, notes(tmp_path / "more", work=MORE))))
    assert found.keys() == QUERIES.keys() | WORK.keys()
    for name in WORK:
        # that as much was planted as is claimed, and hardly more
        assert PLANTED - 0.02 < median(ratio for _, ratio in found[name]) < PLANTED + 0.02, name
    assert verdicts(found, WORK) == {"slower"}
    assert verdicts(found, QUERIES) == {"same"}

"""How many times as long B takes as A, how sure that is, and what follows. No I/O; symmetric in A and B."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Verdict = Literal["faster", "slower", "same"]

CONFIDENCE: Final = 0.99
RESAMPLES: Final = 2000
RUNS: Final = 50
"""Recorded rounds are put into so many runs of consecutive ones: what disturbs one disturbs its neighbours too."""


@dataclass(frozen=True, slots=True)
class Block:
    """The typical time of each part of a block in which A and B took turns, by side; in any unit."""

    a: tuple[float, ...]
    b: tuple[float, ...]

    @property
    def log_ratio(self) -> float:
        """The logarithm of B's time over A's: each the geometric mean of its parts, so that drift cancels."""
        return statistics.fmean(map(math.log, self.b)) - statistics.fmean(map(math.log, self.a))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A ratio and its bootstrap interval, as logarithms: the exchange of A and B is the change of the sign."""

    log_ratio: float
    log_low: float
    log_high: float

    @property
    def ratio(self) -> float:
        """How many times as long B takes as A."""
        return math.exp(self.log_ratio)

    @property
    def low(self) -> float:
        """The interval's lower end."""
        return math.exp(self.log_low)

    @property
    def high(self) -> float:
        """The interval's upper end."""
        return math.exp(self.log_high)

    def verdict(self, floor: float) -> Verdict:
        """What B is beside A. A difference counts when it reaches the floor, and 1 is outside of the interval."""
        if self.log_ratio >= math.log(floor) and self.log_low > 0:
            return "slower"
        if -self.log_ratio >= math.log(floor) and self.log_high < 0:
            return "faster"
        return "same"

    def is_decided(self, floor: float) -> bool:
        """Whether more data would hardly change the verdict: no floor is in the interval, or within half of it outside.

        That margin is for what disturbs many blocks in a row, of which the blocks themselves tell nothing.
        """
        margin = (self.log_high - self.log_low) / 2
        floors = (math.log(floor), -math.log(floor))
        return not any(self.log_low - margin <= one <= self.log_high + margin for one in floors)


def paired(blocks: Sequence[Block], *, seed: int = 0) -> Estimate:
    """The middle of the blocks' ratios, and how far it moves when blocks are drawn again, each as a whole."""
    ratios = [block.log_ratio for block in blocks]
    return _estimate(statistics.median(ratios), _medians(ratios, seed))


def unpaired(a: Sequence[float], b: Sequence[float], *, seed: int = 0) -> Estimate:
    """The ratio of the medians of times that were recorded one side after the other, each in its order."""
    middle = math.log(statistics.median(b)) - math.log(statistics.median(a))
    first, second = _in_runs(a), _in_runs(b)
    # each side is drawn with both seeds, so that the exchange of the sides changes nothing but the sign
    resampled = [
        math.log(of_b) - math.log(of_a)
        for seed_a, seed_b in ((seed, seed + 1), (seed + 1, seed))
        for of_a, of_b in zip(_medians(first, seed_a), _medians(second, seed_b), strict=True)
    ]
    return _estimate(middle, resampled)


def _in_runs(times: Sequence[float]) -> list[float]:
    """The medians of at most RUNS runs of consecutive times."""
    count = min(RUNS, len(times))
    edges = [len(times) * n // count for n in range(count + 1)]
    return [statistics.median(times[start:end]) for start, end in itertools.pairwise(edges)]


def _medians(values: Sequence[float], seed: int) -> list[float]:
    """Those of samples of the same size, drawn with replacement."""
    source = random.Random(seed)  # noqa: S311 - the same verdict for the same data
    return [statistics.median(source.choices(values, k=len(values))) for _ in range(RESAMPLES)]


def _estimate(middle: float, resampled: Sequence[float]) -> Estimate:
    ordered = sorted(resampled)
    cut = round(len(ordered) * (1 - CONFIDENCE) / 2)
    # the middle of few values may lie outside of what was drawn
    return Estimate(middle, min(middle, ordered[cut]), max(middle, ordered[-1 - cut]))

"""Verdicts without a server: what is the same is never called slower, what is slower is found, in either direction."""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgcontract.compare import Block, Estimate, compared, paired, unpaired
from pgcontract.compare.pairing import BLOCKS, MOST, TOGETHER, WARM

pytestmark = pytest.mark.thorough

FLOOR = 1.10
OPPOSITE = {"faster": "slower", "slower": "faster", "same": "same"}

seconds = st.floats(1e-6, 10)
blocks = st.builds(Block, st.tuples(seconds, seconds), st.tuples(seconds, seconds))
seeds = st.integers(0, 2**32)
noises = st.floats(0.001, 0.05)
effects = st.floats(1.2, 3)


def judged(seed: int, noise: float, effect: float) -> Estimate:
    """What is said of a machine that is slow for some time, with every tenth part interrupted."""
    source = random.Random(seed)

    def part(slowness: float, factor: float) -> float:
        interrupted = 3 if source.random() < 0.1 else 1
        return slowness * factor * interrupted * source.lognormvariate(0, noise)

    found: list[Block] = []
    slowness = 1.0
    while True:
        for _ in range(BLOCKS):
            slowness *= source.choice((0.5, 1, 1, 1, 2))
            a, b, c, d = (part(slowness, factor) for factor in (1, effect, effect, 1))
            found.append(Block((a, d), (b, c)))
        estimate = paired(found)
        if estimate.is_decided(FLOOR) or len(found) >= MOST * BLOCKS:
            return estimate


def exchanged(found: list[Block]) -> list[Block]:
    """The same with A and B exchanged."""
    return [Block(block.b, block.a) for block in found]


@settings(deadline=None, max_examples=50)
@given(seeds, noises)
def test_one_distribution_is_the_same(seed: int, noise: float) -> None:
    """Whatever the machine does to both alike."""
    assert judged(seed, noise, 1).verdict(FLOOR) == "same"


@settings(deadline=None, max_examples=50)
@given(seeds, noises, effects)
def test_a_shift_is_found_in_both_directions(seed: int, noise: float, effect: float) -> None:
    """A fifth or more is found through noise, slow times and interruptions."""
    assert judged(seed, noise, effect).verdict(FLOOR) == "slower"
    assert judged(seed, noise, 1 / effect).verdict(FLOOR) == "faster"


@settings(deadline=None, max_examples=50)
@given(st.lists(blocks, min_size=1, max_size=30), st.floats(1.01, 3), seeds)
def test_exchanged_blocks_give_the_opposite_verdict(found: list[Block], floor: float, seed: int) -> None:
    """Exactly: the estimate and both ends of the interval change their sign."""
    one, other = paired(found, seed=seed), paired(exchanged(found), seed=seed)
    assert (other.log_ratio, other.log_low, other.log_high) == (-one.log_ratio, -one.log_high, -one.log_low)
    assert other.verdict(floor) == OPPOSITE[one.verdict(floor)]
    assert other.is_decided(floor) == one.is_decided(floor)


@settings(deadline=None, max_examples=25)
@given(st.lists(seconds, min_size=1, max_size=80), st.lists(seconds, min_size=1, max_size=80), st.floats(1.01, 3))
def test_exchanged_records_give_the_opposite_verdict(a: list[float], b: list[float], floor: float) -> None:
    """Likewise for what was not measured in turns, also with different numbers of rounds."""
    one, other = unpaired(a, b), unpaired(b, a)
    assert (other.log_ratio, other.log_low, other.log_high) == (-one.log_ratio, -one.log_high, -one.log_low)
    assert other.verdict(floor) == OPPOSITE[one.verdict(floor)]


@settings(deadline=None, max_examples=25)
@given(st.lists(seconds, min_size=1, max_size=200))
def test_a_record_beside_itself_is_the_same(times: list[float]) -> None:
    """However its rounds are spread."""
    found = unpaired(times, times)
    assert found.ratio == 1
    assert found.verdict(1.0001) == "same"


@pytest.mark.thorough
@settings(deadline=None, max_examples=25)
@given(seeds, st.floats(0.001, 0.02), effects, st.integers(20, 3000), st.integers(20, 3000))
def test_a_shift_between_records_is_found(seed: int, noise: float, effect: float, first: int, second: int) -> None:
    """With any number of rounds from twenty on; and none is found where there is none."""
    source = random.Random(seed)
    a = [source.lognormvariate(0, noise) for _ in range(first)]
    b = [source.lognormvariate(0, noise) for _ in range(second)]
    assert unpaired(a, b).verdict(FLOOR) == "same"
    assert unpaired(a, [effect * time for time in b]).verdict(FLOOR) == "slower"


@settings(deadline=None, max_examples=50)
@given(st.lists(blocks, min_size=1, max_size=30))
def test_the_interval_holds_the_estimate(found: list[Block]) -> None:
    """And both are finite and positive."""
    estimate = paired(found)
    assert 0 < estimate.low <= estimate.ratio <= estimate.high < math.inf


@settings(deadline=None, max_examples=50)
@given(st.lists(blocks, min_size=1, max_size=30), st.floats(1.01, 3), st.floats(1.01, 3))
def test_a_higher_floor_finds_no_more(found: list[Block], one: float, other: float) -> None:
    """What differs by the higher floor differs by the lower one."""
    low, high = sorted((one, other))
    estimate = paired(found)
    assert estimate.verdict(high) in {"same", estimate.verdict(low)}


def test_an_effect_must_be_large_and_sure() -> None:
    """A sure difference below the floor is none, and neither is a large one that may be chance."""
    assert Estimate(math.log(1.05), math.log(1.04), math.log(1.06)).verdict(FLOOR) == "same"
    assert Estimate(math.log(1.5), math.log(0.9), math.log(2)).verdict(FLOOR) == "same"
    assert Estimate(math.log(1.5), math.log(1.05), math.log(2)).verdict(FLOOR) == "slower"


class Scripted:
    """Takes the next time of a shared clock, and writes down that it was asked."""

    def __init__(self, name: str, said: list[str], times: Iterator[float], factor: float = 1) -> None:
        self.name, self.said, self.times, self.factor = name, said, times, factor

    def execute(self) -> int:
        """One time."""
        self.said.append(self.name)
        return round(next(self.times) * self.factor)


def drifting(step: float) -> Iterator[float]:
    """Times that grow with every execution; each fills a part."""
    time = 10_000_000.0
    while True:
        yield time
        time *= step


def test_drift_is_no_difference() -> None:
    """A machine that gets one per cent slower with every execution: A and B are asked for the same number of times."""
    said: list[str] = []
    clock = drifting(1.01)
    pair = compared(lambda: nullcontext((Scripted("a", said, clock), Scripted("b", said, clock))), floor=FLOOR)
    assert pair.estimate.ratio == pytest.approx(1, abs=1e-6)
    assert pair.estimate.verdict(FLOOR) == "same"
    # each session is warmed up first
    session = 2 * WARM + 4 * TOGETHER
    sessions = [said[i : i + session] for i in range(0, len(said), session)]
    measured = "".join(name for one in sessions for name in one[2 * WARM :])
    assert {measured[i : i + 4] for i in range(0, len(measured), 4)} == {"abba", "baab"}
    assert pair.blocks == BLOCKS
    assert pair.executions == len(measured) == 4 * BLOCKS


@pytest.mark.thorough
def test_a_close_call_is_measured_longer() -> None:
    """While a floor is inside of the interval there are more blocks, up to a limit; a clear one needs no more."""
    source = random.Random(0)

    def times() -> Iterator[float]:
        while True:
            yield 1e7 * source.lognormvariate(0, 0.2)

    clock = times()
    close = compared(lambda: nullcontext((Scripted("a", [], clock), Scripted("b", [], clock, FLOOR))), floor=FLOOR)
    assert BLOCKS < close.blocks <= MOST * BLOCKS
    clear = compared(lambda: nullcontext((Scripted("a", [], clock), Scripted("b", [], clock, 4))), floor=FLOOR)
    assert clear.blocks == BLOCKS
    assert clear.estimate.verdict(FLOOR) == "slower"


def test_what_is_timed_may_fail() -> None:
    """Its error passes, and garbage is collected again."""
    assert gc.isenabled()
    with pytest.raises(StopIteration):
        compared(lambda: nullcontext((Scripted("a", [], iter([1.0])), Scripted("b", [], iter([1.0])))), floor=FLOOR)
    assert gc.isenabled()

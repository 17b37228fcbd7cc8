"""Two things timed in turns: what disturbs the machine meets both alike."""

from __future__ import annotations

import gc
import random
import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from pgcontract.compare.statistics import Block, Estimate, paired

BLOCKS: Final = 20
MOST: Final = 10
"""So many times the blocks that were asked for may become, while a verdict hangs in the balance."""
PART: Final = 4_000_000
"""Nanoseconds that one part of a block takes: longer than a time slice that another process takes now and then."""
TOGETHER: Final = 2
"""Blocks in one session: where a process's memory comes to lie makes it several per cent slower than its like."""
HALF: Final = 0.5
WARM: Final = 7
"""Executions before any counts: a session keeps a plan for all values from the sixth on."""


class Timed(Protocol):
    """Something that can be timed."""

    def execute(self) -> int:
        """Do it once, and say how many nanoseconds it took."""


Opened: TypeAlias = Callable[[], AbstractContextManager[tuple[Timed, Timed]]]
"""Opens A and B anew, in new processes where there are any."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What was found of A and B: the estimate, the typical time of each in nanoseconds, and the effort."""

    estimate: Estimate
    a: float
    b: float
    blocks: int
    executions: int


def compared(opened: Opened, *, floor: float, blocks: int = BLOCKS) -> Pair:
    """Time A and B in blocks of A B B A or B A A B, both opened anew every other block.

    There are at least so many blocks, and more while a floor is inside of the interval. Whatever either raises passes.
    """
    done: list[Block] = []
    order = random.Random(0)  # noqa: S311 - any will do
    executions = 0
    with _undisturbed():
        while True:
            for _ in range(0, blocks, TOGETHER):
                with opened() as (a, b):
                    times = _executions(a, b)
                    # which one comes first is drawn: nothing that happens regularly always meets the same one
                    done += [
                        _block(a, b, times) if order.random() < HALF else _turned(_block(b, a, times))
                        for _ in range(TOGETHER)
                    ]
                    executions += 4 * times * TOGETHER
            estimate = paired(done)
            if estimate.is_decided(floor) or len(done) >= MOST * blocks:
                break
    typical_a = statistics.median(part for block in done for part in block.a)
    typical_b = statistics.median(part for block in done for part in block.b)
    return Pair(estimate, typical_a, typical_b, len(done), executions)


def _executions(a: Timed, b: Timed) -> int:
    """How many executions fill a part; both are warm afterwards."""
    warm = [max(one.execute(), 1) for _ in range(WARM) for one in (a, b)]
    return max(1, round(PART / statistics.median(warm)))


def _block(outer: Timed, inner: Timed, times: int) -> Block:
    """Outer, inner, inner, outer: a drift within the block meets both alike."""
    first, second, third, fourth = (_part(one, times) for one in (outer, inner, inner, outer))
    return Block((first, fourth), (second, third))


def _turned(block: Block) -> Block:
    return Block(block.b, block.a)


def _part(one: Timed, times: int) -> float:
    # a clock may be too coarse to see anything
    return max(statistics.median(one.execute() for _ in range(times)), 1)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No collection of garbage in the middle of a measurement."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

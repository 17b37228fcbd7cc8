"""The highest rate that holds: doubled until it does not, then halved in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

CLOSE: Final = 1.1
"""The search ends when what does not hold is no more than so many times what does."""
LEAST: Final = 1.0


@dataclass(frozen=True, slots=True)
class Tried:
    """A rate, whether it held, and what it came to."""

    rate: float
    held: bool
    p99: float
    achieved: float


def highest(holds: Callable[[float], bool], start: float, most: float) -> float | None:
    """The highest rate that was seen to hold, up to ``most``; None where not even one a second does.

    A rate that does not hold is tried once more: the machine may have been busy with something else.
    """

    def tried(rate: float) -> bool:
        return holds(rate) or holds(rate)

    low, high = None, None
    rate = min(start, most)
    while high is None or low is None:
        if tried(rate):
            low = rate
            if rate >= most:
                return rate
            rate = min(rate * 2, most)
        else:
            high = rate
            if rate <= LEAST:
                return None
            rate = max(rate / 2, LEAST)
    while high > low * CLOSE:
        # in the middle of their ratio, not of their difference
        rate = round((low * high) ** 0.5, 1)
        if tried(rate):
            low = rate
        else:
            high = rate
    return low

"""When which transaction is due: a Poisson process, the same for the same seed. Nothing here runs anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final

LOT_BITS: Final = 128


@dataclass(frozen=True, slots=True)
class Arrival:
    """A transaction that is due ``at`` so many seconds from the start. Its values are drawn by ``lot``."""

    number: int
    at: float
    transaction: str
    lot: int


def schedule(weights: Mapping[str, float], rate: float, seconds: float, seed: int) -> tuple[Arrival, ...]:
    """All arrivals of a run, in their order.

    A transaction of weight w comes ``rate`` · w times a second on the average, at times that know nothing of each
    other, as those of many users do.
    """
    random = Random(seed)
    names = list(weights)
    bounds = list(accumulate(weights[name] for name in names))
    total = rate * bounds[-1]
    arrivals: list[Arrival] = []
    at = random.expovariate(total)
    while at < seconds:
        name = random.choices(names, cum_weights=bounds)[0]
        arrivals.append(Arrival(len(arrivals), at, name, random.getrandbits(LOT_BITS)))
        at += random.expovariate(total)
    return tuple(arrivals)


def rehearsal(names: Iterable[str], times: int, seed: int) -> tuple[Arrival, ...]:
    """Each transaction so many times, due at once: for sessions that are to be warm before a run."""
    random = Random(f"rehearsal {seed}")
    wanted = [name for name in names for _ in range(times)]
    return tuple(Arrival(n, 0.0, name, random.getrandbits(LOT_BITS)) for n, name in enumerate(wanted))

"""What a run of load says: percentiles of each transaction, what failed, and the rate that was kept."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from pgcontract.load.running import Done

KEPT: Final = 0.95
"""The share of the transactions per second asked for that must be done for the rate to count as kept."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One transaction's; times in milliseconds from when it was due. Those that failed are no part of them.

    What was given up counts with the time that it had waited by then: it would have been more.
    """

    transaction: str
    asked: int
    done: int
    p50: float
    p95: float
    p99: float
    greatest: float
    errors: Mapping[str, int] = field(default_factory=dict)
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole run. ``rate`` was asked for, ``achieved`` is what was done of it; both in what ``--rate`` counts.

    ``lateness`` is the generator's own, in milliseconds at the 99th percentile: how long after it was due a transaction
    was begun for which a connection was waiting.
    """

    rate: float
    achieved: float
    seconds: float
    transactions: tuple[Figures, ...]
    lateness: float

    @property
    def p99(self) -> float:
        """That of the slowest transaction, so that many fast ones hide nothing."""
        return max((one.p99 for one in self.transactions if one.asked), default=0.0)

    @property
    def errors(self) -> int:
        """How many transactions failed."""
        return sum(sum(one.errors.values()) for one in self.transactions)

    @property
    def given_up(self) -> int:
        """How many were never begun."""
        return sum(one.given_up for one in self.transactions)

    @property
    def kept(self) -> bool:
        """Whether the server did what it was asked, as fast as it was asked."""
        return not self.errors and not self.given_up and self.achieved >= KEPT * self.rate

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        shown = {"p99": self.p99, "errors": self.errors, "given_up": self.given_up, "kept": self.kept}
        return asdict(self) | shown


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least value that at least this share of all values does not exceed (nearest rank); 0 of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def summary(done: Sequence[Done], weights: Mapping[str, float], rate: float, seconds: float) -> Summary:
    """What a run of so many seconds came to. The rate that was achieved counts until the last one was over."""
    figures = tuple(_figures(name, [one for one in done if one.arrival.transaction == name]) for name in weights)
    # beside what the seed had in store, not beside its average: chance is not the server's fault
    took = max([seconds, *(one.end for one in done if not one.given_up)])
    achieved = rate * (sum(one.done for one in figures) / len(done) if done else 1.0) * seconds / took
    late = sorted(one.begun for one in done if one.idle)
    return Summary(rate, round(achieved, 2), seconds, figures, _milliseconds(percentile(late, 0.99)))


def _figures(name: str, done: Sequence[Done]) -> Figures:
    times = sorted(one.latency for one in done if one.error is None)
    return Figures(
        name,
        asked=len(done),
        done=sum(one.error is None and not one.given_up for one in done),
        p50=_milliseconds(percentile(times, 0.50)),
        p95=_milliseconds(percentile(times, 0.95)),
        p99=_milliseconds(percentile(times, 0.99)),
        greatest=_milliseconds(times[-1] if times else 0.0),
        errors=dict(sorted(Counter(one.error for one in done if one.error is not None).items())),
        given_up=sum(one.given_up for one in done),
    )


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)

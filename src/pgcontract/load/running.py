"""An open loop: what is due is started, and its latency counts from when it was due.

A closed loop asks again only when it was answered: while the server stalls it asks nothing, and so leaves out just the
latencies that users would have had (coordinated omission). Here a transaction that waits for a free connection has been
waiting since it was due.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from pgcontract.load.schedule import Arrival

PATIENCE: Final = 10.0
"""So many seconds after it was due, a transaction is given up, and all after it: the rate is not kept."""
_HEAD_START: Final = 0.05
_SWITCH: Final = 0.0005


class Performer(Protocol):
    """Does transactions, one after the other."""

    def perform(self, arrival: Arrival) -> str | None:
        """Do one; what went wrong (an SQLSTATE), None for nothing."""


@dataclass(frozen=True, slots=True)
class Done:
    """An arrival's fate, in seconds from when it was due; ``end`` is when from the run's start it was over.

    ``begun`` is how late it was begun, ``idle`` whether somebody waited for it: then the lateness is the generator's
    own. ``error``: an SQLSTATE. ``given_up``: it was never begun, and ``latency`` is how long it had waited until then.
    """

    arrival: Arrival
    begun: float
    latency: float
    end: float
    idle: bool = False
    error: str | None = None
    given_up: bool = False


def run(arrivals: Sequence[Arrival], performers: Sequence[Performer], *, patience: float = PATIENCE) -> list[Done]:
    """Have the performers do all that arrives, a thread each; in the order in which it was due.

    What a performer raises ends the run, and is raised.
    """
    waiting = iter(arrivals)
    lock = threading.Lock()
    done: list[list[Done]] = [[] for _ in performers]
    failed: list[BaseException] = []
    start = time.perf_counter() + _HEAD_START

    def work(performer: Performer, mine: list[Done]) -> None:
        try:
            while not failed:
                with lock:
                    arrival = next(waiting, None)
                if arrival is None:
                    return
                mine.append(_one(arrival, performer, start, patience))
        except BaseException as error:  # noqa: BLE001 - raised again, where somebody hears it
            failed.append(error)

    threads = [
        threading.Thread(target=work, args=pair, daemon=True, name="load")
        for pair in zip(performers, done, strict=True)
    ]
    with _prompt():
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException as error:  # noqa: BLE001 - raised again
            # Ctrl-C: what is under way is waited for, nothing more is begun
            failed.append(error)
            for thread in threads:
                thread.join()
    if failed:
        raise failed[0]
    return sorted((one for mine in done for one in mine), key=lambda one: one.arrival.number)


def _one(arrival: Arrival, performer: Performer, start: float, patience: float) -> Done:
    due = start + arrival.at
    early = due - time.perf_counter()
    if early > 0:
        time.sleep(early)
    begun = time.perf_counter() - due
    if begun > patience:
        return Done(arrival, begun, begun, arrival.at + begun, given_up=True)
    error = performer.perform(arrival)
    latency = time.perf_counter() - due
    return Done(arrival, begun, latency, arrival.at + latency, early > 0, error)


@contextmanager
def _prompt() -> Iterator[None]:
    """Have threads take turns sooner: by default one may keep the interpreter for 5 ms while others are due."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)

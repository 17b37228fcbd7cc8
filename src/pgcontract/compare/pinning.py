"""This process and its backends on one core: they take turns, and no other core must be woken to hand over."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg

TRIPS: Final = 20


@contextmanager
def pinned(connections: Sequence[psycopg.Connection[Any]]) -> Iterator[int | None]:
    """Keep all of them on the core where round trips are fastest now; None where the system does not let us.

    A server of another user, or on another machine, stays where it is, and so does this process then.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    backends = [connection.info.backend_pid for connection in connections]
    free = os.sched_getaffinity(0)
    try:
        try:
            core = min(sorted(free), key=lambda c: _on(c, backends, connections))
            _move({core}, backends)
        except OSError:
            _let_go(free, backends)
            yield None
            return
        yield core
    finally:
        _let_go(free, backends)


def _on(core: int, backends: Sequence[int], connections: Sequence[psycopg.Connection[Any]]) -> float:
    """How long a round trip takes on a core."""
    _move({core}, backends)
    times = []
    for _ in range(TRIPS):
        started = time.perf_counter_ns()
        for connection in connections:
            connection.pgconn.exec_(b"SELECT 1")
        times.append(time.perf_counter_ns() - started)
    # the mean: a core that is taken away now and then is what is to be avoided
    return statistics.fmean(times)


def _move(cores: set[int], backends: Sequence[int]) -> None:
    for backend in backends:
        os.sched_setaffinity(backend, cores)
    os.sched_setaffinity(0, cores)


def _let_go(cores: set[int], backends: Sequence[int]) -> None:
    os.sched_setaffinity(0, cores)
    for backend in backends:
        try:
            os.sched_setaffinity(backend, cores)
        except OSError:
            # it is another user's, or it has gone
            continue

"""Worker processes: a core each, with a clone and a session of its own, for whatever there is to prove."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.queues import SimpleQueue
from typing import Any, Protocol, TypeVar

import psycopg

from pgcontract.arena import Arena
from pgcontract.ephemeral import Stage
from pgcontract.errors import ServerError
from pgcontract.invariants import Exploration, Invariant
from pgcontract.model import Catalog
from pgcontract.prover import TIME_LIMIT, Prover
from pgcontract.rows.statements import Statement
from pgcontract.rows.worlds import Worlds
from pgcontract.session import Session

Outcome = TypeVar("Outcome")
Done_co = TypeVar("Done_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Known:
    """What every worker knows: the live database, its invariants and which are asked, and how much to try.

    ``seconds``: how long a direction of a promise may take. ``meeting``: whether a promise needs two sessions to meet.
    """

    catalog: Catalog
    roles: Mapping[str, str]
    invariants: tuple[Invariant, ...]
    asked: tuple[Invariant, ...]
    invariant_seconds: int
    examples: int
    seed: int
    seconds: float = TIME_LIMIT
    meeting: bool = False


class Task(Protocol[Done_co]):
    """Something to do with a worker's session. It goes to another process, and so does what comes of it."""

    def done(self, worker: Worker) -> Done_co:
        """Do it."""


def worked(
    stage: Stage, known: Known, tasks: Sequence[Task[Outcome]], workers: int
) -> Iterator[tuple[Task[Outcome], Outcome]]:
    """Do all tasks on clones of the stage's template, whichever is done first; ``workers`` 0: one a core.

    Raises ServerError when the server goes away or a worker dies, InvariantError.
    """
    count = min(workers or len(_cores()), len(tasks))
    if not count:
        return
    with ExitStack() as stack:
        clones = [stack.enter_context(stage.clone()) for _ in range(count)]
        arenas = [stack.enter_context(stage.clone()).dsn if known.meeting else None for _ in range(count)]
        if count == 1:
            worker = Worker(clones[0].dsn, known, core=None, arena=arenas[0])
            stack.callback(worker.close)
            yield from ((task, task.done(worker)) for task in tasks)
            return
        # fork keeps what is imported; elsewhere than Linux it is not safe with system libraries that start threads
        context = get_context("fork" if sys.platform == "linux" else "spawn")
        places: SimpleQueue[tuple[str, str | None, int | None]] = context.SimpleQueue()
        for clone, arena, core in zip(clones, arenas, _cores(), strict=False):
            places.put((clone.dsn, arena, core))
        pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(places, known))
        stack.callback(pool.shutdown, cancel_futures=True)
        try:
            futures: dict[Future[Outcome], Task[Outcome]] = {pool.submit(_done, task): task for task in tasks}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except ServerError:
            # our own server's log says more than a connection that broke
            stage.server.check()
            raise
        except BrokenProcessPool as error:
            raise ServerError(
                "A worker process ended in the middle of the run.", remedy="Is memory short? Try --workers 1."
            ) from error


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


class Worker:
    """A process's own clone, session and planned worlds. ``kept`` is for what a task leaves to the next of its kind."""

    def __init__(self, dsn: str, known: Known, core: int | None, arena: str | None = None) -> None:
        self.known = known
        self._arena: str | Arena | None = arena
        self.session = Session(psycopg.connect(dsn, autocommit=True))
        if core is not None and hasattr(os, "sched_setaffinity"):
            _share(core, self.session)
        worlds = Worlds(known.catalog, self.session, known.roles, hush=True)
        self.prover = Prover(self.session, worlds, known.examples, known.seed, known.seconds, self.arena)
        self.exploration = Exploration(
            self.session, known.catalog, known.roles, known.invariants, known.asked, known.invariant_seconds
        )
        self.kept: dict[str, Any] = {}

    def arena(self) -> Arena | None:
        """Where two sessions meet; made when it is first asked for. None where no promise was to need one."""
        if isinstance(self._arena, str):
            self._arena = Arena(self._arena)
        return self._arena

    def close(self) -> None:
        """Roll everything back and close the connections."""
        self.session.close()
        if isinstance(self._arena, Arena):
            self._arena.close()


def _share(core: int, session: Session) -> None:
    """Keep this process and its backend on one core, where that is faster.

    They take turns, and hand over several times as fast when no other core must be woken; but not on a core that
    somebody else keeps busy. So it is measured.
    """
    backend, free = session.backend, os.sched_getaffinity(0)
    before = _round_trips(session)
    try:
        os.sched_setaffinity(backend, {core})
    except OSError:
        # the server runs as another user, or elsewhere
        return
    os.sched_setaffinity(0, {core})
    if _round_trips(session) > before:
        os.sched_setaffinity(0, free)
        os.sched_setaffinity(backend, free)


def _round_trips(session: Session) -> float:
    """Seconds that a few dozen empty examples take."""
    started = time.perf_counter()
    session.enter(())
    for _ in range(64):
        session.run((Statement("SELECT 1"),))
    return time.perf_counter() - started


_worker: Worker | None = None


def _begin(places: SimpleQueue[tuple[str, str | None, int | None]], known: Known) -> None:
    global _worker  # noqa: PLW0603 - a pool's process has one worker, made by its initializer
    # Ctrl-C reaches the whole group: the parent hears it, and ends the pool
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    dsn, arena, core = places.get()
    _worker = Worker(dsn, known, core, arena)


def _end_with_parent() -> None:
    """A pool's process would wait for work for ever, when its parent was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _done(task: Task[Outcome]) -> Outcome:
    assert _worker is not None
    return task.done(_worker)

"""The main job: every promise of a frozen contract, tried against a live database, by a worker a core."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context, parent_process
from multiprocessing.queues import SimpleQueue

import psycopg

from pgcontract.contract import Contract, Difference, drift, promises_of
from pgcontract.ephemeral import Stage
from pgcontract.errors import ServerError, UsageError
from pgcontract.model import Catalog, Name, Verdict
from pgcontract.promises import promises
from pgcontract.promises.base import Promise
from pgcontract.prover import DEFAULT_EXAMPLES, Prover
from pgcontract.rows.statements import Statement
from pgcontract.rows.worlds import Worlds
from pgcontract.session import Session

FORMAT = 1
NO_PROMISE_OF_ITS_OWN = ("schema", "extension", "privilege", "default privilege")
BATCH = 6
"""Promises of one table that a worker takes at once, so that it plans the table's world once for them."""


@dataclass(frozen=True, slots=True)
class Result:
    """What ``verify`` found. ``drift`` lists how the live catalog differs from the frozen one."""

    postgresql: str
    system: str
    seconds: float
    verdicts: tuple[Verdict, ...]
    drift: tuple[Difference, ...] = ()

    def of(self, verdict: str) -> tuple[Verdict, ...]:
        """The verdicts of one kind: ``proven``, ``broken``, ``unproven`` or ``not covered``."""
        return tuple(v for v in self.verdicts if v.verdict == verdict)

    @property
    def kept(self) -> bool:
        """Whether nothing is broken or unproven, and nothing that was frozen is gone or changed."""
        return not self.of("broken") and not self.of("unproven") and all(d.change == "added" for d in self.drift)

    def as_json(self) -> str:
        """The exchange format, see the reference."""
        return json.dumps(
            {
                "format": FORMAT,
                "postgresql": self.postgresql,
                "system": self.system,
                "seconds": round(self.seconds, 3),
                "promises": len(self.verdicts),
                "proven": len(self.of("proven")),
                "not_covered": len(self.of("not covered")),
                "broken": [{"id": v.id, "kind": v.kind, "counterexample": v.counterexample} for v in self.of("broken")],
                "unproven": [{"id": v.id, "kind": v.kind, "reason": v.reason} for v in self.of("unproven")],
                "drift": [str(d) for d in self.drift],
                "verdicts": [{**asdict(v), "seconds": round(v.seconds, 4)} for v in self.verdicts],
            },
            indent=2,
            ensure_ascii=False,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """How to verify. ``only`` keeps promises of these ids (or their tables); ``workers`` 0: one a core."""

    examples: int = DEFAULT_EXAMPLES
    seed: int = 0
    only: tuple[str, ...] = ()
    workers: int = 0


def verify(
    stage: Stage,
    contract: Contract,
    plan: Plan,
    *,
    started: Callable[[int, Sequence[Difference]], None] = lambda _count, _drift: None,
    found: Callable[[Verdict], None] = lambda _verdict: None,
) -> Result:
    """Prove every promise of the contract on clones of the stage's template.

    ``started`` gets the number of promises and the drift before the first of them is tried; ``found`` each verdict.
    Raises ServerError when the server goes away, UsageError when ``only`` names nothing.
    """
    begun = time.perf_counter()
    live = stage.read_catalog()
    differences = drift(contract.catalog, live)
    covered = dict(promises(contract.catalog))
    chosen = {id_: promise for id_, promise in covered.items() if _wanted(id_, plan.only)}
    uncovered = [
        Verdict(id_, kind, clause, "not covered", reason="this kind has no module yet")
        for id_, kind, clause in promises_of(contract.catalog)
        if id_ not in covered and _wanted(id_, plan.only)
    ]
    if plan.only and not chosen and not uncovered:
        raise UsageError(
            "No promise has such an id.",
            seen=", ".join(plan.only),
            remedy="The ids stand in verify's JSON; a table's name takes all of its promises.",
        )
    if not covered and not any(kind not in NO_PROMISE_OF_ITS_OWN for _, kind, _ in promises_of(contract.catalog)):
        raise UsageError(
            "The schema promises nothing: it has no table, type, view or function.",
            where=str(stage.system.sql_file or stage.system.root),
            remedy="Is it the right path?",
        )
    started(len(chosen), differences)
    verdicts: dict[str, Verdict] = {}
    for id_, verdict in _prove(stage, live, chosen, plan):
        verdicts[id_] = replace(verdict, id=id_)
        found(verdicts[id_])
    ordered = tuple(verdicts[id_] for id_ in chosen)
    return Result(
        stage.server.version, contract.system, time.perf_counter() - begun, (*ordered, *uncovered), tuple(differences)
    )


def _wanted(id_: str, only: Sequence[str]) -> bool:
    return not only or any(id_ == o or id_.startswith(f"{o}.") for o in only)


def _prove(stage: Stage, live: Catalog, chosen: Mapping[str, Promise], plan: Plan) -> Iterator[tuple[str, Verdict]]:
    batches = list(_batches(chosen))
    count = min(plan.workers or len(_cores()), len(batches))
    if not count:
        return
    with ExitStack() as stack:
        known = Live(live, stage.live_roles)
        clones = [stack.enter_context(stage.clone()) for _ in range(count)]
        if count == 1:
            worker = _Worker(clones[0].dsn, known, plan, core=None)
            stack.callback(worker.close)
            for batch in batches:
                yield from worker.verdicts(batch)
            return
        # fork keeps what is imported; elsewhere than Linux it is not safe with system libraries that start threads
        context = get_context("fork" if sys.platform == "linux" else "spawn")
        places: SimpleQueue[tuple[str, int | None]] = context.SimpleQueue()
        for clone, core in zip(clones, _cores(), strict=False):
            places.put((clone.dsn, core))
        pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(places, known, plan))
        stack.callback(pool.shutdown, cancel_futures=True)
        try:
            futures: list[Future[list[tuple[str, Verdict]]]] = [pool.submit(_verdicts, batch) for batch in batches]
            for future in as_completed(futures):
                yield from future.result()
        except ServerError:
            # our own server's log says more than a connection that broke
            stage.server.check()
            raise
        except BrokenProcessPool as error:
            raise ServerError(
                "A worker process ended in the middle of the run.", remedy="Is memory short? Try --workers 1."
            ) from error


def _batches(chosen: Mapping[str, Promise]) -> Iterator[list[tuple[str, Promise]]]:
    """Promises of one table next to each other, a few at a time, with their ids."""
    by_table: dict[Name, list[tuple[str, Promise]]] = {}
    for id_, promise in chosen.items():
        by_table.setdefault(promise.table, []).append((id_, promise))
    for together in by_table.values():
        for start in range(0, len(together), BATCH):
            yield together[start : start + BATCH]


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Live:
    """What every worker knows of the live database."""

    catalog: Catalog
    roles: Mapping[str, str]


class _Worker:
    """A process's own clone, session and planned worlds."""

    def __init__(self, dsn: str, live: Live, plan: Plan, core: int | None) -> None:
        self._session = Session(psycopg.connect(dsn, autocommit=True))
        if core is not None and hasattr(os, "sched_setaffinity"):
            _share(core, self._session)
        self._prover = Prover(self._session, Worlds(live.catalog, self._session, live.roles), plan.examples, plan.seed)

    def verdicts(self, batch: Sequence[tuple[str, Promise]]) -> list[tuple[str, Verdict]]:
        return [(id_, self._prover.verdict(promise)) for id_, promise in batch]

    def close(self) -> None:
        self._session.close()


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


_worker: _Worker | None = None


def _begin(places: SimpleQueue[tuple[str, int | None]], live: Live, plan: Plan) -> None:
    global _worker  # noqa: PLW0603 - a pool's process has one worker, made by its initializer
    # Ctrl-C reaches the whole group: the parent hears it, and ends the pool
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    dsn, core = places.get()
    _worker = _Worker(dsn, live, plan, core)


def _end_with_parent() -> None:
    """A pool's process would wait for work for ever, when its parent was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _verdicts(batch: Sequence[tuple[str, Promise]]) -> list[tuple[str, Verdict]]:
    assert _worker is not None
    return _worker.verdicts(batch)

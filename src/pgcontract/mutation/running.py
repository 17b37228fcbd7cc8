"""All mutants of a system, by a worker a core."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import psycopg

from pgcontract.catalog import read_catalog
from pgcontract.contract import Contract
from pgcontract.ephemeral import Stage
from pgcontract.errors import UsageError
from pgcontract.invariants import invariants_of
from pgcontract.model import Catalog, Name
from pgcontract.mutation.judging import Judge, told_ddl
from pgcontract.mutation.published import PUBLISHED
from pgcontract.mutation.result import Judged, Result
from pgcontract.mutation.survivors import reasons
from pgcontract.promises import promises
from pgcontract.promises.base import Mutable, Promise, Roled
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.trigger import TriggerPromise
from pgcontract.workers import Known, Worker, worked

BATCH = 48
"""About so many mutants of one table are taken by a worker at once; all of a promise, whose cases are made once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which mutants, and how they are tried. ``sample``: so many of them, spread evenly; 0 for all."""

    kinds: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    sample: int = 0
    examples: int = 25
    seed: int = 0
    workers: int = 0


def mutate(
    stage: Stage,
    contract: Contract,
    plan: Plan,
    *,
    started: Callable[[int], None] = lambda _count: None,
    found: Callable[[Judged], None] = lambda _judged: None,
) -> Result:
    """Judge every mutant of the contract's promises on clones of the stage's template.

    Raises ServerError when the server goes away, UsageError where there is nothing to mutate.
    """
    begun = time.perf_counter()
    chosen = list(_chosen(contract.catalog, plan, stage.live_roles))
    names = {name: system for system, name in stage.live_roles.items()}
    frozen = _Frozen(contract.catalog, stage.system.tracking_table, names)
    tasks = list(_batches(frozen, chosen))
    if not tasks:
        raise UsageError("There is no such mutant.", remedy="Ask for other kinds, operators or ids.")
    listed = reasons(stage.system)
    all_ = invariants_of(stage.system)
    live = stage.read_catalog()
    known = Known(live, stage.live_roles, all_, all_, stage.system.invariant_seconds, plan.examples, plan.seed)
    started(sum(len(task.mutants) for task in tasks))
    at: dict[int, Judged] = {}

    def told(task: _Mutants, judged: Iterable[Judged]) -> None:
        for (position, _, _), one in zip(task.mutants, judged, strict=True):
            at[position] = replace(one, listed=listed.get(one.id))
            found(at[position])

    in_transactions = [task for task in tasks if not task.committed]
    for job, judged in worked(stage, known, in_transactions, plan.workers):
        assert isinstance(job, _Mutants)
        told(job, judged)
    for task in tasks:
        if task.committed:
            told(task, (_committed(stage, known, frozen, id_, mutant) for _, id_, mutant in task.mutants))
    # in the order of the contract, so that the same is found each time
    ordered = tuple(judged for _, judged in sorted(at.items()))
    return Result(stage.server.version, contract.system, time.perf_counter() - begun, ordered)


def _chosen(catalog: Catalog, plan: Plan, roles: Mapping[str, str]) -> Iterator[tuple[Promise, str, Mutant]]:
    """The mutants that are asked for, with their promise and its id; of roles as the server knows them."""
    operators = PUBLISHED if plan.operators == ("schemaanalyst",) else frozenset(plan.operators)
    every = [
        (promise, id_, mutant)
        for id_, promise in promises(catalog)
        if isinstance(promise, Mutable) and (not plan.kinds or promise.kind in plan.kinds)
        for mutant in _mutants(promise, catalog, roles)
        if (not operators or mutant.operator in operators) and _wanted(id_, plan.only)
    ]
    step = max(1, len(every) // plan.sample) if plan.sample else 1
    yield from every[::step][: plan.sample or None]


def _mutants(promise: Mutable, catalog: Catalog, roles: Mapping[str, str]) -> Iterable[Mutant]:
    live = promise.of_roles(roles) if isinstance(promise, Roled) else promise
    return live.mutants(catalog) if isinstance(live, Mutable) else ()


def _wanted(id_: str, only: Sequence[str]) -> bool:
    return not only or any(id_ == o or id_.startswith(f"{o}.") for o in only)


@dataclass(frozen=True, slots=True)
class _Frozen:
    """The contract, and how a live catalog is read to be compared with it."""

    catalog: Catalog
    ignore: Name
    roles: Mapping[str, str]

    def read(self, connection: psycopg.Connection) -> Catalog:
        return read_catalog(connection, ignore=[self.ignore], roles=self.roles)

    def judge(self, worker: Worker, *, applied: bool = False) -> Judge:
        covered = dict(promises(self.catalog))
        return Judge(
            worker.session, self.catalog, covered, worker.prover, worker.exploration, self.read, applied=applied
        )


@dataclass(frozen=True, slots=True)
class _Mutants:
    """Mutants that are judged by the same cases, each with its place in the contract; all are taken back, or none."""

    frozen: _Frozen
    mutants: tuple[tuple[int, str, Mutant], ...]
    committed: bool

    def done(self, worker: Worker) -> list[Judged]:
        judge = worker.kept.get("judge")
        if judge is None:
            judge = worker.kept["judge"] = self.frozen.judge(worker)
        return [judge.judged(id_, mutant) for _, id_, mutant in self.mutants]


def _committed(stage: Stage, known: Known, frozen: _Frozen, id_: str, mutant: Mutant) -> Judged:
    """Judge a mutant on a clone of its own."""
    with stage.clone() as clone:
        try:
            with psycopg.connect(clone.dsn, autocommit=True) as connection:
                for statement in mutant.ddl:
                    connection.execute(statement.text.encode())
        except psycopg.Error as error:
            why = f"{error.sqlstate} {error.diag.message_primary}"
            promise = dict(promises(frozen.catalog))[id_]
            return Judged(id_, promise.kind, mutant.operator, mutant.what, told_ddl(mutant), "impaired", why)
        worker = Worker(clone.dsn, known, core=None)
        try:
            return frozen.judge(worker, applied=True).judged(id_, mutant)
        finally:
            worker.close()


def _batches(frozen: _Frozen, chosen: Sequence[tuple[Promise, str, Mutant]]) -> Iterator[_Mutants]:
    """The mutants of a promise at once, and those of a function with those of the triggers that call it.

    The ones that take longest come first, so that no worker is left with them at the end.
    """
    together: dict[tuple[Name | str, bool], list[tuple[int, str, Mutant]]] = {}
    for position, (promise, id_, mutant) in enumerate(chosen):
        called = promise.trigger.function if isinstance(promise, TriggerPromise) else None
        function = called or (promise.table if promise.kind == "function" else None)
        family = f"function {function}" if function is not None else promise.table
        together.setdefault((family, mutant.committed), []).append((position, id_, mutant))
    for (family, committed), those in sorted(together.items(), key=lambda item: _cost(*item), reverse=True):
        for part in [those] if isinstance(family, str) else _parts(those):
            yield _Mutants(frozen, tuple(part), committed)


def _cost(family: tuple[Name | str, bool], those: Sequence[object]) -> tuple[bool, int]:
    return isinstance(family[0], str), len(those)


def _parts(those: Sequence[tuple[int, str, Mutant]]) -> Iterator[list[tuple[int, str, Mutant]]]:
    """A table's mutants, some promises' at a time."""
    part: list[tuple[int, str, Mutant]] = []
    for _, of_promise in groupby(those, key=lambda one: one[1]):
        part += of_promise
        if len(part) >= BATCH:
            yield part
            part = []
    if part:
        yield part

"""All mutants of a system, by a worker a core."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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
from pgcontract.workers import Known, Worker, worked

BATCH = 24
"""Mutants of one table that a worker takes at once: their promises' cases are made once."""


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
    chosen = dict(_chosen(contract.catalog, plan, stage.live_roles))
    names = {name: system for system, name in stage.live_roles.items()}
    frozen = _Frozen(contract.catalog, stage.system.tracking_table, names)
    tasks = list(_batches(frozen, chosen))
    if not tasks:
        asked = ", ".join((*plan.kinds, *plan.operators, *plan.only))
        raise UsageError(
            "There is no such mutant.",
            seen=asked or None,
            remedy="Ask for other kinds, operators or ids: `pgcontract mutate --verbose` names all of them.",
        )
    listed = reasons(stage.system)
    all_ = invariants_of(stage.system)
    live = stage.read_catalog()
    known = Known(live, stage.live_roles, all_, all_, stage.system.invariant_seconds, plan.examples, plan.seed)
    started(sum(len(task.mutants) for task in tasks))
    by_task: dict[int, list[Judged]] = {}

    def told(number: int, judged: Iterable[Judged]) -> None:
        by_task[number] = [replace(j, listed=listed.get(j.id)) for j in judged]
        for one in by_task[number]:
            found(one)

    in_transactions = [task for task in tasks if not task.committed]
    for job, judged in worked(stage, known, in_transactions, plan.workers):
        assert isinstance(job, _Mutants)
        told(job.number, judged)
    for task in tasks:
        if task.committed:
            told(task.number, (_committed(stage, known, frozen, id_, mutant) for id_, mutant in task.mutants))
    # in the order of the contract, so that the same is found each time
    ordered = tuple(j for _, part in sorted(by_task.items()) for j in part)
    took = time.perf_counter() - begun
    return Result(stage.server.version, contract.system, took, ordered, plan.seed, plan.sample)


def _chosen(
    catalog: Catalog, plan: Plan, roles: Mapping[str, str]
) -> Iterator[tuple[tuple[str, int], tuple[Promise, Mutant]]]:
    """The mutants that are asked for, by their promise's id and their number; of roles as the server knows them."""
    operators = PUBLISHED if plan.operators == ("schemaanalyst",) else frozenset(plan.operators)
    every = [
        ((id_, number), (promise, mutant))
        for id_, promise in promises(catalog)
        if isinstance(promise, Mutable) and (not plan.kinds or promise.kind in plan.kinds)
        for number, mutant in enumerate(_mutants(promise, catalog, roles))
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
    """Mutants of one table's promises, all of which are taken back, or none."""

    number: int
    frozen: _Frozen
    mutants: tuple[tuple[str, Mutant], ...]
    committed: bool

    def done(self, worker: Worker) -> list[Judged]:
        judge = worker.kept.get("judge")
        if judge is None:
            judge = worker.kept["judge"] = self.frozen.judge(worker)
        return [judge.judged(id_, mutant) for id_, mutant in self.mutants]


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


def _batches(frozen: _Frozen, chosen: Mapping[tuple[str, int], tuple[Promise, Mutant]]) -> Iterator[_Mutants]:
    together: dict[tuple[Name, bool], list[tuple[str, Mutant]]] = {}
    for (id_, _), (promise, mutant) in chosen.items():
        together.setdefault((promise.table, mutant.committed), []).append((id_, mutant))
    number = 0
    for (_, committed), those in together.items():
        for start in range(0, len(those), BATCH):
            number += 1
            yield _Mutants(number, frozen, tuple(those[start : start + BATCH]), committed)

"""All mutants of a system, by a worker a core; or one promise's, by a session that stays open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import psycopg

from pgcontract.catalog import read_catalog
from pgcontract.contract import Contract
from pgcontract.ephemeral import Stage
from pgcontract.errors import UsageError
from pgcontract.invariants import invariants_of
from pgcontract.model import Catalog, Name
from pgcontract.mutation.choosing import Chosen, Plan, chosen, together
from pgcontract.mutation.judging import Judge, told_ddl
from pgcontract.mutation.justified import unjustified
from pgcontract.mutation.result import Judged, Result
from pgcontract.mutation.survivors import reasons
from pgcontract.promises import promises
from pgcontract.promises.trigger import meeting
from pgcontract.queries import queries_of
from pgcontract.rows.statements import Statement
from pgcontract.workers import Known, Worker, worked

INDEXES = frozenset({"index", "full text"})
SHALLOW = "512kB"
IMPATIENT = "2s"
"""What a case takes is milliseconds; a mutant that never ends is to be noticed, not waited for."""
SUPERUSER = Statement("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")


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
    mutants = chosen(contract.catalog, plan, stage.live_roles)
    if not mutants:
        asked = ", ".join((*plan.kinds, *plan.operators, *plan.only))
        raise UsageError(
            "There is no such mutant.",
            seen=asked or None,
            remedy="Ask for other kinds, operators or ids: `pgcontract mutate --verbose` names all of them.",
        )
    listed = reasons(stage.system)
    known, frozen = _known(stage, contract, plan), _Frozen.of(stage, contract)
    started(len(mutants))
    at: dict[int, Judged] = {}

    def told(those: Iterable[Chosen], judged: Iterable[Judged]) -> None:
        for one, its in zip(those, judged, strict=True):
            at[one.position] = replace(its, listed=listed.get(its.id))
            found(at[one.position])

    tasks = [_Mutants(frozen, those) for those in together(m for m in mutants if not m.mutant.committed)]
    for task, judged in worked(stage, known, tasks, plan.workers):
        assert isinstance(task, _Mutants)
        told(task.mutants, judged)
    for one in (m for m in mutants if m.mutant.committed):
        told([one], [_committed(stage, known, frozen, one)])
    # in the order of the contract, so that the same is found each time
    ordered = tuple(judged for _, judged in sorted(at.items()))
    indexes = {one.id for one in mutants if one.promise.kind in INDEXES}
    needless = [id_ for id_ in unjustified(contract.catalog, queries_of(stage.system.queries)) if id_ in indexes]
    took = time.perf_counter() - begun
    return Result(stage.server.version, contract.system, took, ordered, plan.seed, plan.sample, tuple(needless))


class Analyst:
    """Judges one promise's mutants after the other, over a clone and a session that stay open."""

    def __init__(self, stage: Stage, contract: Contract, plan: Plan) -> None:
        self._stage, self._plan = stage, plan
        self._catalog, self._frozen = contract.catalog, _Frozen.of(stage, contract)
        self._known = _known(stage, contract, plan)
        self._listed = reasons(stage.system)
        self._clone = stage.clone()
        self._arena = stage.clone()
        self._worker = Worker(self._clone.dsn, self._known, core=None, arena=self._arena.dsn)
        self._judge = self._frozen.judge(self._worker)

    def judged(self, id_: str) -> list[Judged]:
        """What becomes of the mutants of the promise of this id."""
        mutants = chosen(self._catalog, replace(self._plan, only=(id_,)), self._stage.live_roles)
        judged = [
            _committed(self._stage, self._known, self._frozen, one)
            if one.mutant.committed
            else self._judge.judged(one.id, one.mutant)
            for one in mutants
            if one.id == id_
        ]
        return [replace(one, listed=self._listed.get(one.id)) for one in judged]

    def close(self) -> None:
        """Close the session and drop the clone."""
        self._worker.close()
        self._clone.drop()
        self._arena.drop()


def _known(stage: Stage, contract: Contract, plan: Plan) -> Known:
    asked, live = invariants_of(stage.system), stage.read_catalog()
    return Known(
        live,
        stage.live_roles,
        asked,
        asked,
        stage.system.invariant_seconds,
        plan.examples,
        plan.seed,
        meeting=meeting(contract.catalog),
    )


@dataclass(frozen=True, slots=True)
class _Frozen:
    """The contract, and how a live catalog is read to be compared with it."""

    catalog: Catalog
    ignore: Name
    roles: Mapping[str, str]

    @classmethod
    def of(cls, stage: Stage, contract: Contract) -> _Frozen:
        names = {name: system for system, name in stage.live_roles.items()}
        return cls(contract.catalog, stage.system.tracking_table, names)

    def read(self, connection: psycopg.Connection) -> Catalog:
        return read_catalog(connection, ignore=[self.ignore], roles=self.roles)

    def judge(self, worker: Worker, *, applied: bool = False) -> Judge:
        if worker.session.ask(SUPERUSER):
            # what calls itself for ever is seen to do so sooner
            worker.session.set("max_stack_depth", SHALLOW)
        worker.session.timeout = IMPATIENT
        worker.session.set("statement_timeout", IMPATIENT)
        covered = dict(promises(self.catalog))
        return Judge(
            worker.session,
            self.catalog,
            covered,
            worker.prover,
            worker.exploration,
            self.read,
            worker.arena,
            applied,
        )


@dataclass(frozen=True, slots=True)
class _Mutants:
    """Mutants that are judged by the same cases; all of them are taken back."""

    frozen: _Frozen
    mutants: tuple[Chosen, ...]

    def done(self, worker: Worker) -> list[Judged]:
        judge = worker.kept.get("judge")
        if judge is None:
            judge = worker.kept["judge"] = self.frozen.judge(worker)
        return [judge.judged(one.id, one.mutant) for one in self.mutants]


def _committed(stage: Stage, known: Known, frozen: _Frozen, one: Chosen) -> Judged:
    """Judge a mutant on a clone of its own."""
    mutant = one.mutant
    with stage.clone() as clone:
        try:
            with psycopg.connect(clone.dsn, autocommit=True) as connection:
                for statement in mutant.ddl:
                    connection.execute(statement.text.encode())
        except psycopg.Error as error:
            why = f"{error.sqlstate} {error.diag.message_primary}"
            return Judged(one.id, one.promise.kind, mutant.operator, mutant.what, told_ddl(mutant), "impaired", why)
        worker = Worker(clone.dsn, known, core=None)
        try:
            return frozen.judge(worker, applied=True).judged(one.id, mutant)
        finally:
            worker.close()

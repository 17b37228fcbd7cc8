"""Contracts as pytest's cases: collected from contract.toml without a server, proven on this process's own clone."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psycopg

from pgcontract.arena import Arena
from pgcontract.contract import Baseline, Difference, drift, read, read_baseline
from pgcontract.ephemeral import ServerChoice, Stage, staged
from pgcontract.errors import ServerError, UsageError
from pgcontract.invariants import Exploration, Invariant, invariants_of, verdicts
from pgcontract.model import Verdict
from pgcontract.mutation import Analyst, Judged, Plan, chosen
from pgcontract.promises import promises
from pgcontract.promises.base import Direction, Promise
from pgcontract.prover import Evidence, Prover, counterexample
from pgcontract.rows.worlds import Worlds
from pgcontract.server import Server
from pgcontract.session import Session
from pgcontract.signs import count
from pgcontract.system import System


class BrokenPromise(AssertionError):
    """A promise that was contradicted. The message is SQL to paste into psql, and the command that replays it."""


class UnnoticedMutants(AssertionError):
    """Mutants of a promise that no proof has killed. The message is their DDL and the command that tries harder."""


class UnprovenPromise(AssertionError):
    """A promise for which no evidence could be made. The message says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One direction of one promise of one system, or one of its invariants."""

    system: System
    id: str
    promise: Promise | Invariant
    direction: Direction

    def __str__(self) -> str:
        return f"{self.system.name}/{self.id}-{self.direction}"

    def known(self, failure: BrokenPromise | UnprovenPromise) -> str | None:
        """Why the system's baseline lists the promise; None where it does not, or where this is worse."""
        return _listed(self.system.baseline).reason(
            self.id, "broken" if isinstance(failure, BrokenPromise) else "unproven"
        )


@cache
def _listed(path: Path) -> Baseline:
    return read_baseline(path)


@dataclass(frozen=True, slots=True)
class Mutated:
    """One promise of one system with all of its mutants."""

    system: System
    id: str

    def __str__(self) -> str:
        return f"{self.system.name}/{self.id}"


@cache
def mutated(path: Path) -> tuple[Mutated, ...]:
    """Every promise of a system's frozen contract that has mutants. Reads files only; raises as ``cases`` does."""
    system = _under_contract(path)
    found = chosen(read(system.contract).catalog, Plan(), {})
    return tuple(Mutated(system, id_) for id_ in dict.fromkeys(one.id for one in found))


@cache
def cases(path: Path) -> tuple[Case, ...]:
    """Every case of a system's frozen contract, in the contract's order, then its invariants. Reads files only.

    Raises UsageError where there is no contract, ContractError or InvariantError where a file cannot be read.
    """
    system = _under_contract(path)
    frozen = read(system.contract).catalog
    promised: list[tuple[str, Promise | Invariant]] = [*promises(frozen)]
    invariants = [(invariant.id, invariant) for invariant in invariants_of(system)]
    return tuple(Case(system, id_, p, d) for id_, p in (*promised, *invariants) for d in p.directions)


def _under_contract(path: Path) -> System:
    system = System.load(path)
    if not system.contract.exists():
        raise UsageError(
            "The system has no contract yet.", where=str(system.contract), remedy=f"Freeze it: pgcontract freeze {path}"
        )
    return system


@dataclass
class _Opened:
    """A system's clone and session in this process. ``verdicts`` of invariants are found together, once."""

    prover: Prover
    differences: Sequence[Difference]
    exploration: Exploration
    verdicts: dict[str, Verdict] = field(default_factory=dict)


@dataclass
class Harness:
    """One process's clone, session and prover a system, opened when the first of its cases is proven."""

    server: Server
    choice: ServerChoice
    examples: int
    seed: int
    _open: dict[Path, _Opened] = field(default_factory=dict)
    _analysts: dict[Path, Analyst] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def prove(self, case: Case) -> Evidence:
        """Prove one case.

        Raises BrokenPromise, UnprovenPromise, and ServerError when the server goes away.
        """
        opened = self._opened(case.system)
        try:
            if isinstance(case.promise, Invariant):
                return self._explored(opened, case)
            evidence = opened.prover.prove(case.promise, case.direction)
        except ServerError:
            # our own server's log says more than a connection that broke
            self.server.check()
            raise
        told = "".join(f"\ndrift: {d}" for d in opened.differences if d.promise_id == case.id)
        if evidence.contradiction is not None:
            seen = evidence.contradiction
            raise BrokenPromise(
                f"{case.id} is broken. Promised: {seen.expected}; seen: {seen.seen}{told}\n\n"
                f"{counterexample(case.promise, seen)}\n\nreplay: {self._replay(case)}"
            )
        if evidence.missing is not None:
            raise UnprovenPromise(f"{case.id} is unproven: {evidence.missing}{told}\n\nreplay: {self._replay(case)}")
        return evidence

    def mutate(self, mutated: Mutated) -> Sequence[Judged]:
        """Judge all mutants of one promise.

        Raises UnnoticedMutants, and ServerError when the server goes away.
        """
        system = mutated.system
        try:
            judged = self._analyst(system).judged(mutated.id)
        except ServerError:
            self.server.check()
            raise
        alive = [one for one in judged if one.alive]
        if alive:
            words = ["pgcontract", "mutate", _place(system), "--examples", str(10 * self.examples)]
            told = "\n\n".join(one.told(shlex.join(words)) for one in alive)
            raise UnnoticedMutants(
                f"{len(alive)} of {count(len(judged), 'mutant')} of {mutated.id} go unnoticed.\n\n{told}"
            )
        return judged

    def close(self) -> None:
        """Drop the clones; the server is left running."""
        # a server that has gone took its clones along, and that it has gone was told where it was noticed
        with suppress(ServerError):
            self._stack.close()
        self._open.clear()
        self._analysts.clear()

    def _explored(self, opened: _Opened, case: Case) -> Evidence:
        """The verdict of an invariant: all of a system's are asked in the same histories."""
        if not opened.verdicts:
            exploration = opened.exploration
            explored = exploration.histories(range(self.examples), self.seed)
            found = verdicts(exploration.catalog, exploration.invariants, explored)
            opened.verdicts.update((verdict.id, verdict) for verdict in found)
        verdict = opened.verdicts[case.id]
        told = f"{verdict.reason}\n\n{verdict.counterexample or ''}\n\nreplay: {self._replay(case)}"
        if verdict.verdict == "broken":
            raise BrokenPromise(f"{case.id} is broken. {told}")
        if verdict.verdict == "unproven":
            raise UnprovenPromise(f"{case.id} is unproven: {told}")
        return Evidence(case.direction, verdict.accepts)

    def _opened(self, system: System) -> _Opened:
        if system.contract not in self._open:
            stage = self._stack.enter_context(staged(system, self.server, self.choice))
            clone = self._stack.enter_context(stage.clone())
            connection = psycopg.connect(clone.dsn, autocommit=True)
            live = stage.catalog(connection)
            session = Session(connection)
            self._stack.callback(session.close)
            arena = cache(lambda: self._arena(stage))
            worlds = Worlds(live, session, stage.live_roles, hush=True)
            prover = Prover(session, worlds, self.examples, self.seed, arena=arena)
            differences = drift(read(system.contract).catalog, live)
            all_ = invariants_of(system)
            exploration = Exploration(session, live, stage.live_roles, all_, all_, system.invariant_seconds)
            self._open[system.contract] = _Opened(prover, differences, exploration)
        return self._open[system.contract]

    def _arena(self, stage: Stage) -> Arena:
        """Where two sessions meet."""
        arena = Arena(self._stack.enter_context(stage.clone()).dsn)
        self._stack.callback(arena.close)
        return arena

    def _analyst(self, system: System) -> Analyst:
        if system.contract not in self._analysts:
            stage = self._stack.enter_context(staged(system, self.server, self.choice))
            plan = Plan(examples=self.examples, seed=self.seed)
            self._analysts[system.contract] = analyst = Analyst(stage, read(system.contract), plan)
            self._stack.callback(analyst.close)
        return self._analysts[system.contract]

    def _replay(self, case: Case) -> str:
        words = ["pgcontract", "verify", _place(case.system), "--only", case.id]
        words += ["--examples", str(self.examples), "--seed", str(self.seed)]
        return shlex.join(words + (["--pg", str(self.choice.major)] if self.choice.major else []))


def _place(system: System) -> str:
    return str(system.sql_file or system.root)

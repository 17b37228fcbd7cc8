"""One mutant: applied in a transaction, tried by the likely killers first, rolled back.

The first kill ends it. What is tried, in this order: the cases of its own promise as they were made for the sound
schema (they are made once, for all of its mutants, and so are the rows around them: the mutant is laid over those); its
promise anew, on the mutated catalog, with drawn examples; the promises that drift names; the invariants; the rest of
its table's promises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg

from pgcontract.contract import Difference, drift
from pgcontract.errors import PgContractError
from pgcontract.invariants import Exploration
from pgcontract.model import Catalog, Name
from pgcontract.mutation.detours import short_cut
from pgcontract.mutation.ready import FROZEN, Ready, behaviour
from pgcontract.mutation.result import Judged
from pgcontract.promises.base import Direction, Promise, contradicted
from pgcontract.promises.meetings import Arena
from pgcontract.promises.mutants import Mutant
from pgcontract.prover import DECIDED, Evidence, Prover
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import paste
from pgcontract.rows.worlds import Worlds
from pgcontract.session import Session

SLOW = frozenset({"trigger", "index", "full text", "privilege", "view", "materialised view"})
"""Kinds whose proofs take long to prepare: asked of other promises' mutants only where drift names them."""
PLANS = frozenset({"index", "full text"})
"""Kinds whose proofs look at plans: an index that is made over rows of the same transaction may not be used in it."""
TYPES = frozenset({"column type", "generated", "composite", "domain", "enum", "range", "view", "materialised view"})
"""Kinds whose mutants make types anew, which prepared statements know by their old numbers."""
FACTS = frozenset({"function"})
"""Kinds that are no other mutant's judges: their proof asks the catalog what drift asks it."""
NEIGHBOUR_EXAMPLES = 5
HISTORIES = 6
MORE_HISTORIES = 12
"""What a trigger does only in a state that no stage has, histories come to."""


@dataclass
class Judge:
    """Judges mutants of one frozen contract over one session."""

    session: Session
    frozen: Catalog
    promises: Mapping[str, Promise]
    sound: Prover
    exploration: Exploration
    read: Callable[[psycopg.Connection], Catalog]
    arena: Callable[[], Arena | None] = lambda: None
    applied: bool = False
    """Whether the mutant is there already, committed: then the judge is for this one only."""
    _ready: dict[tuple[str, Direction], Ready] = field(default_factory=dict)

    def judged(self, id_: str, mutant: Mutant) -> Judged:
        """What becomes of a mutant of this promise."""
        started = time.perf_counter()
        promise = self.promises[id_]
        blank = Judged(id_, promise.kind, mutant.operator, mutant.what, told_ddl(mutant), "survived")
        if mutant.equivalent is not None:
            return replace(blank, fate="equivalent", reason=mutant.equivalent)
        found = self._found(blank, promise, mutant)
        return replace(found, seconds=time.perf_counter() - started)

    def _found(self, blank: Judged, promise: Promise, mutant: Mutant) -> Judged:
        if not self.applied and not any((name, d) in self._ready for name, d in self._judges(blank, mutant)):
            # no schema at all: then no cases need be made
            refused = self.session.alter(mutant.ddl)
            self.session.alter(())
            if refused is not None:
                return _impaired(blank, refused)
        laid = not self.applied and promise.kind not in PLANS
        if laid:
            found, laid = self._laid(blank, promise, mutant)
            found = found or self._met(blank, mutant)
            if found is not None:
                return found
        # all of them, before the schema is another
        ready = list(self._ready_for(blank, mutant))
        refused = None if self.applied else self.session.alter(mutant.ddl)
        try:
            if refused is not None:
                return _impaired(blank, refused)
            return self._tried(blank, promise, mutant, ready, tried=laid)
        finally:
            if not self.applied:
                self.session.alter(())

    def _ready_for(self, blank: Judged, mutant: Mutant) -> Iterator[Ready]:
        """The cases that may notice, as they were made for the sound schema."""
        for name, direction in self._judges(blank, mutant):
            ready = self._ready.get((name, direction))
            if ready is None:
                # rows are asked for in a database as it is, not in a world that something was taken away from
                self.session.enter(())
                ready = Ready.made(self.sound, name, self.promises[name], direction)
                self._ready[name, direction] = ready
            yield ready

    def _judges(self, blank: Judged, mutant: Mutant) -> Iterator[tuple[str, Direction]]:
        """Whose cases these are."""
        names = mutant.shown_by or (blank.promise,)
        return ((name, direction) for name in names for direction in self.promises[name].directions)

    def _laid(self, blank: Judged, promise: Promise, mutant: Mutant) -> tuple[Judged | None, bool]:
        """Lay the mutant over the rows that the cases are about; what noticed it, and whether that could be done."""
        anew = promise.kind in TYPES
        trials: list[Callable[[Ready], Evidence | None]] = [
            lambda one: one.always(self.sound, effects=bool(mutant.shown_by)),
            lambda one: one.drawn(self.sound) if one.frozen else None,
        ]
        try:
            for trial in trials:
                for one in self._ready_for(blank, mutant):
                    if one.cases.missing is not None:
                        continue
                    if self.session.enter(one.cases.setup) is not None:
                        return None, False
                    if anew:
                        self.session.forget()
                    if self.session.overlay(mutant.ddl) is not None:
                        return None, False
                    found = _noticed(blank, one, trial(one))
                    self.session.overlay(())
                    if found is not None:
                        return found, True
            reason = short_cut(self.session, list(self._ready_for(blank, mutant)), mutant)
        finally:
            self.session.overlay(())
            if anew:
                self.session.forget()
        return (replace(blank, fate="equivalent", reason=reason) if reason else None), True

    def _met(self, blank: Judged, mutant: Mutant) -> Judged | None:
        """Have two sessions meet where the mutant is committed; what noticed it."""
        if not mutant.shown_by or (arena := self.arena()) is None:
            return None
        for one in self._ready_for(blank, mutant):
            rehearsed = one.rehearsed(arena)
            clash = None if rehearsed is None else rehearsed.clash_of(mutant.ddl, arena)
            if rehearsed is not None and clash is not None:
                contradiction = contradicted(clash, one.cases.setup)
                evidence = Evidence(one.direction, len(rehearsed.expected), contradiction)
                return _killed(blank, one.id, one.promise, evidence)
        return None

    def _tried(self, blank: Judged, promise: Promise, mutant: Mutant, ready: Sequence[Ready], *, tried: bool) -> Judged:
        """Try the mutant below everything else; ``tried``: it was tried over the rows of its own promise's cases."""
        for one in () if tried else ready:
            found = _noticed(blank, one, one.always(self.sound, effects=bool(mutant.shown_by)))
            if found is not None:
                return found
        live = replace(self.session.within(self.read), examples=self.sound.worlds.catalog.examples)
        differences = drift(self.frozen, live)
        if not differences:
            return replace(blank, fate="equivalent", reason="the catalog is the same")
        for one in ready:
            if not (tried and one.frozen) and (found := _noticed(blank, one, one.drawn(self.sound))) is not None:
                return found
        return self._anew(
            blank, promise, mutant, Worlds(live, self.session, self.sound.worlds.roles, hush=True), differences
        )

    def _anew(
        self, blank: Judged, promise: Promise, mutant: Mutant, worlds: Worlds, differences: Sequence[Difference]
    ) -> Judged:
        """Try whatever may notice, on the mutated catalog; then the invariants."""
        implied = ""
        for id_, one, examples in self._killers(blank.promise, promise, mutant, differences):
            prover = Prover(self.session, worlds, examples, self.sound.seed)
            for direction in one.directions:
                evidence = prover.tried(one, direction, behaviour(prover.cases(one, direction)))
                if evidence.contradiction is not None:
                    return _killed(blank, id_, one, evidence)
                missing = evidence.missing or ""
                if one is promise and direction is Direction.REJECTS and missing.startswith(DECIDED):
                    implied = f"implied: {missing.removeprefix(DECIDED)}"
        killed = self._explored(blank, MORE_HISTORIES if promise.kind in FROZEN else HISTORIES)
        if killed is not None:
            return killed
        if implied:
            return replace(blank, fate="equivalent", reason=implied)
        return replace(blank, fate="killed by drift only", reason="; ".join(str(d) for d in differences[:3]))

    def _killers(
        self, id_: str, promise: Promise, mutant: Mutant, differences: Sequence[Difference]
    ) -> Iterator[tuple[str, Promise, int]]:
        """Promises that may notice, likely ones first, with how many examples to draw."""
        if promise.kind not in FROZEN:
            yield id_, promise, self.sound.examples
        tried = {id_, *mutant.shown_by}
        named = dict.fromkeys(d.promise_id for d in differences if d.promise_id in self.promises)
        for other in (n for n in named if n not in tried and self.promises[n].kind not in FACTS):
            yield other, self.promises[other], self.sound.examples
        # what a trigger does, all tables' rows have shown; what other promises forbid has not changed
        near = set() if promise.kind in FROZEN else self._near(promise.table)
        for other, one in self.promises.items():
            if other not in tried and other not in named and one.kind not in SLOW | FACTS and one.table in near:
                yield other, one, NEIGHBOUR_EXAMPLES

    def _near(self, table: Name) -> set[Name]:
        return {table, *(child.name for child, _ in self.frozen.referencing(table))}

    def _explored(self, blank: Judged, count: int) -> Judged | None:
        """So many histories, until an invariant is broken."""
        if not self.exploration.invariants:
            return None
        try:
            explored = self.exploration.histories(range(count), self.sound.seed, until_broken=True, cut_down=False)
        except PgContractError:
            # an invariant that speaks of what the mutant has taken away
            return None
        for id_, broken in explored.broken.items():
            told = ";\n".join(paste(s) for s in broken.statements)
            return replace(blank, fate="killed by proof", killer=id_, examples=explored.steps, evidence=told)
        for failing in explored.failing.values():
            told = ";\n".join(paste(s) for s in failing.broken.statements)
            return replace(
                blank, fate="killed by proof", killer="a valid change", examples=explored.steps, evidence=told
            )
        return None


def told_ddl(mutant: Mutant) -> str:
    """A mutant's statements as SQL to paste."""
    return ";\n".join(paste(s) for s in mutant.ddl) + ";"


def _impaired(blank: Judged, refused: Refusal) -> Judged:
    return replace(blank, fate="impaired", reason=f"{refused.sqlstate} {refused.message}")


def _noticed(blank: Judged, ready: Ready, evidence: Evidence | None) -> Judged | None:
    if evidence is None:
        return None
    if evidence.contradiction is not None:
        return _killed(blank, ready.id, ready.promise, evidence)
    exceptionless = ready.direction is Direction.ACCEPTS and not ready.frozen and ready.cases.missing is None
    if exceptionless and evidence.missing is not None:
        # what the sound schema accepts, without exception
        return replace(blank, fate="killed by proof", killer=ready.id, evidence=evidence.missing)
    return None


def _killed(blank: Judged, killer: str, promise: Promise, evidence: Evidence) -> Judged:
    assert evidence.contradiction is not None
    contradiction = evidence.contradiction
    act = ";\n".join(map(paste, contradiction.change.statements))
    told = f"-- {promise.id} promises: {contradiction.expected}; seen: {contradiction.seen}".replace("\n", " ")
    return replace(blank, fate="killed by proof", killer=killer, examples=evidence.held, evidence=f"{told}\n{act}")

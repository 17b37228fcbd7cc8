"""One mutant: applied in a transaction, tried by the likely killers first, rolled back.

The first kill ends it. What is tried, in this order: the cases of its own promise as they were made for the sound
schema (they are made once, for all of its mutants); its promise anew, on the mutated catalog, with drawn examples; the
promises that drift names, and the rest of its table's; the invariants.
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
from pgcontract.mutation.result import Judged
from pgcontract.promises.base import Cases, Direction, Promise
from pgcontract.promises.mutants import Mutant
from pgcontract.prover import DECIDED, Evidence, Prover, counterexample
from pgcontract.rows.statements import paste
from pgcontract.rows.worlds import Worlds
from pgcontract.session import Session

SLOW = frozenset({"trigger", "index", "full text", "privilege", "view", "materialised view"})
"""Kinds whose proofs take long to prepare: asked of other promises' mutants only where drift names them."""
CASES_ARE_FROZEN = frozenset({"trigger"})
"""Kinds whose cases do not hang on the mutated catalog: to make them anew makes the same."""
FACTS = frozenset({"function"})
"""Kinds that are no other mutant's judges: their proof asks the catalog what drift asks it."""
RECORDED = "nothing but the catalog says so"
NEIGHBOUR_EXAMPLES = 5
HISTORIES = 6


@dataclass
class Judge:
    """Judges mutants of one frozen contract over one session."""

    session: Session
    frozen: Catalog
    promises: Mapping[str, Promise]
    sound: Prover
    exploration: Exploration
    read: Callable[[psycopg.Connection], Catalog]
    applied: bool = False
    """Whether the mutant is there already, committed: then the judge is for this one only."""
    _cases: dict[tuple[str, Direction], Cases] = field(default_factory=dict)

    def judged(self, id_: str, mutant: Mutant) -> Judged:
        """What becomes of a mutant of this promise."""
        started = time.perf_counter()
        promise = self.promises[id_]
        blank = Judged(id_, promise.kind, mutant.operator, mutant.what, told_ddl(mutant), "survived")
        if mutant.equivalent is not None:
            return replace(blank, fate="equivalent", reason=mutant.equivalent)
        ready = {d: self._ready(id_, promise, d) for d in promise.directions}
        refused = None if self.applied else self.session.alter(mutant.ddl)
        try:
            if refused is not None:
                found = replace(blank, fate="impaired", reason=f"{refused.sqlstate} {refused.message}")
            else:
                found = self._tried(blank, promise, ready)
        finally:
            if not self.applied:
                self.session.alter(())
        return replace(found, seconds=time.perf_counter() - started)

    def _ready(self, id_: str, promise: Promise, direction: Direction) -> Cases:
        """The cases that are always tried, as they were made for the sound schema."""
        known = self._cases.get((id_, direction))
        if known is None:
            known = self._cases[id_, direction] = behaviour(self.sound.cases(promise, direction))
        return known

    def _tried(self, blank: Judged, promise: Promise, ready: Mapping[Direction, Cases]) -> Judged:
        always = {direction: replace(cases, drawn=None) for direction, cases in ready.items()}
        found = self._at_once(blank, promise, always)
        if found is not None:
            return found
        live = self.session.within(self.read)
        differences = drift(self.frozen, live)
        if not differences:
            return replace(blank, fate="equivalent", reason="the catalog is the same")
        drawn = {direction: cases for direction, cases in ready.items() if cases.drawn is not None}
        if promise.kind not in CASES_ARE_FROZEN and (found := self._at_once(blank, promise, drawn)) is not None:
            return found
        return self._anew(blank, promise, Worlds(live, self.session, self.sound.worlds.roles), differences)

    def _at_once(self, blank: Judged, promise: Promise, ready: Mapping[Direction, Cases]) -> Judged | None:
        """Try its own promise with the cases of the sound schema."""
        for direction, cases in ready.items():
            evidence = self.sound.tried(promise, direction, cases)
            if evidence.contradiction is not None:
                return _killed(blank, blank.promise, promise, evidence)
            if direction is Direction.ACCEPTS and cases.missing is None and evidence.missing is not None:
                # what the sound schema accepts, without exception
                return replace(blank, fate="killed by proof", killer=blank.promise, evidence=evidence.missing)
        return None

    def _anew(self, blank: Judged, promise: Promise, worlds: Worlds, differences: Sequence[Difference]) -> Judged:
        """Try whatever may notice, on the mutated catalog; then the invariants."""
        implied = ""
        for id_, one, examples in self._killers(blank.promise, promise, differences):
            prover = Prover(self.session, worlds, examples, self.sound.seed)
            for direction in one.directions:
                evidence = prover.tried(one, direction, behaviour(prover.cases(one, direction)))
                if evidence.contradiction is not None:
                    return _killed(blank, id_, one, evidence)
                missing = evidence.missing or ""
                if one is promise and direction is Direction.REJECTS and missing.startswith(DECIDED):
                    implied = f"implied: {missing.removeprefix(DECIDED)}"
        killed = self._explored(blank)
        if killed is not None:
            return killed
        if implied:
            return replace(blank, fate="equivalent", reason=implied)
        return replace(blank, fate="killed by drift only", reason="; ".join(str(d) for d in differences[:3]))

    def _killers(
        self, id_: str, promise: Promise, differences: Sequence[Difference]
    ) -> Iterator[tuple[str, Promise, int]]:
        """Promises that may notice, likely ones first, with how many examples to draw."""
        if promise.kind not in CASES_ARE_FROZEN:
            yield id_, promise, self.sound.examples
        named = dict.fromkeys(d.promise_id for d in differences if d.promise_id in self.promises)
        named.pop(id_, None)
        for other in (n for n in named if self.promises[n].kind not in FACTS):
            yield other, self.promises[other], self.sound.examples
        near = self._near(promise.table)
        for other, one in self.promises.items():
            if other != id_ and other not in named and one.kind not in SLOW | FACTS and one.table in near:
                yield other, one, NEIGHBOUR_EXAMPLES

    def _near(self, table: Name) -> set[Name]:
        return {table, *(child.name for child, _ in self.frozen.referencing(table))}

    def _explored(self, blank: Judged) -> Judged | None:
        """Histories, until an invariant is broken."""
        if not self.exploration.invariants:
            return None
        try:
            explored = self.exploration.histories(range(HISTORIES), self.sound.seed, until_broken=True, cut_down=False)
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


def behaviour(cases: Cases) -> Cases:
    """The cases without questions to the catalog about what drift reads there: to differ there is no behaviour."""
    always = tuple(change for change in cases.always if not change.recorded)
    if not always and cases.drawn is None and cases.missing is None:
        return replace(cases, always=always, missing=RECORDED)
    return replace(cases, always=always)


def told_ddl(mutant: Mutant) -> str:
    """A mutant's statements as SQL to paste."""
    return ";\n".join(paste(s) for s in mutant.ddl) + ";"


def _killed(blank: Judged, killer: str, promise: Promise, evidence: Evidence) -> Judged:
    assert evidence.contradiction is not None
    return replace(
        blank,
        fate="killed by proof",
        killer=killer,
        examples=evidence.held,
        evidence=counterexample(promise, evidence.contradiction),
    )

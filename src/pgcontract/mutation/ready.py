"""The cases of one direction of a promise, made once for the sound schema and tried on all of its mutants."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pgcontract.promises.base import Cases, Change, Direction, Promise
from pgcontract.promises.meetings import Arena, Rehearsed
from pgcontract.prover import Evidence, Prover, References, explore

RECORDED = "nothing but the catalog says so"
FROZEN = frozenset({"trigger", "function"})
"""Kinds whose cases do not hang on the mutated catalog: to make them anew makes the same, also those that are drawn."""
DRAWN = 4
"""So many times as many changes of a trigger's rows are drawn as otherwise: it is the last that they are asked."""


@dataclass
class Ready:
    """Cases that are tried on many mutants, those that have noticed one first."""

    id: str
    promise: Promise
    direction: Direction
    cases: Cases
    references: References
    _drawn: Cases | None = field(default=None)
    _rehearsed: Rehearsed | None = field(default=None)

    @classmethod
    def made(cls, sound: Prover, id_: str, promise: Promise, direction: Direction) -> Ready:
        """Make them."""
        cases = behaviour(sound.cases(promise, direction))
        return cls(id_, promise, direction, cases, References(repeatable=promise.kind in FROZEN))

    @property
    def frozen(self) -> bool:
        """Whether these are all the cases there will ever be."""
        return self.promise.kind in FROZEN

    @property
    def compared(self) -> tuple[Change, ...]:
        """All changes so far, also drawn ones, whose outcome is compared with that of what was frozen."""
        drawn = self._drawn.always if self._drawn is not None else ()
        return tuple(c for c in (*self.cases.always, *drawn) if c.reference)

    def always(self, sound: Prover, *, effects: bool) -> Evidence | None:
        """Try what is tried every time; ``effects``: of that only what is compared with what was frozen."""
        chosen = [c for c in self.cases.always if c.reference or not effects]
        return self._tried(sound, replace(self.cases, always=tuple(chosen), drawn=None)) if chosen else None

    def drawn(self, sound: Prover) -> Evidence | None:
        """Try what is drawn; where no mutant changes it, the same each time."""
        if self.cases.drawn is None:
            return None
        if not self.frozen:
            return sound.tried(self.promise, self.direction, self.cases)
        if self._drawn is None:
            found: list[Change] = []

            def collected(change: Change) -> bool:
                found.append(change)
                return False

            explore(self.cases.drawn, collected, sound.examples * DRAWN, sound.seed)
            self._drawn = replace(self.cases, always=tuple(found), drawn=None)
        return self._tried(sound, self._drawn)

    def rehearsed(self, arena: Arena) -> Rehearsed | None:
        """Meetings of two sessions, rehearsed once; None where one session alone can tell all."""
        if self._rehearsed is None and self.cases.meetings is not None:
            self._rehearsed = self.cases.meetings(arena)
        return self._rehearsed

    def _tried(self, sound: Prover, cases: Cases) -> Evidence:
        evidence = sound.tried(self.promise, self.direction, cases, self.references)
        if evidence.contradiction is not None:
            killer = evidence.contradiction.change
            rest = tuple(c for c in self.cases.always if c is not killer)
            self.cases = replace(self.cases, always=(killer, *rest))
        return evidence


def behaviour(cases: Cases) -> Cases:
    """The cases without questions to the catalog about what drift reads there: to differ there is no behaviour."""
    always = tuple(change for change in cases.always if not change.recorded)
    if not always and cases.drawn is None and cases.missing is None:
        return replace(cases, always=always, missing=RECORDED)
    return replace(cases, always=always)

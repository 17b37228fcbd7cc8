"""Invariants tried on one session, and what is to be said of each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pgcontract.invariants.exploring import Broken, Explored, Explorer, Way, counterexample, focus, terrain_of
from pgcontract.invariants.files import Invariant, asked_alone
from pgcontract.invariants.machine import run
from pgcontract.model import Catalog, Reason, Verdict
from pgcontract.rows.terrain import Terrain
from pgcontract.rows.worlds import Worlds
from pgcontract.session import Session


@dataclass
class Exploration:
    """Histories on one session. ``seconds``: how long one query may take. Everything is rolled back.

    ``invariants`` are all that a system has, since they decide what is drawn; ``asked`` are those that are asked.
    """

    session: Session
    catalog: Catalog
    roles: Mapping[str, str]
    invariants: tuple[Invariant, ...]
    asked: tuple[Invariant, ...]
    seconds: int
    _terrain: Terrain | None = None

    def histories(
        self, numbers: Iterable[int], seed: int, *, until_broken: bool = False, cut_down: bool = True
    ) -> Explored:
        """Ask the invariants of the database as it is, then after every step of the histories of these numbers.

        ``until_broken``: the first one that is broken ends it; ``cut_down``: its history is made as short as possible.
        Raises InvariantError.
        """
        started = time.perf_counter()
        self.session.set("statement_timeout", f"{self.seconds}s")
        try:
            explored = self._explored(numbers, seed, Way(until_broken, cut_down))
        finally:
            self.session.set("statement_timeout", self.session.timeout)
        return replace(explored, seconds=time.perf_counter() - started)

    def _explored(self, numbers: Iterable[int], seed: int, way: Way) -> Explored:
        answers = asked_alone(self.session, self.asked)
        at_once = {
            invariant.id: Broken((invariant.asked,), shown)
            for invariant, shown in zip(self.asked, answers, strict=True)
            if shown is not None
        }
        left = [invariant for invariant in self.asked if invariant.id not in at_once]
        if not left or (at_once and way.until_broken):
            return Explored(broken=at_once)
        if self._terrain is None:
            self._terrain = terrain_of(Worlds(self.catalog, self.session, self.roles), self.invariants)
        explorer = Explorer(self.session, self._terrain, self.invariants, left, way)
        run(explorer, numbers, seed)
        return explorer.end() | Explored(broken=at_once)


def verdicts(catalog: Catalog, invariants: Sequence[Invariant], explored: Explored) -> tuple[Verdict, ...]:
    """One verdict an invariant; the seconds are shared out among them."""
    each = explored.seconds / max(len(invariants), 1)
    return tuple(_verdict(catalog, invariant, explored, each) for invariant in invariants)


def _verdict(catalog: Catalog, invariant: Invariant, explored: Explored, seconds: float) -> Verdict:
    held = explored.held[invariant.id]
    verdict = Verdict(invariant.id, invariant.kind, invariant.clause, "proven", accepts=held, seconds=seconds)
    found = explored.broken.get(invariant.id)
    if found is not None:
        reason = f"promised: no row; seen: {found.seen}"
        if not found.repeatable:
            return replace(verdict, verdict="unproven", reason=reason, because=Reason.NOT_REPEATABLE)
        told = counterexample(invariant, found, "no row")
        return replace(verdict, verdict="broken", reason=reason, counterexample=told)
    failing = _failing(catalog, invariant, explored)
    if failing is not None:
        reason = f"a change of the tables that it reads fails within a function: {failing.seen}"
        told = counterexample(invariant, failing, "accepted")
        said = Reason.TRIGGER
        return replace(verdict, verdict="unproven", reason=reason, counterexample=told, because=said)
    names = {str(table.name) for table in focus(catalog, invariant)} or set(explored.reach.tables.all)
    closed = sorted(names & set(explored.unbuildable) - explored.reach.tables.reached)
    if closed:
        reason = f"nothing could be written to {closed[0]}: {explored.unbuildable[closed[0]]}"
        return replace(verdict, verdict="unproven", reason=reason, because=Reason.NO_ROW)
    if not held or not explored.reach.tables.reached & names:
        ((refused, _),) = explored.refused.most_common(1) or [("nothing could be tried", 0)]
        reason = f"no change of what it reads ({', '.join(sorted(names))}) was accepted: {refused}"
        return replace(verdict, verdict="unproven", reason=reason, because=Reason.REFUSED)
    return verdict


def _failing(catalog: Catalog, invariant: Invariant, explored: Explored) -> Broken | None:
    names = {str(table.name) for table in focus(catalog, invariant)}
    return next((one.broken for one in explored.failing.values() if one.tables & names and one.broken.repeatable), None)

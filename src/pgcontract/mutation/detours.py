"""A short cut of a function that a mutant closes: whether enough rows show that the way for all does the same."""

from __future__ import annotations

from collections.abc import Sequence

from pgcontract.mutation.ready import Ready
from pgcontract.promises.mutants import Detour, Mutant
from pgcontract.promises.mutants.detours import REACHED
from pgcontract.rows.statements import Statement
from pgcontract.session import Session

ENOUGH = 10
"""Changes that must have gone the other way, with the same rows at the end, before a way counts as a short cut."""


def short_cut(session: Session, ready: Sequence[Ready], mutant: Mutant) -> str | None:
    """Why nothing notices this mutant, which was tried on all cases: they go another way to the same end."""
    for detour in mutant.detours:
        gone = _kept_off(session, ready, detour)
        if gone >= ENOUGH:
            return f"a short cut: {gone} changes that took it come out the same by the way for all others"
    return None


def _kept_off(session: Session, ready: Sequence[Ready], detour: Detour) -> int:
    """How many changes no longer take this way; 0 where others do that did not."""
    before = _takers(session, ready, detour.sound)
    after = _takers(session, ready, detour.mutated) if detour.mutated is not None else frozenset()
    return len(before - after) if after <= before else 0


def _takers(session: Session, ready: Sequence[Ready], raising: Statement) -> frozenset[tuple[str, int]]:
    """The cases that come to the error."""
    found: set[tuple[str, int]] = set()
    for one in ready:
        if not one.compared or session.enter(one.cases.setup) is not None or session.overlay((raising,)) is not None:
            continue
        seen = session.run_all([c.statements for c in one.compared])
        refusals = zip(one.compared, (s.refusal for s in seen), strict=True)
        found |= {(one.id, id(case)) for case, refusal in refusals if refusal and refusal.sqlstate == REACHED}
        session.overlay(())
    return frozenset(found)

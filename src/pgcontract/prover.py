"""Proves one promise: tries what is always tried, then lets Hypothesis draw and find the smallest contradiction."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import HypothesisWarning
from hypothesis.strategies import SearchStrategy

from pgcontract.contract import table_id
from pgcontract.model import Breaking, Reason, Table, Verdict
from pgcontract.promises.base import (
    REPLICA,
    Cases,
    Change,
    Contradiction,
    Direction,
    Outcome,
    Promise,
    Seen,
    contradicted,
    judge,
)
from pgcontract.promises.meetings import Arena
from pgcontract.rows.refusals import told
from pgcontract.rows.shape import Unbuildable
from pgcontract.rows.statements import Statement, paste
from pgcontract.rows.telling import columns_named, step, values_told
from pgcontract.rows.worlds import Worlds
from pgcontract.session import CASES_AT_ONCE, OutOfTime, Session
from pgcontract.values.types import UnknownType

DEFAULT_EXAMPLES = 25
TIME_LIMIT = 120.0
"""Seconds that a direction may take: ten times what the slowest of ten thousand promises of public schemas took."""
FEW = 4
MOST_SHOWN = 6
"""Examples of which the values are told, a direction."""
CANCELED = "57014"
STORED = frozenset(
    {"column type", "null allowed", "not null", "default", "check", "primary key", "unique", "unique index"}
)
"""Kinds that speak of rows as they are stored."""
DECIDED = "every example was decided by something else: "


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one direction gave: how many examples held, or the contradiction, or why there is none."""

    direction: Direction
    held: int = 0
    contradiction: Contradiction | None = None
    missing: str | None = None
    notes: tuple[str, ...] = ()
    reason: Reason = Reason.NO_ROW
    shown: tuple[str, ...] = ()
    """Values of the first examples that held, which are the boundaries."""


@dataclass
class References:
    """What references gave in one world: there clocks stand still, so that it need not be asked again.

    ``repeatable``: nothing that lies over the world changes them; otherwise nothing is kept.
    """

    repeatable: bool
    _world: int = 0
    _seen: dict[int, tuple[Change, Seen]] = field(default_factory=dict)
    _guarded: dict[int, tuple[Change, bool]] = field(default_factory=dict)

    def known(self, change: Change, world: int) -> Seen | None:
        """What this change's reference gave in this world, if it was asked before."""
        if world != self._world:
            self._seen.clear()
            self._world = world
        found = self._seen.get(id(change))
        return None if found is None else found[1]

    def keep(self, change: Change, seen: Seen) -> None:
        """What it gave in the world that was last asked for."""
        if self.repeatable:
            # the change is kept as well, so that nothing else gets its identity
            self._seen[id(change)] = change, seen

    def guarded(self, change: Change, ask: Callable[[], bool]) -> bool:
        """Whether a case is what it claims to be; asked once where nothing that lies over the world changes that."""
        found = self._guarded.get(id(change))
        if found is None:
            found = change, ask()
            if self.repeatable:
                self._guarded[id(change)] = found
        return found[1]


class Contradicted(AssertionError):
    """Raised inside Hypothesis' search, so that it shrinks to the smallest such case."""


@dataclass
class Prover:
    """Proves promises of one frozen contract against one live catalog, over one session.

    A direction that takes longer than ``seconds`` is unproven: what was found until then is no proof. ``arena`` gives
    a place where two sessions can meet, for promises that one alone cannot judge; None: they do not meet.
    """

    session: Session
    worlds: Worlds
    examples: int = DEFAULT_EXAMPLES
    seed: int = 0
    seconds: float = TIME_LIMIT
    arena: Callable[[], Arena | None] = lambda: None

    def verdict(self, promise: Promise) -> Verdict:
        """Try both directions of a promise."""
        started = time.perf_counter()
        found = {d: self.prove(promise, d) for d in promise.directions}
        accepts, rejects = (e.held if (e := found.get(d)) else 0 for d in Direction)
        accepted, refused = (e.shown if (e := found.get(d)) else () for d in Direction)
        verdict = Verdict(promise.id, promise.kind, promise.clause, "proven", accepts, rejects)
        verdict = replace(verdict, table=table_id(promise.table), accepted=accepted, refused=refused)
        notes = "; ".join(dict.fromkeys(note for evidence in found.values() for note in evidence.notes))
        verdict = replace(verdict, reason=notes or None, seconds=time.perf_counter() - started)
        for evidence in found.values():
            if evidence.contradiction is not None:
                told = counterexample(promise, evidence.contradiction)
                reason, parts = _difference(evidence.contradiction), breaking(evidence.contradiction)
                return replace(verdict, verdict="broken", counterexample=told, reason=reason, breaking=parts)
        missing = [e for e in found.values() if e.missing]
        if not missing:
            return verdict
        said = "; ".join(f"{e.direction}: {e.missing}" for e in missing)
        return replace(verdict, verdict="unproven", reason=said, because=missing[0].reason)

    def prove(self, promise: Promise, direction: Direction) -> Evidence:
        """Collect the evidence of one direction, as long as there is time."""
        self.session.until(time.monotonic() + self.seconds)
        try:
            cases = self.cases(promise, direction)
            return self.met(cases, self.tried(promise, direction, cases))
        except OutOfTime:
            self.session.until(None)
            self.session.leave()
            self.session.enter(())
            return Evidence(direction, missing=f"it took more than {self.seconds:g} s", reason=Reason.OUT_OF_TIME)
        finally:
            self.session.until(None)

    def met(self, cases: Cases, evidence: Evidence) -> Evidence:
        """The same evidence with what meetings of two sessions show, where there are any and all else has held."""
        decided = evidence.contradiction is not None or evidence.missing is not None
        if decided or cases.meetings is None or (arena := self.arena()) is None:
            return evidence
        # what lies in this session's transaction concerns nobody else: the arena is another database
        rehearsed = cases.meetings(arena)
        clash = rehearsed.clash(arena)
        if clash is not None:
            return replace(evidence, contradiction=contradicted(clash, cases.setup))
        notes = (*evidence.notes, rehearsed.note) if rehearsed.note else evidence.notes
        return replace(evidence, held=evidence.held + len(rehearsed.expected), notes=notes)

    def cases(self, promise: Promise, direction: Direction) -> Cases:
        """What there is to try in one direction; ``missing`` says why there is nothing."""
        try:
            return promise.accepts(self.worlds) if direction is Direction.ACCEPTS else promise.rejects(self.worlds)
        except Unbuildable as error:
            return Cases(missing=error.what, reason=error.reason)
        except UnknownType as error:
            return Cases(missing=error.what, reason=Reason.UNKNOWN_TYPE)
        except KeyError as error:
            # rows are made from the live catalog, and it has no such column any more
            return Cases(missing=f"the live table has no column {error}", reason=Reason.GONE)

    def tried(self, promise: Promise, direction: Direction, cases: Cases, kept: References | None = None) -> Evidence:
        """The evidence of cases that were made before.

        ``kept``: the session stays in the cases' world, with whatever lies over it, and what references gave is kept
        there for the next time.
        """
        if cases.missing is not None:
            return Evidence(direction, missing=cases.missing, reason=cases.reason)
        evidence = _Trial(self, promise, direction, cases, kept).evidence()
        if cases.prepared and kept is None:
            # the next promise asks for its rows in a database as it is, not without what was taken away for this one
            self.session.enter(())
        return evidence


def _rewrites(table: Table) -> bool:
    """Whether something may store another row than the one that is inserted, or none."""
    before = (t for t in table.triggers if t.timing == "BEFORE" and t.level == "ROW" and t.enabled != "DISABLED")
    return bool(table.rules) or any("INSERT" in trigger.events for trigger in before)


class _Trial:
    """One direction of one promise, tried."""

    def __init__(
        self, prover: Prover, promise: Promise, direction: Direction, cases: Cases, kept: References | None
    ) -> None:
        self._session = prover.session
        self._promise = promise
        self._direction = direction
        self._cases = cases
        self._examples = prover.examples
        self._seed = prover.seed
        self._setup = cases.setup
        self._kept = kept
        self._present = promise.present(prover.worlds)
        self._rewritten = cases.world is not None and _rewrites(cases.world.table)
        table = None if cases.world is None else cases.world.table
        self._diverted = table is not None and any(rule.enabled != "DISABLED" for rule in table.rules)
        states = [] if table is None else [one.enabled for one in table.rules] + [one.enabled for one in table.triggers]
        self._for_replicas = not {"REPLICA", "ALWAYS"}.isdisjoint(states)
        self._held = 0
        self._catalog = prover.worlds.catalog
        self._shown: dict[str, None] = {}
        self._columns = self._named()
        self._blocked: Counter[tuple[Reason, str]] = Counter()
        self._notes = (*cases.notes, *(cases.world.notes if cases.world is not None else ()))

    def evidence(self) -> Evidence:
        refused = self._session.enter(self._setup)
        if refused is not None:
            reason, detail = told(refused, self._catalog)
            said = f"the rows around the row under test were refused: {detail}"
            return Evidence(self._direction, missing=said, reason=reason)
        contradiction = self._try_all(self._cases.always)
        if contradiction is None and self._cases.drawn is not None:
            contradiction = self._drawn(self._cases.drawn)
        if contradiction is None and not self._held:
            contradiction = self._quietly()
        if contradiction is not None and not self._confirmed(contradiction):
            said = f"contradicted once, and not again: {contradiction.seen}"
            return Evidence(self._direction, missing=said, reason=Reason.NOT_REPEATABLE)
        found = Evidence(self._direction, self._held, contradiction, notes=self._notes, shown=tuple(self._shown))
        if contradiction is not None or self._held:
            return found
        (((reason, detail), _),) = self._blocked.most_common(1) or [((Reason.NO_ROW, "there was nothing to try"), 0)]
        return replace(found, missing=f"{DECIDED}{detail}", reason=reason)

    def _quietly(self) -> Contradiction | None:
        """Where triggers or rules rewrite every row: the same without them.

        What a column takes is promised of the rows that are stored, whoever made them what they are.
        """
        rewritten = any(reason is Reason.REWRITTEN for reason, _ in self._blocked)
        # what a rule does instead may be refused for reasons of its own
        if not (rewritten or self._diverted) or self._promise.kind not in STORED or self._cases.prepared:
            return None
        # what is not as promised now is no trigger's doing, but of one that works for replicas, too
        self._rewritten = self._rewritten and self._for_replicas
        found = self._try_all([replace(c, setup=(REPLICA, *c.setup)) for c in self._cases.always])
        self._notes = (
            (*self._notes, "shown without triggers and rules, which rewrite every row") if self._held else self._notes
        )
        return found

    def _named(self) -> tuple[str, ...]:
        """The columns that the promise speaks of, where its cases are rows of a table."""
        if self._cases.world is None:
            return ()
        columns = [column.name for column in self._cases.world.table.columns]
        return columns_named(self._promise.clause, columns)

    def _try(self, change: Change) -> Contradiction | None:
        return self._try_all([change])

    def _try_all(self, changes: Sequence[Change]) -> Contradiction | None:
        """The first contradiction among many cases: a few, then ever more at once, since a broken one may be slow."""
        # where many have been tried before, the first one is the likeliest
        start, size = 0, FEW if self._kept is None else 1
        while start < len(changes):
            found = self._try_some(changes[start : start + size])
            if found is not None:
                return found
            start, size = start + size, min(2 * size, CASES_AT_ONCE)
        return None

    def _try_some(self, changes: Sequence[Change]) -> Contradiction | None:
        """The first contradiction among cases that are all run."""
        seen = self._run([(c.layer, c.statements) for c in changes])
        compared = [change for change in changes if change.reference]
        references = iter(self._references(compared))
        found = (
            self._judged(change, one, next(references) if change.reference else None)
            for change, one in zip(changes, seen, strict=True)
        )
        return next((c for c in found if c is not None and (self._kept is None or self._again(c))), None)

    def _again(self, contradiction: Contradiction) -> bool:
        """Whether it shows again, beside what the reference gives now.

        Which of several constraints refuses first may hang on where rows lie, and so on what was rolled back before.
        What did not end need not be waited for again.
        """
        refusal = contradiction.seen.refusal
        if refusal is not None and refusal.sqlstate == CANCELED:
            return True
        kept, self._kept = self._kept, None
        try:
            return self._try(contradiction.change) is not None
        finally:
            self._kept = kept

    def _references(self, compared: Sequence[Change]) -> list[Seen]:
        """What the references of these changes give."""
        if self._kept is None:
            return self._run([(c.instead, (*c.setup, *c.reference)) for c in compared])
        world = self._session.entered
        known = [self._kept.known(change, world) for change in compared]
        asked = [change for change, seen in zip(compared, known, strict=True) if seen is None]
        answers = self._run([(c.instead, (*c.setup, *c.reference)) for c in asked])
        for change, seen in zip(asked, answers, strict=True):
            self._kept.keep(change, seen)
        new = iter(answers)
        return [next(new) if seen is None else seen for seen in known]

    def _run(self, cases: Sequence[tuple[tuple[Statement, ...], tuple[Statement, ...]]]) -> list[Seen]:
        """What came of each case; cases with the same layer share it."""
        found: dict[int, Seen] = {}
        for layer in dict.fromkeys(layer for layer, _ in cases):
            those = [n for n, (its, _) in enumerate(cases) if its == layer]
            found |= zip(those, self._session.run_all([cases[n][1] for n in those], layer), strict=True)
        return [found[n] for n in range(len(cases))]

    def _judged(self, change: Change, seen: Seen, reference: Seen | None) -> Contradiction | None:
        outcome = judge(self._promise, change, seen, present=self._present, reference=reference)
        if outcome is Outcome.BROKEN and change.guard is not None and not self._guarded(change, change.guard):
            outcome = Outcome.BLOCKED
        if outcome is Outcome.BROKEN and seen.refusal is None and self._present and self._rewritten:
            said = "a BEFORE trigger or a rule may have changed the row, or not stored it"
            self._blocked[Reason.REWRITTEN, said] += 1
            return None
        if outcome is Outcome.HELD:
            self._held += 1
            if self._columns and len(self._shown) < MOST_SHOWN and (values := values_told(change.act, self._columns)):
                self._shown.setdefault(values)
        elif outcome is Outcome.BLOCKED:
            why = (Reason.REFUSED, str(seen)) if seen.refusal is None else told(seen.refusal, self._catalog)
            self._blocked[why] += 1
        else:
            return Contradiction(change, seen, self._setup)
        return None

    def _guarded(self, change: Change, guard: Callable[[], Statement]) -> bool:
        def ask() -> bool:
            return self._session.ask(guard())

        return ask() if self._kept is None else self._kept.guarded(change, ask)

    def _drawn(self, strategy: SearchStrategy[Change]) -> Contradiction | None:
        """Draw first and try them together; only where one contradicts, draw the same again, try each, and shrink."""
        changes: list[Change] = []

        def collected(change: Change) -> bool:
            changes.append(change)
            return False

        explore(strategy, collected, self._examples, self._seed)
        smallest = self._try_all(changes)
        if smallest is None:
            return None

        def contradicted(change: Change) -> bool:
            nonlocal smallest
            found = self._try(change)
            smallest = found or smallest
            return found is not None

        explore(strategy, contradicted, self._examples, self._seed)
        return smallest

    def _confirmed(self, contradiction: Contradiction) -> bool:
        """Whether the contradiction shows again in a fresh transaction, as somebody who pastes it would see.

        In a world that is to stay it has been, there.
        """
        if self._kept is not None:
            return True
        self._session.leave()
        if self._session.enter(self._setup) is not None:
            return False
        return self._try(contradiction.change) is not None


def explore(
    strategy: SearchStrategy[Change], contradicted: Callable[[Change], bool], examples: int, seed_value: int
) -> None:
    """Draw changes until one is contradicted, then ever smaller ones; the last contradicted one is the smallest."""

    @seed(seed_value)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
        report_multiple_bugs=False,
    )
    @given(strategy)
    def search(change: Change) -> None:
        if contradicted(change):
            raise Contradicted

    with suppress(Contradicted), warnings.catch_warnings():
        # it describes what it found, and a world with long values is long
        warnings.simplefilter("ignore", HypothesisWarning)
        search()


def counterexample(promise: Promise, contradiction: Contradiction) -> str:
    """The contradiction as SQL to paste into psql: the world, the change, and what should have come of it."""
    seen: Seen = contradiction.seen
    lines = [f"-- {promise.id}: {promise.clause}".replace("\n", " "), "BEGIN;"]
    lines += [f"{paste(s)};" for s in contradiction.setup]
    change = contradiction.change
    lines += [f"{paste(s)};" for s in (*change.layer, *change.setup)]
    lines += ["SAVEPOINT here;"] if change.reference else []
    lines += [f"-- promised: {contradiction.expected}; seen: {seen}".replace("\n", " ")]
    lines += [f"{paste(s)};" for s in change.act]
    if change.reference:
        lines += ["ROLLBACK TO SAVEPOINT here;", "-- what it is compared with:"]
        lines += [f"{paste(s)};" for s in (*change.instead, *change.reference)]
    return "\n".join([*lines, "ROLLBACK;"])


def breaking(contradiction: Contradiction) -> Breaking:
    """The contradiction in parts, for those who show it otherwise."""
    change = contradiction.change
    around = (*contradiction.setup, *change.layer, *change.setup)
    compared = (*change.instead, *change.reference) if change.reference else ()
    parts = (tuple(step(s) for s in statements) for statements in (around, change.act, compared))
    return Breaking(contradiction.expected, str(contradiction.seen), *parts)


def _difference(contradiction: Contradiction) -> str:
    return f"promised: {contradiction.expected}; seen: {contradiction.seen}"

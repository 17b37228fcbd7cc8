"""Triggers: fired exactly when promised, and doing what the frozen trigger with its frozen function does.

That a trigger fires is seen by a probe in its function's place, which writes down every call. What it does is seen by
comparison: the same change, on the same stale rows, once as the live schema is, and once with the trigger and its
function put back to what was frozen; afterwards all rows around must be the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgcontract.contract import clauses, trigger_id
from pgcontract.model import Catalog, Function, Name, Trigger
from pgcontract.promises.base import REPLICA, Cases, Change, Direction, Rows
from pgcontract.promises.definitions import (
    CALLS,
    create_function,
    create_trigger,
    drop_trigger,
    probe,
    trigger_function,
)
from pgcontract.promises.happenings import Happening, drawn, happenings
from pgcontract.promises.interleaving import Interleaving
from pgcontract.promises.locking import locks
from pgcontract.promises.meetings import Arena, Rehearsed
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.triggers import trigger_mutants
from pgcontract.promises.scene import IMMEDIATE, Stage, root_of, stage
from pgcontract.promises.snapshot import Left, camera
from pgcontract.rows.oracle import Oracle, Refusal
from pgcontract.rows.shape import Unbuildable
from pgcontract.rows.statements import Statement, identifier
from pgcontract.rows.worlds import Worlds

RAISED = "P0001"
NEVER = "never called"
REACHED = "PGC01"
RAISING = f"BEGIN RAISE EXCEPTION 'reached' USING ERRCODE = '{REACHED}'; END"
READ = Statement(f"SELECT COALESCE(NULLIF(pg_catalog.current_setting('{CALLS}', true), ''), '{NEVER}') AS calls")
MARK = Statement(
    f"SELECT pg_catalog.set_config('{CALLS}',"
    f" COALESCE(pg_catalog.current_setting('{CALLS}', true), '') || 'then at once: ', true)"
)
DEFERRED = Statement("SET CONSTRAINTS ALL DEFERRED")
MOST_ALIKE = 14
MOST_CALLS = 110
MOST_EFFECTS = 140
MOST_SILENT = 30
MOST_REFUSED = 30
SAMPLE = 12

Answer = Refusal | Rows
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class TriggerPromise:
    """A trigger of a table. ``function`` is the frozen one; None where it is an extension's."""

    table: Name
    trigger: Trigger
    function: Function | None

    kind = "trigger"
    directions = (Direction.ACCEPTS,)

    @property
    def id(self) -> str:
        """``messages.message_increment_unread``."""
        return trigger_id(self.table, self.trigger.name)

    @property
    def clause(self) -> str:
        """``TRIGGER AFTER INSERT …``."""
        return clauses.trigger(self.trigger)

    def accepts(self, worlds: Worlds) -> Cases:
        """Changes of all kinds: each calls the trigger as promised, and leaves the rows that are promised."""
        if worlds.catalog.table(self.table) is None:
            read = f"SELECT FROM {identifier(self.table).as_string()}"
            return Cases((Change((Statement(read),)),))
        texts = [
            t for t in (self.trigger.when, self.function and self.function.body, *self.trigger.update_columns) if t
        ]
        try:
            return _Rehearsal(self, worlds, stage(worlds, self.table, texts)).cases()
        except Unbuildable:
            at_fault = None if self._as_frozen(worlds) else self._at_fault(worlds)
            if at_fault is None:
                raise
            return at_fault

    def _as_frozen(self, worlds: Worlds) -> bool:
        table = worlds.catalog.table(self.table)
        live = table is not None and self.trigger in table.triggers
        return live and trigger_function(worlds.catalog, self.trigger) == self.function

    def _at_fault(self, worlds: Worlds) -> Cases | None:
        """A row that only the live trigger refuses; None where that is not what keeps rows from being made."""
        frozen = Worlds(worlds.catalog, _Restored(worlds.oracle, self.installed()), worlds.roles, worlds.offset)
        wanted = "a row is accepted, as with the frozen trigger and function"
        for name in {self.table: None, root_of(worlds.catalog, self.table): None}:
            try:
                world = frozen.world(name)
            except Unbuildable:
                return None
            act = (*world.setup, world.insert(world.base))
            if worlds.oracle.refusal(act) is not None:
                return Cases((Change(act, reference=act, instead=self.installed(), wanted=wanted),))
        return None

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is forbidden: what must not fire is among the changes that are accepted."""
        raise AssertionError(self, worlds)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """Gone, off, at other events."""
        return trigger_mutants(catalog, self.table, self.trigger)

    def owns(self, refusal: Refusal) -> bool:
        """What the function raises itself."""
        context = refusal.context or ""
        return refusal.sqlstate == RAISED or (f" {self.trigger.function.name}(" in context and " RAISE" in context)

    def present(self, worlds: Worlds) -> bool:
        """Whether the live table has a trigger of this name."""
        table = worlds.catalog.table(self.table)
        return table is not None and any(t.name == self.trigger.name for t in table.triggers)

    def installed(self, **changes: str) -> tuple[Statement, ...]:
        """What puts the frozen trigger and its function in the place of the live ones."""
        trigger = replace(self.trigger, **changes)  # type: ignore[arg-type]
        function = [] if self.function is None else [create_function(self.function)]
        return (*function, drop_trigger(self.table, trigger), *create_trigger(self.table, trigger))

    def probed(self, **changes: str) -> tuple[Statement, ...]:
        """The frozen trigger with a probe for its function."""
        trigger = replace(self.trigger, **changes)  # type: ignore[arg-type]
        return (probe(self.table, trigger), drop_trigger(self.table, trigger), *create_trigger(self.table, trigger))


@dataclass(frozen=True, slots=True)
class _Restored:
    """An oracle of the schema with a frozen trigger in place of the live one."""

    oracle: Oracle
    installed: tuple[Statement, ...]

    def refusal(self, statements: Sequence[Statement]) -> Refusal | None:
        """The first error that these statements meet with the frozen trigger."""
        found = self.oracle.refusal([*self.installed, *statements])
        return None if found is None else replace(found, position=max(found.position - len(self.installed), 0))

    def __getattr__(self, name: str) -> Any:
        """Rows and expressions are no trigger's business."""
        return getattr(self.oracle, name)


class _Rehearsal:
    """What the frozen trigger does on its stage: what the live one will be held to."""

    def __init__(self, promise: TriggerPromise, worlds: Worlds, stage_: Stage) -> None:
        self._promise = promise
        self._live = trigger_function(worlds.catalog, promise.trigger)
        self._oracle = worlds.oracle
        self._stage = stage_
        self._prepared = stage_.prepared
        self._camera = camera(worlds, stage_)
        # each is a long text, and is asked for with every change
        self._shots: dict[Left, Statement] = {}
        self._happenings = list(happenings(stage_))
        self._fires = promise.trigger.enabled in ("ORIGIN", "ALWAYS")

    def cases(self) -> Cases:
        """All of them. Raises Unbuildable."""
        promise = self._promise
        # where the live schema has no room for the frozen trigger, it cannot have it
        if self._oracle.refusal([*self._prepared, *promise.installed()]) is not None:
            return Cases((Change(promise.installed()),), prepared=self._prepared)
        known = self._calls(promise.probed(enabled="ORIGIN"), self._happenings)
        seen = [isinstance(calls, str) and f"{promise.trigger.timing} " in calls for calls in known]
        callable_ = any(seen)
        missing = self._unfired(known) if callable_ or promise.function is not None else None
        if missing is not None:
            return Cases(missing=missing)
        calls = self._called(known) if callable_ else []
        fired = [h for h, yes in zip(self._happenings, seen, strict=True) if yes or not callable_]
        if not self._fires:
            return Cases(tuple(calls), prepared=self._prepared, notes=("promised to be off: it must not be called",))
        # a change may be refused for want of what the trigger does, or be one that it should leave refused
        refused = [h for h, calls in zip(self._happenings, known, strict=True) if calls is None]
        effects, shown, left = self._effects(fired, refused)
        if not callable_ and not shown:
            return Cases(missing="its calls cannot be counted, and no change that was tried shows what it does")
        notes = [f"{shown} of {len(effects)} changes show what it does" if shown else "no change shows what it does"]
        notes += [f"not compared, another each time: {', '.join(sorted(f'{t}.{c}' for t, c in left))}"] if left else []
        by_turns = [c for pair in zip_longest(effects, calls) for c in pair if c is not None]
        meetings = self._meetings(fired)
        return Cases(tuple(by_turns), self._drawn(left), prepared=self._prepared, notes=tuple(notes), meetings=meetings)

    def _meetings(self, fired: Sequence[Happening]) -> Callable[[Arena], Rehearsed] | None:
        """What happens when two sessions meet, for a function that locks."""
        frozen = self._promise.function
        if frozen is None or self._live is None or not (found := locks(frozen.body)):
            return None
        ended = (IMMEDIATE,) if self._promise.trigger.constraint else ()
        of_two = Interleaving(frozen, self._live, found, self._stage, self._camera, tuple(fired), ended)
        return of_two.rehearsed

    def _calls(self, installed: Sequence[Statement], found: Iterable[Happening]) -> list[str | None]:
        """How each change calls the frozen trigger; None where it is refused."""
        answers = self._oracle.tried(self._prepared, [self._counted(h) for h in found], installed)
        return [None if isinstance(a, Refusal) else (a[0][0] or b"").decode() for a in answers]

    def _counted(self, happening: Happening) -> tuple[Statement, ...]:
        if self._promise.trigger.constraint:
            return (*happening.statements, MARK, IMMEDIATE, READ)
        return (*happening.statements, READ)

    def _unfired(self, known: Sequence[str | None]) -> str | None:
        """The promised event that no change brought about."""
        trigger = self._promise.trigger
        for event in trigger.events:
            call = f"{trigger.timing} {event} {trigger.level}"
            if not any(call in calls for calls in known if calls is not None):
                return f"no change was found that fires it by {event}"
        return None

    def _called(self, known: Sequence[str | None]) -> list[Change]:
        """Changes that must call the trigger so often, and no others."""
        promise = self._promise
        counted = [(h, calls) for h, calls in zip(self._happenings, known, strict=True) if calls is not None]
        chosen = _in_turn(((h.label, calls), (h, calls)) for h, calls in counted)[:MOST_CALLS]
        found = [self._counting(h, calls if self._fires else NEVER, ()) for h, calls in chosen]
        firsts = {calls: h for h, calls in reversed(counted)}
        for mode in (REPLICA, DEFERRED):
            some = list(firsts.values())[:4]
            after = [Happening(h.label, (mode, *h.statements)) for h in some]
            for happening, calls in zip(some, self._calls(promise.probed(), after), strict=True):
                if calls is not None:
                    found.append(self._counting(happening, calls, (mode,)))
        return found

    def _counting(self, happening: Happening, expected: str, before: tuple[Statement, ...]) -> Change:
        layer = (probe(self._promise.table, self._promise.trigger),)
        told = expected.rstrip("; ")
        wanted = f"{self._promise.trigger.name} is called: {told}" if told != NEVER else "it is not called"
        return Change(self._counted(happening), before, shows=partial(_is, expected), wanted=wanted, layer=layer)

    def _effects(self, fired: Sequence[Happening], refused: Sequence[Happening]) -> tuple[list[Change], int, Left]:
        """Changes whose outcome is compared, how many of them show a difference to no trigger, and what is left out."""
        promise = self._promise
        left = self._changing(fired)
        differs = self._shows(fired, left)
        labelled = [((h.kind, shows), (h, shows)) for h, shows in zip(fired, differs, strict=True)]
        if not promise.trigger.constraint and any(s == IMMEDIATE for s in self._prepared):
            # what is looked at when the transaction ends may show what the rows do not show at once
            hidden = [h for h, shows in zip(fired, differs, strict=True) if not shows]
            ended = [Happening(f"{h.label}, ended", (*h.statements, IMMEDIATE), h.matters) for h in hidden]
            labelled += _showing(zip(ended, self._shows(ended, left), strict=True))
        saved = self._shows(refused, left)
        labelled += _showing(zip(refused, saved, strict=True))
        # those that show something first
        chosen = _in_turn(one for one in labelled if one[1][1])[:MOST_EFFECTS]
        chosen += _in_turn(one for one in labelled if not one[1][1])[:MOST_SILENT]
        kept = [h for h, shows in zip(refused, saved, strict=True) if not shows]
        # it fires before what refuses them
        reached = zip(kept, self._reached(kept), strict=True)
        rest = _in_turn((h.kind, (h, False)) for h, yes in reached if yes)
        effects = [self._compared(h.statements, left) for h, _ in (*chosen, *rest[:MOST_REFUSED])]
        return effects, sum(shows for _, shows in chosen), left

    def _reached(self, refused: Sequence[Happening]) -> list[bool]:
        """Which of these changes call the trigger before something refuses them."""
        promise = self._promise
        if promise.function is None or promise.function.language != "plpgsql":
            return [True for _ in refused]
        raising = replace(promise, function=replace(promise.function, body=RAISING))
        cases = [self._ended(h.statements) for h in refused]
        answers = self._oracle.tried(self._prepared, cases, raising.installed())
        return [isinstance(a, Refusal) and a.sqlstate == REACHED for a in answers]

    def _shows(self, fired: Sequence[Happening], left: Left) -> list[bool]:
        """Which of these changes leave other rows than without the trigger."""
        promise = self._promise
        shot = self._shot(left)
        cases = [(*self._ended(h.statements), shot) for h in fired]
        with_it = self._oracle.tried(self._prepared, cases, promise.installed())
        without = self._oracle.tried(self._prepared, cases, (drop_trigger(promise.table, promise.trigger),))
        return list(map(_differ, with_it, without))

    def _changing(self, fired: Sequence[Happening]) -> Left:
        """The columns whose values differ between two runs of the same thing: random ones, clocks."""
        details = self._camera.details()
        some = fired[:: max(1, len(fired) // SAMPLE)]
        cases = [(*self._ended(h.statements), details) for h in some for _ in range(2)]
        runs = self._oracle.tried(self._prepared, cases, self._promise.installed())
        left: Left = frozenset()
        for one, other in zip(runs[::2], runs[1::2], strict=True):
            if not isinstance(one, Refusal) and not isinstance(other, Refusal):
                left |= self._camera.unlike(one, other)
        return left

    def _ended(self, statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        """As if the transaction ended there, for triggers that may wait for that."""
        return (*statements, IMMEDIATE) if self._promise.trigger.constraint else statements

    def _shot(self, left: Left) -> Statement:
        if left not in self._shots:
            self._shots[left] = replace(self._camera, left=left).snapshot()
        return self._shots[left]

    def _compared(self, statements: tuple[Statement, ...], left: Left) -> Change:
        act = (*self._ended(statements), self._shot(left))
        wanted = "the same rows in all tables as with the frozen trigger and function"
        instead = self._promise.installed()
        return Change(act, reference=act, instead=instead, guard=self._same_again(act), wanted=wanted)

    def _same_again(self, act: tuple[Statement, ...]) -> Callable[[], Statement]:
        """Whether the frozen trigger does the same twice: if not, no difference to it means anything."""

        def asked() -> Statement:
            one, other = self._oracle.tried(self._prepared, [act, act], self._promise.installed())
            worded = isinstance(one, Refusal) and isinstance(other, Refusal) and one.told != other.told
            return Statement("SELECT false" if worded or _differ(one, other) else "SELECT true")

        return asked

    def _drawn(self, left: Left) -> SearchStrategy[Change]:
        seeds = st.integers(min_value=0, max_value=2**32 - 1)
        changes = seeds.map(lambda seed: drawn(self._stage, Random(seed))).filter(bool)
        return changes.map(lambda statements: self._compared(statements, left))


def _showing(found: Iterable[tuple[Happening, bool]]) -> list[tuple[tuple[str, bool], tuple[Happening, bool]]]:
    """Those that show something, each with its label."""
    return [((h.kind, True), (h, True)) for h, shows in found if shows]


def _in_turn(labelled: Iterable[tuple[object, Thing]]) -> list[Thing]:
    """The first of every label, then the second, and so on up to a few."""
    rounds: list[list[Thing]] = [[] for _ in range(MOST_ALIKE)]
    seen: Counter[object] = Counter()
    for label, thing in labelled:
        if seen[label] < MOST_ALIKE:
            rounds[seen[label]].append(thing)
            seen[label] += 1
    return [thing for one in rounds for thing in one]


def _is(expected: str, rows: Rows) -> bool:
    return list(rows) == [(expected.encode(),)]


def _differ(one: Answer, other: Answer) -> bool:
    if isinstance(one, Refusal) and isinstance(other, Refusal):
        return one.sqlstate != other.sqlstate
    return isinstance(one, Refusal) or isinstance(other, Refusal) or list(one) != list(other)


def meeting(catalog: Catalog) -> bool:
    """Whether two sessions must meet to prove one of these triggers."""
    called = (trigger_function(catalog, trigger) for table in catalog.tables for trigger in table.triggers)
    return any(function is not None and locks(function.body) for function in called)


def promises(catalog: Catalog) -> Iterator[TriggerPromise]:
    """Every trigger of every table."""
    for table in catalog.tables:
        for trigger in table.triggers:
            yield TriggerPromise(table.name, trigger, trigger_function(catalog, trigger))

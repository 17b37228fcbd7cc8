"""One run of histories over one session: each step is about one round trip, the invariants' answers in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from random import Random

from psycopg import sql

from pgcontract.invariants.files import READ_ONLY, TOO_LONG, WRITABLE_AGAIN, WRITES, Invariant, refused, shown
from pgcontract.invariants.history import DEFERRED, IMMEDIATE, Back, Event, History, Save, Step, rendered, smallest
from pgcontract.invariants.reach import Counters, Reach
from pgcontract.model import Catalog, Name, Table
from pgcontract.rows.changes import Change, key_columns, parts, statement
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Row, Statement, Value, identifier, paste
from pgcontract.rows.terrain import Terrain, mentioned
from pgcontract.rows.worlds import Worlds
from pgcontract.session import Answer, Session

MOST_ROWS = 60
"""Rows of one table that are looked at: a table that migrations filled is not read whole."""
MOST_SAVEPOINTS = 3
HISTORIES_A_TRANSACTION = 25
"""What was rolled back stays in the tables until the transaction ends, and makes reading them slow."""
UNINTENDED = frozenset({"21000", "22004", "2F005", "54001", "55000", "P0002", "P0003"})
"""What a function fails with that uses what is not there, takes many rows for one, or calls itself for ever."""
READABLE = frozenset({"plpgsql", "sql"})
"""Languages whose bodies are tokens of SQL."""
WRITING = frozenset({"insert", "update", "delete", "merge", "execute"})
"""Words of functions whose triggers change more than the row that they are fired for: where most is to be found."""

Answers = Sequence[Answer | None]


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that did not hold: the statements that lead there, and what it returned or why it failed."""

    statements: tuple[Statement, ...]
    seen: str
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Failing:
    """A valid change of these tables that a function of the schema failed at; ``broken`` ends with it."""

    tables: frozenset[str]
    broken: Broken


@dataclass(frozen=True, slots=True)
class Explored:
    """What a run of histories gave. ``refused`` counts the steps that the database refused, by its error.

    ``held``: how many steps each invariant held after, by its id; ``failing``: changes that functions failed at.
    """

    histories: int = 0
    steps: int = 0
    held: Counter[str] = field(default_factory=Counter)
    broken: dict[str, Broken] = field(default_factory=dict)
    failing: dict[str, Failing] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    reach: Reach = field(default_factory=Reach)
    unbuildable: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """The part of the exchange format."""
        return {
            "histories": self.histories,
            "steps": self.steps,
            "refused": sum(self.refused.values()),
            "reached": {
                kind: len(part.reached)
                for kind, part in (
                    ("tables", self.reach.tables),
                    ("triggers", self.reach.triggers),
                    ("branches", self.reach.branches),
                )
            },
            "not_reached": list(self.reach.missed),
        }

    def __or__(self, other: Explored) -> Explored:
        broken = dict(self.broken)
        for id_, found in other.broken.items():
            if id_ not in broken or len(found.statements) < len(broken[id_].statements):
                broken[id_] = found
        return Explored(
            self.histories + other.histories,
            self.steps + other.steps,
            self.held + other.held,
            broken,
            other.failing | self.failing,
            self.refused + other.refused,
            self.reach | other.reach,
            self.unbuildable | other.unbuildable,
            self.seconds + other.seconds,
        )


def merged(parts: Iterable[Explored]) -> Explored:
    """What several runs found together."""
    return reduce(or_, parts)


@dataclass(frozen=True, slots=True)
class Way:
    """How to explore: ``until_broken`` ends with the first finding; without ``cut_down`` it is left as it was found.

    Without it, what was reached is not counted either: then it is only asked whether there is a finding.
    """

    until_broken: bool = False
    cut_down: bool = True


class Explorer:
    """A session on which histories are tried: begins them, takes their steps, asks the invariants, and looks on."""

    def __init__(
        self,
        session: Session,
        terrain: Terrain,
        invariants: Sequence[Invariant],
        asked: Sequence[Invariant],
        way: Way,
    ) -> None:
        self._session = session
        self.terrain = terrain
        self._active = list(asked)
        self._way = way
        self._deferrable = _deferrable(terrain.catalog)
        self._focuses = [focus(terrain.catalog, invariant) for invariant in invariants]
        self._weights = [sum(terrain.weights[t.name] for t in tables) or 1 for tables in self._focuses]
        self._reads = {t.name: _read(t) for t in terrain.tables}
        self._counters = Counters.of(session) if way.cut_down else Counters()
        self._written: set[Name] = set()
        self._rows: dict[Name, list[Row]] = {}
        self._history: list[Event] = []
        self._saved: list[int] = []
        self._savepoints = 0
        self._begun = 0
        self._failed = False
        self.over = False
        self.focus: tuple[Table, ...] = ()
        self.steps = 0
        self.held: Counter[str] = Counter()
        self.broken: dict[str, Broken] = {}
        self.failing: dict[str, Failing] = {}
        self.refused: Counter[str] = Counter()

    @property
    def done(self) -> bool:
        """Whether there is nothing more to find."""
        return not self._active or (self._way.until_broken and bool(self.broken or self.failing))

    def begin(self, random: Random) -> None:
        """Begin a history on the database as its migrations left it."""
        if self._begun % HISTORIES_A_TRANSACTION == 0:
            self._fresh_transaction()
        self._begun += 1
        (self.focus,) = random.choices(self._focuses, self._chances()) if self._focuses else ((),)
        self._history, self._saved, self._savepoints = [], [], 0
        self._failed = False
        self.over = self.done
        self._rows = {}
        self._answers([Statement("ROLLBACK TO SAVEPOINT example"), Statement("SAVEPOINT step")], self._looked_at())
        self._session.mark("step")

    def known(self, name: Name) -> Sequence[Row]:
        """The rows of a table as they are now."""
        if name not in self._rows:
            self._answers([], [name])
        return self._rows.get(name, [])

    def step(self, changes: Sequence[Change]) -> bool:
        """Make the changes and ask the invariants; whether the database accepted them."""
        if self.over or not changes:
            return False
        act = [statement(change) for change in changes]
        before = [DEFERRED] if self._deferrable else []
        after = [IMMEDIATE] if self._deferrable else []
        asked = [invariant.asked for invariant in self._active]
        mark = [Statement("RELEASE SAVEPOINT step"), Statement("SAVEPOINT step")]
        answers = self._answers([*before, *act, *after, *READ_ONLY, *asked, WRITABLE_AGAIN, *mark], self._looked_at())
        done = answers[len(before) : len(before) + len(act)]
        made = len(before) + len(act) + len(after)
        refusal = next((a.refusal for a in answers[:made] if a is not None and a.refusal is not None), None)
        if refusal is not None:
            # messages of functions name rows: their constraint, if they have one, makes them one
            self.refused[f"{refusal.sqlstate} {refusal.constraint or refusal.message}"] += 1
            self._fail(changes, refusal)
            return False
        self._history.append(Step(tuple(changes)))
        self._judge(answers[made + len(READ_ONLY) :])
        self.steps += 1
        for change, answer in zip(changes, done, strict=True):
            if answer is not None and answer.count:
                self._written |= {part.table.name for part in parts(change)}
        return True

    def save(self) -> None:
        """Set a savepoint to go back to."""
        if not self.over and len(self._saved) < MOST_SAVEPOINTS:
            self._savepoints += 1
            self._saved.append(self._savepoints)
            self._history.append(Save(self._savepoints))
            self._answers([Statement(f"SAVEPOINT kept_{self._savepoints}"), Statement("SAVEPOINT step")], ())

    def back(self) -> None:
        """Go back to the last savepoint; what the invariants say then is asked with the next step."""
        if not self.over and self._saved:
            number = self._saved.pop()
            self._history.append(Back(number))
            self._rows = {}
            back = [Statement(f"ROLLBACK TO SAVEPOINT kept_{number}"), Statement("SAVEPOINT step")]
            self._answers(back, self._looked_at())

    def end(self) -> Explored:
        """Roll everything back; what was found."""
        if self._begun:
            self._counters.read(self._session)
        self._session.leave()
        self._session.enter(())
        tables = [str(t.name) for t in self.terrain.tables]
        return Explored(
            self._begun,
            self.steps,
            self.held,
            self.broken,
            self.failing,
            self.refused,
            self._counters.reach(map(str, self._written), tables),
            {str(name): why.what for name, why in self.terrain.refused.items()},
        )

    def _fresh_transaction(self) -> None:
        if self._begun:
            self._counters.read(self._session)
        self._session.leave()
        self._session.enter(self._counters.setup)

    def _chances(self) -> list[int]:
        """How likely each focus is: every second history goes to tables that no step has changed, while there are."""
        unmet = [not any(t.name in self._written for t in focus) for focus in self._focuses]
        if not any(unmet) or self._begun % 2 == 0:
            return self._weights
        return [weight * missed for weight, missed in zip(self._weights, unmet, strict=True)]

    def _looked_at(self) -> tuple[Name, ...]:
        return tuple(t.name for t in self.focus if t.name in self._reads)

    def _answers(self, statements: Sequence[Statement], read: Sequence[Name]) -> list[Answer | None]:
        """Run statements, and read tables behind them; what is read is known until the next change."""
        recover = [Statement("ROLLBACK TO SAVEPOINT step")] if self._failed else []
        reads = [self._reads[name] for name in read]
        answers = self._session.answers([*recover, *statements, *reads])
        self._failed = any(a is None or a.refusal is not None for a in answers)
        mine = answers[len(recover) : len(recover) + len(statements)]
        if statements and not self._failed:
            self._rows = {}
        for name, answer in zip(read, answers[len(answers) - len(reads) :], strict=True):
            if answer is not None and answer.columns is not None:
                self._rows[name] = _rows(answer)
        return mine

    def _judge(self, answers: Sequence[Answer | None]) -> None:
        """Note which invariants held; cut down the history of each that did not, and end this one."""
        for invariant, answer in zip(list(self._active), answers, strict=False):
            if answer is None:
                # behind one that failed
                continue
            if answer.refusal is None and not answer.rows:
                self.held[invariant.id] += 1
                continue
            if answer.refusal is not None and _its_own_fault(answer.refusal):
                raise refused(invariant, answer.refusal)
            self.broken[invariant.id] = self._cut_down(tuple(self._history), [invariant.asked], _breaks)
            self._active.remove(invariant)
            self.over = True

    def _fail(self, changes: Sequence[Change], refusal: Refusal) -> None:
        """Note a change that a function failed at, as neither a constraint nor a RAISE would."""
        key = f"{refusal.sqlstate} {(refusal.context or '').partition(chr(10))[0]}"
        if not _unintended(refusal) or key in self.failing:
            return

        def same(answers: Sequence[Answer | None]) -> Refusal | None:
            found = next((a.refusal for a in answers if a is not None and a.refusal is not None), None)
            return found if found is not None and found.sqlstate == refusal.sqlstate and _unintended(found) else None

        tables = frozenset(str(part.table.name) for change in changes for part in parts(change))
        history = (*self._history, Step(tuple(changes)))
        self.failing[key] = Failing(tables, self._cut_down(history, [], same))
        self.over = True

    def _cut_down(self, history: History, asked: Sequence[Statement], shows: Callable[[Answers], object]) -> Broken:
        """The shortest history that shows the same, confirmed in a fresh transaction without counters."""

        def statements(tried: History) -> list[Statement]:
            return [*rendered(tried, deferrable=self._deferrable), *asked]

        def seen(tried: History) -> object:
            back = Statement("ROLLBACK TO SAVEPOINT example")
            return shows(self._session.answers([back, *statements(tried)])[1:])

        self._session.mark(None)
        first = seen(history)
        if not self._way.cut_down:
            return Broken(tuple(statements(history)), str(first), repeatable=first is not None)
        found = smallest(history, lambda tried: seen(tried) is not None, self.terrain)
        self._counters.read(self._session)
        self._session.leave()
        self._session.enter(())
        confirmed = seen(found)
        self._session.leave()
        self._session.enter(self._counters.setup)
        shown = confirmed if confirmed is not None else first
        return Broken(tuple(statements(found)), str(shown).replace("\n", " "), repeatable=confirmed is not None)


def counterexample(invariant: Invariant, broken: Broken, promised: str) -> str:
    """The history as SQL to paste into psql, and what its last statement shows."""
    *done, last = (f"{paste(s)};" for s in broken.statements)
    lines = [f"-- {invariant.id}: {invariant.clause}", "BEGIN;", *done]
    return "\n".join([*lines, f"-- promised: {promised}; seen: {broken.seen}", last, "ROLLBACK;"])


def _breaks(answers: Answers) -> str | None:
    """What the invariant, which is asked last, returns; None where it holds, or a step before it was refused."""
    *before, last = answers
    if last is None or any(a is None or a.refusal is not None for a in before):
        return None
    if last.refusal is not None:
        return str(last.refusal)
    return shown(last) if last.rows else None


def _unintended(refusal: Refusal) -> bool:
    """Whether a function failed of itself: it names what is not there, or takes NULL or many rows for one."""
    raised = (refusal.context or "").partition("\n")[0].endswith("at RAISE")
    inside = (refusal.context or "").startswith("PL/pgSQL function ") or "\nPL/pgSQL function " in (
        refusal.context or ""
    )
    return inside and not raised and (refusal.sqlstate[:2] == "42" or refusal.sqlstate in UNINTENDED)


def _its_own_fault(refusal: Refusal) -> bool:
    """Whether an invariant could not be asked because of how it is written, whatever rows there are."""
    return refusal.sqlstate in {WRITES, TOO_LONG} or refusal.sqlstate.startswith("42")


def _rows(answer: Answer) -> list[Row]:
    columns = answer.columns or ()
    found: list[Row] = []
    for row in answer.rows:
        values: list[Value] = [None if v is None else v.decode() for v in row]
        found.append(dict(zip(columns, values, strict=True)))
    return found


def _read(table: Table) -> Statement:
    columns = sql.SQL(", ").join(sql.Identifier(c.name) for c in table.columns)
    # as text: what a client sees, which orders the same on every server
    key = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(c)) for c in key_columns(table))
    text = sql.SQL("SELECT {} FROM {} ORDER BY {} LIMIT {}").format(
        columns, identifier(table.name), key, sql.Literal(MOST_ROWS)
    )
    return Statement(text.as_string())


def terrain_of(worlds: Worlds, invariants: Sequence[Invariant]) -> Terrain:
    """All tables, each with its rows planned: that takes transactions of its own."""
    catalog = worlds.catalog
    words = mentioned(*(invariant.query for invariant in invariants), *_trigger_bodies(catalog))
    writing = {f.name for f in catalog.functions if f.language in READABLE and mentioned(f.body) & WRITING}
    weights = {t.name: 1 + 2 * sum(trigger.function in writing for trigger in t.triggers) for t in catalog.tables}
    terrain = Terrain(worlds, words, weights)
    for table in terrain.tables:
        terrain.field(table.name)
    return terrain


def _trigger_bodies(catalog: Catalog) -> list[str]:
    used = {t.function for table in catalog.tables for t in table.triggers}
    return [f.body for f in catalog.functions if f.name in used and f.language in READABLE]


def focus(catalog: Catalog, invariant: Invariant) -> tuple[Table, ...]:
    """The tables that an invariant names, or those of a view that it names."""
    words = mentioned(invariant.query)
    views = [v.definition for v in catalog.views if v.name.name in words]
    words |= mentioned(*views)
    return tuple(t for t in catalog.tables if t.name.name in words and t.partition_of is None)


def _deferrable(catalog: Catalog) -> bool:
    """Whether there are constraints that can wait for the end of a transaction."""
    return any(
        any(fk.deferrable for fk in table.foreign_keys)
        or any(key.deferrable for key in table.keys)
        or any(exclusion.deferrable for exclusion in table.exclusions)
        or any(trigger.deferrable for trigger in table.triggers)
        for table in catalog.tables
    )

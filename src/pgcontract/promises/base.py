"""What a promise is to the rest: cases that must succeed, cases that must fail, and how an outcome is judged.

A case is one round trip: statements that are sent together on top of a world and rolled back. Nothing here opens a
connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from hypothesis.strategies import SearchStrategy
from psycopg import sql

from pgcontract.model import Catalog, Name, Reason
from pgcontract.promises.meetings import Arena, Clash, Rehearsed, told
from pgcontract.promises.mutants.base import Mutant
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, identifier
from pgcontract.rows.worlds import World, Worlds

REPLICA = Statement("SET LOCAL session_replication_role = 'replica'")
"""No trigger runs from here on, and no plan is made anew for that, as for DISABLE TRIGGER."""
Rows = Sequence[tuple[bytes | None, ...]]
"""What a statement returned, in PostgreSQL's text output."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change that must succeed.

    ``setup`` only prepares: if it fails, the case says nothing. ``act`` is what is judged. Where the last of ``act``
    returns rows, there must be exactly one, every field of it true; or they must be as ``shows`` says, of which
    ``wanted`` tells people. Where there is a ``reference``, it is run in ``act``'s place, too, and must give the same.
    ``layer`` is done before ``setup``, and ``instead`` in its place for the reference: statements that are dear, and
    that many cases share. If they fail, the case says nothing, either.
    ``guard`` makes a query that is true where the case really is what it claims to be; it is asked only when the
    outcome contradicts the promise. ``recorded``: it only asks what the catalog records, as drift does.
    """

    act: tuple[Statement, ...]
    setup: tuple[Statement, ...] = ()
    guard: Callable[[], Statement] | None = None
    shows: Callable[[Rows], bool] | None = None
    wanted: str | None = None
    reference: tuple[Statement, ...] = ()
    layer: tuple[Statement, ...] = ()
    instead: tuple[Statement, ...] = ()
    recorded: bool = False

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Everything that is sent on top of the layer, in order."""
        return (*self.setup, *self.act)


@dataclass(frozen=True, slots=True)
class Violation(Change):
    """A change that must fail: with one of these SQLSTATEs, naming this constraint, column or data type.

    ``table``: the one whose column or constraint it is, where that is not told by the name.
    """

    sqlstates: frozenset[str] = frozenset()
    constraint: str | None = None
    column: str | None = None
    datatype: str | None = None
    table: str | None = None

    def matches(self, refusal: Refusal) -> bool:
        """Whether an error is the one that was promised."""
        return refusal.sqlstate in self.sqlstates and all(
            wanted is None or wanted == seen
            for wanted, seen in (
                (self.constraint, refusal.constraint),
                (self.column, refusal.column),
                (self.datatype, refusal.datatype),
                (self.table, refusal.table),
            )
        )

    @property
    def promised(self) -> str:
        """The error that was promised, in words."""
        named = self.constraint or self.column or self.datatype
        return " or ".join(sorted(self.sqlstates)) + (f" naming {named}" if named else "")


@dataclass(frozen=True, slots=True)
class Cases:
    """Cases of one direction. ``always`` are tried first and every time, simplest first; then ``drawn`` by Hypothesis.

    ``prepared`` is done once, on top of the world, for all of them. ``missing`` says why there are none, or what could
    not be covered, and ``reason`` of what kind that is; ``notes`` is told with the verdict.
    """

    always: tuple[Change, ...] = ()
    drawn: SearchStrategy[Change] | None = None
    world: World | None = None
    prepared: tuple[Statement, ...] = ()
    missing: str | None = None
    notes: tuple[str, ...] = ()
    reason: Reason = Reason.NO_ROW
    meetings: Callable[[Arena], Rehearsed] | None = None
    """Rehearses what happens when two sessions meet, where one alone cannot tell all."""

    @property
    def setup(self) -> tuple[Statement, ...]:
        """All that is there before the first of them."""
        return (*(self.world.setup if self.world else ()), *self.prepared)


class Direction(StrEnum):
    """The two directions of a proof."""

    ACCEPTS = "accepts"
    REJECTS = "rejects"


class Outcome(StrEnum):
    """What one case says about its promise."""

    HELD = "held"
    BROKEN = "broken"
    BLOCKED = "blocked"
    """Something else decided: another constraint, a trigger, or the case was not what it claimed to be."""


class Promise(Protocol):
    """One thing that a schema guarantees. Made from the frozen contract, judged on worlds of the live catalog."""

    @property
    def id(self) -> str:
        """Stable, and unique within a contract."""

    @property
    def kind(self) -> str:
        """A word of the table of kinds."""

    @property
    def clause(self) -> str:
        """The promise in SQL's words, on one line."""

    @property
    def table(self) -> Name:
        """The table (or type) whose promise it is: promises of one table share worlds."""

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions that exist for this kind."""

    def accepts(self, worlds: Worlds) -> Cases:
        """Cases that must succeed. Raises Unbuildable where no row can be made."""

    def rejects(self, worlds: Worlds) -> Cases:
        """Violations: cases that must fail by this promise and no other. Raises Unbuildable."""

    def owns(self, refusal: Refusal) -> bool:
        """Whether this error in a case that must succeed is this promise's doing, and no other's."""

    def present(self, worlds: Worlds) -> bool:
        """Whether the live catalog still knows the promise by its name: if not, no other error excuses its absence."""


@runtime_checkable
class Mutable(Promise, Protocol):
    """A promise that says how it is broken."""

    def mutants(self, catalog: Catalog) -> Iterable[Mutant]:
        """Small changes of the frozen schema, each of which breaks this promise alone."""


@runtime_checkable
class Roled(Promise, Protocol):
    """A promise that names roles."""

    def of_roles(self, roles: Mapping[str, str]) -> Promise:
        """The same, of the roles as a server knows them."""


def gone(table: Name, column: str) -> Cases:
    """Cases for a column that the live table has no more: to read it fails, and that is no promised error."""
    read = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), identifier(table)).as_string()
    return Cases((Change((Statement(read),)),))


SCHEMA_IS_ANOTHER = "42"
"""SQLSTATE class of errors that say that a table, column, type or function is not there or not of the promised type.

Within a function it is the function's doing; and a setting that nobody has set is an environment's.
"""
UNDEFINED_OBJECT = "42704"
ROW_CHANGES = ("INSERT ", "UPDATE ", "DELETE ")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server answered to a case: the first error, or the fields of the last statement's rows."""

    refusal: Refusal | None = None
    rows: Rows | None = None
    told: str = ""
    """What else was seen, in words."""

    @property
    def true(self) -> bool:
        """Whether the last statement returned nothing to judge, or one row of which every field is true."""
        return self.rows is None or (len(self.rows) == 1 and all(field == b"t" for field in self.rows[0]))

    def __str__(self) -> str:
        if self.refusal or self.told:
            return str(self.refusal or self.told)
        return "accepted" if self.true else "accepted, but with another result than promised"


def judge(promise: Promise, change: Change, seen: Seen, *, present: bool, reference: Seen | None = None) -> Outcome:
    """What a case's outcome says about its promise, before any guard is asked; ``reference`` is the reference's."""
    refusal = seen.refusal
    if refusal is not None and refusal.position < len(change.setup):
        return Outcome.BLOCKED
    if reference is not None:
        return _compared(promise, change, seen, reference)
    if isinstance(change, Violation):
        if refusal is None:
            return Outcome.BROKEN
        if change.matches(refusal):
            return Outcome.HELD
        return Outcome.BROKEN if promise.owns(refusal) or not present else Outcome.BLOCKED
    if refusal is None:
        shown = seen.true if change.shows is None else change.shows(seen.rows or ())
        return Outcome.HELD if shown else Outcome.BROKEN
    another = _schema_is_another(refusal, change.statements[refusal.position])
    return Outcome.BROKEN if promise.owns(refusal) or another else Outcome.BLOCKED


def _schema_is_another(refusal: Refusal, statement: Statement) -> bool:
    if not refusal.sqlstate.startswith(SCHEMA_IS_ANOTHER) or refusal.within:
        return False
    # what a row's change names, the server points at; what a default or a policy asks for, it does not
    asked = refusal.place is None and statement.text.startswith(ROW_CHANGES)
    return refusal.sqlstate != UNDEFINED_OBJECT or not asked


def _compared(promise: Promise, change: Change, seen: Seen, reference: Seen) -> Outcome:
    """Two ways to do the same. Where both are refused alike, only the promise's own refusal says that it is kept."""
    one, other = seen.refusal, reference.refusal
    if other is not None and other.position < len(change.setup):
        return Outcome.BLOCKED
    if one is None or other is None:
        return Outcome.HELD if one is other and seen.rows == reference.rows else Outcome.BROKEN
    if (one.sqlstate, one.constraint) != (other.sqlstate, other.constraint):
        return Outcome.BROKEN
    if promise.owns(other):
        # what it raises itself has words of its own
        return Outcome.HELD if one.told == other.told else Outcome.BROKEN
    return Outcome.BLOCKED


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A case whose outcome breaks a promise, with the world that it needs."""

    change: Change
    seen: Seen
    setup: tuple[Statement, ...] = ()

    @property
    def expected(self) -> str:
        """What the promise says should have happened."""
        if isinstance(self.change, Violation):
            return self.change.promised
        return "accepted" if self.change.wanted is None else self.change.wanted


FIRST = Statement("-- a first session, in a transaction of its own")
SECOND = Statement("-- a second session meanwhile, in a transaction of its own")
COMMITS = Statement("-- now the first one commits")


def contradicted(clash: Clash, setup: tuple[Statement, ...]) -> Contradiction:
    """A meeting that took another course, as what contradicts a promise."""
    meeting = clash.meeting
    expected, seen = told(clash.expected, clash.seen)
    first = (FIRST, *meeting.first) if meeting.first else ()
    act = (*first, SECOND, *meeting.act, *([COMMITS] if meeting.commits else []))
    return Contradiction(Change(act, wanted=expected), Seen(told=seen), setup)

"""Transactions that meet: one has done something and not ended yet when another begins.

Pure words; ``arena.Arena`` has them happen on a server. A meeting is no race: the first session's statements have ended
before the second one's are sent, and it ends when the second one waits, or has come to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pgcontract.model import Table
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement


@dataclass(frozen=True, slots=True)
class Meeting:
    """What the first session does, if there is one, whether it commits that, and what the second does meanwhile."""

    act: tuple[Statement, ...]
    first: tuple[Statement, ...] = ()
    commits: bool = False


@dataclass(frozen=True, slots=True)
class Course:
    """What became of a meeting: whether the second session had to wait, and what was locked at that time.

    ``refused``: the error that one of the two met; ``rows``: what the second one saw at its end, where there was none.
    """

    waits: bool
    held: frozenset[str]
    refused: str = ""
    rows: tuple[tuple[bytes | None, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Onlooker:
    """What a third session asks meanwhile of locked rows, and the second one at its end of all rows.

    ``entering`` comes before ``rows``, and is refused where somebody has locked a whole table.
    """

    entering: tuple[Statement, ...]
    rows: str
    shot: Statement

    def held(self, backend: str) -> tuple[Statement, ...]:
        """What tells the rows that are locked, and what else the backend of this number has."""
        rows = f" UNION ALL ({self.rows})" if self.rows else ""
        tables = self.tables(backend)
        return (*self.entering, Statement(tables.text + rows, tables.values))

    @staticmethod
    def tables(backend: str) -> Statement:
        """A query for the tables that a backend has locked, and its advisory locks."""
        return Statement(
            "SELECT pg_catalog.concat_ws(' ', 'lock', locktype, mode, relation::pg_catalog.regclass, classid, objid)"
            " AS held FROM pg_catalog.pg_locks WHERE pid = $1 AND granted AND (locktype = 'advisory' OR"
            " locktype = 'relation' AND mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))",
            (backend,),
        )


class Arena(Protocol):
    """Where transactions meet and commit. Afterwards all rows are as they were placed."""

    def place(self, tables: Sequence[Table], prepared: Sequence[Statement]) -> Refusal | None:
        """Commit these rows in place of those that were placed before; returns what refused them."""

    def install(self, ddl: Sequence[Statement]) -> Refusal | None:
        """Commit DDL; returns what refused it."""

    def course(self, meeting: Meeting, onlooker: Onlooker) -> Course:
        """What becomes of a meeting."""


@dataclass(frozen=True, slots=True)
class Clash:
    """A meeting that took another course than with the frozen function."""

    meeting: Meeting
    expected: Course
    seen: Course


@dataclass
class Rehearsed:
    """Meetings, and the course of each with the frozen function. ``note`` tells people of them.

    ``promised`` installs the frozen function, ``back`` the live one.
    """

    tables: tuple[Table, ...] = ()
    prepared: tuple[Statement, ...] = ()
    onlooker: Onlooker | None = None
    expected: tuple[tuple[Meeting, Course], ...] = ()
    note: str = ""
    promised: tuple[Statement, ...] = ()
    back: tuple[Statement, ...] = ()

    def clash_of(self, ddl: Sequence[Statement], arena: Arena) -> Clash | None:
        """The same while this is committed, too; none where it is refused."""
        if not self.expected or arena.place(self.tables, self.prepared) is not None or arena.install(ddl) is not None:
            return None
        try:
            return self._clash(arena, ddl)
        finally:
            arena.install(self.back)

    def clash(self, arena: Arena) -> Clash | None:
        """The first meeting that takes another course now. It is the first to be tried next time."""
        if arena.place(self.tables, self.prepared) is not None:
            return None
        return self._clash(arena, self.back)

    def _clash(self, arena: Arena, now: Sequence[Statement]) -> Clash | None:
        for one in self.expected:
            meeting, expected = one
            if self.onlooker is None or (seen := arena.course(meeting, self.onlooker)) == expected:
                continue
            # a machine that stood still for a moment is no function's fault: the same again, and as promised in between
            arena.install(self.promised)
            kept = arena.course(meeting, self.onlooker) == expected
            arena.install(now)
            if kept and arena.course(meeting, self.onlooker) != expected:
                self.expected = (one, *(other for other in self.expected if other is not one))
                return Clash(meeting, expected, seen)
        return None


def told(expected: Course, seen: Course) -> tuple[str, str]:
    """How two courses differ, in words: what was promised, and what was seen."""
    if expected.waits != seen.waits:
        return _waiting(expected), _waiting(seen)
    if expected.refused != seen.refused:
        return expected.refused or "accepted", seen.refused or "accepted"
    if expected.held != seen.held:
        return _locked(expected.held - seen.held), _locked(seen.held - expected.held)
    return "the same rows at the end as with the frozen function", "other rows"


def _waiting(course: Course) -> str:
    return "the second session waits for the first" if course.waits else "the second session does not wait"


def _locked(held: frozenset[str]) -> str:
    return f"locked at that time: {', '.join(sorted(held)[:4]) or 'nothing else'}"

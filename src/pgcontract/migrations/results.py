"""What the runner tells: events while it works, a result at the end, and the status of all migrations.

Tuples, because a dataclass takes five times as long to make, and the command runs at every deployment.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias

EventKind: TypeAlias = Literal["initialised", "applying", "applied", "undoing", "undone", "waiting"]
State: TypeAlias = Literal["applied", "baseline", "started", "undoing", "pending", "edited", "missing"]
Override: TypeAlias = Literal["edited", "missing", "out-of-order"]


class Event(NamedTuple):
    """What a runner has just done. ``seconds`` is 0 for a start; ``name`` is the migration's or the init file's.

    ``waiting`` says that a statement has been waiting for a lock; ``detail`` names who holds it.
    """

    kind: EventKind
    name: str
    seconds: float = 0.0
    detail: str = ""


class Result(NamedTuple):
    """What `up` has applied or `down` undone, in that order, with the seconds that each took; and the totals after."""

    done: tuple[tuple[str, float], ...]
    total: int
    executed: int

    @property
    def pending(self) -> int:
        """How many files are still to be applied."""
        return self.total - self.executed


class Entry(NamedTuple):
    """One migration as `status` shows it. What belongs to its record is None where it has not been applied.

    ``unchanged``: whether the file's checksum is the recorded one; None where there is no file, or no record.
    """

    name: str
    state: State
    applied_at: datetime | None = None
    applied_by: str | None = None
    duration: timedelta | None = None
    unchanged: bool | None = None


class Status(NamedTuple):
    """All migrations, by number: those of the files, and those that were applied and have no file any more."""

    entries: tuple[Entry, ...]

    @property
    def total(self) -> int:
        """How many migrations there are, in files or applied."""
        return len(self.entries)

    @property
    def executed(self) -> int:
        """How many of them have been applied."""
        return self.total - self.pending

    @property
    def pending(self) -> int:
        """How many of them have not, or not to their end."""
        return sum(entry.state in {"pending", "started"} for entry in self.entries)

    @property
    def sound(self) -> bool:
        """Whether `up` would go on: no migration is edited, missing, or half undone."""
        return not any(entry.state in {"edited", "missing", "undoing"} for entry in self.entries)
